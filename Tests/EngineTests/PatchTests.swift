// SPDX-License-Identifier: Apache-2.0
//
// Writes of whole pieces of 4 KiB over blocks that are in the arena: the rest of such a block is
// neither read nor written, and what is read is what was written last, whatever comes between.

import Blocks
import Foundation
import Metadata
import Namespace
import Primitives
import TestSupport
import Testing

@testable import Engine

@Suite("patches")
struct PatchTests: PatchWork {
    @Test("pieces of a block are sealed without the rest, until all are there")
    func sealed() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        let before = try entries(volume, "/files/a", 0..<8)
        let used = volume.engine.volume.arena.usage().used
        try write(volume, &content, 1, [2], seed: 1)
        try write(volume, &content, 2, [0, 3], seed: 2)
        try write(volume, &content, 3, [0, 1, 2, 3], seed: 3)
        try write(volume, &content, 5, [3], seed: 4)
        #expect(same(try volume.readFile("/files/a"), content))
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<8) == [0, 0b100, 0b1001, 0, 0, 0b1000, 0, 0])
        let after = try entries(volume, "/files/a", 0..<8)
        for number in [1, 2, 5] {
            #expect(after[number].reference?.slot == before[number].reference?.slot)
        }
        #expect(after[3].reference?.slot != before[3].reference?.slot)
        // One slot has all three, and block 3 has another than before.
        let arena = volume.engine.volume.arena
        #expect(arena.usage().used == used + UInt64(Self.block) && arena.usage().reserved == 0)
        #expect(same(try volume.readFile("/files/a"), content))
        // A patch takes in the one before it; with the fourth piece the block is whole again.
        try write(volume, &content, 1, [0], seed: 5)
        try write(volume, &content, 2, [1, 2], seed: 6)
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<8) == [0, 0b101, 0, 0, 0, 0b1000, 0, 0])
        #expect(same(try volume.readFile("/files/a"), content))
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), content))
        #expect(try pieces(volume, "/files/a", 0..<8) == [0, 0b101, 0, 0, 0, 0b1000, 0, 0])
    }

    @Test("a write that does not end with pieces has the block read, as ever")
    func edges() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        for (at, count) in [(Self.block + 1, Self.piece), (2 * Self.block, Self.piece - 1)] {
            let bytes = pattern(count, seed: UInt64(at))
            try volume.writeFile("/files/a", bytes, at: UInt64(at))
            content.replaceSubrange(at..<at + count, with: bytes)
        }
        // The first half of block 3 lacks the other; then its edge is changed.
        try write(volume, &content, 3, [0, 1], seed: 1)
        let edge = 3 * Self.block + 2 * Self.piece - 5
        try volume.writeFile("/files/a", pattern(10, seed: 7), at: UInt64(edge))
        content.replaceSubrange(edge..<edge + 10, with: pattern(10, seed: 7))
        #expect(same(try volume.readFile("/files/a"), content))
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<4) == [0, 0, 0, 0])
        #expect(same(try volume.readFile("/files/a"), content))
    }

    @Test("what a buffer lacks is read from the slot, alone and with what it has")
    func reads() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        try write(volume, &content, 1, [1], seed: 1)
        try write(volume, &content, 2, [2], seed: 2)
        // Of block 1 only what is not in memory, then what is; of block 2 all at once.
        let ranges = [
            Self.block + 2 * Self.piece..<2 * Self.block,
            Self.block + Self.piece..<Self.block + 2 * Self.piece,
            Self.block..<Self.block + Self.piece, 2 * Self.block + 100..<3 * Self.block - 100,
        ]
        for range in ranges {
            #expect(same(try read(volume, range), Array(content[range])), "\(range)")
        }
    }

    @Test(
        "the store gets the whole, a start and another machine too, and the cache lets go of both")
    func stored() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        try volume.publish()
        #expect(try entries(volume, "/files/a", 0..<1)[0].differsFromBase == false)
        let clean = volume.engine.volume.arena.usage()
        #expect(clean.dirty == 0)
        try write(volume, &content, 4, [1, 2], seed: 1)
        try write(volume, &content, 6, [0], seed: 2)
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 4..<7) == [0b110, 0, 1])
        // What lies below is not to be had again from the store alone: it is no copy of that.
        #expect(volume.engine.volume.arena.usage().dirty == UInt64(3 * Self.block))
        try volume.publish()
        #expect(volume.engine.volume.arena.usage().dirty == 0)
        #expect(try pieces(volume, "/files/a", 4..<7) == [0b110, 0, 1])
        try volume.restart()
        #expect(volume.engine.volume.arena.usage().dirty == 0)
        #expect(same(try volume.readFile("/files/a"), content))
        for _ in 0..<3 { _ = volume.engine.room.evict(RoomKeeper.batch) }
        #expect(volume.engine.volume.arena.usage().used == 0)
        #expect(same(try volume.readFile("/files/a"), content))
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), content))
    }

    @Test("a copy shares both slots, and each file goes its own way after it")
    func copied() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        try write(volume, &content, 1, [0], seed: 1)
        try sync(volume)
        var copy = content
        try volume.copyWhole("/files/a", "/files/b", count: content.count)
        #expect(
            try entries(volume, "/files/b", 1..<2)[0].reference
                == entries(volume, "/files/a", 1..<2)[0].reference)
        try write(volume, &content, 1, [3], seed: 2)
        try write(volume, &copy, 1, [0, 1], seed: 3, path: "/files/b")
        try sync(volume)
        for _ in 0..<2 {
            #expect(same(try volume.readFile("/files/a"), content))
            #expect(same(try volume.readFile("/files/b"), copy))
            // Once more over what shares one of its slots.
            try volume.copyWhole("/files/a", "/files/b", count: content.count)
            copy = content
            try sync(volume)
        }
        try volume.unlink("/files/a")
        try sync(volume)
        try volume.crash()
        #expect(same(try volume.readFile("/files/b"), copy))
        try volume.unlink("/files/b")
        try volume.restart()
        #expect(volume.engine.volume.arena.usage().used == 0)
    }

    @Test("a file is cut within what a buffer has, and within what it lacks")
    func cut() throws {
        for (piece, size) in [(0, 2 * Self.piece + 9), (2, Self.piece + 9), (3, 3 * Self.piece)] {
            let volume = try quiet()
            var content = try makeFile(volume)
            try write(volume, &content, 5, [piece], seed: UInt64(piece))
            let end = 5 * Self.block + size
            for length in [end, 8 * Self.block] {
                var change = AttributeChange()
                change.size = UInt64(length)
                _ = try volume.engine.setAttributes(
                    of: try volume.resolve("/files/a"), change, volume.context)
            }
            content.replaceSubrange(
                end..., with: [UInt8](repeating: 0, count: content.count - end))
            #expect(same(try volume.readFile("/files/a"), content), "\(piece) \(size)")
            try sync(volume)
            try volume.crash()
            #expect(same(try volume.readFile("/files/a"), content), "\(piece) \(size)")
        }
    }

    @Test("small syncs journal pieces over patches, and the background makes patches of them")
    func journaled() throws {
        let volume = try quiet(JournalLimits(piecesPerCommit: 6, blocks: 64), budget: 8 << 20)
        var content = try makeFile(volume)
        for number in 0..<8 { try write(volume, &content, number, [1], seed: UInt64(number)) }
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<8) == [UInt8](repeating: 0b10, count: 8))
        // Few enough for the journal, over a patch and beside one; and a part of a piece.
        try write(volume, &content, 0, [3], seed: 20)
        try write(volume, &content, 1, [1], seed: 21)
        let at = 2 * Self.block + Self.piece + 7
        try volume.writeFile("/files/a", pattern(5, seed: 22), at: UInt64(at))
        content.replaceSubrange(at..<at + 5, with: pattern(5, seed: 22))
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<3) == [0b10, 0b10, 0b10])
        #expect(same(try volume.readFile("/files/a"), content))
        let sealing = JournalSealing(
            volume: volume.engine.volume, committer: volume.engine.committer)
        try sealing.run()
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 0..<3) == [0b1010, 0b10, 0])
        #expect(same(try volume.readFile("/files/a"), content))
        try write(volume, &content, 3, [3], seed: 23)
        try sync(volume)
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), content))
        // A start makes patches of them too.
        #expect(try pieces(volume, "/files/a", 3..<4) == [0b1010])
    }

    @Test("where much is on this machine alone blocks are written whole, which frees what they had")
    func crowded() throws {
        let volume = try quiet(budget: 512 << 10)
        var content = try makeFile(volume)
        try volume.writeFile("/files/b", pattern(9 * Self.block, seed: 2))
        try sync(volume)
        try write(volume, &content, 3, [1], seed: 1)
        try sync(volume)
        #expect(try pieces(volume, "/files/a", 3..<4) == [0])
        #expect(same(try volume.readFile("/files/a"), content))
    }
}
