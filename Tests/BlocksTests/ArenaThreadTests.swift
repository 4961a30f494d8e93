// SPDX-License-Identifier: Apache-2.0
//
// Many threads at once.

import Foundation
import Primitives
import TestSupport
import Testing

@testable import Blocks

/// Runs `body` on `count` threads at once, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread {
            body(index)
            group.leave()
        }.start()
    }
    group.wait()
}

@Suite("Threads")
struct ArenaThreadTests {
    /// The rows of the engine in miniature: whoever holds the lock may change them.
    private typealias Rows = Lock<[BlockOwner: (reference: BlockReference, isDirty: Bool)]>

    @Test("eight threads write, read, copy, clean, evict, commit and punch at once")
    func everything() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 4 * mebibyte)
        let rows = Rows([:])
        let commits = Lock(())
        let failures = Lock<[String]>([])
        onThreads(8) { thread in
            var dice = SeededGenerator(seed: UInt64(thread))
            for _ in 0..<150 {
                do {
                    switch dice.below(10) {
                    case 0..<4: try Self.write(arena, rows, &dice)
                    case 4..<7: try Self.read(arena, rows, &dice)
                    case 7: Self.clean(arena, rows)
                    case 8: Self.evict(arena, rows)
                    default:
                        // One commit at a time, as one database has it.
                        try commits.withLock { _ in
                            let epoch = arena.beginCommit()
                            try arena.sync()
                            arena.endCommit(epoch)
                        }
                        arena.punchFreed()
                    }
                } catch {
                    failures.withLock { $0.append("thread \(thread): \(error)") }
                }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(arena.violations() == [])
        let left = rows.withLock { $0 }
        let used = UInt64(Set(left.values.map(\.reference.slot)).count * blockSize)
        #expect(arena.usage().used == used && arena.usage().reserved == 0)
        for (owner, row) in left {
            #expect(try Self.isRight(arena.bytes(row.reference), owner))
        }
    }

    /// A block says in each byte which row it belongs to.
    private static func isRight(_ bytes: [UInt8], _ owner: BlockOwner) -> Bool {
        bytes.allSatisfy { $0 == UInt8(owner.block) }
    }

    private static func write(_ arena: Arena, _ rows: borrowing Rows, _ dice: inout SeededGenerator)
        throws
    {
        let first = dice.below(200)
        let owners = (first..<first + 1 + dice.below(16)).map {
            BlockOwner(ino: 1, block: UInt64($0))
        }
        do {
            try arena.reserve(owners.count)
        } catch ArenaError.full {
            return
        }
        let blocks = owners.map {
            PlainBlock(
                bytes: [UInt8](repeating: UInt8($0.block), count: blockSize), owner: $0,
                isDirty: true, usesReservation: true)
        }
        let references = try arena.write(blocks)
        rows.withLock { rows in
            for (owner, reference) in zip(owners, references) {
                if let old = rows.updateValue((reference, true), forKey: owner) {
                    arena.release(old.reference.slot, owner: owner)
                }
            }
        }
    }

    private static func read(_ arena: Arena, _ rows: borrowing Rows, _ dice: inout SeededGenerator)
        throws
    {
        let first = UInt64(dice.below(200))
        // Pinned under the rows' lock, read outside it.
        let found = rows.withLock { rows in
            let found = (first..<first + 16).compactMap { block in
                let owner = BlockOwner(ino: 1, block: block)
                return rows[owner].map { (owner: owner, reference: $0.reference) }
            }
            arena.retain(found.map(\.reference.slot))
            return found
        }
        let run = found.map(\.reference)
        defer { arena.release(run.map(\.slot)) }
        let bytes = try arena.bytes(run, count: run.count * blockSize)
        for (index, row) in found.enumerated() {
            let block = Array(bytes[index * blockSize..<(index + 1) * blockSize])
            guard isRight(block, row.owner) else { throw ArenaError.corrupt(slot: 0) }
        }
    }

    private static func clean(_ arena: Arena, _ rows: borrowing Rows) {
        rows.withLock { rows in
            var cleaned: [(slot: UInt32, owner: BlockOwner)] = []
            for (owner, row) in rows where row.isDirty && cleaned.count < 100 {
                cleaned.append((row.reference.slot, owner))
            }
            for (_, owner) in cleaned { rows[owner]?.isDirty = false }
            arena.setClean(cleaned)
        }
    }

    private static func evict(_ arena: Arena, _ rows: borrowing Rows) {
        for (slot, owner) in arena.evictable(40) {
            rows.withLock { rows in
                guard let row = rows[owner], row.reference.slot == slot, !row.isDirty else {
                    return
                }
                rows[owner] = nil
                arena.release(slot, owner: owner)
            }
        }
    }

    @Test("eight threads that write the same arena never get the same slot")
    func distinctSlots() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 64 * mebibyte)
        let slots = Lock<[UInt32]>([])
        let failures = Lock(0)
        onThreads(8) { thread in
            for round in 0..<20 {
                do {
                    let new = try arena.write(
                        smallBlocks(1 + round, ino: UInt64(thread), first: round * 32))
                    slots.withLock { $0 += new.map(\.slot) }
                } catch {
                    failures.withLock { $0 += 1 }
                }
            }
        }
        let all = slots.withLock { $0 }
        #expect(failures.withLock { $0 } == 0)
        #expect(all.count == 8 * 210 && Set(all).count == all.count)
        #expect(arena.violations() == [])
    }
}
