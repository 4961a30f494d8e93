// SPDX-License-Identifier: Apache-2.0
//
// Changes that are done while the disk writes them down: nobody can tell but by the clock.

import Glibc
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Deferred changes")
struct DeferredChangesTests {
    private func isDeferred(_ database: MetadataDatabase) -> Bool {
        database.write(defers: true) { $0.core.redo.deferred != nil }
    }

    @Test("whoever looks sees them, in the same step and in the next one")
    func seen() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { (writer) throws in
            try writer.setInline(1, [1])
            #expect(writer.core.redo.deferred != nil)
            #expect(try writer.inline(1) == [1])
            #expect(writer.core.redo.deferred == nil)
            try writer.setInline(1, [2])
        }
        #expect(isDeferred(database))
        #expect(try database.write { try $0.inline(1) } == [2])
        #expect(!isDeferred(database))
    }

    @Test("they come before what is changed after them")
    func order() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { try $0.setInline(1, [1]) }
        try database.write { try $0.setInline(1, [2]) }
        try database.write(defers: true) { try $0.setInline(1, [3]) }
        try database.promise()
        try database.write(defers: true) { try $0.setInline(1, [4]) }
        #expect(try folder.crashCopy(name: "copy").write { try $0.inline(1) } == [3])
        #expect(try database.write { try $0.inline(1) } == [4])
    }

    @Test("a record, a commit and the end have them", arguments: ["record", "commit", "close"])
    func kept(by end: String) throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { (writer) throws in
            try writer.updateInode(file(1, size: 77))
            try writer.setInline(1, [7])
        }
        switch end {
        case "record": try database.promise()
        case "commit": try database.commit()
        default: try database.close()
        }
        let copy = end == "close" ? try folder.open() : try folder.crashCopy(name: "copy")
        #expect(try copy.write { try $0.inode(1) } == file(1, size: 77))
        #expect(try copy.write { try $0.inline(1) } == [7])
    }

    @Test("what must be known at once is done at once")
    func counted() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { (writer) throws in
            _ = try writer.insertDentry(parent: 1, name: [1], ino: 2, kind: .regular)
            #expect(try writer.removeDentry(parent: 1, name: [1]))
            #expect(try !writer.removeDentry(parent: 1, name: [1]))
        }
    }

    @Test("a step that is undone takes along what was deferred in it, and no more")
    func undone() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        #expect(throws: MetadataError.closed) {
            try database.write(defers: true) { (writer) throws in
                try writer.setInline(1, [1])
                try writer.atomically { (writer) throws(MetadataError) in
                    try writer.setInline(1, [2])
                    throw .closed
                }
            }
        }
        try database.promise()
        #expect(try database.write { try $0.inline(1) } == [1])
        #expect(try folder.crashCopy(name: "copy").write { try $0.inline(1) } == [1])
    }

    @Test("there is a limit to what is deferred")
    func limit() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        let content = [UInt8](repeating: 1, count: RedoLog.deferredLimit / 2)
        for ino in 2...3 as ClosedRange<UInt64> {
            try database.write(defers: true) { try $0.setInline(ino, content) }
            #expect(isDeferred(database) == (ino == 2))
        }
        // Nor is anything deferred where what is there may have to be given up, or was.
        let much = [UInt8](repeating: 2, count: RedoLog.limit / 2)
        try database.write { try $0.setInline(5, much) }
        try database.write(defers: true) { try $0.setInline(6, content) }
        #expect(!isDeferred(database))
        database.write { $0.core.redo.giveUp() }
        try database.write(defers: true) { try $0.setInline(4, content) }
        #expect(!isDeferred(database))
        try database.commit()
        let copy = try folder.crashCopy(name: "copy")
        for ino in [2, 3, 4, 6] as [UInt64] {
            #expect(try copy.write { try $0.inline(ino) } == content)
        }
    }

    @Test("they come back with a lost transaction")
    func lost() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { (writer) throws in
            try writer.setInline(1, [1])
            writer.core.connection.abandon(.full)
        }
        #expect(try database.write { try $0.inline(1) } == [1])
        try database.commit()
        #expect(try folder.crashCopy(name: "copy").write { try $0.inline(1) } == [1])
    }

    @Test(
        "one that fails fails the record, and is done as soon as it can be",
        arguments: [false, true])
    func failed(isWritten: Bool) throws {
        let folder = try TestFolder()
        let database = try folder.committed(isWritten: isWritten)
        let large = [UInt8](repeating: 1, count: 100_000)
        try database.write(defers: true) { (writer) throws in
            let pages = try writer.core.connection.integer("PRAGMA page_count")
            _ = try writer.core.connection.integer("PRAGMA max_page_count = \(pages ?? 0)")
            try writer.setInline(1, [7])
            try writer.setInline(2, large)
        }
        #expect(throws: MetadataError.full) { try database.record() }
        #expect(throws: MetadataError.full) { try database.write { try $0.inline(1) } }
        try database.syncLog()
        // The record was written, and taken back: nobody knows whether a start could do it.
        #expect(try folder.crashCopy(name: "copy").write { try $0.inline(1) } == nil)
        try database.write { (writer) throws in
            let connection = writer.core.connection
            connection.setStanding(false)
            _ = try connection.integer("PRAGMA max_page_count = 1000000")
            connection.abandon(.full)
        }
        usleep(1_050_000)
        try database.write { (writer) throws in
            #expect(try writer.inline(1) == [7])
            #expect(try writer.inline(2) == large)
        }
        try database.promise()
        #expect(try folder.crashCopy(name: "later").write { try $0.inline(2) } == large)
    }

    @Test("one that can never be done loses the transaction at once, and no start is refused")
    func impossible() throws {
        let folder = try TestFolder()
        let database = try folder.committed()
        try database.write(defers: true) { (writer) throws in
            try writer.setInline(1, [7])
            // A name twice, which no sync defers.
            for _ in 0..<2 {
                _ = try writer.insertDentry(parent: 1, name: [1], ino: 2, kind: .regular)
            }
        }
        #expect(throws: MetadataError.transactionLost) { try database.record() }
        #expect(throws: MetadataError.transactionLost) { try database.promise() }
        #expect(try folder.crashCopy(name: "copy").write { try $0.inline(1) } == nil)
    }

    @Test(
        "any number of records and COMMITs is one history, wherever a crash cuts it",
        arguments: [false, true])
    func history(isWritten: Bool) throws {
        for seed in 1...(isWritten ? 3 : 6) as ClosedRange<UInt64> {
            var dice = SeededGenerator(seed: seed)
            let folder = try TestFolder()
            let database = try folder.committed(isWritten: isWritten)
            var count: Int64 = 0
            // What a sync has promised, and what may be there.
            var (promised, possible): (Int64, Int64) = (0, 0)
            for step in 0..<120 {
                count += 1
                try database.write(defers: dice.below(2) == 0) { (writer) throws in
                    try writer.setInteger("count", count)
                    try writer.setInline(UInt64(dice.below(9)), [UInt8(count & 0xff)])
                    if dice.below(4) == 0 { try writer.deleteInode(UInt64(dice.below(9)) + 20) }
                }
                switch dice.below(10) {
                case 0...5:
                    try database.record()
                    possible = count
                case 6:
                    try database.commit()
                    possible = count
                case 7: try database.checkpoint()
                default: break
                }
                if dice.below(3) == 0 {
                    try database.syncLog()
                    promised = possible
                }
                if dice.below(12) == 0 {
                    let copy = try folder.crashCopy(name: "\(step)")
                    let found = try copy.write { try $0.integer("count") } ?? 0
                    // In the cache is what was written, on the disk what was waited for.
                    let least = isWritten ? promised : possible
                    #expect((least...possible) ~= found, "seed \(seed), step \(step)")
                }
            }
        }
    }
}
