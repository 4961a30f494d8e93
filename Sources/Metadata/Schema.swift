// SPDX-License-Identifier: Apache-2.0
//
// The tables, as numbered steps that are never edited once released: a database of any earlier
// step is brought up by the steps after it, one transaction each. docs/format.md §15 describes
// them.
//
// Unsigned numbers are bit patterns of signed ones. Names and keys are blobs: a name is bytes.

/// One step of the schema.
struct Migration: Sendable {
    /// What `PRAGMA user_version` says once it is done.
    let version: Int
    /// Statements that lead there from the version before.
    let sql: String
}

enum Schema {
    /// "CRN1" in ASCII, in the database header: a file without it is not ours.
    static let applicationID: Int64 = 0x4352_4E31

    /// Bytes of a page of the database. SQLite's default, and what disks and the kernel use.
    static let pageSize = 4096

    /// All steps, in order, without gaps.
    static let migrations = [
        Migration(version: 2, sql: version2), Migration(version: 3, sql: version3),
        Migration(version: 4, sql: version4),
    ]

    /// The number of the last step.
    static let currentVersion = 4

    /// The number of the oldest database that can be brought up.
    ///
    /// Version 1 was never released, and its block maps had two forms that look alike.
    static let oldestVersion = 2

    /// The tables of version 2. From version 3 on a redo file may have what follows the last
    /// COMMIT: code that does not know it must not go on without.
    private static let version3 = ""

    /// The tables of version 2. From version 4 on block maps may name patches: code that does not
    /// know them must not take such a row for damage.
    private static let version4 = ""

    /// The first release.
    ///
    /// - Tables whose key is more than one column and whose rows are small are WITHOUT ROWID: one
    ///   tree, not two. `inodes` has partial and plain indexes for what is asked at start and at
    ///   publishing only; every other search goes by key.
    /// - `dentries_by_cookie` ends with the name, the rest of the primary key, so that a listing
    ///   reads the index alone.
    static let version2 = """
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
        """
}

extension SQLiteConnection {
    /// Takes the steps above a version, one transaction each: one that fails leaves nothing behind.
    func migrate(_ migrations: [Migration], from version: Int) throws(MetadataError) {
        for migration in migrations where migration.version > version {
            try execute("BEGIN IMMEDIATE")
            do {
                try execute(migration.sql)
                try execute("PRAGMA application_id = \(Schema.applicationID)")
                try execute("PRAGMA user_version = \(migration.version)")
                try execute("COMMIT")
            } catch {
                // The step's own failure is the one to tell, and SQLite may have rolled back
                // already; closing the connection rolls back in any case.
                try? execute("ROLLBACK")
                throw error
            }
        }
    }
}
