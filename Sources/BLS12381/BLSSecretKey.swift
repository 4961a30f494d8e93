// SPDX-License-Identifier: Apache-2.0
//
// Secret keys: signing and decrypting. Whatever touches the key takes the same steps for every key;
// docs/SECURITY.md says what that rests on.

package import Cryptography

/// A secret key of the BLS signature scheme over BLS12-381.
package struct BLSSecretKey: Sendable {
    /// Bytes of a key.
    package static let byteCount = Scalar.byteCount

    private let secret: SecretBytes
    /// The key that verifies what this one signs.
    package let publicKey: BLSPublicKey

    /// The key that 32 bytes are, the highest first.
    ///
    /// Nil for zero and for numbers not below the order of the groups.
    package init?(_ secret: SecretBytes) {
        guard let scalar = secret.withBytes({ Scalar($0) }) else { return nil }
        self.secret = secret
        publicKey = BLSPublicKey(G1Point.generator.times(scalar))
    }

    private init(_ scalar: Scalar) {
        secret = SecretBytes(count: Scalar.byteCount) { scalar.write(to: &$0) }
        publicKey = BLSPublicKey(G1Point.generator.times(scalar))
    }

    /// Lends the key's 32 bytes to `body`. Whatever `body` copies is not wiped.
    package func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        secret.withBytes(body)
    }

    /// The signature of a message: 96 bytes, the same every time.
    package func sign(_ message: Span<UInt8>) -> [UInt8] {
        BLSSuite.point(of: message).times(scalar).bytes
    }

    /// The plaintext of what `BLSPublicKey.encrypt` gave for this key.
    ///
    /// - Throws: `authenticationFailed` for anything else; but whether it was this key's owner whom
    ///   it was encrypted to, nothing in it says: what was not gives other bytes.
    package func decrypt(_ bytes: Span<UInt8>) throws(CryptographyError) -> [UInt8] {
        guard let ciphertext = BLSCiphertext(bytes) else { throw .authenticationFailed }
        return BLSCiphertext.masked(ciphertext.sealed.span, with: ciphertext.first.times(scalar))
    }

    /// The key of the child with this index.
    ///
    /// - Parameter index: 32 bytes, no secret.
    /// - Source: docs/format.md §4, “Keys of scheme 2”.
    package func child(index: [UInt8]) -> BLSSecretKey {
        BLSSecretKey(scalar * BLSSecretKey.factor(of: index))
    }

    /// What the child with this index has times its parent's key.
    static func factor(of index: [UInt8]) -> Scalar {
        let bytes = HashToCurve.expand(index.span, tag: BLSSuite.tag, count: 48)
        let factor = Scalar(reducing: bytes.span)
        // So rare that nobody has seen one.
        guard factor.isZero else { return factor }
        return self.factor(of: [UInt8](repeating: 0, count: 32))
    }

    private var scalar: Scalar {
        secret.withBytes { bytes in
            guard let scalar = Scalar(bytes) else { preconditionFailure("checked at first") }
            return scalar
        }
    }
}
