// SPDX-License-Identifier: Apache-2.0
//
// AES-256-GCM with the nonces of 16 bytes that ECIES messages have. Our own blocks are sealed by
// BlockCipher.

/// AES-256 in Galois/Counter mode, for one message a key.
///
/// - Source: NIST SP 800-38D.
package enum AES256GCM {
    /// Bytes of a key.
    package static let keySize = 32
    /// Bytes of a nonce in this form.
    package static let longNonceSize = 16
    /// Bytes of a tag.
    package static let tagSize = 16

    /// The ciphertext of `plain`, and the tag without which it does not open.
    package static func seal(
        _ plain: Span<UInt8>, key: [UInt8], nonce: [UInt8]
    ) -> (ciphertext: [UInt8], tag: [UInt8]) {
        var output = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: tagSize)
        let cipher = Cipher.aes256GCMLongNonce
        let isSealed = cipher.lend { context in
            var span = output.mutableSpan
            var tagSpan = tag.mutableSpan
            return context.begin(.seal, cipher, key: key.span, nonce: nonce.span)
                && context.run(plain, into: &span) && context.readTag(into: &tagSpan)
        }
        precondition(isSealed, "libcrypto could not seal")
        return (output, tag)
    }

    /// The plaintext of what `seal` gave for the same key and nonce.
    ///
    /// - Throws: `authenticationFailed` if it was not sealed so, or was changed since.
    package static func open(
        _ sealed: Span<UInt8>, key: [UInt8], nonce: [UInt8], tag: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: sealed.count)
        let cipher = Cipher.aes256GCMLongNonce
        let isOpened = cipher.lend { context in
            var span = output.mutableSpan
            return context.begin(.open, cipher, key: key.span, nonce: nonce.span)
                && context.setTag(tag.span) && context.run(sealed, into: &span)
        }
        guard isOpened else { throw .authenticationFailed }
        return output
    }
}
