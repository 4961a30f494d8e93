// SPDX-License-Identifier: Apache-2.0
//
// Ed25519 signatures, which scratchpads are owned and verified by.

internal import CSodium

/// Checking Ed25519 signatures.
///
/// - Source: RFC 8032 §5.1. libsodium also refuses keys of small order and any encoding but the
///   canonical one, so a signature cannot be changed into another valid one.
package enum Ed25519 {
    /// Bytes of the seed a key pair is made from.
    package static let seedSize = 32
    /// Bytes of a public key.
    package static let publicKeySize = 32
    /// Bytes of a signature.
    package static let signatureSize = 64

    /// Whether `signature` is that of the public key's owner under `message`.
    ///
    /// False too for a signature or key of the wrong size: both come from strangers.
    package static func isValid(
        signature: [UInt8], message: Span<UInt8>, publicKey: [UInt8]
    ) -> Bool {
        guard signature.count == signatureSize, publicKey.count == publicKeySize else {
            return false
        }
        SodiumLibrary.start()
        let signature = signature.span
        let publicKey = publicKey.span
        // SAFETY: every buffer is lent for the call and has the size that is read.
        let outcome = unsafe signature.withPointer { signature in
            unsafe message.withPointer { bytes in
                unsafe publicKey.withPointer { publicKey in
                    unsafe crypto_sign_verify_detached(
                        signature, bytes, UInt64(message.count), publicKey)
                }
            }
        }
        return outcome == 0
    }
}
