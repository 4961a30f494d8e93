// SPDX-License-Identifier: Apache-2.0
//
// XChaCha20-Poly1305, which Cairn's own formats seal pads and pages with.

internal import CSodium

/// XChaCha20-Poly1305: nonces of 24 bytes, which may be drawn at random or be derived without fear
/// of two being equal; the tag behind the ciphertext.
///
/// - Source: draft-irtf-cfrg-xchacha-03.
package enum XChaCha20Poly1305 {
    /// Bytes of a key.
    package static let keySize = 32
    /// Bytes of a nonce.
    package static let nonceSize = 24
    /// Bytes of the tag: what a sealed message is longer than its plaintext.
    package static let tagSize = 16

    /// The ciphertext of `plain`, then the tag.
    ///
    /// - Parameters:
    ///   - key: `keySize` bytes.
    ///   - nonce24: `nonceSize` bytes.
    ///   - aad: data that is not sealed, but without which the message does not open.
    package static func seal(
        _ plain: Span<UInt8>, key: SecretBytes, nonce24: [UInt8], aad: Span<UInt8> = Span()
    ) -> [UInt8] {
        key.withBytes { seal(plain, key: $0, nonce24: nonce24, aad: aad) }
    }

    /// As above, with a key that is no long-lived secret.
    package static func seal(
        _ plain: Span<UInt8>, key: [UInt8], nonce24: [UInt8], aad: Span<UInt8> = Span()
    ) -> [UInt8] {
        seal(plain, key: key.span, nonce24: nonce24, aad: aad)
    }

    /// The plaintext of what `seal` gave for the same key, nonce and data.
    ///
    /// - Throws: `authenticationFailed` if the message was not sealed so, or was changed since.
    package static func open(
        _ sealed: Span<UInt8>, key: SecretBytes, nonce24: [UInt8], aad: Span<UInt8> = Span()
    ) throws(CryptographyError) -> [UInt8] {
        try key.withBytes { (key) throws(CryptographyError) in
            try open(sealed, key: key, nonce24: nonce24, aad: aad)
        }
    }

    /// As above, with a key that is no long-lived secret.
    package static func open(
        _ sealed: Span<UInt8>, key: [UInt8], nonce24: [UInt8], aad: Span<UInt8> = Span()
    ) throws(CryptographyError) -> [UInt8] {
        try open(sealed, key: key.span, nonce24: nonce24, aad: aad)
    }

    private static func seal(
        _ plain: Span<UInt8>, key: Span<UInt8>, nonce24: [UInt8], aad: Span<UInt8>
    ) -> [UInt8] {
        precondition(key.count == keySize, "a key of another size")
        precondition(nonce24.count == nonceSize, "a nonce of another size")
        SodiumLibrary.start()
        var sealed = [UInt8](repeating: 0, count: plain.count + tagSize)
        var output = sealed.mutableSpan
        let nonce = nonce24.span
        // SAFETY: every buffer is lent for the call, with its size; message and tag fit the output.
        let outcome = unsafe output.withMutablePointer { output in
            unsafe plain.withPointer { input in
                unsafe aad.withPointer { data in
                    unsafe key.withPointer { key in
                        unsafe nonce.withPointer { nonce in
                            unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
                                output, nil, input, UInt64(plain.count), data, UInt64(aad.count),
                                nil, nonce, key)
                        }
                    }
                }
            }
        }
        precondition(outcome == 0, "libsodium could not seal")
        return sealed
    }

    private static func open(
        _ sealed: Span<UInt8>, key: Span<UInt8>, nonce24: [UInt8], aad: Span<UInt8>
    ) throws(CryptographyError) -> [UInt8] {
        precondition(key.count == keySize, "a key of another size")
        precondition(nonce24.count == nonceSize, "a nonce of another size")
        guard sealed.count >= tagSize else { throw .authenticationFailed }
        SodiumLibrary.start()
        var plain = [UInt8](repeating: 0, count: sealed.count - tagSize)
        var output = plain.mutableSpan
        let nonce = nonce24.span
        // SAFETY: every buffer is lent for the call, with its size; the message fits the output.
        let outcome = unsafe output.withMutablePointer { output in
            unsafe sealed.withPointer { input in
                unsafe aad.withPointer { data in
                    unsafe key.withPointer { key in
                        unsafe nonce.withPointer { nonce in
                            unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
                                output, nil, nil, input, UInt64(sealed.count), data,
                                UInt64(aad.count), nonce, key)
                        }
                    }
                }
            }
        }
        guard outcome == 0 else { throw .authenticationFailed }
        return plain
    }
}
