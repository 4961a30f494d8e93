// SPDX-License-Identifier: Apache-2.0
//
// Making Ed25519 signatures.

internal import CSodium

/// A key that signs, and the public key that proves it did.
///
/// - Source: RFC 8032 §5.1. Signatures are deterministic: one message has one.
package struct Ed25519KeyPair: Sendable {
    /// The 32 bytes that verify what this pair signs.
    package let publicKey: [UInt8]

    // Seed and public key in one, as libsodium wants it.
    private let secretKey: SecretBytes

    /// The pair that belongs to a seed.
    ///
    /// - Parameter seed: `Ed25519.seedSize` bytes that nobody can guess.
    package init(seed: SecretBytes) {
        precondition(seed.count == Ed25519.seedSize, "an Ed25519 seed of another size")
        SodiumLibrary.start()
        var publicKey = [UInt8](repeating: 0, count: Ed25519.publicKeySize)
        var publicSpan = publicKey.mutableSpan
        secretKey = seed.withBytes { seed in
            SecretBytes(count: Int(crypto_sign_SECRETKEYBYTES)) { secret in
                // SAFETY: every buffer is lent for the call, with the size written or read.
                let outcome = unsafe seed.withPointer { seed in
                    unsafe publicSpan.withMutablePointer { publicKey in
                        unsafe secret.withMutablePointer { secret in
                            unsafe crypto_sign_seed_keypair(publicKey, secret, seed)
                        }
                    }
                }
                precondition(outcome == 0, "libsodium could not make a key pair")
            }
        }
        self.publicKey = publicKey
    }

    /// The 64-byte signature of `message`.
    package func sign(_ message: Span<UInt8>) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: Ed25519.signatureSize)
        var span = signature.mutableSpan
        let outcome = secretKey.withBytes { secretKey in
            // SAFETY: as above.
            unsafe message.withPointer { bytes in
                unsafe secretKey.withPointer { secretKey in
                    unsafe span.withMutablePointer { signature in
                        unsafe crypto_sign_detached(
                            signature, nil, bytes, UInt64(message.count), secretKey)
                    }
                }
            }
        }
        precondition(outcome == 0, "libsodium could not sign")
        return signature
    }
}
