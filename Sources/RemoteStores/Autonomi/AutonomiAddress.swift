// SPDX-License-Identifier: Apache-2.0
//
// Where the network's daemon listens, and how a volume uses it, as a person writes it.
//
//   autonomi://HOST:PORT?network=NAME&pointer=ADDRESS&payment_mode=MODE

internal import Autonomi

/// How the daemon is to pay for uploads of several chunks.
package enum PaymentMode: String, Hashable, Sendable, CaseIterable {
    /// As the daemon thinks best.
    case auto
    /// All chunks in one transaction.
    case merkle
    /// Each chunk by itself.
    case single
}

/// The daemon behind an Autonomi store.
package struct AutonomiAddress: Hashable, Sendable {
    /// A name or an address; always this machine's, unless somebody tunnels.
    package var host = "127.0.0.1"
    /// Its port; nil for the one that the running daemon has written down.
    package var port: UInt16?
    /// The network that the volume rests on; nil until the daemon has been asked.
    package var network: String?
    /// The pointer that the volume's pads hang on; nil if they rest in another store.
    package var pointer: PublicAddressText?
    /// How estimates are made.
    package var paymentMode: PaymentMode?

    /// The daemon of this machine, wherever it listens.
    package init() {}

    /// The most characters of a host or a network's name.
    private static let nameLimit = 253

    /// Reads what follows `autonomi:`.
    ///
    /// - Throws: `malformed` for anything that is not of the form at the head of this file.
    package init(_ rest: Substring) throws(StoreURLError) {
        var rest = rest
        if rest.hasPrefix("//") { rest = rest.dropFirst(2) }
        let query = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...] }
        var place = rest.prefix { $0 != "?" }
        if place.hasSuffix("/") { place = place.dropLast() }
        try readPlace(place)
        var seen: Set<Substring> = []
        for option in (query ?? "").split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, seen.insert(parts[0]).inserted else { throw .malformed }
            try set(parts[0], to: String(parts[1]))
        }
    }

    private mutating func readPlace(_ place: Substring) throws(StoreURLError) {
        if place.isEmpty { return }
        var name = place
        // The colons of a bracketed address belong to it.
        if let colon = place.lastIndex(of: ":"), !place.hasSuffix("]") {
            name = place[..<colon]
            let digits = place[place.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt16(digits), number > 0
            else { throw .malformed }
            port = number
        }
        guard Self.isName(name, alsoAllowed: ".:[]-") else { throw .malformed }
        host = name.lowercased()
    }

    private mutating func set(_ key: Substring, to value: String) throws(StoreURLError) {
        switch key {
        case "network":
            guard Self.isName(Substring(value), alsoAllowed: "-_.") else { throw .malformed }
            network = value
        case "pointer":
            guard let address = PublicAddressText(value) else { throw .malformed }
            pointer = address
        case "payment_mode":
            guard let mode = PaymentMode(rawValue: value) else { throw .malformed }
            paymentMode = mode
        default: throw .malformed
        }
    }

    static func isName(_ text: Substring, alsoAllowed marks: String) -> Bool {
        (1...nameLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                    || marks.utf8.contains(byte)
            }
    }

    /// The address of the store; reading it gives this again.
    package var text: String {
        var options: [String] = []
        if let network { options.append("network=\(network)") }
        if let pointer { options.append("pointer=\(pointer.text)") }
        if let paymentMode { options.append("payment_mode=\(paymentMode.rawValue)") }
        return "autonomi://\(host)" + (port.map { ":\($0)" } ?? "")
            + (options.isEmpty ? "" : "?" + options.joined(separator: "&"))
    }
}

/// An address of the network that was checked, as text.
package struct PublicAddressText: Hashable, Sendable {
    /// 64 hexadecimal digits, in lower case.
    package let text: String

    /// Nil for anything else.
    package init?(_ text: String) {
        // Which of the rules it breaks, the address's own reader would say; here any is enough.
        guard (try? PublicAddress(text)) != nil else { return nil }
        self.text = text
    }
}
