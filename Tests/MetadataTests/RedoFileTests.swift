// SPDX-License-Identifier: Apache-2.0
//
// What a sync records without a COMMIT: it is there after a crash, whole or not at all, in order,
// and only where it belongs.

import Foundation
import Glibc
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("The redo file")
struct RedoFileTests {
    private func redoBytes(_ folder: TestFolder) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.database + "-redo")))
    }

    /// Where the last record ends; zeros follow up to the end of its page.
    private func recordsEnd(_ folder: TestFolder) throws -> Int {
        let bytes = try redoBytes(folder)
        var end = 0
        while end < bytes.count, bytes[end] != 0 {
            let length = bytes[end + 4..<end + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
            end += RedoFile.headSize + length
        }
        return end
    }

    /// Opens the database of a crash whose redo file has these bytes.
    private func crashed(
        _ folder: TestFolder, _ name: String, redo: [UInt8]
    ) throws -> MetadataDatabase {
        let copy = folder.path + "/" + name
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: folder.database + suffix, toPath: copy + suffix)
        }
        try Data(redo).write(to: URL(fileURLWithPath: copy + "-redo"))
        return try MetadataDatabase(path: copy)
    }

    @Test("what was recorded is there after a crash, with all kinds of values, and no COMMIT")
    func records() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        let log = try folder.size(of: "-wal")
        let cookie = try database.write { (writer) throws in
            try writer.insertInode(file(2, size: .max, change: 1 << 63))
            try writer.setInline(2, [UInt8](repeating: 7, count: 3000))
            try writer.setInline(3, [])
            return try writer.insertDentry(parent: 1, name: bytes("å\0"), ino: 2, kind: .regular)
        }
        try database.record()
        try database.syncLog()
        try database.write { try $0.deleteInode(1) }
        #expect(try folder.size(of: "-wal") == log, "nothing was committed")
        let copy = try folder.crashCopy(name: "crashed")
        try copy.write { (writer) throws in
            #expect(try writer.inode(1) == file(1), "what came after the record is lost")
            #expect(try writer.inode(2) == file(2, size: .max, change: 1 << 63))
            #expect(try writer.inline(2) == [UInt8](repeating: 7, count: 3000))
            #expect(try writer.inline(3) == [])
            #expect(try writer.dentry(parent: 1, name: bytes("å\0"))?.cookie == cookie)
        }
        try copy.close()
        // Done once: the second start finds a database that is ahead of the file.
        let again = try MetadataDatabase(path: folder.path + "/crashed")
        #expect(try again.write { try $0.inode(2) } == file(2, size: .max, change: 1 << 63))
    }

    @Test(
        "wherever the file is torn, what is left is one record and all before it",
        arguments: [false, true])
    func torn(isWritten: Bool) throws {
        let folder = try TestFolder()
        let database = try folder.committed(isWritten: isWritten)
        var ends = [0]
        for ino in 2...13 as ClosedRange<UInt64> {
            try database.write { (writer) throws in
                try writer.insertInode(file(ino))
                try writer.setInline(ino, [UInt8](repeating: UInt8(ino), count: 900))
                try writer.setInteger("count", Int64(ino))
            }
            try database.promise()
            ends.append(try recordsEnd(folder))
        }
        // Of what the file has behind them a page is as good as all.
        let whole = try redoBytes(folder).prefix(ends[12] + RedoFile.pageSize)
        var dice = SeededGenerator(seed: 9)
        for round in 0..<40 {
            let cut = Int.random(in: 0...whole.count, using: &dice)
            var redo = Array(whole[..<cut])
            // Behind the cut: nothing, zeros, or other bytes.
            if round % 3 == 1 { redo += [UInt8](repeating: 0, count: whole.count - cut) }
            if round % 3 == 2 { redo += (cut..<whole.count).map { ~whole[$0] } }
            let count = UInt64(max(0, ends.count { $0 <= cut } - 1))
            let copy = try crashed(folder, "torn\(round)", redo: redo)
            try copy.write { (writer) throws in
                #expect(try writer.integer("count") ?? 1 == Int64(count + 1), "cut at \(cut)")
                #expect(try writer.highestInode() == count + 1, "cut at \(cut)")
            }
        }
    }

    @Test(
        "a wrong bit in the last record ends the reading, in one before it is damage",
        arguments: [false, true])
    func bits(isWritten: Bool) throws {
        let folder = try TestFolder()
        let database = try folder.committed(isWritten: isWritten)
        var ends: [Int] = []
        for ino in 2...4 as ClosedRange<UInt64> {
            try database.write { try $0.insertInode(file(ino)) }
            try database.promise()
            ends.append(try recordsEnd(folder))
        }
        let whole = try redoBytes(folder)
        var dice = SeededGenerator(seed: 10)
        for round in 0..<60 {
            let place = Int.random(in: 0..<ends[2], using: &dice)
            var redo = whole
            redo[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            if place < ends[1] {
                // Each was written after the one before was synced: this is none of a crash.
                #expect(throws: MetadataError.self, "bit in byte \(place)") {
                    try crashed(folder, "bit\(round)", redo: redo)
                }
            } else {
                let copy = try crashed(folder, "bit\(round)", redo: redo)
                #expect(try copy.write { try $0.highestInode() } == 3, "bit in byte \(place)")
            }
        }
    }

    @Test("a redo file that is gone is damage, unless the database was closed")
    func gone() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        let copy = folder.path + "/gone"
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: folder.database + suffix, toPath: copy + suffix)
        }
        #expect(throws: MetadataError.corrupt("the redo file is gone")) {
            try MetadataDatabase(path: copy)
        }
        try database.write { try $0.insertInode(file(2)) }
        try database.record()
        try database.close()
        try FileManager.default.removeItem(atPath: folder.database + "-redo")
        #expect(try folder.open().write { try $0.highestInode() } == 2)
    }

    @Test("after a COMMIT that failed nothing is recorded until one succeeds")
    func failedCommit() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.promise()
        let before = try redoBytes(folder)
        try database.write { (writer) throws in
            // A trigger of the moment lets the COMMIT's own row fail, and goes with it.
            try writer.core.connection.execute(
                """
                CREATE TEMP TRIGGER base BEFORE INSERT ON main.settings
                BEGIN SELECT RAISE(ABORT, 'no base'); END
                """)
        }
        #expect(throws: MetadataError.self) { try database.commit() }
        try database.write { (writer) throws in
            try writer.core.connection.execute("DROP TRIGGER base")
            try writer.insertInode(file(3))
        }
        try database.record()
        #expect(try redoBytes(folder) == before, "it was a COMMIT")
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.highestInode() == 3)
        }
        try database.syncLog()
        try database.write { try $0.insertInode(file(4)) }
        try database.promise()
        #expect(try redoBytes(folder) != before)
    }

    @Test("a record that is sound and says nonsense is refused, and changes nothing")
    func nonsense() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.promise()
        let whole = try redoBytes(folder)
        let base = try #require(try database.write { try $0.integer(WriterCore.baseKey) })
        let first = Array(whole[RedoFile.headSize...])
        let insert = first.prefix(2)
        let cases: [(String, [UInt8])] = [
            ("ends in a statement", Array(first.dropLast(1))),
            ("a statement without a text", [9, 0]),
            ("a text that is no SQL", [9, 0, 3, 65, 65, 65, 255, 255]),
            ("a text that is no text", [9, 0, 1, 255, 255, 255]),
            ("a parameter that is none", first + insert + [240, 0] + [0, 0, 0, 0, 0, 0, 0, 0]),
            ("parameter 0", first + insert + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("a kind of value that is none", first + insert + [7, 0]),
            ("a value longer than the record", first + insert + [5, 0, 255, 255, 3]),
            ("rows that are there already", first + first),
        ]
        for (number, (name, changes)) in cases.enumerated() {
            let redo = RedoFile.record(changes, base: UInt64(bitPattern: base), number: 0)
            #expect(throws: MetadataError.self, "\(name)") {
                try crashed(folder, "nonsense\(number)", redo: redo)
            }
            // Once it is out of the way, the last COMMIT is as it was.
            let path = folder.path + "/nonsense\(number)"
            try Data().write(to: URL(fileURLWithPath: path + "-redo"))
            let database = try MetadataDatabase(path: path)
            #expect(try database.write { try $0.highestInode() } == 1, "\(name)")
        }
    }

    @Test("records of a time before the last COMMIT are not done again")
    func olderRecords() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.promise()
        let old = try redoBytes(folder)
        try database.write { try $0.deleteInode(2) }
        try database.commit()
        let copy = try crashed(folder, "older", redo: old)
        #expect(try copy.write { try $0.highestInode() } == 1)
    }

    @Test("a COMMIT that is not on the disk keeps the records before it")
    func unsyncedCommit() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.record()
        try database.syncLog()
        let before = try redoBytes(folder)
        let log = try folder.size(of: "-wal")
        try database.write { try $0.insertInode(file(3)) }
        try database.commit()
        try database.write { try $0.insertInode(file(4)) }
        // Nobody has synced the COMMIT: this is one, too.
        try database.record()
        #expect(try redoBytes(folder) == before)
        #expect(try folder.size(of: "-wal") > log)
        // The power goes, and the log has lost both.
        let copy = try folder.crashCopy(name: "cut", logBytes: log)
        #expect(try copy.write { try $0.highestInode() } == 2)
    }

    @Test(
        "the file has whole pages, each record right behind the one before",
        arguments: [false, true])
    func pages(isWritten: Bool) throws {
        let folder = try TestFolder()
        let database = try folder.committed(isWritten: isWritten)
        var dice = SeededGenerator(seed: 5)
        var end = 0
        for number in 0..<40 as Range<UInt64> {
            let content = [UInt8](repeating: UInt8(number), count: dice.below(9000))
            try database.write { try $0.setInline(number + 2, content) }
            let before = try redoBytes(folder)
            try database.promise()
            let after = try redoBytes(folder)
            #expect(after.count % RedoFile.pageSize == 0 && after.starts(with: before[..<end]))
            end = try recordsEnd(folder)
            #expect(after.count - end < RedoFile.pageSize || after.count == before.count)
            #expect(after[end...].allSatisfy { $0 == 0 }, "record \(number)")
        }
        let copy = try folder.crashCopy(name: "crashed")
        #expect(try copy.write { try $0.inline(41) } != nil)
    }

    @Test("a change larger than a record is committed, and recording goes on behind it")
    func large() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        let log = try folder.size(of: "-wal")
        let large = [UInt8](repeating: 1, count: RedoFile.recordLimit)
        try database.write { try $0.setInline(2, large) }
        try database.record()
        try database.syncLog()
        let committed = try folder.size(of: "-wal")
        #expect(committed > log)
        try database.write { try $0.insertInode(file(3)) }
        try database.promise()
        #expect(try folder.size(of: "-wal") == committed)
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inline(2) == large)
            #expect(try writer.inode(3) == file(3))
        }
    }

    @Test("a file that is full asks for a COMMIT before, and is followed by one")
    func full() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        let log = try folder.size(of: "-wal")
        let half = [UInt8](repeating: 1, count: RedoFile.recordLimit / 2)
        var count: Int64 = 0
        while try folder.size(of: "-wal") == log {
            try #require(count < 1000)
            #expect(database.wantsCommit == (try folder.size(of: "-redo") >= RedoFile.commitSize))
            count += 1
            try database.write { (writer) throws in
                try writer.setInline(2, half)
                try writer.setInteger("count", count)
            }
            try database.promise()
        }
        #expect(try folder.size(of: "-redo") <= RedoFile.size)
        #expect(!database.wantsCommit)
        let copy = try folder.crashCopy(name: "crashed")
        #expect(try copy.write { try $0.integer("count") } == count)
    }

    @Test("what one step undid is not recorded")
    func undone() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.promise()
        #expect(throws: MetadataError.closed) {
            try database.write { (writer) throws in
                try writer.atomically { (writer) throws(MetadataError) in
                    try writer.insertInode(file(3))
                    throw .closed
                }
            }
        }
        #expect(throws: MetadataError.self) { try database.write { try $0.insertInode(file(2)) } }
        try database.write { try $0.insertInode(file(5)) }
        try database.promise()
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inode(3) == nil)
            #expect(try writer.inode(5) == file(5))
        }
    }

    @Test("recording goes on where a lost transaction was brought back")
    func afterLoss() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write { try $0.insertInode(file(2)) }
        try database.promise()
        try database.write { (writer) throws in
            try writer.insertInode(file(3))
            writer.core.connection.abandon(.full)
        }
        usleep(1_050_000)
        try database.write { try $0.insertInode(file(4)) }
        try database.promise()
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            for ino in 1...4 as ClosedRange<UInt64> {
                #expect(try writer.inode(ino) == file(ino))
            }
        }
    }
}
