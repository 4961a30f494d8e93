// SPDX-License-Identifier: Apache-2.0
//
// How a file is cut into chunks, and which chunks a chunk's key comes from. Arithmetic only.
//
// Invariants: count >= 3; chunkSize >= 1; every chunk but the last has exactly chunkSize bytes;
// the last has at least one; the ranges of all chunks, in order, cover 0..<fileSize.

/// The cut of one file, or of one serialised data map, into chunks.
///
/// - Source: docs/format.md §3.
package struct ChunkLayout: Hashable, Sendable {
    /// The fewest bytes that can be cut: one for each of three chunks.
    package static let minimumFileSize: UInt64 = 3

    /// From so many full chunks on every chunk but the last is a full one, and a file that grows
    /// keeps its cut.
    package static let leastFullChunks = 3

    /// The bytes all chunks have together.
    package let fileSize: UInt64

    /// How many chunks there are; at least three.
    package let count: Int

    /// The bytes of every chunk but the last.
    package let chunkSize: UInt64

    /// The cut that an encryption of `fileSize` bytes makes.
    ///
    /// Below three full chunks the file is cut into thirds, and the last third takes the
    /// remainder, so it can be two bytes larger than the others.
    ///
    /// - Parameters:
    ///   - fileSize: bytes; fewer than `minimumFileSize` give nil.
    ///   - maximumChunkSize: bytes; at least 1.
    package init?(fileSize: UInt64, maximumChunkSize: Int) {
        precondition(maximumChunkSize >= 1, "a chunk has at least one byte")
        guard fileSize >= Self.minimumFileSize else { return nil }
        let maximum = UInt64(maximumChunkSize)
        if fileSize / 3 < maximum {
            self.init(fileSize: fileSize, count: 3, chunkSize: fileSize / 3)
        } else {
            guard let count = Int(exactly: (fileSize - 1) / maximum + 1) else { return nil }
            self.init(fileSize: fileSize, count: count, chunkSize: maximum)
        }
    }

    private init(fileSize: UInt64, count: Int, chunkSize: UInt64) {
        self.fileSize = fileSize
        self.count = count
        self.chunkSize = chunkSize
    }

    /// The cut that a map describes, whatever chunk size its writer was built with.
    ///
    /// Needs no chunk size: all chunks but the last are as large as the first.
    ///
    /// - Throws: `malformedMap` if no encryption can have cut a file so.
    package init(describedBy map: DataMap) throws(SelfEncryptionError) {
        let chunks = map.chunks
        guard chunks.count >= DataMap.minimumChunkCount, let last = chunks.last else {
            throw .malformedMap("fewer than three chunks")
        }
        let chunkSize = chunks[0].size
        let limit = map.version.maximumSourceSize
        guard (1...limit).contains(chunkSize), (1...limit).contains(last.size) else {
            throw .malformedMap("a chunk is empty or larger than the format allows")
        }
        guard chunks.dropLast().allSatisfy({ $0.size == chunkSize }) else {
            throw .malformedMap("chunks before the last differ in size")
        }
        // Sizes are at most a few MiB and entries fit in memory: the product cannot overflow.
        let fileSize = UInt64(chunks.count - 1) * chunkSize + last.size
        self.init(fileSize: fileSize, count: chunks.count, chunkSize: chunkSize)
    }

    /// The bytes of the file that chunk `index` holds. `index` is below `count`.
    package func range(of index: Int) -> Range<UInt64> {
        precondition(index >= 0 && index < count, "no such chunk")
        let start = UInt64(index) * chunkSize
        return start..<(index == count - 1 ? fileSize : start + chunkSize)
    }

    /// The chunks that hold any byte of `bytes`; empty where the file has none of them.
    package func chunks(overlapping bytes: Range<UInt64>) -> Range<Int> {
        let bytes = bytes.clamped(to: 0..<fileSize)
        guard !bytes.isEmpty else { return 0..<0 }
        return chunk(holding: bytes.lowerBound)..<chunk(holding: bytes.upperBound - 1) + 1
    }

    /// The two chunks whose source digests, beside its own, make the keys of chunk `index`:
    /// the ones before it, counted round the end.
    ///
    /// - Returns: (the one before, the one before that).
    package func neighbours(of index: Int) -> (Int, Int) {
        precondition(index >= 0 && index < count, "no such chunk")
        return ((index + count - 1) % count, (index + count - 2) % count)
    }

    /// The last chunk can be larger than the others, so the division alone may point past it.
    private func chunk(holding offset: UInt64) -> Int {
        Int(min(offset / chunkSize, UInt64(count - 1)))
    }
}
