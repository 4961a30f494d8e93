// SPDX-License-Identifier: Apache-2.0
//
// The text of the queries that look at every row: for a check of the whole database, never for the
// work of a mount. All of them walk a table or an index once.

/// Queries of a check.
struct IntegrityQueries {
    /// Most lines that SQLite's check gives.
    private static let structureLimit = 100

    /// SQLite's own check: pages, indexes, and the types of columns. At most 100 lines.
    let structure: SQLiteStatement
    let inodes: SQLiteStatement
    let inodeCount: SQLiteStatement
    let unloadedCount: SQLiteStatement
    let namesByInode: SQLiteStatement
    let namesByParent: SQLiteStatement
    let names: SQLiteStatement
    let inlines: SQLiteStatement
    let missingInlines: SQLiteStatement
    let attributes: SQLiteStatement
    /// The numbers of one table's rows, each once.
    let owners: [IntegrityTable: SQLiteStatement]
    /// Those of them that no inode has.
    let strays: [IntegrityTable: SQLiteStatement]

    init(_ connection: SQLiteConnection) {
        func query(_ sql: String) -> SQLiteStatement { SQLiteStatement(connection, sql) }

        structure = query("PRAGMA integrity_check(\(Self.structureLimit))")
        inodes = query("SELECT \(Columns.inode) FROM inodes ORDER BY ino")
        inodeCount = query("SELECT count(*) FROM inodes")
        // Bit 1 of the flags: the entries are here.
        unloadedCount = query("SELECT count(*) FROM inodes WHERE kind = 2 AND flags & 2 = 0")
        // Sorted by SQLite, on the disk when there are many: no index has names by inode.
        namesByInode = query(
            """
            SELECT ino, count(*) FROM dentries WHERE parent <> 0 GROUP BY ino ORDER BY ino
            """)
        namesByParent = query(
            """
            SELECT parent, count(*), sum(kind = 2) FROM dentries INDEXED BY dentries_by_cookie
            GROUP BY parent ORDER BY parent
            """)
        names = query(
            """
            SELECT d.parent, d.name, d.ino, d.kind, i.kind, p.kind FROM dentries AS d
            LEFT JOIN inodes AS i ON i.ino = d.ino LEFT JOIN inodes AS p ON p.ino = d.parent
            ORDER BY d.parent, d.name
            """)
        inlines = query(
            """
            SELECT n.ino, n.bytes, i.size FROM inlines AS n JOIN inodes AS i ON i.ino = n.ino
            ORDER BY n.ino
            """)
        missingInlines = query(
            """
            SELECT i.ino FROM inodes AS i LEFT JOIN inlines AS n ON n.ino = i.ino
            WHERE i.form = 1 AND i.size > 0 AND n.ino IS NULL ORDER BY i.ino
            """)
        attributes = query("SELECT ino, name, length(value) FROM xattrs ORDER BY ino, name")
        owners = Dictionary(
            uniqueKeysWithValues: IntegrityTable.allCases.map { table in
                (
                    table,
                    query(
                        "SELECT DISTINCT \(table.key) FROM \(table.rawValue) ORDER BY \(table.key)")
                )
            })
        strays = Dictionary(
            uniqueKeysWithValues: IntegrityTable.allCases.map { table in
                (
                    table,
                    query(
                        """
                        SELECT DISTINCT t.\(table.key) FROM \(table.rawValue) AS t
                        LEFT JOIN inodes AS i ON i.ino = t.\(table.key)
                        WHERE i.ino IS NULL AND t.\(table.key) <> 0 \(table.exception)
                        ORDER BY t.\(table.key)
                        """)
                )
            })
    }
}

/// The tables whose rows belong to inodes.
package enum IntegrityTable: String, Sendable, CaseIterable {
    case inlines, contents, xattrs, pads, pages, leaves, journal
    case blockGroups = "block_groups"

    /// The column that names the inode. 0 stands for the hard-link table, which has none.
    fileprivate var key: String {
        switch self {
        case .pages, .leaves: "directory"
        case .inlines, .contents, .xattrs, .pads, .blockGroups, .journal: "ino"
        }
    }

    /// Rows without an inode that have a right to be there: the leaves of a directory that was
    /// removed since the last publication.
    fileprivate var exception: String {
        switch self {
        case .leaves:
            "AND NOT EXISTS (SELECT 1 FROM touched AS u WHERE u.directory = t.directory)"
        default: ""
        }
    }
}
