// SPDX-License-Identifier: Apache-2.0
//
// Encryption for an account, in the two ways that other clients of the network read.

package import Cryptography
import Primitives

/// Somebody for whom bytes can be sealed.
package enum Recipient: Sendable, Equatable {
    /// The holder of a Solana address, which is a key: libsodium's sealed box.
    case solana(publicKey: [UInt8])
    /// The holder of an Ethereum key: ECIES. The address is not enough, for it is a hash.
    case ethereum(publicKey: [UInt8])

    /// The recipient that `text` names: a Solana address, or an Ethereum public key in hex, in
    /// either of its forms, with or without `0x`.
    ///
    /// - Throws: `malformedRecipient`.
    package init(_ text: String) throws(AlephProtocolError) {
        let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
        if let bytes = Hex.decode(digits), let key = Secp256k1.publicKey(bytes) {
            self = .ethereum(publicKey: key)
        } else if case .solana(let key) = AlephAddress(text),
            (try? SealedBox.agreementKey(key)) != nil  // Refused: a key nobody can have.
        {
            self = .solana(publicKey: key)
        } else {
            throw .malformedRecipient
        }
    }

    /// The recipient's address.
    package var address: String {
        switch self {
        case .solana(let publicKey): Base58.encode(publicKey)
        case .ethereum(let publicKey): Ethereum.address(publicKey: publicKey)
        }
    }

    /// What sealing adds to the size.
    package var overhead: Int {
        switch self {
        case .solana: SealedBox.overhead
        case .ethereum: ECIES.overhead
        }
    }

    /// The sealed form of `plain`; see `AlephAccount.open`.
    ///
    /// - Throws: `invalidKey` if the key turns out to be none.
    package func seal(_ plain: [UInt8]) throws(CryptographyError) -> [UInt8] {
        switch self {
        case .solana(let publicKey): try SealedBox.seal(plain.span, to: publicKey)
        case .ethereum(let publicKey): try ECIES.seal(plain.span, to: publicKey)
        }
    }
}
