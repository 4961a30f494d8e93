// SPDX-License-Identifier: Apache-2.0
//
// The budget: reservations, eviction, and when a freed slot may be used again.

import TestSupport
import Testing

@testable import Blocks

@Suite("Space")
struct ArenaSpaceTests {
    private func bytes(_ slots: Int) -> UInt64 { UInt64(slots * blockSize) }

    @Test("a budget full of dirty blocks refuses reservations and unreserved writes")
    func fullOfDirty() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: bytes(32))
        try arena.reserve(32)
        #expect(throws: ArenaError.full) { try arena.reserve(1) }
        #expect(throws: ArenaError.full) { try arena.write(smallBlocks(1)) }
        _ = try arena.write(smallBlocks(32, reserved: true))
        #expect(throws: ArenaError.full) { try arena.reserve(1) }
        #expect(throws: ArenaError.full) { try arena.write(smallBlocks(1, isDirty: false)) }
        try arena.reserve(0)
        #expect(arena.shortfall() == 0, "nothing can be evicted")
        #expect(arena.evictable(10).isEmpty)
        let usage = arena.usage()
        #expect(usage.budget == bytes(32) && usage.used == bytes(32) && usage.dirty == bytes(32))
        #expect(usage.reserved == 0 && usage.clean == 0 && usage.deferred == 0)
    }

    @Test("what is unreserved can be reserved again")
    func unreserve() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: bytes(10))
        try arena.reserve(10)
        arena.unreserve(4)
        #expect(throws: ArenaError.full) { try arena.reserve(5) }
        try arena.reserve(4)
        #expect(arena.usage().reserved == bytes(10))
    }

    @Test("clean blocks count as room, and a reserved write finds a slot before they are evicted")
    func cleanIsRoom() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: bytes(32))
        _ = try arena.write(smallBlocks(32, isDirty: false))
        try arena.reserve(20)
        #expect(throws: ArenaError.full) { try arena.reserve(13) }
        _ = try arena.write(smallBlocks(20, ino: 2, reserved: true))
        #expect(arena.usage().used == bytes(52), "over the budget until the engine evicts")
        #expect(arena.shortfall() == 22, "the overshoot, and the low-water mark of two slots")
        #expect(throws: ArenaError.full) { try arena.write(smallBlocks(1, isDirty: false)) }
        let victims = arena.evictable(arena.shortfall())
        #expect(victims.count == 22 && victims.allSatisfy { $0.owner.ino == 1 })
        arena.release(victims)
        #expect(arena.shortfall() == 0, "deferred slots come free with the next commit")
        arena.commit()
        _ = try arena.write(smallBlocks(2, ino: 3, isDirty: false))
        #expect(arena.violations() == [])
    }

    @Test("reservations never promise more slots than there are, however much is clean")
    func overshootIsBounded() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: bytes(2048))
        _ = try arena.write(smallBlocks(2048, isDirty: false))
        // 8 MiB of overshoot are 512 slots.
        try arena.reserve(512)
        #expect(throws: ArenaError.full) { try arena.reserve(1) }
        arena.release(arena.evictable(100))
        #expect(throws: ArenaError.full, "deferred slots are still taken") { try arena.reserve(1) }
        arena.commit()
        try arena.reserve(100)
        _ = try arena.write(smallBlocks(612, ino: 2, reserved: true))
        #expect(arena.violations() == [])
    }

    @Test("a freed slot is not used again before its commit ended", arguments: UInt64(1)...10)
    func epochs(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: bytes(64))
        var live: [BlockReference] = []
        // Slots by the epoch that must end before they come back.
        var waiting: [(epoch: FreeEpoch?, slots: Set<UInt32>)] = [(nil, [])]
        var open: [FreeEpoch] = []
        for _ in 0..<600 {
            switch dice.below(6) {
            case 0, 1, 2:
                guard live.count < 40, let new = try? arena.write(smallBlocks(1 + dice.below(4)))
                else { continue }
                for reference in new {
                    for entry in waiting {
                        #expect(!entry.slots.contains(reference.slot), "seed \(seed)")
                    }
                }
                live += new
            case 3:
                guard !live.isEmpty else { continue }
                let slot = live.remove(at: dice.below(live.count)).slot
                arena.release(slot)
                waiting[waiting.count - 1].slots.insert(slot)
            case 4:
                let epoch = arena.beginCommit()
                waiting[waiting.count - 1].epoch = epoch
                waiting.append((nil, []))
                open.append(epoch)
            default:
                guard !open.isEmpty else { continue }
                // Commits may end out of order; the later one covers those before it.
                let ended = open.remove(at: dice.below(open.count))
                arena.endCommit(ended)
                waiting.removeAll { entry in entry.epoch.map { $0 <= ended } ?? false }
            }
        }
        #expect(arena.violations() == [], "seed \(seed)")
        let deferred = waiting.reduce(0) { $0 + $1.slots.count }
        #expect(arena.usage().deferred == bytes(deferred), "seed \(seed)")
    }

    @Test("the clock names blocks that were not read before those that were")
    func secondChance() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let references = try arena.write(smallBlocks(200, isDirty: false))
        // What a pass of the clock would do: new blocks have a second chance too.
        for word in 0..<4 { _ = arena.referenced.take(word: word, mask: .max) }
        let hot = Set(stride(from: 0, to: 200, by: 3))
        for index in hot { _ = try arena.bytes(references[index]) }
        let victims = Set(arena.evictable(200 - hot.count).map { Int($0.owner.block) })
        #expect(victims.count == 200 - hot.count && victims.isDisjoint(with: hot))
        #expect(arena.evictable(200).count == 200, "when nothing else is left, all are named")
    }

    @Test("a victim that is kept is not named again before all others", arguments: [1, 3, 64, 100])
    func fairness(batch: Int) throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        _ = try arena.write(smallBlocks(300, isDirty: false))
        var named: Set<UInt64> = []
        while named.count + batch <= 300 {
            let victims = arena.evictable(batch).map(\.owner.block)
            #expect(victims.count == batch)
            for block in victims { #expect(named.insert(block).inserted, "named twice") }
        }
    }

    @Test("dirty and pinned blocks are never named for eviction, shared ones with all their rows")
    func onlyEvictable() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let references = try arena.write(smallBlocks(8, isDirty: false))
        let dirty = try arena.write(smallBlocks(2, ino: 2))
        let copy = BlockOwner(ino: 3, block: 0)
        arena.retain(references[0].slot)
        arena.retain([references[1].slot, references[2].slot])
        arena.retain(references[3].slot, owner: copy, isDirty: false)
        let rows = Set((3...7).map { BlockOwner(ino: 1, block: $0) })
        #expect(Set(arena.evictable(20).map(\.owner)) == rows.union([copy]))
        #expect(arena.usage().pinned == bytes(4) && arena.usage().evictable == bytes(5))
        arena.release(references[0].slot)
        arena.release([references[1].slot, references[2].slot])
        arena.setClean([dirty[0].slot])
        // The first owner's row goes: the other one is named from now on.
        arena.release(references[3].slot, owner: BlockOwner(ino: 1, block: 3))
        let named = arena.evictable(20)
        #expect(named.count == 9)
        #expect(named.contains { $0.owner == copy && $0.slot == references[3].slot })
        #expect(!named.contains { $0.slot == dirty[1].slot })
        #expect(arena.violations() == [])
    }

    @Test("a shared block is clean when every row that names it is")
    func sharedDirt() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let slot = try arena.writeOne([1], ino: 1, block: 0).slot
        let (one, two) = (BlockOwner(ino: 1, block: 0), BlockOwner(ino: 2, block: 9))
        arena.retain(slot, owner: two, isDirty: true)
        arena.setClean([slot])
        #expect(arena.usage().dirty == bytes(1), "whose row is clean was not said")
        arena.setClean([(slot, one)])
        #expect(arena.usage().dirty == bytes(1))
        arena.release(slot, owner: one)
        #expect(arena.usage().dirty == bytes(1), "the copy has not been uploaded")
        #expect(arena.evictable(1).isEmpty)
        arena.setClean([(slot, one)])
        #expect(arena.usage().dirty == bytes(1), "a row that is gone cleans nothing")
        arena.setClean([(slot, two)])
        #expect(arena.usage().clean == bytes(1))
        #expect(arena.evictable(1).map(\.owner) == [two])
        // And the other way round: a dirty copy of a clean block makes it dirty.
        arena.retain(slot, owner: one, isDirty: true)
        #expect(arena.usage().dirty == bytes(1))
        arena.release(slot, owner: one)
        #expect(arena.usage().clean == bytes(1))
        #expect(arena.violations() == [])
    }

    @Test("a shared block is offered with all its rows, and comes free with the last")
    func sharedEviction() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let slot = try arena.writeOne([1], ino: 1, block: 0, isDirty: false).slot
        let rows = [(1, 0), (2, 9), (3, 4)].map { BlockOwner(ino: $0.0, block: $0.1) }
        for owner in rows.dropFirst() { arena.retain(slot, owner: owner, isDirty: false) }
        arena.retain(slot)
        #expect(arena.evictable(1).isEmpty, "a snapshot has it")
        arena.release(slot)
        #expect(Set(arena.evictable(1).map(\.owner)) == Set(rows))
        for owner in rows {
            #expect(arena.usage().deferred == 0)
            arena.release(slot, owner: owner)
        }
        #expect(arena.usage().deferred == bytes(1))
        #expect(arena.violations() == [])
    }

    @Test("a block that only a snapshot names is not offered, and goes when the snapshot does")
    func pinOutlivesRow() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let reference = try arena.writeOne([1], isDirty: false)
        arena.retain(reference.slot)
        arena.release(reference.slot, owner: BlockOwner(ino: 1, block: 0))
        #expect(arena.evictable(1).isEmpty)
        arena.commit()
        #expect(try arena.bytes(reference) == padded([1]))
        arena.release(reference.slot)
        #expect(arena.usage().deferred == bytes(1))
    }

    @Test("a slot can be named thousands of times")
    func manyReferences() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder)
        let slot = try arena.writeOne([1], isDirty: false).slot
        for _ in 0..<5000 { arena.retain(slot) }
        for _ in 0..<4999 { arena.release(slot) }
        #expect(arena.usage().pinned == bytes(1) && arena.evictable(1).isEmpty)
        arena.release(slot)
        #expect(arena.usage().pinned == 0 && arena.evictable(1).count == 1)
        for owner in 0..<600 as Range<UInt64> {
            arena.retain(slot, owner: BlockOwner(ino: 7, block: owner), isDirty: false)
        }
        arena.release((0..<600).map { (slot, BlockOwner(ino: 7, block: UInt64($0))) })
        #expect(arena.evictable(1).map(\.owner) == [BlockOwner(ino: 1, block: 0)])
        #expect(arena.violations() == [])
    }

    @Test("the file stays near the size of what it holds, though the budget is far larger")
    func staysCompact() throws {
        let folder = try TemporaryFolder()
        let arena = try openArena(folder, budget: 100 << 30)
        var live: [[BlockReference]] = []
        var highest: UInt32 = 0
        for round in 0..<1500 {
            let new = try arena.write(smallBlocks(4, first: round * 4))
            highest = max(highest, new.map(\.slot).max() ?? 0)
            live.append(new)
            if live.count > 64 {
                arena.release(live.removeFirst().map(\.slot))
                if round % 8 == 0 { arena.commit() }
            }
        }
        #expect(highest < UInt32(SlotChunk.slotCount), "6000 blocks went through 256 live ones")
        #expect(arena.violations() == [])
    }
}
