// SPDX-License-Identifier: Apache-2.0
//
// SHA-2 and what is built on it, for the protocols of others: request signatures of S3, content
// identifiers, recovery phrases.

internal import COpenSSL

/// SHA-2.
///
/// - Source: FIPS 180-4; RFC 2104 for HMAC; RFC 8018 for PBKDF2.
package enum SHA2 {
    /// The 32 bytes of SHA-256 of `bytes`.
    package static func sha256(_ bytes: Span<UInt8>) -> [UInt8] {
        hash(bytes, with: .sha256)
    }

    /// The 32 bytes of SHA-256 of `bytes`.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        sha256(bytes.span)
    }

    /// The 64 bytes of SHA-512 of `bytes`.
    package static func sha512(_ bytes: Span<UInt8>) -> [UInt8] {
        hash(bytes, with: .sha512)
    }

    /// The 64 bytes of SHA-512 of `bytes`.
    package static func sha512(_ bytes: [UInt8]) -> [UInt8] {
        sha512(bytes.span)
    }

    /// The 32 bytes of HMAC-SHA-256 of `bytes`.
    ///
    /// - Parameter key: of any size; 32 bytes are enough.
    package static func hmacSHA256(key: [UInt8], _ bytes: Span<UInt8>) -> [UInt8] {
        let blockSize = 64
        var block = key.count > blockSize ? sha256(key) : key
        block += [UInt8](repeating: 0, count: blockSize - block.count)
        var inner = block.map { $0 ^ 0x36 }
        inner.reserveCapacity(blockSize + bytes.count)
        // SAFETY: the span's memory outlives the closure, which copies its bytes.
        unsafe bytes.withUnsafeBufferPointer { unsafe inner.append(contentsOf: $0) }
        return sha256(block.map { $0 ^ 0x5C } + sha256(inner))
    }

    /// As `hmacSHA256(key:_:)` for a span.
    package static func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        hmacSHA256(key: key, bytes.span)
    }

    /// Key material from other key material, by HKDF with HMAC-SHA-256, without salt.
    ///
    /// For formats that ask for it; our own use `Blake3.deriveSecret`.
    ///
    /// - Parameters:
    ///   - material: the secret it is made from.
    ///   - info: what the result is for.
    ///   - count: bytes wanted, 1 to 8160.
    /// - Source: RFC 5869.
    package static func hkdfSHA256(
        _ material: [UInt8], info: [UInt8] = [], count: Int
    ) -> [UInt8] {
        precondition((1...255 * 32).contains(count), "a size HKDF does not give")
        let key = hmacSHA256(key: [UInt8](repeating: 0, count: 32), material)
        var output: [UInt8] = []
        var block: [UInt8] = []
        var number: UInt8 = 1
        while output.count < count {
            block = hmacSHA256(key: key, block + info + [number])
            output += block
            number &+= 1
        }
        return Array(output.prefix(count))
    }

    /// Key material from a password, by PBKDF2 with HMAC-SHA-512.
    ///
    /// For formats that ask for it; our own use `Argon2id`.
    ///
    /// - Parameters:
    ///   - rounds: at least 1.
    ///   - count: bytes wanted.
    package static func pbkdf2SHA512(
        password: [UInt8], salt: [UInt8], rounds: Int, count: Int
    ) -> [UInt8] {
        precondition(rounds >= 1 && count >= 1, "nothing to derive")
        var output = [UInt8](repeating: 0, count: count)
        var span = output.mutableSpan
        // SAFETY: all buffers are lent for the call, with their own sizes.
        let isDerived = unsafe password.withUnsafeBytes { password in
            unsafe salt.withUnsafeBufferPointer { salt in
                unsafe span.withUnsafeMutableBufferPointer { output in
                    unsafe PKCS5_PBKDF2_HMAC(
                        password.baseAddress?.assumingMemoryBound(to: CChar.self),
                        CInt(password.count), salt.baseAddress, CInt(salt.count), CInt(rounds),
                        EVP_sha512(), CInt(output.count), output.baseAddress)
                }
            }
        }
        precondition(isDerived == 1, "libcrypto could not derive a key")
        return output
    }

    private static func hash(_ bytes: Span<UInt8>, with function: HashFunction) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: function.size)
        var span = output.mutableSpan
        function.hash(bytes, into: &span)
        return output
    }
}
