// SPDX-License-Identifier: Apache-2.0
//
// Random work on an arena, judged by a plain model: a dictionary of rows and their bytes. Crashes
// among it: the arena is opened again with the rows of a commit that may be the last durable one.

import Synchronization
import TestSupport
import Primitives
import Testing

@testable import Blocks

/// What a row says, and what the block it names must read as.
private struct Row {
    var reference: BlockReference
    var bytes: [UInt8]
    var isDirty: Bool
}

extension BlockReference {
    /// The slots that it names.
    fileprivate var slots: [UInt32] { [self].slots }
}

private typealias Rows = [BlockOwner: Row]

/// The arena, the engine's part in miniature, and what both should know.
private struct Model {
    let folder: TemporaryFolder
    let seed: UInt64
    var dice: SeededGenerator
    var arena: Arena?
    var rows: Rows = [:]
    var pins: [[Row]] = []
    var durable: Rows = [:]
    var pending: [(epoch: FreeEpoch, rows: Rows)] = []
    /// Blocks made so far: each has bytes of its own.
    var written = 0

    init(seed: UInt64) throws {
        folder = try TemporaryFolder()
        self.seed = seed
        dice = SeededGenerator(seed: seed)
        try open()
    }

    mutating func open() throws {
        // Let go first: the file is locked while an arena of it lives.
        arena = nil
        let budget = UInt64(blockSize * (dice.below(4) == 0 ? 60 : 120))
        let opened = try Arena(path: folder.arena, key: testKey(), budget: budget)
        for (owner, row) in rows { opened.adopt(row.reference, owner: owner, isDirty: row.isDirty) }
        opened.adoptionFinished()
        arena = opened
    }

    mutating func crash() throws {
        // A commit that was begun may have reached the disk or not.
        let states = [durable] + pending.map(\.rows)
        rows = states[dice.below(states.count)]
        durable = rows
        pending = []
        pins = []
        try open()
        try checkAll()
    }

    mutating func step() throws {
        let kind = dice.below(100)
        // A crash first: no other reference to the arena may keep its file locked.
        if kind >= 98 { return try crash() }
        guard let arena else { return }
        switch kind {
        case 0..<18: try write(arena)
        case 18..<30: try patch(arena)
        case 30..<40: delete(arena)
        case 40..<48: copy(arena)
        case 48..<58: clean(arena)
        case 58..<66: evict(arena)
        case 66..<72: pin(arena)
        case 72..<78:
            guard !pins.isEmpty else { return }
            arena.release(pins.remove(at: dice.below(pins.count)).flatMap(\.reference.slots))
        case 78..<86: pending.append((arena.beginCommit(), rows))
        case 86..<93:
            guard !pending.isEmpty else { return }
            let index = dice.below(pending.count)
            try arena.sync()
            durable = pending[index].rows
            arena.endCommit(pending[index].epoch)
            pending.removeFirst(index + 1)
        case 93..<96: arena.punchFreed(limit: UInt64(dice.below(3)) * 4 * mebibyte)
        default: try checkAll()
        }
    }

    private mutating func newBytes() -> [UInt8] {
        written += 1
        let length = dice.below(3) == 0 ? blockSize : dice.below(300)
        return content(seed << 32 | UInt64(written), count: length)
    }

    private mutating func anyOwner() -> BlockOwner {
        BlockOwner(ino: UInt64(1 + dice.below(3)), block: UInt64(dice.below(25)))
    }

    private mutating func write(_ arena: Arena) throws {
        var owners: Set<BlockOwner> = []
        for _ in 0...dice.below(12) { owners.insert(anyOwner()) }
        let isReserved = dice.below(2) == 0
        let blocks = owners.map { owner in
            PlainBlock(
                bytes: newBytes(), owner: owner, isDirty: isReserved || dice.below(2) == 0,
                usesReservation: isReserved)
        }
        guard let references = try write(blocks, arena) else { return }
        for (block, reference) in zip(blocks, references) {
            let old = rows.updateValue(
                Row(reference: reference, bytes: block.bytes, isDirty: block.isDirty),
                forKey: block.owner)
            if let old { release(old, of: block.owner, in: arena) }
        }
    }

    /// Writes blocks, with a reservation if they say so; nil if there is no room.
    private func write(_ blocks: [PlainBlock], _ arena: Arena) throws -> [BlockReference]? {
        let isReserved = blocks.contains { $0.usesReservation }
        if isReserved {
            do { try arena.reserve(blocks.count) } catch ArenaError.full { return nil }
        }
        do {
            return try arena.write(blocks)
        } catch ArenaError.full {
            #expect(!isReserved, "a reserved write found no slot, seed \(seed)")
            return nil
        }
    }

    /// Takes away what a row named and the one in its place does not.
    private func release(
        _ old: Row, of owner: BlockOwner, in arena: Arena, but new: BlockReference? = nil
    ) {
        for slot in old.reference.slots where new?.names(slot) != true {
            arena.release(slot, owner: owner)
        }
    }

    /// Writes pieces over some rows, and other blocks with them.
    private mutating func patch(_ arena: Arena) throws {
        let patched = rows.filter { $0.value.bytes.count == blockSize && dice.below(3) == 0 }
        let isReserved = dice.below(2) == 0
        var blocks: [PlainBlock] = []
        for (owner, row) in patched {
            let pieces = UInt8(1 + dice.below(14)) | (row.reference.patch?.pieces ?? 0)
            var bytes = row.bytes
            for piece in 0..<4 where pieces & 1 << piece != 0 && dice.below(4) > 0 {
                let range = piece * Arena.pieceSize..<(piece + 1) * Arena.pieceSize
                written += 1
                bytes.replaceSubrange(
                    range, with: content(seed << 32 | UInt64(written), count: Arena.pieceSize))
            }
            blocks.append(
                PlainBlock(
                    bytes: bytes, owner: owner, isDirty: true, usesReservation: isReserved,
                    over: pieces == Arena.allPieces
                        ? nil : PatchedBlock(row.reference, pieces: pieces)))
            if dice.below(4) == 0 {
                let other = BlockOwner(ino: 4, block: UInt64(dice.below(25)))
                if blocks.contains(where: { $0.owner == other }) || patched[other] != nil {
                    continue
                }
                blocks.append(
                    PlainBlock(
                        bytes: newBytes(), owner: other, isDirty: true,
                        usesReservation: isReserved))
            }
        }
        let before = arena.usage()
        guard let references = try write(blocks, arena) else { return }
        #expect(arena.usage().reserved == before.reserved, "seed \(seed)")
        for (block, reference) in zip(blocks, references) {
            let old = rows.updateValue(
                Row(reference: reference, bytes: block.bytes, isDirty: true), forKey: block.owner)
            guard let old else { continue }
            release(old, of: block.owner, in: arena, but: reference)
            if reference.patch != nil, !old.isDirty {
                arena.setDirty(reference.slot, owner: block.owner)
            }
        }
    }

    private mutating func delete(_ arena: Arena) {
        for _ in 0...dice.below(4) {
            let owner = anyOwner()
            guard let row = rows.removeValue(forKey: owner) else { continue }
            arena.release(row.reference.slots.map { ($0, owner) })
        }
    }

    private mutating func copy(_ arena: Arena) {
        let (from, to) = (anyOwner(), anyOwner())
        guard let row = rows[from], from != to else { return }
        for slot in row.reference.slots { arena.retain(slot, owner: to, isDirty: row.isDirty) }
        if let old = rows.updateValue(row, forKey: to) { release(old, of: to, in: arena) }
    }

    private mutating func clean(_ arena: Arena) {
        let ino = UInt64(1 + dice.below(4))
        var cleaned: [(slot: UInt32, owner: BlockOwner)] = []
        for (owner, row) in rows where owner.ino == ino && row.isDirty {
            rows[owner]?.isDirty = false
            cleaned += row.reference.slots.map { ($0, owner) }
        }
        arena.setClean(cleaned)
    }

    private mutating func evict(_ arena: Arena) {
        let pinned = Set(pins.joined().flatMap(\.reference.slots))
        for (slot, owner) in arena.evictable(dice.below(20)) {
            guard let row = rows[owner], row.reference.names(slot) else {
                Issue.record("\(owner) does not name the slot it was offered for, seed \(seed)")
                continue
            }
            #expect(!row.isDirty && !pinned.contains(slot), "seed \(seed)")
            rows[owner] = nil
            release(row, of: owner, in: arena)
        }
    }

    private mutating func pin(_ arena: Arena) {
        let ino = UInt64(1 + dice.below(3))
        let snapshot = rows.filter { $0.key.ino == ino }.map(\.value)
        arena.retain(snapshot.flatMap(\.reference.slots))
        pins.append(snapshot)
    }

    /// Everything that has a name reads as it should, and the counts are right.
    func checkAll() throws {
        guard let arena else { return }
        let named = Array(rows.values) + pins.joined()
        for row in named {
            #expect(try arena.bytes(row.reference) == padded(row.bytes), "seed \(seed)")
        }
        let slots = Set(named.flatMap(\.reference.slots))
        let usage = arena.usage()
        #expect(usage.used == UInt64(slots.count * blockSize), "seed \(seed)")
        let dirty = Set(rows.values.filter(\.isDirty).flatMap(\.reference.slots))
        #expect(usage.dirty >= UInt64(dirty.count * blockSize), "seed \(seed)")
        #expect(arena.violations() == [], "seed \(seed)")
    }

    /// Every slot comes back once nothing names it.
    mutating func finish() throws {
        guard let arena else { return }
        for pin in pins { arena.release(pin.flatMap(\.reference.slots)) }
        arena.release(rows.flatMap { row in row.value.reference.slots.map { ($0, row.key) } })
        arena.commit()
        let usage = arena.usage()
        #expect(usage.used == 0 && usage.deferred == 0 && usage.pinned == 0, "seed \(seed)")
        #expect(usage.dirty == 0 && usage.clean == 0 && usage.evictable == 0, "seed \(seed)")
        #expect(arena.table.withLock { $0.shared.isEmpty }, "seed \(seed)")
        #expect(arena.violations() == [], "seed \(seed)")
    }
}

@Suite("Random work")
struct ArenaModelTests {
    @Test("random work and crashes lose no row's bytes", arguments: UInt64(1)...16)
    func model(seed: UInt64) throws {
        var model = try Model(seed: seed)
        for _ in 0..<300 { try model.step() }
        try model.checkAll()
        try model.finish()
    }

    @Test("reopening counts what the rows say, and takes the rest for free")
    func reopening() throws {
        let folder = try TemporaryFolder()
        var references: [BlockReference] = []
        do {
            let arena = try openArena(folder)
            references = try arena.write(smallBlocks(100))
            try arena.sync()
        }
        let kept = references.enumerated().filter { $0.offset % 3 == 0 }
        let arena = try Arena(path: folder.arena, key: testKey(), budget: 16 * mebibyte)
        for (index, reference) in kept {
            arena.adopt(
                reference, owner: BlockOwner(ino: 1, block: UInt64(index)), isDirty: index % 2 == 0)
        }
        let copy = BlockOwner(ino: 2, block: 0)
        arena.adopt(references[3], owner: copy, isDirty: true)
        arena.adoptionFinished()
        let usage = arena.usage()
        #expect(usage.used == UInt64(34 * blockSize) && usage.pinned == UInt64(blockSize))
        #expect(usage.dirty == UInt64(18 * blockSize) && usage.clean == UInt64(16 * blockSize))
        #expect(usage.evictable == usage.clean && usage.punchable == UInt64(66 * blockSize))
        for (index, reference) in kept {
            #expect(try arena.bytes(reference) == padded([UInt8(index)]))
        }
        let fresh = Set(try arena.write(smallBlocks(66, ino: 3)).map(\.slot))
        #expect(fresh.isDisjoint(with: kept.map(\.element.slot)))
        #expect(arena.violations() == [])
    }

    @Test("a smaller budget is reached by evicting what lies above it")
    func shrinking() throws {
        let folder = try TemporaryFolder()
        var references: [BlockReference] = []
        do {
            let arena = try openArena(folder, budget: 128 * mebibyte)
            references = try arena.write(smallBlocks(5000))
            try arena.sync()
        }
        let arena = try Arena(path: folder.arena, key: testKey(), budget: mebibyte)
        for (index, reference) in references.enumerated() {
            arena.adopt(
                reference, owner: BlockOwner(ino: 1, block: UInt64(index)), isDirty: false)
        }
        arena.adoptionFinished()
        #expect(throws: ArenaError.full) { try arena.reserve(1) }
        #expect(arena.shortfall() == 5000 - 64 + 4)
        while arena.shortfall() > 0 {
            arena.release(arena.evictable(min(500, arena.shortfall())))
        }
        arena.commit()
        try arena.reserve(20)
        let fresh = try arena.write(smallBlocks(20, ino: 2, reserved: true))
        #expect(fresh.allSatisfy { $0.slot < 64 + 512 })
        #expect(arena.punchFreed() > 0)
        #expect(arena.violations() == [])
    }
}
