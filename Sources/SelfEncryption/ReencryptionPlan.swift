// SPDX-License-Identifier: Apache-2.0
//
// What must be hashed and encrypted again after an edit, and what can stay as it is.
//
// The key of a chunk comes from its own source digest and those of its two neighbours, so one
// changed chunk changes three stored ones, wherever it lies in a file of any size. The plan reads
// and encrypts nothing: its caller does, in the order and on the threads it likes.
//
// Invariant: for the same bytes, the map that comes out is the one a full encryption gives. A
// chunk keeps its address only if everything that went into it is unchanged.

package import Primitives

/// The work of encrypting a file that was encrypted before.
///
/// First every chunk in `toHash` is read and hashed, then every chunk in `toEncrypt(sources:)` is
/// encrypted with `ChunkTransform`, then `map(sources:encrypted:)` is the file's new map.
///
/// Compression is not part of a map, and the plan trusts that the old chunks were compressed as
/// the new ones will be: it is a fixed property of a volume.
package struct ReencryptionPlan: Sendable {
    /// The generation that is written.
    package let version: FormatVersion

    /// The cut of the new content.
    package let layout: ChunkLayout

    /// The chunks of the new content whose source digests the old map does not know, ascending.
    package let toHash: [Int]

    /// For each chunk of the new content its source digest, where the old map knows it.
    package let knownSources: [Digest?]

    /// The old map, if any of it can serve.
    private let old: DataMap?

    /// Plans the encryption of `size` bytes.
    ///
    /// - Parameters:
    ///   - version: the generation to write.
    ///   - old: the unpacked map of what the file held before; nil if there is none. A map of
    ///     another generation is of no use and is ignored.
    ///   - size: bytes of the new content; at least `ChunkLayout.minimumFileSize`.
    ///   - changed: where the new content may differ from the old, in any order; overlaps and
    ///     parts beyond the end do no harm. What lies beyond the old size needs no mention. What
    ///     was cut off and grown back does.
    ///   - maximumChunkSize: bytes; nil for the format's own.
    package init(
        version: FormatVersion, old: DataMap?, size: UInt64, changed: [Range<UInt64>],
        maximumChunkSize: Int? = nil
    ) {
        precondition(old?.child == nil, "only an unpacked map knows the file's chunks")
        let chunkSize = maximumChunkSize ?? version.maximumChunkSize
        guard let layout = ChunkLayout(fileSize: size, maximumChunkSize: chunkSize) else {
            preconditionFailure("content of this size cannot be encrypted")
        }
        self.version = version
        self.layout = layout
        self.old = old?.version == version ? old : nil

        var known = Self.sources(of: layout, in: self.old)
        for range in changed {
            for index in layout.chunks(overlapping: range) {
                known[index] = nil
            }
        }
        knownSources = known
        toHash = known.indices.filter { known[$0] == nil }
    }

    /// The chunks to encrypt, ascending: those whose bytes or keys are not the old ones.
    ///
    /// - Parameter sources: the source digest of every chunk of the new content: `knownSources`,
    ///   with what was hashed filled in.
    package func toEncrypt(sources: [Digest]) -> [Int] {
        precondition(sources.count == layout.count, "a source digest for every chunk")
        return sources.indices.filter { standingAddress(of: $0, sources: sources) == nil }
    }

    /// The map of the new content, not packed.
    ///
    /// - Parameters:
    ///   - sources: as given to `toEncrypt(sources:)`.
    ///   - encrypted: the addresses of at least the chunks that it named.
    package func map(sources: [Digest], encrypted: [Int: Digest]) -> DataMap {
        precondition(sources.count == layout.count, "a source digest for every chunk")
        let chunks = sources.indices.map { index in
            let standing = standingAddress(of: index, sources: sources)
            guard let address = standing ?? encrypted[index] else {
                preconditionFailure("a chunk that had to be encrypted was not")
            }
            return ChunkDescriptor(
                index: UInt64(index), address: address, source: sources[index],
                size: UInt64(layout.range(of: index).count))
        }
        return DataMap(version: version, chunks: chunks)
    }

    /// The old address of chunk `index`, if encrypting it again would give the same.
    private func standingAddress(of index: Int, sources: [Digest]) -> Digest? {
        guard let old, old.chunks.indices.contains(index) else { return nil }
        let count = old.chunks.count
        let (before, beforeThat) = layout.neighbours(of: index)
        guard old.chunks[index].source == sources[index],
            old.chunks[(index + count - 1) % count].source == sources[before],
            old.chunks[(index + count - 2) % count].source == sources[beforeThat]
        else { return nil }
        return old.chunks[index].address
    }

    /// The source digests of those chunks that some chunk of `old` covers exactly.
    ///
    /// The cuts need not be alike: a file that grows past three full chunks is cut anew, and what
    /// still coincides is found by place and size.
    private static func sources(of layout: ChunkLayout, in old: DataMap?) -> [Digest?] {
        var known = [Digest?](repeating: nil, count: layout.count)
        guard let old else { return known }
        var offset: UInt64 = 0
        for chunk in old.chunks {
            let (end, isOverflowing) = offset.addingReportingOverflow(chunk.size)
            guard !isOverflowing, end <= layout.fileSize, end > offset else { break }
            if let index = layout.chunks(overlapping: offset..<end).first,
                layout.range(of: index) == offset..<end
            {
                known[index] = chunk.source
            }
            offset = end
        }
        return known
    }
}
