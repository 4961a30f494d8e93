// SPDX-License-Identifier: Apache-2.0
//
// Where a node is.

/// The address of a node: a scheme, a host and a port.
package struct AlephNodeAddress: Hashable, Sendable {
    /// Nodes that the project behind the network runs for everybody.
    ///
    /// - Source: aleph-sdk-python 2.4.0, `API_HOST`; its neighbours by the same name.
    package static let publicNodes = [
        AlephNodeAddress(url: "https://api2.aleph.im"),
        AlephNodeAddress(url: "https://api3.aleph.im"),
    ]

    /// The most nodes that are asked.
    package static let maximumCount = 8

    /// The address without a path, such as `https://api2.aleph.im`.
    package let url: String

    private init(url: String) {
        self.url = url
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
        let address = try AlephStoreAddress("aleph://" + rest)
        let isPlain = scheme == "http://"
        // A port that was not written is that of the scheme.
        let hasPort = rest.contains(":")
        let port = hasPort ? ":\(address.port)" : ""
        self.init(url: (isPlain ? "http://" : "https://") + address.host + port)
    }
}

extension AlephStoreAddress {
    /// The node, for the protocol's client.
    package var node: AlephNodeAddress {
        get throws(AlephStoreAddressError) { try AlephNodeAddress("https://\(host):\(port)") }
    }
}
