// SPDX-License-Identifier: Apache-2.0
//
// The data map: what is needed, beside the chunks themselves, to have a file back.
//
// Invariants of every map that was decoded (see `validated`): at least three chunks, at most
// maximumChunkCount; entries in order, entry i with index i; each size within 1 ... the
// version's maximumSourceSize; all digests of the version's algorithm.

package import Primitives

/// One chunk as a data map names it.
package struct ChunkDescriptor: Hashable, Sendable {
    /// The position of the chunk in its file, from 0.
    package let index: UInt64
    /// The digest of the encrypted bytes: the chunk's name in a chunk store.
    package let address: Digest
    /// The digest of the plain bytes. Secret: who has three of them can decrypt a chunk.
    package let source: Digest
    /// The plain bytes of the chunk, uncompressed.
    package let size: UInt64

    /// The chunk at `index`, of `size` plain bytes.
    package init(index: UInt64, address: Digest, source: Digest, size: UInt64) {
        self.index = index
        self.address = address
        self.source = source
        self.size = size
    }
}

/// The ordered chunk list of one self-encrypted file, or of the serialised map below it.
///
/// A map of many chunks is itself self-encrypted until three entries remain (`pack`). Such a
/// packed map says so in `child`, and `unpack` goes back down.
///
/// - Source: docs/format.md §3.
package struct DataMap: Hashable, Sendable {
    /// The fewest entries a map can have: no file makes fewer than three chunks.
    package static let minimumChunkCount = 3

    /// The most entries a map from outside may have.
    ///
    /// More than one level of packing can hold (157 132, see `FormatVersion`), since maps of
    /// the older generation may have two; and few enough that a hostile map costs some tens of
    /// MiB at most.
    package static let maximumChunkCount = 400_000

    /// The generation of the format the chunks are in. It is not part of any encoding.
    package let version: FormatVersion

    /// The chunks, in the order of their content.
    package let chunks: [ChunkDescriptor]

    /// Nil if the chunks hold the file's own bytes; otherwise they hold a serialised map, and
    /// this says how many levels lie below.
    package let child: UInt64?

    /// A map as its writer knows it to be. Maps from outside come from the decoding initialisers.
    package init(version: FormatVersion, chunks: [ChunkDescriptor], child: UInt64? = nil) {
        self.version = version
        self.chunks = chunks
        self.child = child
    }

    /// The bytes of the file, if this map describes the file itself; nil for a packed map, which
    /// does not know.
    package var fileSize: UInt64? { child == nil ? describedSize : nil }

    /// The bytes that the chunks hold together: a file's, or a serialised map's.
    ///
    /// Saturates instead of overflowing, so that a limit can be held against it.
    package var describedSize: UInt64 {
        chunks.reduce(0) { total, chunk in
            let (sum, isOverflowing) = total.addingReportingOverflow(chunk.size)
            return isOverflowing ? .max : sum
        }
    }

    /// The level that enters the keys of this map's chunks: 0 for those of a file.
    package var childLevel: UInt64 { child ?? 0 }

    /// This map, if an encryption can have written it.
    ///
    /// Every decoder ends here. Entries out of order are refused rather than sorted: the
    /// reference implementation cannot decrypt them either.
    ///
    /// - Throws: `malformedMap`.
    func validated() throws(SelfEncryptionError) -> DataMap {
        guard chunks.count >= Self.minimumChunkCount else {
            throw .malformedMap("fewer than three chunks")
        }
        guard chunks.count <= Self.maximumChunkCount else {
            throw .malformedMap("more chunks than the limit")
        }
        let limit = version.maximumSourceSize
        for (position, chunk) in chunks.enumerated() {
            guard chunk.index == UInt64(position) else {
                throw .malformedMap("chunks out of order")
            }
            guard chunk.size >= 1, chunk.size <= limit else {
                throw .malformedMap("a chunk is empty or larger than the format allows")
            }
        }
        return self
    }
}
