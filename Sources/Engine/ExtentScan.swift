// SPDX-License-Identifier: Apache-2.0
//
// Which parts of a file have bytes, and which are holes. Pure: a value of one moment.

import Blocks
import Metadata
import Namespace

/// The data runs of one inode whose block groups are all in memory.
struct ExtentScan {
    private let groups: [UInt64: BlockGroup]
    private let buffers: Set<UInt64>
    private let base: StoredContent?
    private let inlineSize: UInt64?

    init(state: InodeState) {
        groups = state.groups
        buffers = Set(state.buffers.blocks)
        base = state.base
        inlineSize = state.row.form == .blocks ? nil : state.row.size
    }

    init(groups: [UInt64: BlockGroup], base: StoredContent?) {
        self.groups = groups
        buffers = []
        self.base = base
        inlineSize = nil
    }

    /// Visits maximal runs in order, as byte ranges clipped to `range`, until `visit` returns
    /// false.
    func forEach(in range: Range<UInt64>, _ visit: (Range<UInt64>) -> Bool) {
        if let inlineSize {
            let run = range.clamped(to: 0..<inlineSize)
            if !run.isEmpty { _ = visit(run) }
            return
        }
        let size = UInt64(Arena.blockSize)
        var run: Range<UInt64>?
        for interval in candidates() {
            for block in interval where hasData(block) {
                let bytes = (block * size)..<((block + 1) * size)
                if let open = run, open.upperBound == bytes.lowerBound {
                    run = open.lowerBound..<bytes.upperBound
                    continue
                }
                if let open = run?.clamped(to: range), !open.isEmpty, !visit(open) { return }
                run = bytes
            }
        }
        if let open = run?.clamped(to: range), !open.isEmpty { _ = visit(open) }
    }

    /// Block ranges outside which everything is a hole: sorted, disjoint.
    private func candidates() -> [Range<UInt64>] {
        let size = UInt64(Arena.blockSize)
        let span = UInt64(BlockGroup.span)
        var ranges = groups.keys.map { ($0 * span)..<(($0 + 1) * span) }
        for block in buffers where groups[block / span] == nil {
            ranges.append(block..<block + 1)
        }
        if let base {
            for segment in base.segments where segment.offset < base.baseLimit {
                let end = min(segment.offset + segment.size, base.baseLimit)
                ranges.append((segment.offset / size)..<((end + size - 1) / size))
            }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        var merged: [Range<UInt64>] = []
        for range in ranges {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    private func hasData(_ block: UInt64) -> Bool {
        if buffers.contains(block) { return true }
        let position = BlockPosition(block)
        switch groups[position.group]?[position.index] ?? .absent {
        case .clean, .dirty: return true
        case .zero: return false
        case .absent: return baseCovers(block)
        }
    }

    private func baseCovers(_ block: UInt64) -> Bool {
        let size = UInt64(Arena.blockSize)
        guard let base, block * size < base.baseLimit,
            let index = base.firstSegment(endingAfter: block * size)
        else { return false }
        return base.segments[index].offset < min((block + 1) * size, base.baseLimit)
    }
}
