// SPDX-License-Identifier: Apache-2.0
//
// The curve of Ethereum's keys, by libsecp256k1. No pointer leaves this file.

internal import CSecp256k1

/// Public keys of secp256k1, and what is computed from them alone.
///
/// - Source: SEC 2 §2.4.1; SEC 1 §2.3 for the forms of points.
package enum Secp256k1 {
    /// Bytes of a secret key, and of the digests that are signed.
    package static let secretKeySize = 32
    /// Bytes of a public key in its short form.
    package static let compressedSize = 33
    /// Bytes of a public key in its long form, with which this code works.
    package static let publicKeySize = 65
    /// Bytes of a signature with the number that recovers its key: r, s, then 0 to 3.
    package static let signatureSize = 65

    /// The library's tables, made once; only read from then on.
    ///
    /// `nonisolated(unsafe)` because the library reads a context and never writes it, but in
    /// `secp256k1_context_randomize`, which runs once, here.
    fileprivate nonisolated(unsafe) static let context: OpaquePointer = {
        let flags = UInt32(SECP256K1_CONTEXT_SIGN) | UInt32(SECP256K1_CONTEXT_VERIFY)
        // SAFETY: never freed; it lives as long as the process.
        guard let context = unsafe secp256k1_context_create(flags) else {
            preconditionFailure("out of memory for secp256k1")
        }
        let blinding = SystemRandom.bytes(32)
        // SAFETY: the context is not shared yet; the 32 bytes are lent for the call.
        let isBlinded = unsafe blinding.span.withPointer { seed in
            unsafe secp256k1_context_randomize(context, seed)
        }
        precondition(isBlinded == 1, "secp256k1 could not be blinded")
        return unsafe context
    }()

    /// A public key in its long form, from either form; nil if it is no point of the curve.
    package static func publicKey(_ bytes: [UInt8]) -> [UInt8]? {
        parse(bytes).map { serialize($0) }
    }

    /// The public key, in its long form, of the one who signed; nil if nobody can have.
    ///
    /// - Parameters:
    ///   - signature: `signatureSize` bytes.
    ///   - digest: the 32 bytes that were signed.
    package static func recoverPublicKey(signature: [UInt8], digest: [UInt8]) -> [UInt8]? {
        guard signature.count == signatureSize, digest.count == secretKeySize,
            signature[64] <= 3
        else { return nil }
        var parsed = secp256k1_ecdsa_recoverable_signature()
        var point = secp256k1_pubkey()
        // SAFETY: all are locals, or lent for the call with the sizes that are read.
        let isRecovered = unsafe signature.span.withPointer { signature in
            unsafe digest.span.withPointer { digest in
                unsafe secp256k1_ecdsa_recoverable_signature_parse_compact(
                    context, &parsed, signature, CInt(signature[64])) == 1
                    && secp256k1_ecdsa_recover(context, &point, &parsed, digest) == 1
            }
        }
        return isRecovered ? serialize(point) : nil
    }

    fileprivate static func parse(_ bytes: [UInt8]) -> secp256k1_pubkey? {
        guard bytes.count == compressedSize || bytes.count == publicKeySize else { return nil }
        var point = secp256k1_pubkey()
        // SAFETY: the point is a local; the bytes are lent for the call with their size.
        let isPoint = unsafe bytes.span.withPointer { input in
            unsafe secp256k1_ec_pubkey_parse(context, &point, input, bytes.count)
        }
        return isPoint == 1 ? point : nil
    }

    fileprivate static func serialize(_ point: secp256k1_pubkey) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: publicKeySize)
        var span = bytes.mutableSpan
        var size = publicKeySize
        var point = point
        // SAFETY: the output has the size that is passed; the point is a local.
        _ = unsafe span.withMutablePointer { output in
            unsafe secp256k1_ec_pubkey_serialize(
                context, output, &size, &point, UInt32(SECP256K1_EC_UNCOMPRESSED))
        }
        return bytes
    }
}

/// A secret key of secp256k1.
package struct Secp256k1Key: Sendable {
    /// The public key in its long form.
    package let publicKey: [UInt8]

    private let secret: SecretBytes

    /// The key that `secret` is.
    ///
    /// - Throws: `invalidKey` unless it has `secretKeySize` bytes, is not zero, and lies below the
    ///   order of the curve.
    package init(_ secret: SecretBytes) throws(CryptographyError) {
        guard secret.count == Secp256k1.secretKeySize else { throw .invalidKey }
        var point = secp256k1_pubkey()
        let isKey = secret.withBytes { secret in
            // SAFETY: the point is a local; the secret is lent for the call and has 32 bytes.
            unsafe secret.withPointer { secret in
                unsafe secp256k1_ec_pubkey_create(Secp256k1.context, &point, secret)
            }
        }
        guard isKey == 1 else { throw .invalidKey }
        publicKey = Secp256k1.serialize(point)
        self.secret = secret
    }

    /// The signature of a digest: r, s, and the number that recovers the key.
    ///
    /// One digest has one signature (RFC 6979), with the smaller s of two.
    ///
    /// - Parameter digest: 32 bytes.
    package func sign(_ digest: [UInt8]) -> [UInt8] {
        precondition(digest.count == Secp256k1.secretKeySize, "a digest of another size")
        var signature = secp256k1_ecdsa_recoverable_signature()
        var output = [UInt8](repeating: 0, count: Secp256k1.signatureSize)
        var span = output.mutableSpan
        var recovery: CInt = 0
        let isSigned = secret.withBytes { secret in
            // SAFETY: all are locals, or lent for the call with the sizes read and written.
            unsafe secret.withPointer { secret in
                unsafe digest.span.withPointer { digest in
                    unsafe span.withMutablePointer { output in
                        unsafe secp256k1_ecdsa_sign_recoverable(
                            Secp256k1.context, &signature, digest, secret, nil, nil) == 1
                            && secp256k1_ecdsa_recoverable_signature_serialize_compact(
                                Secp256k1.context, output, &recovery, &signature) == 1
                    }
                }
            }
        }
        precondition(isSigned, "libsecp256k1 could not sign")
        output[64] = UInt8(recovery)
        return output
    }

    /// The point, in its long form, that only the holders of either secret key can compute.
    ///
    /// - Throws: `invalidKey` if `publicKey` is no point of the curve.
    package func sharedPoint(with publicKey: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard var point = Secp256k1.parse(publicKey) else { throw .invalidKey }
        let isShared = secret.withBytes { secret in
            // SAFETY: the point is a local; the secret is lent for the call and has 32 bytes.
            unsafe secret.withPointer { secret in
                unsafe secp256k1_ec_pubkey_tweak_mul(Secp256k1.context, &point, secret)
            }
        }
        guard isShared == 1 else { throw .invalidKey }
        return Secp256k1.serialize(point)
    }
}
