// SPDX-License-Identifier: Apache-2.0
//
// The name of some bytes: what a hash function gave for them. This file computes no hash.

/// Which hash function made a digest.
///
/// The raw values are stored and sent; they never change.
package enum DigestAlgorithm: UInt8, Sendable, CaseIterable {
    /// BLAKE3 with 32 bytes of output: Cairn's own formats and version 2 of the data map.
    case blake3 = 1
    /// SHA3-256: version 1 of the data map.
    case sha3 = 2
}

/// 32 bytes that name other bytes, and the function that made them.
///
/// Kept as four words beside the algorithm, without heap memory: tables hold millions of these.
/// The order is that of the bytes, and among equal bytes that of the algorithms' raw values.
package struct Digest: Hashable, Sendable, Comparable {
    /// Bytes of a digest, whatever its algorithm.
    package static let byteCount = 32

    /// The function that made it.
    package let algorithm: DigestAlgorithm

    // Big-endian, so that comparing words compares bytes.
    private let word0: UInt64
    private let word1: UInt64
    private let word2: UInt64
    private let word3: UInt64

    /// A digest from its bytes; nil unless there are exactly `byteCount`.
    package init?(_ bytes: Span<UInt8>, algorithm: DigestAlgorithm = .blake3) {
        guard bytes.count == Digest.byteCount else { return nil }
        self.algorithm = algorithm
        word0 = Digest.word(of: bytes, at: 0)
        word1 = Digest.word(of: bytes, at: 8)
        word2 = Digest.word(of: bytes, at: 16)
        word3 = Digest.word(of: bytes, at: 24)
    }

    /// A digest from its bytes; nil unless there are exactly `byteCount`.
    package init?(_ bytes: [UInt8], algorithm: DigestAlgorithm = .blake3) {
        self.init(bytes.span, algorithm: algorithm)
    }

    /// A digest from 64 hexadecimal digits of either case; nil for any other text.
    package init?(hex: String, algorithm: DigestAlgorithm = .blake3) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes.span, algorithm: algorithm)
    }

    /// The 32 bytes, without the algorithm.
    package var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Digest.byteCount)
        writer.digest(self)
        return writer.bytes
    }

    /// The bytes as 64 lower-case hexadecimal digits.
    package var hex: String { Hex.encode(bytes) }

    /// The four big-endian words of the bytes, first word first.
    ///
    /// For tables that hash or store digests without making an array of each.
    package var words: (UInt64, UInt64, UInt64, UInt64) { (word0, word1, word2, word3) }

    /// The order of the bytes; among equal bytes, that of the algorithms.
    package static func < (left: Digest, right: Digest) -> Bool {
        if left.word0 != right.word0 { return left.word0 < right.word0 }
        if left.word1 != right.word1 { return left.word1 < right.word1 }
        if left.word2 != right.word2 { return left.word2 < right.word2 }
        if left.word3 != right.word3 { return left.word3 < right.word3 }
        return left.algorithm.rawValue < right.algorithm.rawValue
    }

    private static func word(of bytes: Span<UInt8>, at offset: Int) -> UInt64 {
        // SAFETY: any bytes are a number; the load traps if there are not enough of them.
        UInt64(
            bigEndian: unsafe bytes.bytes.unsafeLoadUnaligned(
                fromByteOffset: offset, as: UInt64.self))
    }
}

extension Digest: CustomStringConvertible {
    /// The hexadecimal digits, as the digest is shown everywhere.
    package var description: String { hex }
}
