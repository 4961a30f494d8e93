// SPDX-License-Identifier: Apache-2.0
//
// The two generations of Autonomi's self-encryption, and every number that tells them apart.

package import Primitives

/// One generation of the self-encryption format.
///
/// Nothing inside a data map or a chunk names its generation: both write a version byte of 1.
/// Whoever reads a map knows which network it came from, and says so.
///
/// - Source: docs/format.md §3, the table of generations.
package enum FormatVersion: UInt8, Hashable, Sendable, CaseIterable {
    /// SHA3-256, AES-128-CBC, 4 MiB: what the older network and its tools wrote. Read only.
    case v1 = 1
    /// BLAKE3, ChaCha20-Poly1305, 4 190 208 bytes: what the present network speaks.
    case v2 = 2

    /// The digest that names chunks and their sources.
    package var digestAlgorithm: DigestAlgorithm {
        switch self {
        case .v1: .sha3
        case .v2: .blake3
        }
    }

    /// The chunk size, in bytes, that files of at least three such chunks are cut into.
    package var maximumChunkSize: Int {
        switch self {
        case .v1: 4_194_304
        case .v2: 4_190_208
        }
    }

    /// The largest source size, in bytes, that a data map of this generation can declare.
    ///
    /// One more than `maximumChunkSize`: a file one byte short of three full chunks is cut into
    /// thirds, and the last third takes what the division leaves. A map that declares more is
    /// refused, so that no map makes a reader unpack an unbounded stream.
    package var maximumSourceSize: UInt64 { UInt64(maximumChunkSize) + 1 }

    /// The largest stored chunk, in bytes, that the generation's network takes. Encryption stays
    /// below it: an incompressible source grows by some bytes of framing and a tag or padding.
    ///
    /// - Source: docs/format.md §3, the largest stored chunk.
    package var maximumStoredSize: Int {
        switch self {
        case .v1: 4_194_336
        case .v2: 4_194_304
        }
    }

    /// The most entries a map may have for `pack` to shrink it.
    ///
    /// The serialised map must be cut into exactly three chunks. The reference implementation
    /// itself writes an unreadable result above this, so a larger file becomes several maps.
    /// For v2 that is 157 132 entries, 658 415 763 456 bytes of file.
    ///
    /// - Source: docs/format.md §3.
    package var maximumPackableCount: Int {
        (3 * maximumChunkSize - 1 - DataMap.bincodeOverheadSize) / DataMap.bincodeEntrySize
    }
}
