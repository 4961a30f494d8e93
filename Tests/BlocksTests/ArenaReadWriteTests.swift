// SPDX-License-Identifier: Apache-2.0
//
// What is written comes back, whole or in part, and lies in the file as it should.

import Foundation
import TestSupport
import Testing

@testable import Blocks

@Suite("Reading and writing")
struct ArenaReadWriteTests {
    @Test(
        "a block of any length comes back with zeros after it",
        arguments: [0, 1, 15, 16, 17, 4095, 4096, 16_383, 16_384])
    func roundTrip(length: Int) throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(UInt64(length), count: length)
        let reference = try arena.writeOne(plain)
        #expect(reference.length == UInt32(length))
        #expect(try arena.bytes(reference) == padded(plain))
        #expect(try arena.bytes([reference], count: blockSize) == padded(plain))
    }

    @Test("any part of a block is that part of its bytes", arguments: UInt64(1)...20)
    func partialReads(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(seed, count: dice.below(blockSize + 1))
        let reference = try arena.writeOne(plain)
        for _ in 0..<20 {
            let start = dice.below(blockSize + 1)
            let end = start + dice.below(blockSize - start + 1)
            let got = try arena.bytes(reference, from: start, count: end - start)
            #expect(got == Array(padded(plain)[start..<end]), "seed \(seed), \(start)..<\(end)")
        }
    }

    @Test("runs of blocks come back in order, wherever their slots are", arguments: UInt64(1)...8)
    func runs(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 8 * mebibyte)
        // Holes, so that runs are cut up.
        let filler = try arena.write(smallBlocks(200))
        for reference in filler where dice.below(2) == 0 { arena.release(reference.slot) }
        arena.commit()
        let blocks = (0..<150).map { index in
            let length = dice.below(3) == 0 ? dice.below(blockSize + 1) : blockSize
            return PlainBlock(
                bytes: content(seed << 32 | UInt64(index), count: length),
                owner: BlockOwner(ino: 2, block: UInt64(index)), isDirty: true,
                usesReservation: false)
        }
        let references = try arena.write(blocks)
        #expect(Set(references.map(\.slot)).count == blocks.count)
        let whole = blocks.flatMap { padded($0.bytes) }
        #expect(try arena.bytes(references, count: whole.count) == whole, "seed \(seed)")
        let cut = whole.count - dice.below(blockSize)
        #expect(try arena.bytes(references, count: cut) == Array(whole[0..<cut]), "seed \(seed)")
        let from = dice.below(100)
        #expect(
            try arena.bytes(Array(references[from..<from + 40]), count: 40 * blockSize)
                == Array(whole[from * blockSize..<(from + 40) * blockSize]), "seed \(seed)")
        #expect(arena.violations() == [])
    }

    @Test("a run begins where it is wanted, if all of it is free there")
    func wanted() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        func write(_ seed: UInt64, at wanted: UInt32?) throws(ArenaError) -> [BlockReference] {
            try arena.write(
                contiguous: content(seed, count: 16 * blockSize).span,
                first: BlockOwner(ino: seed, block: 0), isDirty: true, usesReservation: false,
                at: wanted)
        }
        let first = try write(1, at: nil)
        let start = first[0].slot
        let second = try write(2, at: start + 64)
        #expect(second.map(\.slot) == (0..<16).map { start + 64 + $0 })
        // The gap is still there; a place that is taken in part is not, nor one nobody ever had.
        #expect(try write(3, at: start + 16)[0].slot == start + 16)
        let others = [start + 24, start + 79, UInt32.max - 8]
        for (number, place) in others.enumerated() {
            let slots = try write(4 + UInt64(number), at: place).map(\.slot)
            #expect(slots[0] != place && Set(slots).count == 16)
        }
        #expect(
            try arena.bytes(second, count: 16 * blockSize) == content(2, count: 16 * blockSize))
        #expect(arena.violations() == [])
    }

    @Test("contiguous bytes are written as the blocks they are made of")
    func contiguous() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(1, count: 70 * blockSize + 77)
        try arena.reserve(71)
        let references = try arena.write(
            contiguous: plain.span, first: BlockOwner(ino: 9, block: 5), isDirty: false,
            usesReservation: true)
        #expect(references.count == 71 && references[70].length == 77)
        let size = 71 * blockSize
        #expect(try arena.bytes(references, count: size) == padded(plain, to: size))
        #expect(arena.usage().reserved == 0)
        let owners = arena.evictable(100).map(\.owner)
        #expect(Set(owners) == Set((5..<76).map { BlockOwner(ino: 9, block: $0) }))
    }

    @Test("writing and reading nothing does nothing")
    func nothing() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        #expect(try arena.write([]) == [])
        let empty: [UInt8] = []
        let owner = BlockOwner(ino: 9, block: 5)
        #expect(
            try arena.write(
                contiguous: empty.span, first: owner, isDirty: true, usesReservation: true) == [])
        #expect(try arena.bytes([], count: 0) == [])
        #expect(arena.usage().used == 0)
    }

    @Test("blocks written one after the other lie side by side")
    func sequentialSlots() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        var slots: [UInt32] = []
        for batch in 0..<4 {
            slots += try arena.write(smallBlocks(64, first: batch * 64)).map(\.slot)
        }
        #expect(slots == Array(0..<256))
    }

    @Test("a second write of the same block never touches the first one's slot")
    func copyOnWrite() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let first = try arena.writeOne([1])
        let second = try arena.writeOne([2])
        #expect(first.slot != second.slot)
        #expect(first.encoded[8..<20] != second.encoded[8..<20], "one nonce for two blocks")
        #expect(try arena.bytes(first) == padded([1]))
        #expect(try arena.bytes(second) == padded([2]))
    }

    @Test("the file shows none of the plaintext, and is no longer than its slots")
    func isSealed() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = [UInt8](repeating: 0x41, count: 4 * blockSize)
        _ = try arena.write(
            contiguous: plain.span, first: BlockOwner(ino: 1, block: 0), isDirty: true,
            usesReservation: false)
        let file = try Data(contentsOf: URL(fileURLWithPath: folder.arena))
        #expect(file.range(of: Data(plain[0..<8])) == nil)
        #expect(file.count == 5 * blockSize)
    }
}
