// SPDX-License-Identifier: Apache-2.0
//
// Where a file may have data, block by block, as the plain model knows it: an upper bound for what
// SEEK_DATA and st_blocks may show.

/// The blocks of a file that were written and not made a hole since.
struct BlockCover: Equatable, CustomStringConvertible {
    var description: String { blocks.sorted().description }
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
    ///
    /// - Parameter empty: blocks that may be holes, though they count as written: what a copy of a
    ///   hole leaves.
    mutating func clear(_ range: Range<Int>, size: Int, empty: Set<Int> = []) {
        // A flush may have filled the small holes before, or is doing so: to make a hole where one
        // is already changes nothing that it would notice.
        let gaps = filled.subtracting(blocks).union(empty)
        blocks = filled.filter { block in
            let start = block * BlockCover.blockSize
            let end = min(start + BlockCover.blockSize, size)
            let isCleared = range.lowerBound <= start && end <= range.upperBound
            return start < size && (!isCleared || gaps.contains(block))
        }
    }

    /// The blocks, and those between two of them that are less than a chunk apart; also those
    /// before the first, which a map that begins at the start has.
    private var filled: Set<Int> {
        var all = blocks
        var last = 0
        for block in blocks.sorted() {
            if block - last <= BlockCover.chunkBlocks { all.formUnion(last...block) }
            last = block
        }
        return all
    }

    /// Whether all of these blocks are covered, or in small holes.
    func mayHaveData(_ range: Range<Int>) -> Bool {
        filled.isSuperset(
            of: range.lowerBound / BlockCover.blockSize...(range.upperBound - 1)
                / BlockCover.blockSize)
    }
}
