// SPDX-License-Identifier: Apache-2.0
//
// Who reads a block is told before the disk is waited for, and only then; and what was brought in
// before need not be waited for.

import Foundation
import TestSupport
import Testing

@testable import Blocks

@Suite("Waiting for the disk")
struct ArenaWaitTests {
    /// Whether the filesystem of the temporary folder says what it holds in memory, and forgets it.
    private static let isTold: Bool = {
        // Whatever fails, nothing is told.
        guard let folder = try? TemporaryFolder(), let arena = try? openArena(folder),
            let reference = try? arena.writeOne(content(1, count: blockSize)),
            (try? arena.sync()) != nil, (try? waits(arena, reference)) == 0
        else { return false }
        PageCache.drop(folder.arena)
        return (try? waits(arena, reference)) == 1
    }()

    /// How often the reader of a block is told that it will wait.
    private static func waits(_ arena: Arena, _ reference: BlockReference) throws -> Int {
        var count = 0
        var bytes = [UInt8](repeating: 0, count: Int(reference.length))
        var span = bytes.mutableSpan
        try arena.read(reference, from: 0, into: &span) { count += 1 }
        return count
    }

    @Test(
        "a reader is told once that it will wait, and not where the bytes are in memory",
        .enabled(if: isTold, "the temporary folder's disk does not say what is in memory"))
    func told() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let references = try arena.write(smallBlocks(40))
        try arena.sync()
        let slots = references.map(\.slot)
        let (low, high) = (try #require(slots.min()), try #require(slots.max()))
        #expect(high - low == 39)
        // The system may forget by itself, if it is short of memory: it is given some tries.
        var seen: [[Int]] = []
        let isAsExpected = try (0..<20).contains { _ in
            PageCache.drop(folder.arena)
            // From behind: the system reads on by itself.
            let first = try Self.waits(arena, references[39])
            let second = try Self.waits(arena, references[39])
            PageCache.drop(folder.arena)
            arena.bringIn(low..<high + 1)
            let rest = try references.reduce(0) { try $0 + Self.waits(arena, $1) }
            seen.append([first, second, rest])
            return seen.last == [1, 0, 0]
        }
        #expect(isAsExpected, "\(seen)")
    }

    @Test(
        "who reads on from block to block leaves in memory only the last that was read",
        .enabled(if: isTold, "the temporary folder's disk does not say what is in memory"))
    func forgotten() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 64 * mebibyte)
        let count = 1024
        let references = try arena.write(
            (0..<count).map { index in
                PlainBlock(
                    bytes: content(UInt64(index), count: blockSize),
                    owner: BlockOwner(ino: 1, block: UInt64(index)), isDirty: true,
                    usesReservation: false)
            })
        try arena.sync()
        #expect(references.last.map { Int($0.slot) } == Int(references[0].slot) + count - 1)
        /// Reads all in runs of some blocks; how often one must wait for the last, and for an early
        /// one.
        func waits(blocks: Int, forgets: Bool) throws -> [Int] {
            PageCache.drop(folder.arena)
            var bytes = [UInt8](repeating: 0, count: blocks * blockSize)
            for start in stride(from: 0, to: count, by: blocks) {
                var span = bytes.mutableSpan
                let run = Array(references[start..<start + blocks])
                try arena.read(run, into: &span, forgets: forgets)
            }
            return [
                try Self.waits(arena, references[count - 1]),
                try Self.waits(arena, references[300]),
            ]
        }
        // The system may forget by itself, if it is short of memory: it is given some tries.
        #expect(try (0..<20).contains { _ in try waits(blocks: 64, forgets: true) == [0, 1] })
        #expect(try (0..<20).contains { _ in try waits(blocks: 64, forgets: false) == [0, 0] })
        // The first of all has nothing behind it.
        #expect(
            try (0..<20).contains { _ in
                PageCache.drop(folder.arena)
                _ = try arena.bytes(references[900])
                var bytes = [UInt8](repeating: 0, count: 64 * blockSize)
                var span = bytes.mutableSpan
                try arena.read(Array(references[..<64]), into: &span, forgets: true)
                return try Self.waits(arena, references[900]) == 0
            })
        // Small reads are another matter: somebody may want the same block again.
        #expect(try (0..<20).contains { _ in try waits(blocks: 8, forgets: true) == [0, 0] })
    }

    @Test("bringing in what does not exist is no harm, and nothing is there then")
    func beyond() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let plain = content(7, count: 100)
        let reference = try arena.writeOne(plain)
        arena.bringIn(1000..<1064)
        arena.bringIn(5..<5)
        #expect(try arena.bytes(reference) == padded(plain))
    }
}
