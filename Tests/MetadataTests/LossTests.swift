// SPDX-License-Identifier: Apache-2.0
//
// A standing transaction that SQLite rolls back: it is brought back, whole, or it is said that it
// was lost.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Lost transactions")
struct LossTests {
    private static func large(_ count: Int = 100_000) -> [UInt8] {
        .init(repeating: 1, count: count)
    }

    /// No page more than the database has now: SQLite finds none, and rolls everything back.
    private func fill(_ writer: borrowing MetadataWriter) throws {
        let connection = writer.core.connection
        let pages = try #require(try connection.integer("PRAGMA page_count"))
        _ = try connection.integer("PRAGMA max_page_count = \(pages)")
    }

    /// As many pages as anybody wants, also while the transaction is lost.
    private func makeRoom(_ database: MetadataDatabase) throws {
        try database.write { (writer) throws in
            let connection = writer.core.connection
            let loss = connection.loss
            connection.setStanding(false)
            _ = try connection.integer("PRAGMA max_page_count = 1000000")
            if let loss { connection.abandon(loss) } else { connection.setStanding(true) }
        }
    }

    private func lose(_ database: MetadataDatabase, _ cause: MetadataError = .full) {
        database.write { $0.core.connection.abandon(cause) }
    }

    @Test("a statement that loses the transaction fails alone, and all before it stands")
    func failsAlone() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        let cookie = try database.write { (writer) throws in
            try fill(writer)
            try writer.insertInode(file(2))
            return try writer.insertDentry(parent: 1, name: [1], ino: 2, kind: .regular)
        }
        #expect(throws: MetadataError.full) {
            try database.write { try $0.setInline(9, Self.large()) }
        }
        try database.write { (writer) throws in
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == file(2))
            #expect(try writer.dentry(parent: 1, name: [1])?.cookie == cookie)
            #expect(try writer.inline(9) == nil)
        }
        try makeRoom(database)
        try database.write { (writer) throws in
            try writer.setInline(9, Self.large())
            #expect(try writer.insertDentry(parent: 1, name: [2], ino: 2, kind: .regular) > cookie)
        }
        try database.commit()
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inode(2) == file(2) && writer.inline(9) == Self.large())
        }
    }

    @Test("what can not be brought back for lack of room is there when there is room again")
    func waitsForRoom() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        try database.write { (writer) throws in try fill(writer) }
        try makeRoom(database)
        try database.write { (writer) throws in
            try writer.setInline(2, Self.large())
            try writer.insertInode(file(2))
        }
        // Back to the few pages of the last commit, which what was written since needs more than.
        lose(database)
        try database.write { (writer) throws in
            let connection = writer.core.connection
            connection.setStanding(false)
            try fill(writer)
            connection.abandon(.full)
        }
        // The first call tries; those after it within the second do not.
        let start = ContinuousClock.now
        for _ in 0..<1000 {
            #expect(throws: MetadataError.full) { try database.write { try $0.inode(1) } }
            if .now - start > .milliseconds(700) { break }
        }
        #expect(throws: MetadataError.full) { try database.commit() }
        #expect(throws: MetadataError.full) { try database.holdRoom(frees: true) }
        try makeRoom(database)
        usleep(1_100_000)
        try database.write { (writer) throws in
            #expect(try writer.inode(2) == file(2) && writer.inline(2) == Self.large())
        }
        try database.commit()
        #expect(try folder.crashCopy(name: "crashed").write { try $0.inode(2) } == file(2))
    }

    @Test("a commit that finds the transaction lost brings it back and makes it")
    func commits() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        for round in 1...3 as ClosedRange<UInt64> {
            try database.write { try $0.insertInode(file(round)) }
            lose(database, .sqlite(code: 10, message: "disk I/O error"))
            usleep(1_050_000)
            try database.commit()
            let copy = try folder.crashCopy(name: "crashed\(round)")
            #expect(try copy.write { try $0.highestInode() } == round)
        }
    }

    @Test("in the middle of an operation a loss is for good, and the last commit stands")
    func middleOfAnOperation() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        try database.holdRoom(frees: false)
        try database.write { try $0.insertInode(file(2)) }
        lose(database)
        database.releaseRoom()
        for _ in 0..<2 {
            let lost = MetadataError.transactionLost
            #expect(throws: lost) { try database.write { try $0.inode(1) } }
            #expect(throws: lost) { try database.commit() }
            usleep(1_100_000)
        }
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == nil)
        }
    }

    @Test("a statement of an operation that loses the transaction is done again with it")
    func operationGoesOn() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.holdRoom(frees: false)
        try database.write { (writer) throws in
            // Fails once: the trigger is rolled back with all the rest.
            try writer.core.connection.execute(
                """
                CREATE TEMP TRIGGER once BEFORE INSERT ON main.inodes WHEN NEW.ino = 2
                BEGIN SELECT RAISE(ROLLBACK, 'once'); END
                """)
            try writer.insertInode(file(2))
            try writer.setInline(2, [1])
        }
        database.releaseRoom()
        try database.write { (writer) throws in
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == file(2))
        }
    }

    @Test("a statement that loses the transaction each time it is done again is given up")
    func failsEachTime() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            try writer.core.connection.execute(
                """
                CREATE TEMP TRIGGER always BEFORE INSERT ON main.inodes WHEN NEW.ino = 2
                BEGIN SELECT RAISE(ROLLBACK, 'always'); END
                """)
            try writer.insertInode(file(1))
        }
        // Committed, so that no rollback takes the trigger along.
        try database.commit()
        try database.holdRoom(frees: false)
        try database.write { (writer) throws in
            try writer.setInline(1, [1])
            #expect(throws: MetadataError.self) { try writer.insertInode(file(2)) }
        }
        database.releaseRoom()
        // A part of an operation is gone: the loss is for good, and the last commit stands.
        #expect(throws: MetadataError.transactionLost) { try database.commit() }
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == nil)
            #expect(try writer.inline(1) == nil)
        }
    }

    @Test("steps that are one are not brought back when the loss was among them")
    func atomically() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            try writer.insertInode(file(1))
            try fill(writer)
            #expect(throws: MetadataError.full) {
                try writer.atomically { writer throws(MetadataError) in
                    try writer.insertInode(file(2))
                    try writer.setInline(2, Self.large())
                }
            }
        }
        try database.write { (writer) throws in
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == nil)
        }
    }

    @Test("a transaction longer than what is kept of it is lost for good")
    func tooLong() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        for ino in 0..<UInt64(RedoLog.limit >> 20) {
            try database.write { try $0.setInline(ino, Self.large(1 << 20)) }
        }
        lose(database, .sqlite(code: 10, message: "disk I/O error"))
        #expect(throws: MetadataError.transactionLost) { try database.write { try $0.inode(1) } }
        try database.close(commits: false)
        #expect(try folder.open().write { try $0.inode(1) } == file(1))
    }

    /// One random change; the same dice make the same.
    private func change(_ writer: borrowing MetadataWriter, _ dice: inout SeededGenerator) throws {
        let ino = UInt64.random(in: 1...12, using: &dice)
        let name = [UInt8.random(in: 1...9, using: &dice)]
        let bytes = dice.bytes(Int.random(in: 0...2000, using: &dice))
        switch Int.random(in: 0..<12, using: &dice) {
        case 0: try? writer.insertInode(file(ino))
        case 1: try writer.updateInode(file(ino, size: UInt64(bytes.count)))
        case 2: try writer.deleteInode(ino)
        case 3: _ = try? writer.insertDentry(parent: ino, name: name, ino: ino, kind: .regular)
        case 4: try writer.removeDentry(parent: ino, name: name)
        case 5: try writer.setInline(ino, Bool.random(using: &dice) ? bytes : nil)
        case 6: try writer.setXattr(ino, name, bytes)
        case 7: try writer.setBlockGroup(ino, UInt64(name[0]), bytes.isEmpty ? nil : bytes)
        case 8: try writer.setJournalPiece(ino, UInt64(name[0]), bytes)
        case 9: try writer.touch(ino, name, UInt64.random(in: 1...99, using: &dice))
        case 10: try writer.clearTouched(upTo: UInt64.random(in: 1...99, using: &dice))
        default: try writer.setInteger("key\(name[0])", Int64(ino))
        }
    }

    private func contents(_ database: MetadataDatabase) throws -> [String] {
        try database.write { (writer) throws in
            var all: [String] = []
            for ino in 1...12 as ClosedRange<UInt64> {
                all.append("\(String(describing: try writer.inode(ino)))")
                all.append("\(try writer.inline(ino) ?? [])")
                all.append("\(try writer.xattrs(ino))")
                all.append("\(try writer.blockGroups(ino, in: 0..<20))")
                all.append("\(try writer.entries(parent: ino, after: 0, limit: 20).map(\.name))")
            }
            all.append("\(try writer.touchedNames(upTo: 100))")
            for key in 1...9 {
                all.append("\(String(describing: try writer.integer("key\(key)")))")
            }
            return all
        }
    }

    @Test("with losses at any moment the state is what it would be without", arguments: 1...6)
    func anyMoment(seed: UInt64) throws {
        let (one, other) = (try TestFolder(), try TestFolder())
        let (plain, lossy) = (try one.open(), try other.open())
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var (first, second) = (dice, dice)
            try plain.write { try change($0, &first) }
            try lossy.write { try change($0, &second) }
            dice = first
            switch Int.random(in: 0..<12, using: &dice) {
            case 0:
                try plain.commit()
                try lossy.commit()
            case 1, 2:
                lossy.write { (writer) in
                    writer.core.connection.abandon(.full)
                    #expect(writer.core.recover(isUrgent: true))
                }
            default: break
            }
        }
        #expect(try contents(plain) == contents(lossy), "seed \(seed)")
        try plain.commit()
        try lossy.commit()
        let (left, right) = (try one.crashCopy(name: "a"), try other.crashCopy(name: "b"))
        #expect(try contents(left) == contents(right), "seed \(seed)")
    }
}
