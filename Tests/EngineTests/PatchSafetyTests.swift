// SPDX-License-Identifier: Apache-2.0
//
// Pieces over blocks that are damaged, that change while they are sealed, and to which everything
// happens that can happen to a file.

import Blocks
import Foundation
import Metadata
import Namespace
import Primitives
import TestSupport
import Testing

@testable import Engine

@Suite("patches, whatever happens")
struct PatchSafetyTests: PatchWork {
    @Test("a damaged block takes new pieces, and gives those back")
    func damaged() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        try damage(volume, 2)
        try write(volume, &content, 2, [1], seed: 1)
        try sync(volume)
        let start = 2 * Self.block
        let piece = start + Self.piece..<start + 2 * Self.piece
        #expect(same(try read(volume, piece), Array(content[piece])))
        #expect(throws: FileError.inputOutput) { try read(volume, start..<piece.lowerBound) }
        // With all of its pieces it is sound again.
        try write(volume, &content, 2, [0, 2, 3], seed: 2)
        #expect(same(try volume.readFile("/files/a"), content))
        try sync(volume)
        #expect(same(try volume.readFile("/files/a"), content))
    }

    @Test(
        "over a damaged copy of what the store has, pieces survive a crash and reach the store",
        arguments: [JournalLimits(), JournalLimits(piecesPerCommit: 0, blocks: 0)])
    func damagedCopy(journal: JournalLimits) throws {
        let volume = try quiet(journal)
        var content = try makeFile(volume)
        try volume.publish()
        for number in 2..<6 { try damage(volume, UInt64(number)) }
        try write(volume, &content, 2, [1], seed: 1)
        try write(volume, &content, 4, [0, 3], seed: 2)
        try write(volume, &content, 5, [0, 1, 2, 3], seed: 4)
        try sync(volume)
        try volume.crash()
        #expect(try pieces(volume, "/files/a", 2..<6) == [0b10, 0, 0b1001, 0])
        // Once more over the patch, which says still that the store has the rest.
        try write(volume, &content, 2, [2], seed: 3)
        try sync(volume)
        try volume.publish()
        let entries = try entries(volume, "/files/a", 0..<8)
        #expect(entries.allSatisfy { !$0.differsFromBase })
        // What is damaged is let go of, and comes from the store again.
        #expect(entries[2..<5].allSatisfy { $0 == .absent } && entries[5] != .absent)
        #expect(try volume.report("errors").contains("damaged block"))
        #expect(same(try volume.readFile("/files/a"), content))
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), content))
    }

    @Test("a copy in another file does not take that file's older content for what lies below")
    func damagedElsewhere() throws {
        let volume = try quiet()
        var content = try makeFile(volume)
        try volume.writeFile("/files/b", pattern(8 * Self.block, seed: 77))
        try volume.publish()
        try write(volume, &content, 2, [1], seed: 1)
        try sync(volume)
        try volume.copyRange("/files/a", "/files/b", from: 1 << 14, count: 3 << 14)
        try sync(volume)
        #expect(
            try entries(volume, "/files/a", 2..<3)[0].reference?.patch?.isBelowStored == true)
        #expect(
            try entries(volume, "/files/b", 2..<3)[0].reference?.patch?.isBelowStored == false)
        try damage(volume, 2)
        // The first can be stored whole; what the second had in this place is on no store.
        let isStored = eventually {
            // It fails, for the other file's sake.
            try? volume.publish(within: .milliseconds(100))
            let entries = try? entries(volume, "/files/a", 0..<8)
            return entries?.contains { $0.differsFromBase } == false
        }
        #expect(isStored)
        #expect(same(try volume.readFile("/files/a"), content))
        #expect(try entries(volume, "/files/b", 2..<3)[0].differsFromBase)
        #expect(throws: FileError.inputOutput) { try volume.readFile("/files/b") }
    }

    @Test("pieces that are sealed in the background while others come are neither lost nor old")
    func sealedBeside() throws {
        let volume = try quiet(
            JournalLimits(piecesPerCommit: 32, blocks: 3 * JournalSealing.stepCount))
        var model = pattern(300 * Self.block, seed: 1)
        try volume.writeFile("/files/a", model)
        try sync(volume)
        var dice = SeededGenerator(seed: 3)
        for round in 0..<400 {
            let at = dice.below(300 * Arena.pieceCount) * Self.piece
            let bytes = pattern(Self.piece, seed: dice.next())
            try volume.writeFile("/files/a", bytes, at: UInt64(at))
            model.replaceSubrange(at..<at + Self.piece, with: bytes)
            try sync(volume)
            if round % 80 == 79 { try volume.crash() }
            if round % 16 == 15 {
                #expect(same(try volume.readFile("/files/a"), model), "round \(round)")
            }
        }
        #expect(try pieces(volume, "/files/a", 0..<300).contains { $0 != 0 })
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), model))
    }

    @Test(
        "among all that can happen to a file it has what was written last",
        arguments: UInt64(1)...12)
    func random(seed: UInt64) throws {
        let limits = [
            JournalLimits(), JournalLimits(piecesPerCommit: 0, blocks: 0),
            JournalLimits(piecesPerCommit: 6, blocks: 4),
        ]
        let volume = try quiet(limits[Int(seed % 3)], budget: 16 << 20)
        var work = Work(volume: volume, dice: SeededGenerator(seed: seed))
        try volume.writeFile("/files/a", work.model)
        try sync(volume)
        var patched = 0
        for step in 0..<200 {
            if try !work.step() {
                let isSame = same(try volume.readFile("/files/a"), work.model)
                #expect(isSame, "seed \(seed), step \(step)")
            }
            patched += try pieces(volume, "/files/a", 0..<UInt64(Work.count)).count { $0 != 0 }
        }
        #expect(same(try volume.readFile("/files/a"), work.model), "seed \(seed)")
        #expect(patched > 0, "seed \(seed) has patched nothing")
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), work.model), "seed \(seed), from the store")
        try volume.unlink("/files/a")
        // A chunk that was on its way when the file went gives its slots back when it comes.
        #expect(
            try eventually {
                try sync(volume)
                let usage = volume.engine.volume.arena.usage()
                return usage.used == 0 && usage.reserved == 0
            }, "seed \(seed)")
    }

    /// Random work on one file, and what it must hold.
    private struct Work: PatchWork {
        /// Blocks of the file: above 2 MiB large writes go straight into the arena.
        static let count = 160

        let volume: TestVolume
        var dice: SeededGenerator
        var model = pattern(Work.count * Arena.blockSize, seed: 1)

        init(volume: TestVolume, dice: SeededGenerator) {
            (self.volume, self.dice) = (volume, dice)
        }

        private mutating func put(_ at: Int, _ count: Int) throws {
            let bytes = pattern(count, seed: dice.next())
            try volume.writeFile("/files/a", bytes, at: UInt64(at))
            let end = at + count
            if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
            model.replaceSubrange(at..<end, with: bytes)
        }

        /// - Returns: false if nothing was done, and there is time to look.
        mutating func step() throws -> Bool {
            switch dice.below(43) {
            case 0..<22:
                // Mostly near each other, so that they meet.
                let first = (dice.below(3) == 0 ? 0 : Work.count - 24) * Arena.pieceCount
                let piece = first + dice.below(24 * Arena.pieceCount)
                try put(piece * Self.piece, (1 + dice.below(3)) * Self.piece)
            case 22..<25: try put(dice.below((Work.count - 1) * Self.block), 1 + dice.below(9000))
            case 25..<31: try sync(volume)
            case 31:
                try sync(volume)
                try volume.crash()
            case 32: try cut(to: dice.below(Work.count * Self.block))
            case 33: try volume.publish()
            case 34: for _ in 0..<3 { _ = volume.engine.room.evict(RoomKeeper.batch) }
            case 35:
                let engine = volume.engine
                try JournalSealing(volume: engine.volume, committer: engine.committer).run()
            case 36: try volume.restart()
            case 37: try put((Work.count - 20 + dice.below(4)) * Self.block, 16 * Self.block)
            case 38: try copy(dice.below(Work.count - 8), dice.below(Work.count - 8))
            case 39: try damageAndHeal(dice.below(Work.count))
            default: return false
            }
            return true
        }

        private mutating func cut(to size: Int) throws {
            var change = AttributeChange()
            change.size = UInt64(size)
            _ = try volume.engine.setAttributes(
                of: try volume.resolve("/files/a"), change, volume.context)
            model.removeLast(model.count - min(model.count, size))
            try put(Work.count * Self.block, 1)
        }

        /// Damages a copy of what the store has, and writes a piece over it.
        private mutating func damageAndHeal(_ block: Int) throws {
            try volume.publish()
            let entry = try entries(volume, "/files/a", UInt64(block)..<UInt64(block) + 1)[0]
            guard case .clean(let reference) = entry, Int(reference.length) == Self.block else {
                return
            }
            try damage(volume, UInt64(block))
            try put(block * Self.block + dice.below(Arena.pieceCount) * Self.piece, Self.piece)
            try sync(volume)
            if dice.below(2) == 0 { try volume.crash() }
            try volume.publish()
        }

        /// Four blocks of the file over others of it.
        private mutating func copy(_ from: Int, _ to: Int) throws {
            let count = 4 * Self.block
            let (source, target) = (from * Self.block, to * Self.block)
            try volume.copyRange(
                "/files/a", "/files/a", from: UInt64(source), to: UInt64(target),
                count: UInt64(count))
            model.replaceSubrange(
                target..<target + count, with: Array(model[source..<source + count]))
        }
    }
}
