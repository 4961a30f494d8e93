// SPDX-License-Identifier: Apache-2.0
//
// Where a file may have data, block by block, as the plain model knows it: an upper bound for what
// SEEK_DATA and st_blocks may show.

/// The blocks of a file that were written and not made a hole since.
struct BlockCover: Equatable {
    /// Bytes of a block: holes are found in steps of it (docs/SEMANTICS.md, "Files").
    static let blockSize = 16_384
    /// A hole of less than a chunk between data becomes zeros on the store.
    static let chunkBlocks = 4_190_208 / BlockCover.blockSize + 1

    private(set) var blocks: Set<Int> = []

    mutating func write(_ range: Range<Int>) {
        if range.isEmpty { return }
        blocks.formUnion(
            range.lowerBound / BlockCover.blockSize...(range.upperBound - 1) / BlockCover.blockSize)
    }

    /// Forgets blocks that lie whole in the range, and all beyond the end of the file.
    mutating func clear(_ range: Range<Int>, size: Int) {
        blocks = blocks.filter { block in
            let start = block * BlockCover.blockSize
            let end = min(start + BlockCover.blockSize, size)
            return start < size && !(range.lowerBound <= start && end <= range.upperBound)
        }
    }

    /// Whether all of these blocks are covered, or between covered ones less than a chunk apart.
    func mayHaveData(_ range: Range<Int>) -> Bool {
        let wanted =
            range.lowerBound / BlockCover.blockSize...(range.upperBound - 1)
            / BlockCover.blockSize
        let missing = wanted.filter { !blocks.contains($0) }
        if missing.isEmpty { return true }
        let sorted = blocks.sorted()
        return missing.allSatisfy { block in
            guard let after = sorted.first(where: { $0 > block }) else { return false }
            // Before the first block there may be zeros too, if the map begins at the start.
            let before = sorted.last { $0 < block } ?? 0
            return after - before <= BlockCover.chunkBlocks
        }
    }
}
