// SPDX-License-Identifier: Apache-2.0
//
// Databases that a disk or somebody else damaged.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Damage")
struct DamageTests {
    private static func isCorrupt(_ error: any Error) -> Bool {
        if case MetadataError.corrupt = error { true } else { false }
    }

    /// A closed database with some hundred rows in every table that has many.
    private static func filled() throws -> TestFolder {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for ino in 1...400 as ClosedRange<UInt64> {
                try writer.insertInode(file(ino))
                _ = try writer.insertDentry(
                    parent: 1, name: bytes("name\(ino)"), ino: ino, kind: .regular)
                try writer.setInline(ino, [UInt8](repeating: 1, count: 100))
                try writer.setBlockGroup(ino, 0, [UInt8](repeating: 2, count: 576))
            }
        }
        try database.close()
        return folder
    }

    private static func readAll(_ writer: borrowing MetadataWriter) throws {
        for ino in 1...400 as ClosedRange<UInt64> {
            _ = try writer.lookup(parent: 1, name: bytes("name\(ino)"))
            _ = try writer.inode(ino)
            _ = try writer.inline(ino)
            _ = try writer.blockGroup(ino, 0)
            _ = try writer.content(ino)
        }
        _ = try writer.entriesWithInodes(parent: 1, after: 0, limit: 1000)
        _ = try writer.changedInodes(after: 0, limit: 1000)
        _ = try writer.orphans()
    }

    @Test("damaged pages give errors, never a trap", arguments: 1...30)
    func damagedPages(seed: UInt64) throws {
        let folder = try Self.filled()
        var dice = SeededGenerator(seed: seed)
        let handle = try #require(FileHandle(forUpdatingAtPath: folder.database))
        let size = Int(try handle.seekToEnd())
        for _ in 0..<Int.random(in: 1...40, using: &dice) {
            // The first 100 bytes are the header: another test has those.
            try handle.seek(toOffset: UInt64(Int.random(in: 100..<size - 64, using: &dice)))
            try handle.write(contentsOf: dice.bytes(Int.random(in: 1...64, using: &dice)))
        }
        try handle.close()
        do {
            let database = try folder.open()
            try database.write { try Self.readAll($0) }
            try database.close()
        } catch let error as MetadataError {
            // Damage may go unseen, or meet any check: what matters is that it is an error.
            #expect(error != .closed, "seed \(seed)")
        }
    }

    @Test("a page of zeros in the tree of inodes is called corrupt")
    func zeroPage() throws {
        let folder = try Self.filled()
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        let page = try #require(
            try raw.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'inodes'"))
        raw.close()
        let handle = try #require(FileHandle(forUpdatingAtPath: folder.database))
        try handle.seek(toOffset: UInt64(page - 1) * 4096)
        try handle.write(contentsOf: Data(count: 4096))
        try handle.close()
        let database = try folder.open()
        #expect {
            try database.write { _ = try $0.inode(5) }
        } throws: { Self.isCorrupt($0) }
    }

    @Test(
        "rows that can not be right are called corrupt",
        arguments: [
            "UPDATE inodes SET kind = 0", "UPDATE inodes SET form = 9",
            "UPDATE inodes SET accessed_modified_nanos = -1",
            "UPDATE inodes SET changed_created_nanos = 1000000000",
            "UPDATE dentries SET kind = 200",
            "UPDATE contents SET segments = x'02'", "UPDATE contents SET modified_nanos = -1",
            "UPDATE pads SET scheme = 77", "UPDATE pads SET address = x'00'",
            "UPDATE pages SET reference = x'00'",
            "UPDATE pages SET reference = x'09' || substr(reference, 2)",
            "UPDATE leaves SET reference = zeroblob(64)",
            "UPDATE conflicts SET noticed_nanos = -1",
        ])
    func impossibleRows(sql: String) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let leaf = LeafRow(first: [], reference: try reference(1), entryCount: 1)
        let conflict = ConflictRow(directory: 1, keptName: [], conflictName: [], noticed: noon)
        try database.write { (writer) throws in
            try writer.insertInode(file(5))
            _ = try writer.insertDentry(parent: 1, name: [1], ino: 5, kind: .regular)
            try writer.setContent(5, StoredContent())
            try writer.setPad(PadRow(ino: 5, identity: [1], address: try padAddress(1)))
            try writer.setPage(5, try reference(1))
            try writer.replaceLeaves(5, [leaf])
            try writer.addConflict(conflict)
            try writer.core.connection.execute(
                sql.contains("||") ? "UPDATE pages SET reference = zeroblob(65)" : sql)
            #expect {
                _ = try writer.inode(5)
                _ = try writer.dentry(parent: 1, name: [1])
                _ = try writer.content(5)
                _ = try writer.pads()
                _ = try writer.pageOf(5)
                _ = try writer.leaves(5)
                _ = try writer.conflicts()
            } throws: {
                Self.isCorrupt($0)
            }
        }
    }

    @Test("no error has a name, a path or a value in it")
    func messages() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let secret = bytes("secret-name")
        let attempts: [(borrowing MetadataWriter) throws -> Void] = [
            { writer in
                for _ in 0..<2 {
                    _ = try writer.insertDentry(parent: 1, name: secret, ino: 5, kind: .fifo)
                }
            },
            { writer in for _ in 0..<2 { try writer.insertInode(file(777_777)) } },
            { writer in
                try writer.setPad(PadRow(ino: 1, identity: secret, address: try padAddress(1)))
                try writer.setPad(PadRow(ino: 2, identity: secret, address: try padAddress(1)))
            },
        ]
        for attempt in attempts {
            do {
                try database.write { try attempt($0) }
                Issue.record("this should have been refused")
            } catch {
                let text = "\(error)"
                #expect(text == "taken" || text.contains("constraint failed"))
                #expect(!text.contains("secret") && !text.contains("777777"))
            }
        }
    }
}
