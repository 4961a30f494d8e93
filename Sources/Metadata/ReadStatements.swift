// SPDX-License-Identifier: Apache-2.0
//
// The text of every query, in one place. A statement is prepared when it is first used and kept
// for the connection's life; a property is found without any search.

/// The queries of one connection. What is asked of them is in `MetadataReader`.
///
/// `@unchecked Sendable` because it belongs to a connection, which one thread at a time uses.
package final class ReadStatements: @unchecked Sendable {
    let inodes: InodeQueries
    let names: NameQueries
    let content: ContentQueries
    let publishing: PublishingQueries
    let integrity: IntegrityQueries
    let ahead: AheadQueries

    init(_ connection: SQLiteConnection) {
        inodes = InodeQueries(connection)
        names = NameQueries(connection)
        content = ContentQueries(connection)
        publishing = PublishingQueries(connection)
        integrity = IntegrityQueries(connection)
        ahead = AheadQueries(connection)
    }
}

/// Queries of inodes.
struct InodeQueries {
    let inode: SQLiteStatement
    let changedInodes: SQLiteStatement
    let orphans: SQLiteStatement
    let highestInode: SQLiteStatement
    let highestChange: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func query(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        inode = query("SELECT \(Columns.inode) FROM inodes WHERE ino = ?1")
        changedInodes = query(
            "SELECT \(Columns.inode) FROM inodes WHERE change > ?1 ORDER BY change LIMIT ?2")
        orphans = query("SELECT ino FROM inodes WHERE link_count = 0 ORDER BY ino")
        highestInode = query("SELECT max(ino) FROM inodes")
        highestChange = query(
            """
            SELECT max(ifnull((SELECT max(change) FROM inodes), 0),
                ifnull((SELECT max(sequence) FROM touched), 0))
            """)
    }
}

/// Queries of names in directories.
struct NameQueries {
    let dentry: SQLiteStatement
    let lookup: SQLiteStatement
    let nameByCookie: SQLiteStatement
    let entriesByCookie: SQLiteStatement
    let entriesWithInodes: SQLiteStatement
    let entriesFromName: SQLiteStatement
    let entriesBetweenNames: SQLiteStatement
    let anyEntry: SQLiteStatement
    let childDirectoryCount: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func query(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        dentry = query("SELECT \(Columns.item) FROM dentries WHERE parent = ?1 AND name = ?2")
        // CROSS JOIN keeps the order: the name first, then the inode by its key.
        lookup = query(
            """
            SELECT \(Columns.joinedInode) FROM dentries AS d CROSS JOIN inodes AS i
            ON i.ino = d.ino WHERE d.parent = ?1 AND d.name = ?2
            """)
        nameByCookie = query(
            """
            SELECT name FROM dentries INDEXED BY dentries_by_cookie
            WHERE parent = ?1 AND cookie = ?2
            """)
        entriesByCookie = query(
            """
            SELECT \(Columns.item) FROM dentries INDEXED BY dentries_by_cookie
            WHERE parent = ?1 AND cookie > ?2 ORDER BY cookie LIMIT ?3
            """)
        entriesWithInodes = query(
            """
            SELECT d.cookie, d.name, d.ino, d.kind, \(Columns.joinedInode)
            FROM dentries AS d INDEXED BY dentries_by_cookie CROSS JOIN inodes AS i
            ON i.ino = d.ino WHERE d.parent = ?1 AND d.cookie > ?2 ORDER BY d.cookie LIMIT ?3
            """)
        entriesFromName = query(
            """
            SELECT \(Columns.item) FROM dentries WHERE parent = ?1 AND name >= ?2
            ORDER BY name LIMIT ?3
            """)
        entriesBetweenNames = query(
            """
            SELECT \(Columns.item) FROM dentries WHERE parent = ?1 AND name >= ?2 AND name < ?4
            ORDER BY name LIMIT ?3
            """)
        anyEntry = query("SELECT 1 FROM dentries WHERE parent = ?1 LIMIT 1")
        childDirectoryCount = query(
            """
            SELECT count(*) FROM dentries INDEXED BY dentries_by_cookie
            WHERE parent = ?1 AND kind = ?2
            """)
    }
}

/// Queries of content, extended attributes and scratchpads.
struct ContentQueries {
    let inline: SQLiteStatement
    let content: SQLiteStatement
    let dirtyFiles: SQLiteStatement
    let blockGroup: SQLiteStatement
    let blockGroupRange: SQLiteStatement
    let allBlockGroups: SQLiteStatement
    let journal: SQLiteStatement
    let xattr: SQLiteStatement
    let xattrNames: SQLiteStatement
    let xattrs: SQLiteStatement
    let pad: SQLiteStatement
    let padByIdentity: SQLiteStatement
    let pads: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func query(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        inline = query("SELECT bytes FROM inlines WHERE ino = ?1")
        content = query(
            """
            SELECT size, modified, modified_nanos, base_limit, dirty, generation, segments
            FROM contents WHERE ino = ?1
            """)
        dirtyFiles = query("SELECT ino FROM contents WHERE dirty = 1 ORDER BY ino")
        blockGroup = query("SELECT map FROM block_groups WHERE ino = ?1 AND block_group = ?2")
        blockGroupRange = query(
            """
            SELECT block_group, map FROM block_groups
            WHERE ino = ?1 AND block_group >= ?2 AND block_group < ?3 ORDER BY block_group
            LIMIT ?4
            """)
        allBlockGroups = query("SELECT ino, block_group, map FROM block_groups")
        journal = query("SELECT ino, piece, bytes FROM journal ORDER BY ino, piece")
        xattr = query("SELECT value FROM xattrs WHERE ino = ?1 AND name = ?2")
        xattrNames = query("SELECT name FROM xattrs WHERE ino = ?1 ORDER BY name")
        xattrs = query("SELECT name, value FROM xattrs WHERE ino = ?1 ORDER BY name")
        pad = query("SELECT \(Columns.pad) FROM pads WHERE ino = ?1")
        padByIdentity = query("SELECT \(Columns.pad) FROM pads WHERE identity = ?1")
        pads = query("SELECT \(Columns.pad) FROM pads ORDER BY ino")
    }
}

/// Queries of pages, touched names, conflicts and settings.
struct PublishingQueries {
    let page: SQLiteStatement
    let leaves: SQLiteStatement
    let touched: SQLiteStatement
    let touchedDirectories: SQLiteStatement
    let touchedIn: SQLiteStatement
    let conflicts: SQLiteStatement
    let setting: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        func query(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        page = query("SELECT reference FROM pages WHERE directory = ?1")
        leaves = query(
            """
            SELECT first, reference, entry_count FROM leaves WHERE directory = ?1 ORDER BY first
            """)
        touched = query(
            """
            SELECT directory, name FROM touched WHERE sequence <= ?1 ORDER BY directory, name
            """)
        touchedDirectories = query(
            "SELECT DISTINCT directory FROM touched WHERE sequence <= ?1 ORDER BY directory")
        touchedIn = query(
            "SELECT name FROM touched WHERE directory = ?1 AND sequence <= ?2 ORDER BY name")
        conflicts = query(
            """
            SELECT number, directory, kept_name, conflict_name, noticed, noticed_nanos
            FROM conflicts ORDER BY number
            """)
        setting = query("SELECT value FROM settings WHERE key = ?1")
    }
}

/// The columns of rows that are read as a whole, in the order their readers count.
enum Columns {
    /// As `InodeRow.init(from:at:)` reads them and `InodeRow.bind(to:)` writes them.
    private static let inodeNames = [
        "ino", "kind", "mode", "uid", "gid", "size", "link_count", "device", "accessed",
        "modified", "changed", "created", "accessed_modified_nanos", "changed_created_nanos",
        "parent", "cookie", "change", "allocated", "form", "flags",
    ]

    static let inode = inodeNames.joined(separator: ", ")
    static let joinedInode = inodeNames.map { "i.\($0)" }.joined(separator: ", ")
    static let inodeParameters = inodeNames.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    static let inodeAssignments = inodeNames.indices.dropFirst()
        .map { "\(inodeNames[$0]) = ?\($0 + 1)" }.joined(separator: ", ")

    /// As `DirectoryItem.init(from:)` reads them.
    static let item = "cookie, name, ino, kind"

    /// As `PadRow.init(from:)` reads them.
    static let pad = """
        ino, identity, scheme, address, encoding, counter, flags, published_digest, pending_record
        """
}
