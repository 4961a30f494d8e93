// SPDX-License-Identifier: Apache-2.0
//
// Encryption to a public key of secp256k1, in the form that Ethereum's tools share.

/// Messages that only the holder of one secret key of secp256k1 can read.
///
/// A sealed message is the sender's one-time public key (65 bytes), a nonce (16), a tag (16), and
/// the ciphertext. Anyone can seal; nothing says who did.
///
/// - Source: eciespy 0.4, its default configuration; RFC 5869 for HKDF.
package enum ECIES {
    /// What a sealed message is longer than its plaintext.
    package static let overhead =
        Secp256k1.publicKeySize + AES256GCM.longNonceSize + AES256GCM.tagSize

    /// The sealed form of `plain`, for the holder of the key that belongs to `recipient`.
    ///
    /// - Parameters:
    ///   - recipient: a public key in either form.
    ///   - ephemeral: a fresh random key, never used again.
    ///   - nonce: 16 fresh random bytes.
    /// - Throws: `invalidKey` if `recipient` is no point of the curve.
    package static func seal(
        _ plain: Span<UInt8>, to recipient: [UInt8], ephemeral: Secp256k1Key, nonce: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        let shared = try ephemeral.sharedPoint(with: recipient)
        let key = SHA2.hkdfSHA256(ephemeral.publicKey + shared, count: AES256GCM.keySize)
        let (ciphertext, tag) = AES256GCM.seal(plain, key: key, nonce: nonce)
        return ephemeral.publicKey + nonce + tag + ciphertext
    }

    /// As `seal(_:to:ephemeral:nonce:)`, with a key and a nonce from the system.
    package static func seal(
        _ plain: Span<UInt8>, to recipient: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        let ephemeral = try Secp256k1Key(SecretBytes(randomCount: Secp256k1.secretKeySize))
        let nonce = SystemRandom.bytes(AES256GCM.longNonceSize)
        return try seal(plain, to: recipient, ephemeral: ephemeral, nonce: nonce)
    }

    /// The plaintext of a sealed message.
    ///
    /// - Throws: `authenticationFailed` if it was sealed for another key, or changed since.
    package static func open(
        _ sealed: [UInt8], with key: Secp256k1Key
    ) throws(CryptographyError) -> [UInt8] {
        guard sealed.count >= overhead else { throw .authenticationFailed }
        let sender = Array(sealed[..<Secp256k1.publicKeySize])
        let nonceEnd = Secp256k1.publicKeySize + AES256GCM.longNonceSize
        let shared: [UInt8]
        do {
            shared = try key.sharedPoint(with: sender)
        } catch {
            // What is no point was never a sender's key.
            throw .authenticationFailed
        }
        return try AES256GCM.open(
            sealed.span.extracting(overhead..<sealed.count),
            key: SHA2.hkdfSHA256(sender + shared, count: AES256GCM.keySize),
            nonce: Array(sealed[Secp256k1.publicKeySize..<nonceEnd]),
            tag: Array(sealed[nonceEnd..<overhead]))
    }
}
