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
        let isAsExpected = try (0..<20).contains { _ in
            PageCache.drop(folder.arena)
            // From behind: the system reads on by itself.
            let first = try Self.waits(arena, references[39])
            let second = try Self.waits(arena, references[39])
            PageCache.drop(folder.arena)
            arena.bringIn(low..<high + 1)
            let rest = try references.reduce(0) { try $0 + Self.waits(arena, $1) }
            return first == 1 && second == 0 && rest == 0
        }
        #expect(isAsExpected)
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
