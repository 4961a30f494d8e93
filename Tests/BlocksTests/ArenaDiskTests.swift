// SPDX-License-Identifier: Apache-2.0
//
// The disk under the arena: holes that give it back, and a disk without room.

import Foundation
import TestSupport
import Testing

@testable import Blocks

@Suite("Disk")
struct ArenaDiskTests {
    /// Bytes of the disk that the file takes.
    private func diskBytes(_ path: String) -> Int {
        var status = stat()
        // SAFETY: stat reads the path and fills the struct, for the time of the call.
        guard unsafe stat(path, &status) == 0 else { return 0 }
        return Int(status.st_blocks) * 512
    }

    private func fullBlocks(_ count: Int, first: Int = 0) -> [PlainBlock] {
        (0..<count).map {
            PlainBlock(
                bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: blockSize),
                owner: BlockOwner(ino: 1, block: UInt64(first + $0)), isDirty: true,
                usesReservation: false)
        }
    }

    @Test("punching freed slots gives their disk blocks back and leaves the others")
    func punching() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 64 * mebibyte)
        let references = try arena.write(fullBlocks(512))
        try arena.sync()
        let before = diskBytes(folder.arena)
        #expect(before >= 512 * blockSize)
        arena.release(references[0..<256].map(\.slot))
        #expect(arena.punchFreed() == 0, "nothing is punched before the commit ended")
        arena.commit()
        #expect(arena.usage().punchable == UInt64(256 * blockSize))
        #expect(arena.punchFreed(while: { false }) == 0, "somebody waits for the disk")
        #expect(arena.punchFreed(limit: 2 * mebibyte) == 2 * mebibyte)
        #expect(arena.punchFreed() == 2 * mebibyte)
        #expect(arena.punchFreed() == 0)
        #expect(arena.usage().punchable == 0)
        #expect(diskBytes(folder.arena) <= before - 256 * blockSize)
        for (index, reference) in references.enumerated().dropFirst(256) {
            let expected = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: blockSize)
            #expect(try arena.bytes(reference) == expected)
        }
        #expect(arena.violations() == [])
    }

    @Test(
        "what the disk was told to begin with it begins, and it is what it was, in whatever slots",
        .enabled(if: WrittenExtents.areTold, "the temporary folder's disk tells no extents"))
    func startedEarly() throws {
        // A sync by whatever else runs writes all of it, and shows nothing.
        for _ in 0..<20 where try isBegunAlone() { return }
        Issue.record("nothing was begun")
    }

    /// Whether the disk has slots that it was told to begin with, and not those before them.
    private func isBegunAlone() throws -> Bool {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 64 * mebibyte)
        let references = try arena.write(fullBlocks(600))
        let slots = references.map(\.slot)
        #expect(slots == slots.sorted())
        arena.startWriting([])
        arena.startWriting(slots[300...].reversed())
        arena.startWriting(Array(slots[300..<400] + slots[500..<600]))
        let end = ContinuousClock.now + .seconds(1).scaled
        let told = Arena.offset(of: slots[300])..<(.max)
        let others = Arena.offset(of: slots[0])..<told.lowerBound
        var isBegun = false
        while !isBegun, ContinuousClock.now < end {
            isBegun = try WrittenExtents.size(of: folder.arena, in: told) >= 200 * blockSize
            if !isBegun { usleep(5000) }
        }
        let othersSize = try WrittenExtents.size(of: folder.arena, in: others)
        try arena.sync()
        for (index, reference) in references.enumerated() {
            let expected = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: blockSize)
            #expect(try arena.bytes(reference) == expected)
        }
        #expect(arena.violations() == [])
        return isBegun && othersSize < 100 * blockSize
    }

    @Test("short runs are punched only when much is free")
    func shortRuns() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 1024 * mebibyte)
        let references = try arena.write(smallBlocks(9000))
        let odd = references.enumerated().filter { $0.offset % 2 == 1 }.map(\.element.slot)
        arena.release(Array(odd[0..<100]))
        arena.commit()
        #expect(arena.punchFreed() == 0)
        arena.release(Array(odd[100...]))
        arena.commit()
        #expect(arena.punchFreed() == UInt64(odd.count * blockSize))
        #expect(arena.violations() == [])
    }

    @Test("a nearly full arena keeps its disk blocks")
    func nearlyFull() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 64 * mebibyte)
        let references = try arena.write(smallBlocks(4096))
        arena.release(references[0..<300].map(\.slot))
        arena.commit()
        #expect(arena.punchFreed() == 0)
        arena.release(references[300..<600].map(\.slot))
        arena.commit()
        #expect(arena.punchFreed() == UInt64(600 * blockSize))
    }

    @Test("slots that a crash left behind are given back after the next start")
    func leftovers() throws {
        let folder = try TemporaryFolder()
        var kept: BlockReference?
        do {
            let arena = try openArena(folder, budget: 64 * mebibyte)
            kept = try arena.write(fullBlocks(1))[0]
            _ = try arena.write(fullBlocks(512, first: 1))
            try arena.sync()
        }
        let reference = try #require(kept)
        let arena = try Arena(path: folder.arena, key: testKey(), budget: 64 * mebibyte)
        arena.adopt(reference, owner: BlockOwner(ino: 1, block: 0), isDirty: true)
        arena.adoptionFinished()
        #expect(arena.usage().punchable == UInt64(512 * blockSize))
        #expect(arena.punchFreed() == UInt64(512 * blockSize))
        #expect(diskBytes(folder.arena) < 8 * blockSize)
        #expect(try arena.bytes(reference) == [UInt8](repeating: 0, count: blockSize))
        #expect(arena.violations() == [])
    }

    @Test("an arena that nothing is left in is cut short at the next start")
    func cutShort() throws {
        let folder = try TemporaryFolder()
        do { _ = try openArena(folder).write(fullBlocks(100)) }
        do { _ = try openArena(folder) }
        #expect(diskBytes(folder.arena) <= blockSize)
    }

    @Test(
        "a full disk fails the write, changes nothing, and freed slots can be written again",
        .smallDisks)
    func fullDisk() throws {
        let disk = try SmallDisk(bytes: 4 << 20)
        defer { disk.remove() }
        let arena = try openArena(at: disk.path + "/arena", budget: 64 * mebibyte)
        var held: [BlockReference] = []
        var failure: ArenaError?
        while failure == nil {
            do throws(ArenaError) {
                held += try arena.write(fullBlocks(16, first: held.count))
            } catch {
                failure = error
            }
        }
        #expect(failure == .diskFull)
        #expect(held.count > 200)
        #expect(arena.usage().used == UInt64(held.count * blockSize))
        #expect(arena.violations() == [])
        // What the last one did write is room for as much.
        let rest = Int(arena.usage().punchable) / blockSize
        _ = try arena.write(fullBlocks(rest, first: held.count))
        #expect(throws: ArenaError.diskFull) { try arena.reserve(1) }
        #expect(arena.usage().reserved == 0)
        arena.release(held[0..<32].map(\.slot))
        #expect(throws: ArenaError.diskFull) { try arena.write(fullBlocks(32)) }
        arena.commit()
        // The cursor stands on slots that need room; the freed ones do not.
        let again = try arena.write(fullBlocks(32))
        #expect(Set(again.map(\.slot)) == Set(held[0..<32].map(\.slot)))
        for (index, reference) in held.enumerated().dropFirst(32) {
            let byte = UInt8(truncatingIfNeeded: index % 16)
            #expect(try arena.bytes(reference)[blockSize - 1] == byte)
        }
        #expect(arena.violations() == [])
    }

    @Test(
        "what is only cached leaves the disk its margin, and is to be evicted for it",
        .smallDisks)
    func cacheLeavesTheDisk() throws {
        let disk = try SmallDisk(bytes: 4 << 20)
        defer { disk.remove() }
        let arena = try openArena(at: disk.path + "/arena", budget: 64 * mebibyte)
        // A disk smaller than the margin: bytes that exist nowhere else go there all the same.
        let dirty = try arena.write(fullBlocks(8))
        let clean = fullBlocks(8).map {
            PlainBlock(bytes: $0.bytes, owner: $0.owner, isDirty: false, usesReservation: false)
        }
        #expect(throws: ArenaError.full) { try arena.write(clean) }
        #expect(arena.shortfall() == 0)
        arena.setClean(dirty.map(\.slot))
        #expect(arena.shortfall() == 8)
        #expect(arena.violations() == [])
    }

    @Test(
        "who writes the same blocks again and again leaves the disk its margin, holes or not",
        .smallDisks)
    func rewritesLeaveTheMargin() throws {
        let disk = try SmallDisk(bytes: 40 << 20)
        defer { disk.remove() }
        let arena = try openArena(at: disk.path + "/arena", budget: 64 * mebibyte)
        let reserved = (0..<32).map {
            PlainBlock(
                bytes: [UInt8](repeating: UInt8($0), count: blockSize),
                owner: BlockOwner(ino: 2, block: UInt64($0)), isDirty: true, usesReservation: true)
        }
        // Holes, slots with blocks of the disk, and a disk that has nothing beyond its margin.
        let first = try arena.write(fullBlocks(320))
        arena.release(first[0..<256].map(\.slot))
        arena.commit()
        #expect(arena.punchFreed(limit: 3 * mebibyte) == 3 * mebibyte)
        try disk.fill(leaving: Arena.diskMargin * blockSize)
        try arena.measureDisk()
        for _ in 0..<40 {
            try arena.reserve(reserved.count)
            arena.release(try arena.write(reserved).map(\.slot))
            arena.commit()
        }
        #expect(try disk.freeBytes() >= Arena.diskMargin * blockSize)
        #expect(arena.violations() == [])
        for reference in first[256...] { _ = try arena.bytes(reference) }
    }

    @Test("what a write has taken of a disk before it was full can be given back", .smallDisks)
    func failedWrite() throws {
        // It ends within a slot.
        let disk = try SmallDisk(bytes: (8 << 20) + 10 * blockSize + blockSize / 2)
        defer { disk.remove() }
        let arena = try openArena(at: disk.path + "/arena", budget: 64 * mebibyte)
        let before = try disk.freeBytes()
        #expect(throws: ArenaError.diskFull) { try arena.write(fullBlocks(600)) }
        #expect(try disk.freeBytes() < 2 << 20)
        // All of it, and no more: room is promised on it, too.
        let taken = try before - disk.freeBytes()
        let punchable = Int(arena.usage().punchable)
        #expect(punchable == taken)
        arena.punchFreed()
        #expect(try disk.freeBytes() == before)
        #expect(arena.violations() == [])
    }

    @Test("a slot that a failed write gave back is not taken for one with blocks", .smallDisks)
    func emptied() throws {
        let disk = try SmallDisk(bytes: 4 << 20)
        defer { disk.remove() }
        let arena = try openArena(at: disk.path + "/arena", budget: 64 * mebibyte)
        // The last block of a file has a part of its slot's room.
        arena.release(try arena.write(smallBlocks(1)).map(\.slot))
        arena.commit()
        #expect(arena.usage().punchable == UInt64(blockSize))
        try disk.fill(leaving: blockSize / 4)
        #expect(throws: ArenaError.diskFull) { try arena.write(fullBlocks(1)) }
        #expect(arena.usage().punchable == 0)
        #expect(try disk.freeBytes() >= blockSize / 4)
        #expect(arena.violations() == [])
    }

    @Test("the operating system's codes mean what they should")
    func codes() {
        #expect(ArenaError(ENOSPC) == .diskFull && ArenaError(EDQUOT) == .diskFull)
        #expect(ArenaError(EIO) == .io(errno: EIO))
    }
}
