// SPDX-License-Identifier: Apache-2.0
//
// Bytes that are not what was written are never shown.

import Foundation
import Testing

@testable import Blocks

@Suite("Damage")
struct ArenaDamageTests {
    private func overwrite(_ folder: TemporaryFolder, at offset: UInt64, _ bytes: [UInt8]) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.arena))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: bytes)
        try file.close()
    }

    @Test(
        "a changed byte anywhere in a slot makes its block corrupt, and shows zeros",
        arguments: [0, 1, 4095, 8192, 16_383])
    func flippedByte(at place: Int) throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(5, count: blockSize)
        let good = try arena.writeOne(plain)
        let bad = try arena.writeOne(plain)
        let offset = Arena.offset(of: bad.slot) + UInt64(place)
        let file = try Data(contentsOf: URL(fileURLWithPath: folder.arena))
        try overwrite(folder, at: offset, [file[Int(offset)] ^ 1])
        #expect(throws: ArenaError.corrupt(slot: bad.slot)) { try arena.bytes(bad) }
        #expect(throws: ArenaError.corrupt(slot: bad.slot)) {
            try arena.bytes(bad, from: 100, count: 10)
        }
        var shown = [UInt8](repeating: 0xee, count: 2 * blockSize)
        #expect(throws: ArenaError.corrupt(slot: bad.slot)) {
            var span = shown.mutableSpan
            try arena.read([good, bad], into: &span)
        }
        #expect(shown == [UInt8](repeating: 0, count: 2 * blockSize))
        #expect(try arena.bytes(good) == plain)
    }

    @Test("a torn write makes the block corrupt")
    func torn() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let reference = try arena.writeOne(content(5, count: blockSize))
        let zeros = [UInt8](repeating: 0, count: 8192)
        try overwrite(folder, at: Arena.offset(of: reference.slot) + 8192, zeros)
        #expect(throws: ArenaError.corrupt(slot: reference.slot)) { try arena.bytes(reference) }
    }

    @Test("slots that were exchanged are both corrupt")
    func exchanged() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let one = try arena.writeOne(content(1, count: blockSize))
        let two = try arena.writeOne(content(2, count: blockSize))
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.arena)))
        func sealed(_ reference: BlockReference) -> [UInt8] {
            let start = Int(Arena.offset(of: reference.slot))
            return Array(file[start..<start + blockSize])
        }
        try overwrite(folder, at: Arena.offset(of: one.slot), sealed(two))
        try overwrite(folder, at: Arena.offset(of: two.slot), sealed(one))
        #expect(throws: ArenaError.corrupt(slot: one.slot)) { try arena.bytes(one) }
        #expect(throws: ArenaError.corrupt(slot: two.slot)) { try arena.bytes(two) }
    }

    @Test("a file that was cut short has corrupt slots, and those before the cut are whole")
    func truncated() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(1, count: 8 * blockSize)
        let references = try arena.write(
            contiguous: plain.span, first: BlockOwner(ino: 1, block: 0), isDirty: true,
            usesReservation: false)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.arena))
        try file.truncate(atOffset: Arena.offset(of: references[4].slot) + 100)
        try file.close()
        #expect(throws: ArenaError.corrupt(slot: references[4].slot)) {
            try arena.bytes(references, count: 8 * blockSize)
        }
        #expect(throws: ArenaError.corrupt(slot: references[7].slot)) {
            try arena.bytes(references[7], from: 16_000, count: 1)
        }
        #expect(
            try arena.bytes(Array(references[0..<4]), count: 4 * blockSize)
                == Array(plain[0..<4 * blockSize]))
    }

    @Test("a reference that was tampered with opens nothing", arguments: [0, 4, 8, 19, 20, 35])
    func tamperedReference(at index: Int) throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let reference = try arena.writeOne(content(1, count: 1000))
        _ = try arena.writeOne(content(2, count: 1000), block: 1)
        var bytes = reference.encoded
        bytes[index] ^= 1
        let other = try #require(decoded(bytes))
        #expect(throws: ArenaError.corrupt(slot: other.slot)) { try arena.bytes(other) }
    }

    @Test("a reference far beyond the end of the file is corrupt, and can be adopted and released")
    func wildSlot() throws {
        let folder = try TemporaryFolder()
        let bytes = [0xff, 0xff, 0xff, 0xff, 10] + [UInt8](repeating: 0, count: 31)
        let wild = try #require(decoded(bytes))
        let arena = try Arena(path: folder.arena, key: testKey(), budget: mebibyte)
        arena.adopt(wild, owner: BlockOwner(ino: 1, block: 1), isDirty: false)
        arena.adoptionFinished()
        #expect(throws: ArenaError.corrupt(slot: .max)) { try arena.bytes(wild) }
        #expect(arena.evictable(5).map(\.slot) == [.max])
        arena.release(wild.slot)
        arena.commit()
        arena.punchFreed()
        #expect(arena.usage().used == 0)
        #expect(try arena.writeOne([1]).slot == 0)
        #expect(arena.violations() == [])
    }

    @Test("a slot that went to another block opens nothing for its old reference")
    func reusedSlot() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: UInt64(blockSize))
        let old = try arena.writeOne([1])
        var newer = old
        repeat {
            arena.release(newer.slot)
            arena.commit()
            newer = try arena.writeOne([2])
        } while newer.slot != old.slot
        #expect(throws: ArenaError.corrupt(slot: old.slot)) { try arena.bytes(old) }
        #expect(try arena.bytes(newer) == padded([2]))
    }
}
