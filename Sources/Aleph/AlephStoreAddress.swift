// SPDX-License-Identifier: Apache-2.0
//
// The name of a store on Aleph Cloud. Naming such a store is understood, so that what a person is
// told is that this version cannot rest a volume there, and not that there is no such thing.

/// Why there is no store at an address of Aleph Cloud.
package enum AlephStoreAddressError: Error, Equatable, Sendable {
    /// The text is not `aleph://host` or `aleph://host:port`.
    case malformedAddress
    /// The address is fine; this version rests no volume there.
    case notInThisVersion
}

extension AlephStoreAddressError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .malformedAddress: "an Aleph store is written as aleph://host or aleph://host:port"
        case .notInThisVersion: "this version cannot keep a volume on the Aleph Cloud network"
        }
    }
}

/// Where a store on Aleph Cloud is: the node that is spoken with.
package struct AlephStoreAddress: Hashable, Sendable {
    /// The port of a node that is named without one: that of HTTPS.
    package static let defaultPort: UInt16 = 443
    /// The most bytes of a host name.
    ///
    /// - Source: RFC 1035 §2.3.4.
    package static let maximumHostSize = 253

    private static let prefix = "aleph://"

    /// The node's host name, in lower case.
    package let host: String
    /// The node's port.
    package let port: UInt16

    /// Reads `aleph://host` or `aleph://host:port`.
    ///
    /// - Throws: `malformedAddress`.
    package init(_ text: String) throws(AlephStoreAddressError) {
        guard text.lowercased().hasPrefix(AlephStoreAddress.prefix) else {
            throw .malformedAddress
        }
        let rest = text.dropFirst(AlephStoreAddress.prefix.count)
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, AlephStoreAddress.isHost(host), parts.count <= 2 else {
            throw .malformedAddress
        }
        self.host = host.lowercased()
        guard parts.count == 2 else {
            port = AlephStoreAddress.defaultPort
            return
        }
        // A sign is not a digit, though the conversion takes one.
        guard parts[1].first != "+", let port = UInt16(parts[1]), port > 0 else {
            throw .malformedAddress
        }
        self.port = port
    }

    /// Refuses to open the store, which this version cannot.
    ///
    /// - Throws: `notInThisVersion`, always.
    package func open() throws(AlephStoreAddressError) -> Never {
        throw .notInThisVersion
    }

    private static func isHost(_ text: Substring) -> Bool {
        guard !text.isEmpty, text.utf8.count <= maximumHostSize else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}
