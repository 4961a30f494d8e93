// SPDX-License-Identifier: Apache-2.0
//
// Pieces that are written over a block that stays where it is: they lie beside those of other
// blocks, are read with the rest or alone, and keep what they lie over as long as they need it.

import Foundation
import TestSupport
import Testing

@testable import Blocks

@Suite("Patches")
struct ArenaPatchTests {
    private static let pieceSize = Arena.pieceSize

    private func owner(_ block: Int) -> BlockOwner { BlockOwner(ino: 1, block: UInt64(block)) }

    /// Whole blocks of inode 1, each with bytes of its own.
    private func wholeBlocks(_ count: Int) -> [[UInt8]] {
        (0..<count).map { content(UInt64(1000 + $0), count: blockSize) }
    }

    private func plain(_ blocks: [[UInt8]], isDirty: Bool = true) -> [PlainBlock] {
        blocks.enumerated().map {
            PlainBlock(
                bytes: $0.element, owner: owner($0.offset), isDirty: isDirty,
                usesReservation: false)
        }
    }

    /// `bytes` with other content in some pieces.
    private func changed(_ bytes: [UInt8], _ pieces: UInt8, seed: UInt64) -> [UInt8] {
        var bytes = bytes
        for piece in 0..<Arena.pieceCount where pieces & 1 << piece != 0 {
            let start = piece * Self.pieceSize
            bytes.replaceSubrange(
                start..<start + Self.pieceSize,
                with: content(seed << 8 | UInt64(piece), count: Self.pieceSize))
        }
        return bytes
    }

    /// Only the pieces are given: the rest of the bytes is wrong, and must not be seen.
    private func patch(
        _ reference: BlockReference, _ block: Int, _ bytes: [UInt8], _ pieces: UInt8,
        reserved: Bool = false
    ) -> PlainBlock {
        let rest = changed(bytes, Arena.allPieces & ~pieces, seed: 0xbad)
        return PlainBlock(
            bytes: rest, owner: owner(block), isDirty: true, usesReservation: reserved,
            over: PatchedBlock(reference, pieces: pieces))
    }

    @Test(
        "a block is what its pieces and its slot have, read whole, in part and in runs",
        arguments: UInt64(1)...14)
    func reads(pieces: UInt64) throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        var dice = SeededGenerator(seed: pieces)
        let pieces = UInt8(pieces)
        var blocks = wholeBlocks(3)
        var references = try arena.write(plain(blocks))
        blocks[1] = changed(blocks[1], pieces, seed: 5)
        let below = references[1].slot
        references[1] = try arena.write([patch(references[1], 1, blocks[1], pieces)])[0]
        #expect(references[1].slot == below && references[1].patch?.pieces == pieces)
        #expect(try arena.bytes(references[1]) == blocks[1])
        #expect(try arena.content(of: references[1]) == blocks[1])
        #expect(try arena.bytes(references, count: 3 * blockSize) == blocks.flatMap { $0 })
        #expect(
            try arena.bytes(references, count: 2 * blockSize + 5)
                == Array(blocks.flatMap { $0 }[..<(2 * blockSize + 5)]))
        for _ in 0..<40 {
            let start = dice.below(blockSize + 1)
            let end = start + dice.below(blockSize - start + 1)
            let got = try arena.bytes(references[1], from: start, count: end - start)
            #expect(got == Array(blocks[1][start..<end]), "\(start)..<\(end)")
        }
        var expected = [UInt8](repeating: 0, count: blockSize)
        Arena.forEachRange(of: pieces) { expected.replaceSubrange($0, with: blocks[1][$0]) }
        #expect(try arena.patchContent(of: references[1]) == expected)
    }

    @Test("patches of four blocks lie in one slot, and what was reserved for them comes back")
    func packed() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        var blocks = wholeBlocks(9)
        let references = try arena.write(plain(blocks))
        let masks: [UInt8] = [1, 2, 4, 8, 0b11, 0b101, 0b111, 1, 0b110]
        for index in blocks.indices {
            blocks[index] = changed(blocks[index], masks[index], seed: UInt64(index))
        }
        try arena.reserve(9)
        let patched = try arena.write(
            blocks.indices.map {
                patch(references[$0], $0, blocks[$0], masks[$0], reserved: true)
            })
        #expect(arena.usage().reserved == 0)
        let slots = patched.compactMap { $0.patch?.sealed.slot }
        // 1 1 1 1, 2 2, 3 1, 2.
        #expect(Set(slots).count == 4 && slots[0] == slots[3] && slots[4] == slots[5])
        #expect(slots[6] == slots[7] && slots[8] != slots[7])
        #expect(arena.usage().used == UInt64(13 * blockSize))
        for (reference, bytes) in zip(patched, blocks) {
            #expect(try arena.bytes(reference) == bytes)
        }
        #expect(arena.violations() == [])
        // The slot is free when the last of the four blocks has let go of it.
        for index in 0..<4 {
            #expect(arena.usage().deferred == 0)
            arena.release(slots[index], owner: owner(index))
        }
        #expect(arena.usage().deferred == UInt64(blockSize))
    }

    @Test("a damaged slot takes with it only what lies in it")
    func damage() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let base = wholeBlocks(1)
        let reference = try arena.write(plain(base))[0]
        let bytes = changed(base[0], 0b0100, seed: 1)
        let patched = try arena.write([patch(reference, 0, bytes, 0b0100)])[0]
        let own = try #require(patched.patch)
        func flip(_ slot: UInt32, _ offset: Int) throws {
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.arena))
            try file.seek(toOffset: Arena.offset(of: slot) + UInt64(offset))
            let byte = try #require(try file.read(upToCount: 1)?.first)
            try file.seek(toOffset: Arena.offset(of: slot) + UInt64(offset))
            try file.write(contentsOf: Data([byte ^ 1]))
            try file.close()
        }
        try flip(reference.slot, 3)
        let piece = 2 * Self.pieceSize..<3 * Self.pieceSize
        #expect(
            try arena.bytes(patched, from: piece.lowerBound, count: Self.pieceSize)
                == Array(bytes[piece]))
        #expect(throws: ArenaError.corrupt(slot: reference.slot)) {
            try arena.bytes(patched, from: piece.lowerBound - 1, count: 2)
        }
        try flip(reference.slot, 3)
        try flip(own.sealed.slot, own.place * Self.pieceSize + 77)
        #expect(
            try arena.bytes(patched, from: 0, count: piece.lowerBound)
                == Array(bytes[..<piece.lowerBound]))
        for read in [0..<blockSize, piece.lowerBound + 1..<piece.lowerBound + 2] {
            #expect(throws: ArenaError.corrupt(slot: own.sealed.slot)) {
                try arena.bytes(patched, from: read.lowerBound, count: read.count)
            }
        }
        // Nothing of what did not open is left in the caller's bytes.
        var out = [UInt8](repeating: 0xee, count: blockSize)
        var span = out.mutableSpan
        do { try arena.read(patched, from: 0, into: &span) } catch {}
        #expect(out.allSatisfy { $0 == 0 })
    }

    @Test("what lies below a patch is no cached copy any more, and one again with the store's word")
    func states() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let blocks = wholeBlocks(2)
        let references = try arena.write(plain(blocks, isDirty: false))
        #expect(arena.usage().evictable == UInt64(2 * blockSize))
        let patched = try arena.write([patch(references[0], 0, blocks[0], 1)])[0]
        arena.setDirty(references[0].slot, owner: owner(0))
        #expect(arena.usage().dirty == UInt64(2 * blockSize))
        #expect(arena.usage().evictable == UInt64(blockSize))
        patched.forEachSlot { arena.setClean([(slot: $0, owner: owner(0))]) }
        #expect(arena.usage().evictable == UInt64(3 * blockSize))
        // It is offered once, by whichever of its slots.
        let offered = arena.evictable(10)
        #expect(offered.count == 2 && Set(offered.map(\.owner)) == [owner(0), owner(1)])
        #expect(arena.violations() == [])
    }

    @Test("of two rows of one owner the newest is dirty or clean, and the oldest is released")
    func twice() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let slot = try arena.write(plain(wholeBlocks(1), isDirty: false))[0].slot
        for _ in 0..<2 { arena.retain(slot, owner: owner(1), isDirty: false) }
        arena.setDirty(slot, owner: owner(1))
        arena.release(slot, owner: owner(1))
        #expect(arena.usage().dirty == UInt64(blockSize) && arena.usage().evictable == 0)
        arena.retain(slot, owner: owner(1), isDirty: true)
        arena.setClean([(slot: slot, owner: owner(1))])
        arena.release(slot, owner: owner(1))
        #expect(arena.usage().evictable == UInt64(blockSize))
        #expect(arena.violations() == [])
    }

    @Test("another start knows who has what of a slot")
    func adopted() throws {
        let folder = try TemporaryFolder()
        var blocks = wholeBlocks(4)
        var references: [BlockReference] = []
        do {
            let arena = try openArena(folder)
            references = try arena.write(plain(blocks))
            for index in blocks.indices { blocks[index] = changed(blocks[index], 2, seed: 9) }
            references = try arena.write(
                blocks.indices.map { patch(references[$0], $0, blocks[$0], 2) })
            try arena.sync()
        }
        let arena = try Arena(path: folder.arena, key: testKey(), budget: mebibyte)
        for index in 1..<4 {
            arena.adopt(references[index], owner: owner(index), isDirty: index == 3)
        }
        arena.adoptionFinished()
        let usage = arena.usage()
        #expect(usage.used == UInt64(4 * blockSize) && usage.dirty == UInt64(2 * blockSize))
        #expect(usage.pinned == UInt64(blockSize))
        for index in 1..<4 { #expect(try arena.bytes(references[index]) == blocks[index]) }
        #expect(arena.violations() == [])
    }

    @Test("while more than half of the budget is dirty or promised nothing is to be patched")
    func room() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: mebibyte)
        _ = try arena.write(smallBlocks(20))
        try arena.reserve(12)
        #expect(arena.hasRoomForPatches)
        try arena.reserve(1)
        #expect(!arena.hasRoomForPatches)
    }
}
