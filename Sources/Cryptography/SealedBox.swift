// SPDX-License-Identifier: Apache-2.0
//
// Encryption to an Ed25519 public key, by libsodium's sealed boxes.

internal import CSodium

/// Messages that only the holder of one Ed25519 key can read.
///
/// The signing keys are turned into keys of X25519. A sealed message is the sender's one-time
/// public key (32 bytes), a tag (16), and the ciphertext. Anyone can seal; nothing says who did.
///
/// - Source: libsodium's `crypto_box_seal` and `crypto_sign_ed25519_pk_to_curve25519`.
package enum SealedBox {
    /// What a sealed message is longer than its plaintext.
    package static let overhead = 48

    private static let keySize = 32
    private static let nonceSize = 24

    /// The sealed form of `plain`.
    ///
    /// - Parameters:
    ///   - publicKey: the recipient's Ed25519 key.
    ///   - ephemeral: 32 fresh random bytes, never used again.
    /// - Throws: `invalidKey` if the key is no point that messages can be sealed for.
    package static func seal(
        _ plain: Span<UInt8>, to publicKey: [UInt8], ephemeral: SecretBytes
    ) throws(CryptographyError) -> [UInt8] {
        precondition(ephemeral.count == keySize, "a one-time key of another size")
        let recipient = try agreementKey(publicKey)
        var sender = [UInt8](repeating: 0, count: keySize)
        var senderSpan = sender.mutableSpan
        ephemeral.withBytes { secret in
            // SAFETY: every buffer is lent for the call and has the 32 bytes read or written.
            unsafe secret.withPointer { secret in
                unsafe senderSpan.withMutablePointer { output in
                    _ = unsafe crypto_scalarmult_base(output, secret)
                }
            }
        }
        let nonce = nonce(sender: sender, recipient: recipient)
        var sealed = [UInt8](repeating: 0, count: plain.count + overhead - keySize)
        var output = sealed.mutableSpan
        let outcome = ephemeral.withBytes { secret in
            // SAFETY: every buffer is lent for the call; message and tag fit the output.
            unsafe output.withMutablePointer { output in
                unsafe plain.withPointer { plainBytes in
                    unsafe nonce.span.withPointer { nonce in
                        unsafe recipient.span.withPointer { recipient in
                            unsafe secret.withPointer { secret in
                                unsafe crypto_box_easy(
                                    output, plainBytes, UInt64(plain.count), nonce, recipient,
                                    secret)
                            }
                        }
                    }
                }
            }
        }
        guard outcome == 0 else { throw .invalidKey }
        return sender + sealed
    }

    /// As `seal(_:to:ephemeral:)`, with a one-time key from the system.
    package static func seal(
        _ plain: Span<UInt8>, to publicKey: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try seal(plain, to: publicKey, ephemeral: SecretBytes(randomCount: keySize))
    }

    /// The plaintext of a sealed message.
    ///
    /// - Parameters:
    ///   - publicKey: the recipient's Ed25519 public key.
    ///   - seed: the seed it was made from.
    /// - Throws: `authenticationFailed` if it was sealed for another key, or changed since.
    package static func open(
        _ sealed: [UInt8], publicKey: [UInt8], seed: SecretBytes
    ) throws(CryptographyError) -> [UInt8] {
        guard sealed.count >= overhead else { throw .authenticationFailed }
        let recipient = try agreementKey(publicKey)
        let secret = try agreementSecret(seed)
        var plain = [UInt8](repeating: 0, count: sealed.count - overhead)
        var output = plain.mutableSpan
        let outcome = secret.withBytes { secret in
            // SAFETY: every buffer is lent for the call; the message fits the output.
            unsafe output.withMutablePointer { output in
                unsafe sealed.span.withPointer { input in
                    unsafe recipient.span.withPointer { recipient in
                        unsafe secret.withPointer { secret in
                            unsafe crypto_box_seal_open(
                                output, input, UInt64(sealed.count), recipient, secret)
                        }
                    }
                }
            }
        }
        guard outcome == 0 else { throw .authenticationFailed }
        return plain
    }

    /// The X25519 public key that belongs to an Ed25519 one.
    ///
    /// - Throws: `invalidKey` if it is no point of the curve's main subgroup.
    package static func agreementKey(_ publicKey: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard publicKey.count == Ed25519.publicKeySize else { throw .invalidKey }
        SodiumLibrary.start()
        var output = [UInt8](repeating: 0, count: keySize)
        var span = output.mutableSpan
        // SAFETY: both buffers are lent for the call and have 32 bytes.
        let outcome = unsafe publicKey.span.withPointer { input in
            unsafe span.withMutablePointer { output in
                unsafe crypto_sign_ed25519_pk_to_curve25519(output, input)
            }
        }
        guard outcome == 0 else { throw .invalidKey }
        return output
    }

    /// The X25519 secret key that belongs to an Ed25519 seed.
    ///
    /// - Throws: `invalidKey` unless the seed has 32 bytes.
    package static func agreementSecret(
        _ seed: SecretBytes
    ) throws(CryptographyError) -> SecretBytes {
        guard seed.count == Ed25519.seedSize else { throw .invalidKey }
        SodiumLibrary.start()
        return seed.withBytes { seed in
            // Of a secret key of 64 bytes the conversion reads the first 32, which are the seed.
            SecretBytes(count: keySize) { output in
                // SAFETY: both buffers are lent for the call; 32 bytes are read and written.
                unsafe seed.withPointer { seed in
                    unsafe output.withMutablePointer { output in
                        _ = unsafe crypto_sign_ed25519_sk_to_curve25519(output, seed)
                    }
                }
            }
        }
    }

    private static func nonce(sender: [UInt8], recipient: [UInt8]) -> [UInt8] {
        let input = sender + recipient
        var nonce = [UInt8](repeating: 0, count: nonceSize)
        var span = nonce.mutableSpan
        // SAFETY: both buffers are lent for the call, with their sizes; there is no key.
        _ = unsafe input.span.withPointer { bytes in
            unsafe span.withMutablePointer { output in
                unsafe crypto_generichash(
                    output, nonceSize, bytes, UInt64(input.count), nil, 0)
            }
        }
        return nonce
    }
}
