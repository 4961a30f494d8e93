// SPDX-License-Identifier: Apache-2.0
//
// AES-128 in CBC mode with PKCS#7 padding, which version 1 of the data map encrypts chunks with.

/// AES-128-CBC with PKCS#7 padding.
///
/// It authenticates nothing: chunks of version 1 are verified by their address before and by the
/// digest of their plaintext after.
///
/// - Source: FIPS 197; NIST SP 800-38A §6.2; RFC 5652 §6.3 for the padding.
package enum AES128CBC {
    /// Bytes of a key.
    package static let keySize = 16
    /// Bytes of an initialization vector.
    package static let ivSize = 16
    /// Bytes of a block; padding adds 1 to this many.
    package static let blockSize = 16

    /// The encrypted form of `plain`, 1 to 16 bytes longer.
    ///
    /// - Parameters:
    ///   - key: `keySize` bytes.
    ///   - iv: `ivSize` bytes.
    package static func encrypt(_ plain: Span<UInt8>, key: [UInt8], iv: [UInt8]) -> [UInt8] {
        let cipher = Cipher.aes128CBC
        let output = cipher.lend { context -> [UInt8]? in
            guard context.begin(.seal, cipher, key: key.span, nonce: iv.span) else { return nil }
            return [UInt8](capacity: plain.count + blockSize) { output in
                context.run(plain, appendingTo: &output)
            }
        }
        let expected = (plain.count / blockSize + 1) * blockSize
        guard let output, output.count == expected else {
            preconditionFailure("libcrypto could not encrypt")
        }
        return output
    }

    /// The plaintext of what `encrypt` gave for the same key and vector.
    ///
    /// - Throws: `authenticationFailed` if the size or the padding is not what `encrypt` makes.
    ///   Right padding does not prove that nothing was changed.
    package static func decrypt(
        _ encrypted: Span<UInt8>, key: [UInt8], iv: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        guard encrypted.count > 0, encrypted.count % blockSize == 0 else {
            throw .authenticationFailed
        }
        let cipher = Cipher.aes128CBC
        let output = cipher.lend { context -> [UInt8]? in
            guard context.begin(.open, cipher, key: key.span, nonce: iv.span) else { return nil }
            var isPadded = false
            let plain = [UInt8](capacity: encrypted.count + blockSize) { output in
                isPadded = context.run(encrypted, appendingTo: &output)
            }
            return isPadded ? plain : nil
        }
        guard let output else { throw .authenticationFailed }
        return output
    }
}
