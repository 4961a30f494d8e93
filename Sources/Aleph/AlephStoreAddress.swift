// SPDX-License-Identifier: Apache-2.0
//
// Where a store on Aleph Cloud is, as a person writes it and as a volume keeps it. Pure.
//
//   aleph://HOST[:PORT][,HOST[:PORT]…][?payment=…&chain=…&account=…&key=…&pack=…&scheme=http]

package import AlephProtocol
internal import Primitives

/// Why a text names no store on Aleph Cloud.
package enum AlephStoreAddressError: Error, Equatable, Sendable {
    /// The text is not of the form above.
    case malformedAddress
    /// More nodes than are asked.
    case tooManyNodes
    /// An option that there is not, or twice, or with a value it cannot have.
    case badOption(String)
}

extension AlephStoreAddressError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .malformedAddress:
            "an Aleph store is written as aleph://host or aleph://host:port,host:port"
        case .tooManyNodes: "at most \(AlephNodeAddress.maximumCount) nodes can be named"
        case .badOption(let name): "the option “\(name)” makes no sense"
        }
    }
}

/// Who pays for what a volume stores, and how.
package enum AlephPaymentMode: String, Hashable, Sendable, CaseIterable {
    /// By credits, which are used up: the only way from 2027 on.
    case credit
    /// By tokens that are held.
    case hold
    /// Not at all: small files in IPFS, which the network lets pass until 2027.
    case unpaid
}

/// Where a store on Aleph Cloud is: nodes, and the account that it belongs to.
package struct AlephStoreAddress: Hashable, Sendable {
    /// Bytes of a pack unless the address says otherwise: what every stored file costs as at least.
    ///
    /// - Source: pyaleph b09db708, the minimum of a file that is paid with credits.
    package static let standardPackSize = 25 << 20
    /// What the address may say of it. Nodes take no part of a file, so that a pack is fetched
    /// whole for one chunk of it; and no node takes more than the upper end.
    package static let packSizes = (1 << 20)...(1 << 30)
    /// The most bytes of the path of a key's file.
    private static let maximumPathSize = 4096

    /// The nodes, in the order in which they are asked.
    package var nodes: [AlephNodeAddress]
    /// How stored files are paid for.
    package var payment = AlephPaymentMode.credit
    /// The account's chain.
    package var chain = AlephChain.solana
    /// Whose the store is; nil until the key was seen.
    package var account: String?
    /// A file with the account's key; nil for the one that the volume's seed makes.
    package var keyFile: String?
    /// Bytes of a pack, as far as the node takes so much.
    package var packSize = standardPackSize

    /// A store of the derived account at `nodes`.
    package init(nodes: [AlephNodeAddress]) {
        self.nodes = nodes
    }

    /// Reads what follows `aleph:`.
    package init(afterScheme rest: Substring) throws(AlephStoreAddressError) {
        guard rest.hasPrefix("//") else { throw .malformedAddress }
        var place = rest.dropFirst(2).prefix { $0 != "?" }
        let query = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...] } ?? ""
        if place.hasSuffix("/") { place = place.dropLast() }
        var options: [String: String] = [:]
        for option in query.split(separator: "&", omittingEmptySubsequences: false)
        where !query.isEmpty {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0].prefix(40))
            guard parts.count == 2, !parts[1].isEmpty, options[name] == nil else {
                throw .badOption(name)
            }
            options[name] = String(parts[1])
        }
        var scheme = "https"
        if let given = options.removeValue(forKey: "scheme") {
            guard ["http", "https"].contains(given) else { throw .badOption("scheme") }
            scheme = given
        }
        nodes = []
        // Within a mirror's address commas are written in the other way.
        let names = place.replacing("%2C", with: ",").replacing("%2c", with: ",")
        for name in names.split(separator: ",", omittingEmptySubsequences: false) {
            guard nodes.count < AlephNodeAddress.maximumCount else { throw .tooManyNodes }
            guard !name.contains("/") else { throw .malformedAddress }
            let node = try AlephNodeAddress("\(scheme)://\(name)")
            guard !nodes.contains(node) else { throw .malformedAddress }
            nodes.append(node)
        }
        for (name, value) in options { try set(name, value) }
    }

    private mutating func set(
        _ name: String, _ value: String
    ) throws(AlephStoreAddressError) {
        switch name {
        case "payment":
            guard let mode = AlephPaymentMode(rawValue: value) else { throw .badOption(name) }
            payment = mode
        case "chain":
            let chain = AlephChain(name: value.uppercased())
            guard value.utf8.count <= AlephChain.maximumNameSize, chain.scheme != nil else {
                throw .badOption(name)
            }
            self.chain = chain
        case "account":
            guard let address = AlephAddress(value) else { throw .badOption(name) }
            account = address.text
        case "key":
            guard let path = Self.decoded(value), path.utf8.first == UInt8(ascii: "/"),
                path.utf8.count <= Self.maximumPathSize
            else { throw .badOption(name) }
            keyFile = path
        case "pack":
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let size = Int(value),
                Self.packSizes.contains(size)
            else { throw .badOption(name) }
            packSize = size
        default: throw .badOption(name)
        }
    }

    /// The address of the store; reading it gives this again.
    package var text: String {
        var options: [String] = []
        if payment != .credit { options.append("payment=\(payment.rawValue)") }
        if chain != .solana { options.append("chain=\(chain.name)") }
        if let account { options.append("account=\(account)") }
        if let keyFile { options.append("key=\(Self.encoded(keyFile))") }
        if packSize != Self.standardPackSize { options.append("pack=\(packSize)") }
        if nodes.first?.isPlain == true { options.append("scheme=http") }
        return "aleph://" + nodes.map(\.authority).joined(separator: ",")
            + (options.isEmpty ? "" : "?" + options.joined(separator: "&"))
    }

    private static func encoded(_ path: String) -> String {
        path.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "-._~/".utf8.contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte]).uppercased()
        }.joined()
    }

    private static func decoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let value = Hex.decode(String(decoding: digits, as: UTF8.self))
            else { return nil }
            bytes += value
            rest = rest.dropFirst(2)
        }
        guard !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
