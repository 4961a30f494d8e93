// SPDX-License-Identifier: Apache-2.0
//
// What opening makes, accepts and refuses.

import Foundation
import TestSupport
import Testing

@testable import Metadata

@Suite("Opening and closing")
struct OpeningTests {
    @Test("the database and its companions are readable by their owner only")
    func modes() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        for suffix in ["", "-wal", "-shm", "-redo"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.database + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "of \(suffix)")
        }
        try database.close()
    }

    @Test("what was written is there after closing and opening, and no log is left")
    func reopening() throws {
        let folder = try TestFolder()
        let first = try folder.open()
        try first.write { try $0.insertInode(file(7, size: 11)) }
        try first.close()
        #expect(!FileManager.default.fileExists(atPath: folder.database + "-wal"))
        let second = try folder.open()
        #expect(try second.write { try $0.inode(7) } == file(7, size: 11))
    }

    @Test("a second instance is refused, and the first goes on")
    func secondInstance() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        #expect(throws: MetadataError.inUse) { try folder.open() }
        try database.write { try $0.insertInode(file(7)) }
        try database.commit()
        try database.close()
        try folder.open().close()
    }

    @Test("a closed database refuses everything, and closing it again does nothing")
    func closed() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.close()
        try database.close()
        #expect(throws: MetadataError.closed) { try database.write { try $0.inode(1) } }
        #expect(throws: MetadataError.closed) {
            try database.write { try $0.insertInode(file(1)) }
        }
        #expect(throws: MetadataError.closed) { try database.commit() }
        #expect(throws: MetadataError.closed) { try database.checkpoint() }
        #expect(throws: MetadataError.closed) { _ = try database.snapshot() }
        try database.syncLog()
    }

    @Test("a database that was never closed is complete up to its last commit")
    func dropped() throws {
        let folder = try TestFolder()
        var database: MetadataDatabase? = try folder.open()
        try database?.write { try $0.insertInode(file(1)) }
        try database?.commit()
        try database?.write { try $0.insertInode(file(2)) }
        database = nil
        let again = try folder.open()
        #expect(try again.write { try $0.inode(1) } == file(1))
        #expect(try again.write { try $0.inode(2) } == nil)
    }

    @Test("a newer schema is refused and left alone")
    func newerSchema() throws {
        let folder = try TestFolder()
        try folder.open().close()
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        try raw.execute("PRAGMA user_version = 5")
        raw.close()
        let before = try Data(contentsOf: URL(filePath: folder.database))
        #expect(throws: MetadataError.newerSchema(5)) { try folder.open() }
        #expect(try Data(contentsOf: URL(filePath: folder.database)) == before)
    }

    @Test("a schema from before the first release is refused and left alone")
    func olderSchema() throws {
        let folder = try TestFolder()
        try folder.open().close()
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        try raw.execute("PRAGMA user_version = 1")
        raw.close()
        let before = try Data(contentsOf: URL(filePath: folder.database))
        #expect(throws: MetadataError.olderSchema(1)) { try folder.open() }
        #expect(try Data(contentsOf: URL(filePath: folder.database)) == before)
    }

    @Test("a database of another program is refused and left alone")
    func foreign() throws {
        let folder = try TestFolder()
        #expect(FileManager.default.createFile(atPath: folder.database, contents: nil))
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        try raw.execute("CREATE TABLE theirs (a)")
        raw.close()
        let before = try Data(contentsOf: URL(filePath: folder.database))
        #expect(throws: MetadataError.corrupt("application number in the header")) {
            try folder.open()
        }
        #expect(try Data(contentsOf: URL(filePath: folder.database)) == before)
    }

    @Test("a file that is no database is refused", arguments: [2, 100, 4096, 9000])
    func garbage(size: Int) throws {
        let folder = try TestFolder()
        var dice = SeededGenerator(seed: UInt64(size))
        let content = Data(dice.bytes(size))
        #expect(FileManager.default.createFile(atPath: folder.database, contents: content))
        #expect {
            try folder.open()
        } throws: { error in
            if case MetadataError.corrupt = error { true } else { false }
        }
        #expect(try Data(contentsOf: URL(filePath: folder.database)) == content)
    }

    @Test("a folder that is not there is an error, not a trap")
    func missingFolder() throws {
        let folder = try TestFolder()
        #expect {
            try MetadataDatabase(path: folder.path + "/none/metadata.db")
        } throws: { error in
            if case MetadataError.sqlite = error { true } else { false }
        }
    }
}
