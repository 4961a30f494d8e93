// SPDX-License-Identifier: Apache-2.0
//
// The buffers of a file and their journal rows, as a value, beside a list of all rows: what is to
// be written and removed is found without looking at what did not change.

import Blocks
import TestSupport
import Testing

@testable import Engine

@Suite("block buffers")
struct BlockBuffersTests {
    /// What a look at everything finds.
    private struct Everything {
        var bytes: [UInt64: [UInt8]] = [:]
        var changed: Set<BlockBuffers.Row> = []
        var rows: Set<BlockBuffers.Row> = []

        func needs(_ row: BlockBuffers.Row) -> Bool {
            row.piece * BlockBuffers.pieceSize < bytes[row.block]?.count ?? 0
        }

        mutating func drop(_ block: UInt64) {
            bytes[block] = nil
            changed = changed.filter { $0.block != block }
        }
    }

    @Test("what is to be journaled is what a look at everything finds", arguments: 1...40)
    func journaled(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var buffers = BlockBuffers()
        var all = Everything()
        func rows(_ block: UInt64) -> [BlockBuffers.Row] {
            (0..<BlockBuffers.pieceCount).map { BlockBuffers.Row(block: block, piece: $0) }
        }
        for step in 0..<400 {
            let block = UInt64(dice.below(12))
            let place = "seed \(seed), step \(step)"
            switch dice.below(8) {
            case 0:
                let bytes = [UInt8](repeating: 1, count: dice.below(Arena.blockSize + 1))
                buffers[block] = bytes
                all.drop(block)
                all.bytes[block] = bytes
                all.changed.formUnion(rows(block))
            case 1:
                buffers[block] = nil
                all.drop(block)
            case 2 where all.bytes[block] == nil:
                let bytes = [UInt8](repeating: 2, count: Arena.blockSize)
                buffers.open(block, bytes, isOverEntry: true)
                all.bytes[block] = bytes
                all.changed.formUnion(all.rows.filter { $0.block == block })
            case 3, 4, 5:
                let isNew = all.bytes[block] == nil
                let count = all.bytes[block]?.count ?? 0
                let from = dice.below(Arena.blockSize - 1)
                let range = from..<from + 1 + dice.below(Arena.blockSize - from - 1)
                buffers.change(block, range) { bytes in
                    if bytes.count < range.upperBound {
                        bytes += [UInt8](repeating: 0, count: range.upperBound - bytes.count)
                    }
                }
                if isNew { all.changed.formUnion(rows(block)) }
                all.bytes[block] = [UInt8](repeating: 0, count: max(count, range.upperBound))
                let first = min(from, count) / BlockBuffers.pieceSize
                let last = (range.upperBound - 1) / BlockBuffers.pieceSize
                all.changed.formUnion(rows(block)[min(first, last)...last])
            case 6:
                let written = buffers.changes.map(\.row)
                #expect(Set(written) == all.changed.filter(all.needs), "\(place)")
                #expect(written == written.sorted { $0.number < $1.number }, "\(place)")
                for row in written { buffers.noteRow(row) }
                all.rows.formUnion(written)
                // Half of them fail before the rest is done, and come again.
                if dice.below(2) == 0 { continue }
                buffers.markJournaled()
                all.changed = []
                let stale = buffers.staleRows
                #expect(Set(stale) == all.rows.filter { !all.needs($0) }, "\(place)")
                if dice.below(4) == 0 { continue }
                buffers.forgetStale(stale)
                all.rows.subtract(stale)
            default: break
            }
            #expect(
                buffers.hasStaleRows == all.rows.contains { all.bytes[$0.block] == nil },
                "\(place)")
            #expect(buffers.changedCount == all.changed.count, "\(place)")
        }
    }
}
