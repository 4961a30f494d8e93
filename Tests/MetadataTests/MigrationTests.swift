// SPDX-License-Identifier: Apache-2.0
//
// Databases of every version that was ever released open for ever. The texts below are frozen:
// they are what that version's code wrote, and are never changed to follow the code.

import Foundation
import Namespace
import SelfEncryption
import Testing

@testable import Metadata

@Suite("Databases of earlier versions")
struct MigrationTests {
    private static let zeros = String(repeating: "00", count: 32)
    private static let ones = String(repeating: "11", count: 32)

    /// Version 2, the first that was released, with a row in every table.
    private static let version2 = """
        PRAGMA page_size = 4096;
        BEGIN;
        CREATE TABLE inodes (
            ino INTEGER PRIMARY KEY, kind INTEGER NOT NULL, mode INTEGER NOT NULL,
            uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,
            link_count INTEGER NOT NULL, device INTEGER NOT NULL, accessed INTEGER NOT NULL,
            modified INTEGER NOT NULL, changed INTEGER NOT NULL, created INTEGER NOT NULL,
            accessed_modified_nanos INTEGER NOT NULL, changed_created_nanos INTEGER NOT NULL,
            parent INTEGER NOT NULL, cookie INTEGER NOT NULL, change INTEGER NOT NULL,
            allocated INTEGER NOT NULL, form INTEGER NOT NULL, flags INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX inodes_by_change ON inodes (change);
        CREATE INDEX inodes_orphaned ON inodes (ino) WHERE link_count = 0;
        CREATE TABLE dentries (
            parent INTEGER NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL,
            kind INTEGER NOT NULL, cookie INTEGER NOT NULL,
            PRIMARY KEY (parent, name)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX dentries_by_cookie ON dentries (parent, cookie, ino, kind);
        CREATE TABLE inlines (ino INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
        CREATE TABLE contents (
            ino INTEGER PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL,
            modified_nanos INTEGER NOT NULL, base_limit INTEGER NOT NULL, dirty INTEGER NOT NULL,
            generation INTEGER NOT NULL, segments BLOB NOT NULL
        ) STRICT;
        CREATE INDEX contents_dirty ON contents (ino) WHERE dirty = 1;
        CREATE TABLE block_groups (
            ino INTEGER NOT NULL, block_group INTEGER NOT NULL, map BLOB NOT NULL,
            PRIMARY KEY (ino, block_group)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE journal (
            ino INTEGER NOT NULL, piece INTEGER NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (ino, piece)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE xattrs (
            ino INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (ino, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE pads (
            ino INTEGER PRIMARY KEY, identity BLOB NOT NULL, scheme INTEGER NOT NULL,
            address BLOB NOT NULL, encoding INTEGER NOT NULL, counter INTEGER NOT NULL,
            flags INTEGER NOT NULL, published_digest BLOB, pending_record BLOB
        ) STRICT;
        CREATE UNIQUE INDEX pads_by_identity ON pads (identity);
        CREATE TABLE pages (directory INTEGER PRIMARY KEY, reference BLOB NOT NULL) STRICT;
        CREATE TABLE leaves (
            directory INTEGER NOT NULL, first BLOB NOT NULL, reference BLOB NOT NULL,
            entry_count INTEGER NOT NULL,
            PRIMARY KEY (directory, first)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE touched (
            directory INTEGER NOT NULL, name BLOB NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (directory, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE conflicts (
            number INTEGER PRIMARY KEY AUTOINCREMENT, directory INTEGER NOT NULL,
            kept_name BLOB NOT NULL, conflict_name BLOB NOT NULL, noticed INTEGER NOT NULL,
            noticed_nanos INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE settings (key BLOB PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

        INSERT INTO inodes VALUES (9, 1, 420, 1000, 100, 77, 0, 0, 1780000000, -5, 1780000000,
            1780000000, 123456789 << 32 | 123456789, 123456789 << 32 | 123456789, 2, 20, 33,
            4096, 2, 1);
        INSERT INTO inodes VALUES (2, 2, 493, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2);
        INSERT INTO dentries VALUES (2, x'6e616d65', 9, 1, 20);
        INSERT INTO inlines VALUES (10, x'00ff');
        INSERT INTO contents VALUES (9, 77, 5, 6, 70, 1, 3,
            x'01010a4302010001\("07" + zeros + ones)43');
        INSERT INTO block_groups VALUES (9, 4, x'aabb');
        INSERT INTO journal VALUES (9, 107, x'ccdd');
        INSERT INTO xattrs VALUES (9, x'757365722e61', x'62');
        INSERT INTO pads VALUES (9,
            x'2222222222222222222222222222222222222222222222222222222222222222', 1,
            x'3333333333333333333333333333333333333333333333333333333333333333', 8, -1, 1,
            NULL, x'444444');
        INSERT INTO pages VALUES (2, x'01\(zeros + ones)');
        INSERT INTO leaves VALUES (2, x'61', x'01\(zeros + ones)', 12);
        INSERT INTO touched VALUES (2, x'6e616d65', 33);
        INSERT INTO conflicts VALUES (3, 2, x'61', x'62', 1780000000, 123456789);
        INSERT INTO settings VALUES (CAST('revision' AS BLOB), 41);
        INSERT INTO settings VALUES (CAST('metadata.cookies' AS BLOB), 65552);
        PRAGMA application_id = 1129467441;
        PRAGMA user_version = 2;
        COMMIT;
        """

    @Test("a database of version 2 opens, and every row reads as it was meant")
    func version2Opens() throws {
        let folder = try TestFolder()
        #expect(FileManager.default.createFile(atPath: folder.database, contents: nil))
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        try raw.execute(Self.version2)
        raw.close()
        let database = try folder.open()
        try database.write { try Self.check($0) }
        try database.close()
    }

    private static func check(_ writer: borrowing MetadataWriter) throws {
        var row = file(9, size: 77, change: 33)
        row.attributes.modified.seconds = -5
        row.linkCount = 0
        row.parent = 2
        row.cookie = 20
        row.allocated = 4096
        row.form = .blocks
        row.isHardLinked = true
        #expect(try writer.inode(9) == row)
        #expect(try writer.inode(2)?.isLoaded == true)
        #expect(try writer.lookup(parent: 2, name: bytes("name")) == row)
        #expect(try writer.inline(10) == [0, 255])
        let content = try writer.content(9)
        #expect(content?.segments.first?.offset == 10)
        #expect(content?.segments.first?.size == 67)
        #expect(content?.segments.first?.map.version == .v2)
        #expect(content?.segments.first?.map.child == 0)
        #expect(content?.segments.first?.map.chunks.first?.index == 7)
        #expect(content?.segments.first?.map.chunks.first?.source == (try digest(0x11)))
        #expect(content?.segments.first?.map.chunks.first?.size == 67)
        #expect(content?.baseLimit == 70)
        #expect(try writer.dirtyFiles() == [9])
        #expect(try writer.orphans() == [9])
        #expect(try writer.blockGroup(9, 4) == [0xaa, 0xbb])
        var journal: [JournalPieceRow] = []
        try writer.forEachJournalPiece { journal.append($0) }
        #expect(journal == [JournalPieceRow(ino: 9, piece: 107, bytes: [0xcc, 0xdd])])
        #expect(try writer.xattr(9, bytes("user.a")) == bytes("b"))
        let pad = try writer.pad(9)
        #expect(pad?.counter == .max && pad?.pendingRecord == [0x44, 0x44, 0x44])
        #expect(pad?.publishedDigest == nil && pad?.isLocalOnly == true)
        #expect(try writer.pageOf(2)?.address == (try digest(0)))
        #expect(try writer.leaves(2).map(\.entryCount) == [12])
        #expect(try writer.touchedNames(upTo: 33).map(\.name) == [bytes("name")])
        #expect(try writer.conflicts().map(\.number) == [3])
        #expect(try writer.integer("revision") == 41)
        let cookie = try writer.insertDentry(parent: 2, name: [1], ino: 9, kind: .regular)
        #expect(cookie == 65_552)
    }

    @Test("the steps are numbered without gaps, and the last is the one that is written")
    func numbering() {
        #expect(
            Schema.migrations.map(\.version)
                == Array(Schema.oldestVersion...MetadataDatabase.schemaVersion))
    }

    @Test("a step that fails leaves the database as it was")
    func stepsAreWhole() throws {
        let folder = try TestFolder()
        #expect(FileManager.default.createFile(atPath: folder.database, contents: nil))
        let raw = try SQLiteConnection(path: folder.database, timeout: 0)
        let broken = Migration(version: 1, sql: "CREATE TABLE a (b); CREATE TABLE a (b);")
        #expect {
            try raw.migrate([broken], from: 0)
        } throws: { error in
            if case MetadataError.sqlite = error { true } else { false }
        }
        #expect(try raw.integer("SELECT count(*) FROM sqlite_schema") == 0)
        #expect(try raw.integer("PRAGMA user_version") == 0)
    }
}
