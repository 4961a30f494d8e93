// SPDX-License-Identifier: Apache-2.0
//
// What one chunk is encrypted with, and the cipher of each generation.

import Cryptography
import Primitives

/// Key, nonce or initialisation vector, and pad of one chunk.
struct ChunkKeys {
    /// The context of the derivation of v2, ASCII.
    ///
    /// - Source: docs/format.md §3.
    private static let derivationContext = "self_encryption/chunk/v2"

    private static let paddingSizeV2 = 52
    private static let keySizeV2 = 32
    private static let nonceSizeV2 = 12
    private static let keySizeV1 = 16

    private let version: FormatVersion
    private let key: [UInt8]
    private let nonce: [UInt8]

    /// What is XORed over the sealed bytes.
    let pad: RepeatingPad

    /// The keys of chunk `index`, from its source digest and those of its two neighbours.
    init(
        version: FormatVersion, index: Int, childLevel: UInt64, source: Digest,
        neighbours: (Digest, Digest)
    ) {
        self.version = version
        switch version {
        case .v1:
            let first = neighbours.0.bytes
            key = Array(first[..<Self.keySizeV1])
            nonce = Array(first[Self.keySizeV1...])
            pad = RepeatingPad(source.bytes + neighbours.1.bytes)
        case .v2:
            var material = ByteWriter(capacity: 3 * Digest.byteCount + 16)
            material.digest(source)
            material.digest(neighbours.0)
            material.digest(neighbours.1)
            material.u64le(UInt64(index))
            material.u64le(childLevel)
            let keyStart = Self.paddingSizeV2
            let nonceStart = keyStart + Self.keySizeV2
            let derived = Blake3.deriveKey(
                context: Self.derivationContext, material: material.bytes.span,
                count: nonceStart + Self.nonceSizeV2)
            pad = RepeatingPad(Array(derived[..<keyStart]))
            key = Array(derived[keyStart..<nonceStart])
            nonce = Array(derived[nonceStart...])
        }
    }

    /// `plain` through the cipher; the pad comes after.
    func seal(_ plain: Span<UInt8>) -> [UInt8] {
        switch version {
        case .v1:
            return AES128CBC.encrypt(plain, key: key, iv: nonce)
        case .v2:
            let nothing: [UInt8] = []
            return ChaCha20Poly1305.seal(plain, key: key, nonce: nonce, aad: nothing.span)
        }
    }

    /// As `seal`, in the memory of the plain bytes where the cipher can.
    func seal(inPlace bytes: inout [UInt8]) {
        switch version {
        case .v1: bytes = AES128CBC.encrypt(bytes.span, key: key, iv: nonce)
        case .v2: ChaCha20Poly1305.seal(inPlace: &bytes, key: key, nonce: nonce)
        }
    }

    /// Sealed bytes, the pad already taken off, back through the cipher, in their memory where it
    /// can.
    func open(inPlace bytes: inout [UInt8]) throws(CryptographyError) {
        switch version {
        case .v1: bytes = try AES128CBC.decrypt(bytes.span, key: key, iv: nonce)
        case .v2: try ChaCha20Poly1305.open(inPlace: &bytes, key: key, nonce: nonce)
        }
    }
}
