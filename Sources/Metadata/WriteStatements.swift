// SPDX-License-Identifier: Apache-2.0
//
// The text of every change, in one place, prepared when first used and kept. A change is recorded
// in the redo log: it may depend on nothing but the rows and the values that are bound.

/// The changes of the one writing connection. What they mean is in `MetadataWriter`.
///
/// `@unchecked Sendable` because it belongs to a connection, which one thread at a time uses.
final class WriteStatements: @unchecked Sendable {
    let transaction: TransactionStatements
    let inodes: InodeChanges
    let names: NameChanges
    let content: ContentChanges
    let publishing: PublishingChanges

    init(_ connection: SQLiteConnection) {
        transaction = TransactionStatements(connection)
        inodes = InodeChanges(connection)
        names = NameChanges(connection)
        content = ContentChanges(connection)
        publishing = PublishingChanges(connection)
    }
}

/// The transaction, and the size of the database.
struct TransactionStatements {
    let begin: SQLiteStatement
    let commit: SQLiteStatement
    let savepoint: SQLiteStatement
    let release: SQLiteStatement
    let rollBackToSavepoint: SQLiteStatement
    let pageCount: SQLiteStatement
    let freePageCount: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func change(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        begin = change("BEGIN IMMEDIATE")
        commit = change("COMMIT")
        savepoint = change("SAVEPOINT step")
        release = change("RELEASE step")
        rollBackToSavepoint = change("ROLLBACK TO step")
        pageCount = change("PRAGMA page_count")
        freePageCount = change("PRAGMA freelist_count")
    }
}

/// Changes of inodes, and the removal of all that belongs to one.
struct InodeChanges {
    let insertInode: SQLiteStatement
    let updateInode: SQLiteStatement
    let deleteInode: SQLiteStatement
    let deleteInline: SQLiteStatement
    let deleteContent: SQLiteStatement
    let deleteBlockGroups: SQLiteStatement
    let deleteJournal: SQLiteStatement
    let deleteXattrs: SQLiteStatement
    let deletePad: SQLiteStatement
    let deletePage: SQLiteStatement
    let deleteLeaves: SQLiteStatement
    let deleteSettledLeaves: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func change(_ sql: String) -> SQLiteStatement {
            SQLiteStatement(connection, sql, isRecorded: true)
        }

        insertInode = change(
            "INSERT INTO inodes (\(Columns.inode)) VALUES (\(Columns.inodeParameters))")
        updateInode = change("UPDATE inodes SET \(Columns.inodeAssignments) WHERE ino = ?1")
        deleteInode = change("DELETE FROM inodes WHERE ino = ?1")
        deleteInline = change("DELETE FROM inlines WHERE ino = ?1")
        deleteContent = change("DELETE FROM contents WHERE ino = ?1")
        deleteBlockGroups = change(
            "DELETE FROM block_groups WHERE ino = ?1 AND block_group >= ?2")
        deleteJournal = change("DELETE FROM journal WHERE ino = ?1")
        deleteXattrs = change("DELETE FROM xattrs WHERE ino = ?1")
        deletePad = change("DELETE FROM pads WHERE ino = ?1")
        deletePage = change("DELETE FROM pages WHERE directory = ?1")
        deleteLeaves = change("DELETE FROM leaves WHERE directory = ?1")
        deleteSettledLeaves = change(
            """
            DELETE FROM leaves WHERE directory = ?1
            AND NOT EXISTS (SELECT 1 FROM touched WHERE directory = ?1)
            """)
    }
}

/// Changes of names in directories.
struct NameChanges {
    let insertDentry: SQLiteStatement
    let replaceDentry: SQLiteStatement
    let moveDentry: SQLiteStatement
    let removeDentry: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func change(_ sql: String) -> SQLiteStatement {
            SQLiteStatement(connection, sql, isRecorded: true)
        }

        insertDentry = change(
            "INSERT INTO dentries (parent, name, ino, kind, cookie) VALUES (?1, ?2, ?3, ?4, ?5)")
        replaceDentry = change(
            "UPDATE dentries SET ino = ?3, kind = ?4 WHERE parent = ?1 AND name = ?2")
        moveDentry = change(
            """
            UPDATE dentries SET parent = ?3, name = ?4, cookie = ?5
            WHERE parent = ?1 AND name = ?2
            """)
        removeDentry = change("DELETE FROM dentries WHERE parent = ?1 AND name = ?2")
    }
}

/// Changes of content, extended attributes and scratchpads.
struct ContentChanges {
    let setInline: SQLiteStatement
    let setContent: SQLiteStatement
    let setDirty: SQLiteStatement
    let setBlockGroup: SQLiteStatement
    let deleteBlockGroup: SQLiteStatement
    let setJournalPiece: SQLiteStatement
    let removeJournalPiece: SQLiteStatement
    let clearJournal: SQLiteStatement
    let clearBlockGroups: SQLiteStatement
    let setXattr: SQLiteStatement
    let removeXattr: SQLiteStatement
    let setPad: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func change(_ sql: String) -> SQLiteStatement {
            SQLiteStatement(connection, sql, isRecorded: true)
        }

        setInline = change(
            """
            INSERT INTO inlines (ino, bytes) VALUES (?1, ?2)
            ON CONFLICT (ino) DO UPDATE SET bytes = excluded.bytes
            """)
        setContent = change(
            """
            INSERT INTO contents
            (ino, size, modified, modified_nanos, base_limit, dirty, generation, segments)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT (ino) DO UPDATE SET size = excluded.size, modified = excluded.modified,
            modified_nanos = excluded.modified_nanos, base_limit = excluded.base_limit,
            dirty = excluded.dirty, generation = excluded.generation, segments = excluded.segments
            """)
        setDirty = change("UPDATE contents SET dirty = ?2 WHERE ino = ?1 AND dirty <> ?2")
        setBlockGroup = change(
            """
            INSERT INTO block_groups (ino, block_group, map) VALUES (?1, ?2, ?3)
            ON CONFLICT (ino, block_group) DO UPDATE SET map = excluded.map
            """)
        deleteBlockGroup = change(
            "DELETE FROM block_groups WHERE ino = ?1 AND block_group = ?2")
        setJournalPiece = change(
            """
            INSERT INTO journal (ino, piece, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (ino, piece) DO UPDATE SET bytes = excluded.bytes
            """)
        removeJournalPiece = change("DELETE FROM journal WHERE ino = ?1 AND piece = ?2")
        clearJournal = change("DELETE FROM journal")
        clearBlockGroups = change("DELETE FROM block_groups")
        setXattr = change(
            """
            INSERT INTO xattrs (ino, name, value) VALUES (?1, ?2, ?3)
            ON CONFLICT (ino, name) DO UPDATE SET value = excluded.value
            """)
        removeXattr = change("DELETE FROM xattrs WHERE ino = ?1 AND name = ?2")
        setPad = change(
            """
            INSERT INTO pads (\(Columns.pad)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (ino) DO UPDATE SET identity = excluded.identity,
            scheme = excluded.scheme, address = excluded.address, encoding = excluded.encoding,
            counter = excluded.counter, flags = excluded.flags,
            published_digest = excluded.published_digest, pending_record = excluded.pending_record
            """)
    }
}

/// Changes of pages, touched names, conflicts and settings.
struct PublishingChanges {
    let setPage: SQLiteStatement
    let insertLeaf: SQLiteStatement
    let touch: SQLiteStatement
    let clearTouched: SQLiteStatement
    let clearRemovedLeaves: SQLiteStatement
    let addConflict: SQLiteStatement
    let removeConflict: SQLiteStatement
    let setSetting: SQLiteStatement
    let removeSetting: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func change(_ sql: String) -> SQLiteStatement {
            SQLiteStatement(connection, sql, isRecorded: true)
        }

        setPage = change(
            """
            INSERT INTO pages (directory, reference) VALUES (?1, ?2)
            ON CONFLICT (directory) DO UPDATE SET reference = excluded.reference
            """)
        insertLeaf = change(
            """
            INSERT INTO leaves (directory, first, reference, entry_count) VALUES (?1, ?2, ?3, ?4)
            """)
        // A name that changes again after a publish began must outlive that publish's clearing.
        touch = change(
            """
            INSERT INTO touched (directory, name, sequence) VALUES (?1, ?2, ?3)
            ON CONFLICT (directory, name) DO UPDATE SET sequence = excluded.sequence
            WHERE excluded.sequence > sequence
            """)
        clearTouched = change("DELETE FROM touched WHERE sequence <= ?1")
        // Of directories that are gone, and of which no mark is left after `clearTouched`.
        clearRemovedLeaves = change(
            """
            DELETE FROM leaves WHERE directory IN (
                SELECT DISTINCT t.directory FROM touched AS t WHERE t.sequence <= ?1
                AND t.directory <> 0
                AND NOT EXISTS (SELECT 1 FROM inodes WHERE ino = t.directory)
                AND NOT EXISTS (
                    SELECT 1 FROM touched AS u WHERE u.directory = t.directory
                    AND u.sequence > ?1))
            """)
        addConflict = change(
            """
            INSERT INTO conflicts (directory, kept_name, conflict_name, noticed, noticed_nanos)
            VALUES (?1, ?2, ?3, ?4, ?5)
            """)
        removeConflict = change("DELETE FROM conflicts WHERE number = ?1")
        setSetting = change(
            """
            INSERT INTO settings (key, value) VALUES (?1, ?2)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value
            """)
        removeSetting = change("DELETE FROM settings WHERE key = ?1")
    }
}
