// SPDX-License-Identifier: Apache-2.0
//
// Ethereum's addresses, and what its wallets sign.

private import Primitives

/// Addresses and signed messages of Ethereum, and of the chains that share its keys.
package enum Ethereum {
    /// Bytes of an address.
    package static let addressSize = 20

    /// The address of a public key, in the capitals that check it.
    ///
    /// - Parameter publicKey: the long form, of 65 bytes.
    /// - Source: EIP-55.
    package static func address(publicKey: [UInt8]) -> String {
        precondition(publicKey.count == Secp256k1.publicKeySize, "a public key of another form")
        return checksummed(Array(Keccak256.hash(Array(publicKey.dropFirst())).suffix(addressSize)))
    }

    /// The address that `text` spells, in the capitals that check it; nil if it is none, or if
    /// it has capitals and they are not these.
    package static func address(_ text: String) -> String? {
        guard text.hasPrefix("0x"), text.utf8.count == 2 + 2 * addressSize else { return nil }
        let digits = String(text.dropFirst(2))
        guard let bytes = Hex.decode(digits) else { return nil }
        let right = checksummed(bytes)
        let isMixed = digits != digits.lowercased() && digits != digits.uppercased()
        return isMixed && text != right ? nil : right
    }

    /// The digest a wallet signs for a message of text.
    ///
    /// - Source: EIP-191, version 0x45.
    package static func messageDigest(_ message: [UInt8]) -> [UInt8] {
        let prefix = "\u{19}Ethereum Signed Message:\n\(message.count)"
        return Keccak256.hash(Array(prefix.utf8) + message)
    }

    /// A wallet's signature of a message: r, s, and 27 or 28.
    package static func sign(message: [UInt8], with key: Secp256k1Key) -> [UInt8] {
        var signature = key.sign(messageDigest(message))
        signature[64] += 27
        return signature
    }

    /// The address of the one whose wallet signed; nil if nobody's can have.
    ///
    /// - Parameter signature: r, s, and 27 or 28; or 0 or 1, which some wallets write.
    package static func signer(ofMessage message: [UInt8], signature: [UInt8]) -> String? {
        guard signature.count == Secp256k1.signatureSize else { return nil }
        var signature = signature
        switch signature[64] {
        case 27, 28: signature[64] -= 27
        case 0, 1: break
        default: return nil
        }
        let digest = messageDigest(message)
        return Secp256k1.recoverPublicKey(signature: signature, digest: digest)
            .map { address(publicKey: $0) }
    }

    private static func checksummed(_ address: [UInt8]) -> String {
        let digits = Array(Hex.encode(address).utf8)
        let digest = Keccak256.hash(digits)
        var text = "0x"
        for (index, digit) in digits.enumerated() {
            let nibble = index % 2 == 0 ? digest[index / 2] >> 4 : digest[index / 2] & 15
            let character = Character(Unicode.Scalar(digit))
            text += nibble >= 8 ? character.uppercased() : String(character)
        }
        return text
    }
}
