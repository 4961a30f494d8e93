// SPDX-License-Identifier: Apache-2.0
//
// Which slot of a write gets what: a block each, or the patches of several. Pure.

/// Items of one write in the order in which they lie: blocks first, a slot each, then patches, as
/// many in a slot as come one after the other and fit.
struct SlotLayout {
    /// Items, all together.
    let count: Int
    /// Items that have a slot each: those at the first places.
    private let blockCount: Int
    /// Where each patch lies.
    private var patches: [(item: Int, offset: Int)] = []
    /// The items that are blocks, if there are patches among them.
    private var blocks: [Int] = []
    /// Where the patches of each further slot begin, counted from the first patch.
    private var starts: [Int] = []

    /// A slot for each item.
    init(count: Int) {
        self.count = count
        blockCount = count
    }

    /// The layout of blocks and patches.
    init(_ plain: [PlainBlock]) {
        count = plain.count
        if plain.allSatisfy({ $0.over == nil }) {
            blockCount = count
            return
        }
        var used = Arena.blockSize
        for (item, block) in plain.enumerated() {
            guard block.over != nil else {
                blocks.append(item)
                continue
            }
            if used + block.sealedCount > Arena.blockSize {
                starts.append(patches.count)
                used = 0
            }
            patches.append((item, used))
            used += block.sealedCount
        }
        blockCount = blocks.count
    }

    /// Whether each item has a slot, in the order of the items.
    var isPlain: Bool { starts.isEmpty }

    /// Slots that it takes.
    var slotCount: Int { blockCount + starts.count }

    /// The places of what goes into one slot, counted from the first.
    func places(in slot: Int) -> Range<Int> {
        if slot < blockCount { return slot..<slot + 1 }
        let number = slot - blockCount
        let end = number + 1 < starts.count ? starts[number + 1] : patches.count
        return blockCount + starts[number]..<blockCount + end
    }

    /// The item at a place.
    func item(at place: Int) -> Int {
        if isPlain { return place }
        return place < blockCount ? blocks[place] : patches[place - blockCount].item
    }

    /// Where in its slot the item at a place begins.
    func offset(at place: Int) -> Int {
        place < blockCount ? 0 : patches[place - blockCount].offset
    }

    /// What the rows of the items are to name.
    ///
    /// - Parameter sealed: what was written, in the order of the places.
    func references(_ sealed: [BlockReference], of plain: [PlainBlock]) -> [BlockReference] {
        var references = sealed
        for (place, reference) in sealed.enumerated() {
            let item = item(at: place)
            guard let over = plain[item].over else {
                references[item] = reference
                continue
            }
            let patch = BlockPatch(
                reference, at: offset(at: place) / Arena.pieceSize, pieces: over.pieces,
                isBelowStored: over.isBelowStored)
            references[item] = over.reference.patched(by: patch)
        }
        return references
    }
}

extension PlainBlock {
    /// Bytes that are sealed of it.
    var sealedCount: Int { over.map { $0.pieces.nonzeroBitCount * Arena.pieceSize } ?? bytes.count }

    /// Lends the bytes that are sealed of it.
    func withSealedBytes(_ body: (Span<UInt8>) -> Void) {
        guard let pieces = over?.pieces else {
            body(bytes.span)
            return
        }
        let first = pieces.trailingZeroBitCount
        let isRun = pieces >> first == 1 << pieces.nonzeroBitCount &- 1
        if isRun {
            let start = first * Arena.pieceSize
            body(bytes.span.extracting(start..<start + sealedCount))
            return
        }
        var gathered: [UInt8] = []
        gathered.reserveCapacity(sealedCount)
        Arena.forEachRange(of: pieces) { gathered += bytes[$0] }
        body(gathered.span)
    }
}
