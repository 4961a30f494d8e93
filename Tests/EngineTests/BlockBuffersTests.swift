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
        /// Pieces that are not in memory.
        var lacking: Set<BlockBuffers.Row> = []

        func needs(_ row: BlockBuffers.Row) -> Bool {
            row.piece * Arena.pieceSize < bytes[row.block]?.count ?? 0
        }

        mutating func drop(_ block: UInt64) {
            bytes[block] = nil
            changed = changed.filter { $0.block != block }
            lacking = lacking.filter { $0.block != block }
        }
    }

    @Test("what a buffer has is kept when the rest is brought")
    func filled() {
        var buffers = BlockBuffers()
        let size = Arena.pieceSize
        buffers.openLacking(7, [UInt8](repeating: 3, count: Arena.blockSize), present: 0b0100)
        buffers.change(7, 0..<size) {
            $0.replaceSubrange(0..<size, with: repeatElement(5, count: size))
        }
        #expect(buffers.lacking(7) == 0b1010 && buffers.changedCount == 1)
        buffers.fill(7, from: [UInt8](repeating: 4, count: Arena.blockSize))
        #expect(buffers.lacking(7) == 0 && buffers.changedCount == 1)
        let bytes = buffers.held(7)?.bytes ?? []
        #expect((0..<4).map { bytes[$0 * size] } == [5, 4, 3, 4])
        #expect((0..<4).map { bytes[($0 + 1) * size - 1] } == [5, 4, 3, 4])
    }

    @Test("what is to be journaled is what a look at everything finds", arguments: 1...40)
    func journaled(seed: UInt64) {
        var work = Work(dice: SeededGenerator(seed: seed))
        for step in 0..<400 {
            work.place = "seed \(seed), step \(step)"
            work.step(UInt64(work.dice.below(12)))
        }
    }

    /// Random work on buffers, and what is to be found after it.
    private struct Work {
        var dice: SeededGenerator
        var buffers = BlockBuffers()
        var all = Everything()
        var place = ""

        init(dice: SeededGenerator) { self.dice = dice }

        private func rows(_ block: UInt64) -> [BlockBuffers.Row] {
            (0..<Arena.pieceCount).map { BlockBuffers.Row(block: block, piece: $0) }
        }

        mutating func step(_ block: UInt64) {
            switch dice.below(10) {
            case 0:
                let bytes = [UInt8](repeating: 1, count: dice.below(Arena.blockSize + 1))
                buffers.replace(block, bytes)
                all.drop(block)
                all.bytes[block] = bytes
                all.changed.formUnion(rows(block))
            case 1:
                buffers.drop(block)
                all.drop(block)
            case 2 where all.bytes[block] == nil:
                let bytes = [UInt8](repeating: 2, count: Arena.blockSize)
                buffers.open(block, bytes, isOverEntry: true)
                all.bytes[block] = bytes
                all.changed.formUnion(all.rows.filter { $0.block == block })
            case 3, 4, 5: change(block)
            case 6: journal()
            case 7 where !all.rows.contains { $0.block == block }: openLacking(block)
            case 8 where all.bytes[block] != nil:
                buffers.fill(block, from: [UInt8](repeating: 4, count: Arena.blockSize))
                all.lacking = all.lacking.filter { $0.block != block }
            default: break
            }
            check(block)
        }

        private mutating func openLacking(_ block: UInt64) {
            let present = UInt8(dice.below(2) == 0 ? 0 : 1 + dice.below(14))
            let bytes = [UInt8](repeating: 3, count: Arena.blockSize)
            buffers.openLacking(block, bytes, present: present)
            all.drop(block)
            all.bytes[block] = [UInt8](repeating: 0, count: Arena.blockSize)
            all.lacking.formUnion(
                rows(block).filter { present & 1 << $0.piece == 0 })
        }

        private mutating func change(_ block: UInt64) {
            if all.lacking.contains(where: { $0.block == block }) {
                // Whole pieces only.
                let first = dice.below(Arena.pieceCount)
                let end = first + 1 + dice.below(Arena.pieceCount - first)
                buffers.change(block, first * Arena.pieceSize..<end * Arena.pieceSize) { _ in }
                all.changed.formUnion(rows(block)[first..<end])
                all.lacking.subtract(rows(block)[first..<end])
                return
            }
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
            let first = min(from, count) / Arena.pieceSize
            let last = (range.upperBound - 1) / Arena.pieceSize
            all.changed.formUnion(rows(block)[min(first, last)...last])
        }

        private mutating func journal() {
            let written = buffers.changes.map(\.row)
            #expect(Set(written) == all.changed.filter(all.needs), "\(place)")
            #expect(written == written.sorted { $0.number < $1.number }, "\(place)")
            for row in written { buffers.noteRow(row) }
            all.rows.formUnion(written)
            // Half of them fail before the rest is done, and come again.
            if dice.below(2) == 0 { return }
            buffers.markJournaled()
            all.changed = []
            let stale = buffers.staleRows
            #expect(Set(stale) == all.rows.filter { !all.needs($0) }, "\(place)")
            if dice.below(4) == 0 { return }
            buffers.forgetStale(stale)
            all.rows.subtract(stale)
        }

        private func check(_ block: UInt64) {
            let isStale = all.rows.contains { all.bytes[$0.block] == nil }
            #expect(buffers.hasStaleRows == isStale, "\(place)")
            #expect(buffers.changedCount == all.changed.count, "\(place)")
            let lacking = all.lacking.filter { $0.block == block }.reduce(into: UInt8(0)) {
                $0 |= 1 << $1.piece
            }
            #expect(buffers.lacking(block) == lacking, "\(place)")
            let present = buffers.held(block)?.present ?? Arena.allPieces
            #expect(present == Arena.allPieces & ~lacking, "\(place)")
        }
    }
}
