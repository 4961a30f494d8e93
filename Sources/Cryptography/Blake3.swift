// SPDX-License-Identifier: Apache-2.0
//
// BLAKE3 of bytes that are all in memory.

internal import CBlake3
package import Primitives

/// BLAKE3 in its three modes.
///
/// - Source: the BLAKE3 specification (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020).
package enum Blake3 {
    /// Bytes of a key.
    package static let keySize = 32

    /// The digest of `bytes`.
    package static func hash(_ bytes: Span<UInt8>) -> Digest {
        var output = InlineArray<32, UInt8>(repeating: 0)
        var span = output.mutableSpan
        // SAFETY: both buffers are lent for the call; the output has the 32 bytes it writes.
        unsafe bytes.withUnsafeBufferPointer { input in
            unsafe span.withUnsafeMutableBufferPointer { output in
                guard let target = output.baseAddress else { return }
                unsafe cblake3_hash(input.baseAddress, input.count, target)
            }
        }
        guard let digest = Digest(output.span, algorithm: .blake3) else {
            preconditionFailure("a digest of another size")
        }
        return digest
    }

    /// The digest of `bytes`.
    package static func hash(_ bytes: [UInt8]) -> Digest {
        hash(bytes.span)
    }

    /// 32 bytes that only who has `key` can compute from `bytes`: a MAC, or a pseudorandom value.
    ///
    /// - Parameter key: `keySize` bytes.
    package static func keyed(_ key: [UInt8], _ bytes: Span<UInt8>) -> [UInt8] {
        var hasher = Blake3Hasher(key: key.span)
        hasher.update(bytes)
        return hasher.finalize(count: Digest.byteCount)
    }

    /// As `keyed(_:_:)` for arrays, with a key that stays in locked memory.
    package static func keyed(_ key: SecretBytes, _ bytes: Span<UInt8>) -> [UInt8] {
        var hasher = key.withBytes { Blake3Hasher(key: $0) }
        hasher.update(bytes)
        return hasher.finalize(count: Digest.byteCount)
    }

    /// Key material for one purpose, made from other key material.
    ///
    /// - Parameters:
    ///   - context: a constant that names the application and the purpose, used nowhere else.
    ///   - material: the secret it is made from. A password is not enough: see `Argon2id`.
    ///   - count: bytes wanted. A shorter result is the beginning of a longer one.
    package static func deriveKey(
        context: String, material: Span<UInt8>, count: Int
    ) -> [UInt8] {
        var hasher = Blake3Hasher(derivingFor: context)
        hasher.update(material)
        return hasher.finalize(count: count)
    }

    /// As `deriveKey(context:material:count:)`, from locked memory into locked memory.
    package static func deriveSecret(
        context: String, material: SecretBytes, count: Int
    ) -> SecretBytes {
        var hasher = Blake3Hasher(derivingFor: context)
        material.withBytes { hasher.update($0) }
        return SecretBytes(count: count) { hasher.finalize(into: &$0) }
    }
}
