// SPDX-License-Identifier: Apache-2.0
//
// Public keys, and what anybody can do with them: verify, and encrypt to their owner.

package import Cryptography

/// The suite: which points messages become.
enum BLSSuite {
    /// What keeps this suite's points from those of others. The scheme is the IETF's “basic” one,
    /// with keys in the first group and signatures in the second.
    ///
    /// - Source: draft-irtf-cfrg-bls-signature-05 §4.2.1; docs/format.md §4.
    static let tag = Array("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_".utf8)

    static func point(of message: Span<UInt8>) -> G2Point {
        HashToCurve.point(of: message, tag: tag)
    }
}

/// A public key of the BLS signature scheme over BLS12-381.
///
/// Having one means that its bytes are a point of the group, and not the one at infinity.
package struct BLSPublicKey: Sendable, Equatable {
    /// Bytes of a key.
    package static let byteCount = G1Point.byteCount
    /// Bytes of a signature.
    package static let signatureSize = G2Point.byteCount

    let point: G1Point

    /// The key that the bytes are.
    ///
    /// Nil for what is no point, no point of the group, another encoding of one, or the point at
    /// infinity, of which everybody can make signatures.
    package init?(_ bytes: [UInt8]) {
        guard let point = G1Point(bytes.span), !point.isInfinity else { return nil }
        self.point = point
    }

    init(_ point: G1Point) {
        self.point = point
    }

    /// The key's bytes.
    package var bytes: [UInt8] { point.bytes }

    /// Whether this key's owner made `signature` over `message`. False for bytes that are no
    /// signature at all.
    package func isValid(signature: [UInt8], message: Span<UInt8>) -> Bool {
        guard let signature = G2Point(signature.span), !signature.isInfinity else { return false }
        let hashed = BLSSuite.point(of: message)
        return Pairing.isProductOne([(point, hashed), (-G1Point.generator, signature)])
    }

    /// The key of the child with this index: what `BLSSecretKey.child` gives the secret of.
    package func child(index: [UInt8]) -> BLSPublicKey {
        BLSPublicKey(point.times(BLSSecretKey.factor(of: index)))
    }

    /// Bytes by which what `encrypt` gives is larger than the plaintext.
    package static let encryptionOverhead = BLSCiphertext.overhead
    /// Bytes of a nonce that leave no residue likelier than others. Those of the test vectors are
    /// shorter.
    package static let nonceSize = 48

    /// `plain`, readable by this key's owner alone.
    ///
    /// - Parameters:
    ///   - plain: at least one byte: nobody's reader takes less.
    ///   - nonce: `nonceSize` bytes that nobody can guess and that are used for one plaintext
    ///     alone: two with the same give away what is different in them.
    /// - Source: docs/format.md §4, “Payload of scheme 2”.
    package func encrypt(_ plain: Span<UInt8>, nonce: SecretBytes) -> [UInt8] {
        precondition(!plain.isEmpty, "an empty plaintext, which nobody can decrypt")
        let scalar = nonce.withBytes { Scalar(reducing: $0) }
        precondition(!scalar.isZero, "a nonce that is no randomness")
        let first = G1Point.generator.times(scalar).bytes
        let sealed = BLSCiphertext.masked(plain, with: point.times(scalar))
        let hashed = BLSCiphertext.point(sealed: sealed.span, first: first)
        return first + hashed.times(scalar).bytes + sealed
    }
}
