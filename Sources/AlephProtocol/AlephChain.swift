// SPDX-License-Identifier: Apache-2.0
//
// The chains whose keys sign messages, and how.

/// The way the keys of a chain sign.
package enum SignatureScheme: Sendable, Equatable {
    /// Ed25519 over the signed bytes; the address is the public key in base 58.
    case ed25519
    /// secp256k1 over an EIP-191 message; the address is that of EIP-55.
    case ethereum
}

/// A chain, by the short name that messages have for it.
package struct AlephChain: Hashable, Sendable {
    /// The name in messages, such as `SOL`.
    package let name: String

    /// Solana, whose keys Cairn makes.
    package static let solana = AlephChain(name: "SOL")
    /// Ethereum.
    package static let ethereum = AlephChain(name: "ETH")

    /// The most bytes of a name.
    package static let maximumNameSize = 32

    private static let ed25519Names: Set<String> = ["SOL", "ES"]

    /// - Source: the chains of aleph-message 1.7.0 that the network holds for Ethereum's kin.
    private static let ethereumNames: Set<String> = [
        "ARB", "AURORA", "AVAX", "BASE", "BLAST", "BOB", "BSC", "CYBER", "ETH", "ETHERLINK",
        "FRAX", "HYPE", "INK", "LENS", "LINEA", "LISK", "METIS", "MODE", "OP", "POL", "STT",
        "SONIC", "UNICHAIN", "WLD", "ZORA",
    ]

    /// The chain of that name; it need not be one whose signatures can be checked.
    package init(name: String) {
        self.name = name
    }

    /// How its keys sign; nil for chains whose signatures this version cannot check.
    package var scheme: SignatureScheme? {
        if AlephChain.ed25519Names.contains(name) { return .ed25519 }
        return AlephChain.ethereumNames.contains(name) ? .ethereum : nil
    }
}
