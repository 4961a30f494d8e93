// SPDX-License-Identifier: Apache-2.0
//
// Where a node is.

/// The address of a node: a scheme, a host and a port.
package struct AlephNodeAddress: Hashable, Sendable {
    /// Nodes that the project behind the network runs for everybody.
    ///
    /// - Source: aleph-sdk-python 2.4.0, `API_HOST`; its neighbours by the same name.
    package static let publicNodes = [
        AlephNodeAddress(isPlain: false, authority: "api2.aleph.im"),
        AlephNodeAddress(isPlain: false, authority: "api3.aleph.im"),
    ]

    /// The most nodes that are asked.
    package static let maximumCount = 8
    /// The most bytes of a host name.
    ///
    /// - Source: RFC 1035 §2.3.4.
    private static let maximumHostSize = 253

    /// Whether it is spoken with in plain HTTP.
    package let isPlain: Bool
    /// The host in lower case, and the port where it was written.
    package let authority: String

    /// The address without a path, such as `https://api2.aleph.im`.
    package var url: String { (isPlain ? "http://" : "https://") + authority }

    private init(isPlain: Bool, authority: String) {
        self.isPlain = isPlain
        self.authority = authority
    }

    /// Reads `https://host[:port]`, `http://host[:port]`, `aleph://host[:port]` or a bare host.
    ///
    /// What goes to and comes from a node is signed and public, so that plain http loses no
    /// secret; but somebody on the way can then keep things from us.
    ///
    /// - Throws: `malformedAddress`.
    package init(_ text: String) throws(AlephStoreAddressError) {
        let lower = text.lowercased()
        let scheme = ["https://", "http://", "aleph://"].first { lower.hasPrefix($0) }
        var rest = lower.dropFirst(scheme?.count ?? 0)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, Self.isHost(host), parts.count <= 2 else {
            throw .malformedAddress
        }
        var authority = String(host)
        if parts.count == 2 {
            // A sign is not a digit, though the conversion takes one.
            guard parts[1].first != "+", let port = UInt16(parts[1]), port > 0 else {
                throw .malformedAddress
            }
            authority += ":\(port)"
        }
        // A port that was not written is that of the scheme.
        self.init(isPlain: scheme == "http://", authority: authority)
    }

    private static func isHost(_ text: Substring) -> Bool {
        guard !text.isEmpty, text.utf8.count <= maximumHostSize else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}
