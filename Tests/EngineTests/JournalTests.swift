// SPDX-License-Identifier: Apache-2.0
//
// The journal: what a small sync keeps in the database's log survives a crash at each step,
// whatever happened to the block since, and a start believes no row it cannot verify.

@testable import Engine
import Foundation
import Metadata
import Namespace
import TestSupport
import Testing

@Suite("the journal", .serialized)
struct JournalTests {
    private static let block = 16_384

    /// What a copy of the state, taken now, has in its journal.
    private func rows(_ volume: TestVolume) throws -> [JournalPieceRow] {
        let copy = volume.root + "/look"
        try volume.copyState(to: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let database = try MetadataDatabase(path: copy + "/meta.db")
        defer { try? database.close() }
        var rows: [JournalPieceRow] = []
        try database.write { try $0.forEachJournalPiece { rows.append($0) } }
        return rows
    }

    private func sync(_ volume: TestVolume) throws {
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
    }

    /// A volume whose background does nothing by itself for the time of a test.
    private func quiet(
        _ limits: JournalLimits = JournalLimits(), budget: UInt64 = 8 << 20
    ) throws -> TestVolume {
        try TestVolume(on: TestStore()) { configuration in
            configuration.journal = limits
            configuration.cacheBudget = budget
            configuration.commitInterval = .seconds(600)
            configuration.flushDelay = .seconds(600)
            configuration.publishDelay = .seconds(600)
            configuration.publishCeiling = .seconds(600)
        }
    }

    private func cut(_ volume: TestVolume, _ path: String, to size: UInt64) throws {
        var change = AttributeChange()
        change.size = size
        _ = try volume.engine.setAttributes(of: try volume.resolve(path), change, volume.context)
    }

    @Test("a small sync writes the journal and not the arena; a large one the other way round")
    func smallAndLarge() throws {
        let volume = try quiet(JournalLimits(piecesPerCommit: 16, blocks: 12))
        let arena = volume.stateFolder + "/arena"
        func arenaTime() throws -> Date? {
            try FileManager.default.attributesOfItem(atPath: arena)[.modificationDate] as? Date
        }
        let before = try arenaTime()
        try volume.writeFile("/files/a", pattern(4 * Self.block, seed: 1))
        try sync(volume)
        #expect(try rows(volume).map(\.piece) == Array(0..<16))
        #expect(try arenaTime() == before)
        // Two blocks more fit beside the four; a piece changed again takes no more room.
        try volume.writeFile("/files/a", pattern(10, seed: 2), at: 5)
        try volume.writeFile("/files/a", pattern(2 * Self.block, seed: 3), at: 4 * 16_384)
        try sync(volume)
        #expect(try rows(volume).map(\.piece) == Array(0..<24))
        #expect(try arenaTime() == before)
        // With a seventh the journal is more than half full: the background empties it.
        try volume.writeFile("/files/a", pattern(10, seed: 4), at: 6 * 16_384)
        try sync(volume)
        #expect(
            try eventually {
                try sync(volume)
                return try rows(volume) == []
            })
        let sealed = try arenaTime()
        #expect(sealed != before)
        // Of a block in the arena only what changed.
        try volume.writeFile("/files/a", pattern(2, seed: 5), at: 16_384 + 8191)
        try sync(volume)
        #expect(try rows(volume).map(\.piece) == [5, 6])
        #expect(try arenaTime() == sealed)
        // Five new blocks are more than a commit may have.
        try volume.writeFile("/files/b", pattern(5 * Self.block, seed: 6))
        try sync(volume)
        #expect(try rows(volume) == [])
    }

    @Test(
        "blocks that are sealed in the background while they change are neither lost nor old",
        arguments: [4, 5 * JournalSealing.stepCount])
    func sealedWhileWritten(blocks: Int) throws {
        let volume = try quiet(JournalLimits(piecesPerCommit: 32, blocks: blocks), budget: 64 << 20)
        // Large enough for several steps of naming, while others write and sync.
        var wanted = pattern((16 + 2 * blocks) * Self.block, seed: 1)
        try volume.writeFile("/files/a", wanted)
        try sync(volume)
        var dice = SeededGenerator(seed: 9)
        for round in 0..<400 {
            let at = Int.random(in: 0..<wanted.count - 40, using: &dice)
            let bytes = pattern(40, seed: dice.next())
            try volume.writeFile("/files/a", bytes, at: UInt64(at))
            wanted.replaceSubrange(at..<at + 40, with: bytes)
            try sync(volume)
            if round % 80 == 79 { try volume.crash() }
            if round % 8 == 7 {
                #expect(same(try volume.readFile("/files/a"), wanted), "round \(round)")
            }
        }
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), wanted))
    }

    @Test("an orderly end leaves no journal")
    func orderlyEnd() throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(40_000, seed: 1))
        try sync(volume)
        #expect(try rows(volume).count == 10)
        volume.stop()
        let database = try MetadataDatabase(path: volume.stateFolder + "/meta.db")
        var count = 0
        try database.write { try $0.forEachJournalPiece { _ in count += 1 } }
        try database.close()
        #expect(count == 0)
        try volume.start(.existing)
        #expect(same(try volume.readFile("/files/a"), pattern(40_000, seed: 1)))
    }

    @Test("a row never says more than its sealing: the file's bytes are not in it")
    func sealed() throws {
        let volume = try quiet()
        let secret = Array("a line nobody else may read ".utf8)
        try volume.writeFile("/files/a", Array(repeatElement(secret, count: 1000).joined()))
        try sync(volume)
        let rows = try rows(volume)
        #expect(rows.count == 7)
        for row in rows { #expect(Data(row.bytes).range(of: Data(secret)) == nil) }
        // The same bytes again, after another start: another key, other rows.
        try volume.crash()
        try volume.writeFile("/files/a", secret)
        try sync(volume)
        let later = try self.rows(volume)
        #expect(later.map(\.piece) == [0])
        #expect(later.first?.bytes != rows.first?.bytes)
    }

    /// One change of one file, and what the model has after it.
    private func step(
        _ number: Int, _ volume: TestVolume, _ model: inout [String: [UInt8]],
        _ dice: inout SeededGenerator
    ) throws {
        let path = "/files/f\(Int.random(in: 0..<3, using: &dice))"
        var content = model[path] ?? []
        switch Int.random(in: 0..<12, using: &dice) {
        case 0..<6:
            let at = Int.random(in: 0...min(content.count + 9000, 200_000), using: &dice)
            let bytes = pattern(Int.random(in: 1...20_000, using: &dice), seed: dice.next())
            try volume.writeFile(path, bytes, at: UInt64(at))
            if content.count < at + bytes.count {
                content += [UInt8](repeating: 0, count: at + bytes.count - content.count)
            }
            content.replaceSubrange(at..<at + bytes.count, with: bytes)
        case 6 where model[path] != nil, 7 where model[path] != nil:
            let size = Int.random(in: 0...content.count + 20_000, using: &dice)
            try cut(volume, path, to: UInt64(size))
            content = Array(content.prefix(size))
            content += [UInt8](repeating: 0, count: size - content.count)
        case 8 where content.count > 40_000:
            let file = try volume.engine.open(
                try volume.resolve(path), OpenIntent(reads: true, writes: true), volume.context)
            let ino = try volume.resolve(path)
            defer { volume.engine.release(file.handle, ino: ino) }
            let from = Int.random(in: 0..<content.count - 1, using: &dice)
            let count = Int.random(in: 1...content.count - from, using: &dice)
            try volume.engine.allocate(
                file.handle, ino: ino, .punchHole, offset: UInt64(from), count: UInt64(count),
                volume.context)
            content.replaceSubrange(
                from..<from + count, with: repeatElement(0, count: count))
        case 9 where model[path] != nil:
            try volume.unlink(path)
            model[path] = nil
            return
        case 10 where model[path] != nil:
            let target = "/files/f\(Int.random(in: 0..<3, using: &dice))"
            if target == path { return }
            try volume.rename(path, target)
            model[target] = content
            model[path] = nil
            return
        case 11:
            // Everything becomes chunks, and most of the cache leaves.
            try volume.publish()
            try volume.writeFile("/files/filler", pattern(3 << 20, seed: UInt64(number)))
            try volume.publish()
            return
        default: return
        }
        model[path] = content
    }

    @Test(
        "a crash after any synced step brings back exactly that step",
        arguments: [1, 2, 3, 4, 5, 6] as [UInt64],
        [JournalLimits(), JournalLimits(piecesPerCommit: 6, blocks: 3)])
    func crashAfterEachStep(seed: UInt64, limits: JournalLimits) throws {
        let volume = try quiet(limits, budget: 4 << 20)
        var dice = SeededGenerator(seed: seed)
        var model: [String: [UInt8]] = [:]
        for number in 0..<50 {
            for _ in 0..<Int.random(in: 1...2, using: &dice) {
                try step(number, volume, &model, &dice)
            }
            try sync(volume)
            // Every third step goes on with the journal as it is, the others from a copy.
            if number % 3 != 0 { try volume.crash() }
            for name in ["/files/f0", "/files/f1", "/files/f2"] {
                guard let wanted = model[name] else {
                    #expect(throws: FileError.notFound) { try volume.resolve(name) }
                    continue
                }
                let found = try volume.readFile(name)
                #expect(same(found, wanted), "seed \(seed), step \(number), \(name)")
            }
            if number % 10 == 9 {
                try volume.recover()
                for (name, wanted) in model {
                    #expect(same(try volume.readFile(name), wanted), "seed \(seed), \(name)")
                }
            }
        }
    }

    @Test("what was written after the last sync does not come back in part")
    func unsynced() throws {
        let volume = try quiet()
        let first = pattern(60_000, seed: 1)
        try volume.writeFile("/files/a", first)
        try sync(volume)
        try volume.writeFile("/files/a", pattern(60_000, seed: 2))
        try cut(volume, "/files/a", to: 50_000)
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), first))
    }

    @Test("a block is flushed, evicted and read while its row is still in the journal")
    func flushedUnderJournal() throws {
        let volume = try quiet(budget: 2 << 20)
        var wanted = pattern(100_000, seed: 1)
        try volume.writeFile("/files/a", wanted)
        try volume.publish()
        let piece = pattern(5000, seed: 2)
        try volume.writeFile("/files/a", piece, at: 30_000)
        wanted.replaceSubrange(30_000..<35_000, with: piece)
        try sync(volume)
        #expect(try rows(volume).map(\.piece) == [7, 8])
        // The clean entries below the journaled blocks leave the cache.
        try volume.writeFile("/files/b", pattern(3 << 20, seed: 3))
        #expect(same(try volume.readFile("/files/a"), wanted))
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), wanted))
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), wanted))
    }

    // SEMANTICS: A mount is refused, with a sentence, when the last synced bytes of a file are
    // damaged in the state folder.
    @Test(
        "a start refuses a journal row that is damaged, moved to another block, or owned by nobody")
    func damage() throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(2 * Self.block, seed: 1))
        try sync(volume)
        let rows = try rows(volume)
        try #require(rows.count == 8)
        var flipped = rows[0].bytes
        flipped[flipped.count / 2] ^= 1
        let cases: [(String, [JournalPieceRow])] = [
            ("flipped", [JournalPieceRow(ino: rows[0].ino, piece: 0, bytes: flipped)]),
            ("swapped", [JournalPieceRow(ino: rows[0].ino, piece: 0, bytes: rows[1].bytes)]),
            ("another file", [JournalPieceRow(ino: 1, piece: 0, bytes: rows[0].bytes)]),
            ("nobody", [JournalPieceRow(ino: 77_777, piece: 0, bytes: rows[0].bytes)]),
            ("short", [JournalPieceRow(ino: rows[0].ino, piece: 0, bytes: [1, 2, 3])]),
            ("empty", [JournalPieceRow(ino: rows[0].ino, piece: 0, bytes: [])]),
            (
                "long",
                [
                    JournalPieceRow(
                        ino: rows[0].ino, piece: 0,
                        bytes: rows[0].bytes + [UInt8](repeating: 0, count: 1))
                ]
            ),
            ("far", [JournalPieceRow(ino: rows[0].ino, piece: 1 << 60, bytes: rows[0].bytes)]),
            (
                "many",
                (0..<UInt64(JournalLimits.ceiling * 4) + 1).map {
                    JournalPieceRow(ino: rows[0].ino, piece: $0, bytes: [0])
                }
            ),
        ]
        try volume.copyState(to: volume.root + "/good")
        for (number, (name, replacement)) in cases.enumerated() {
            let copy = volume.root + "/bad-\(number)"
            try FileManager.default.copyItem(atPath: volume.root + "/good", toPath: copy)
            let database = try MetadataDatabase(path: copy + "/meta.db")
            try database.write { (writer) throws in
                for row in replacement {
                    try writer.setJournalPiece(row.ino, row.piece, row.bytes)
                }
            }
            try database.close()
            #expect(throws: EngineStartError.self, "\(name)") {
                try volume.takeUp("bad-\(number)")
            }
        }
        try volume.takeUp("good")
        #expect(same(try volume.readFile("/files/a"), pattern(2 * Self.block, seed: 1)))
    }

    @Test("a piece lies over what its block has in the arena, whatever happens to the block then")
    func overTheArena() throws {
        let volume = try quiet(budget: 2 << 20)
        var wanted = pattern(3 * Self.block, seed: 1)
        try volume.writeFile("/files/a", wanted)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        volume.stop()
        try volume.start(.existing)
        func change(_ at: Int, _ count: Int, _ seed: UInt64) throws {
            let bytes = pattern(count, seed: seed)
            try volume.writeFile("/files/a", bytes, at: UInt64(at))
            if wanted.count < at { wanted += [UInt8](repeating: 0, count: at - wanted.count) }
            wanted.replaceSubrange(at..<min(at + count, wanted.count), with: bytes)
        }
        func agrees(_ step: String) throws {
            try sync(volume)
            try volume.crash()
            #expect(same(try volume.readFile("/files/a"), wanted), "\(step)")
        }
        func cutTo(_ size: Int) throws {
            try cut(volume, "/files/a", to: UInt64(size))
            wanted = Array(wanted.prefix(size))
            wanted += [UInt8](repeating: 0, count: size - wanted.count)
        }
        try change(5000, 100, 2)
        try agrees("one piece")
        try change(5000, 100, 3)
        try sync(volume)
        try change(100, 10, 4)
        try agrees("a second piece of the same block")
        try change(33_000, 9, 5)
        try sync(volume)
        try cutTo(40_000)
        try agrees("cut within a block with a piece")
        try cutTo(45_000)
        try agrees("grown again")
        try change(37_000, 9, 6)
        try sync(volume)
        try cutTo(34_000)
        try sync(volume)
        try change(47_000, 9, 7)
        try agrees("cut, synced, and written beyond the end")
        try change(20_000, 9, 8)
        try sync(volume)
        // Sealed by a large commit, opened again, and another piece of it journaled.
        try volume.writeFile("/files/b", pattern(1 << 20, seed: 9))
        try change(28_000, 9, 10)
        try sync(volume)
        try change(24_000, 9, 11)
        try agrees("sealed and journaled again")
        try change(10, 9, 12)
        try sync(volume)
        try change(0, 16_384, 13)
        try agrees("replaced as a whole")
    }
}
