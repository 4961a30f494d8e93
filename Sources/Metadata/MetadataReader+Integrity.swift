// SPDX-License-Identifier: Apache-2.0
//
// What a check of the whole database asks: every row once, in the order of its key, however many
// there are. Nothing is gathered here; what a row means is decided by who asks.

package import Namespace

/// One inode with what the names say of it.
package struct InodeFacts: Sendable {
    /// Its number.
    package let ino: UInt64
    /// Its row; nil where there is none although names lead here, or where it does not decode.
    package let row: InodeRow?
    /// A row is there, decoded or not.
    package let exists: Bool
    /// Names that lead to it, those of the hard-link table left out.
    package let nameCount: UInt64
    /// Names in it, if it is a directory.
    package let entryCount: UInt64
    /// Those of them that are directories.
    package let childDirectoryCount: UInt64
}

/// One name with what the inodes say of it.
package struct NameFacts: Sendable, Hashable {
    /// The directory it is in; 0 for the hard-link table.
    package let parent: UInt64
    /// The bytes of the name.
    package let name: [UInt8]
    /// The inode it leads to.
    package let ino: UInt64
    /// The kind that the name's row says.
    package let kind: FileKind?
    /// The kind that the inode's row says; nil if there is no such inode.
    package let inodeKind: FileKind?
    /// The kind of the directory; nil if there is no such inode.
    package let parentKind: FileKind?
}

/// A row of inline content, as it was sealed.
package struct InlineFacts: Sendable {
    /// The inode.
    package let ino: UInt64
    /// What was set.
    package let sealed: [UInt8]
    /// The bytes that the inode's row says the content has.
    package let size: UInt64
}

extension MetadataReader where Self: ~Copyable {
    /// What SQLite finds wrong with the database file itself, a line each; empty for a sound one.
    ///
    /// At most 100 lines, without names or values. Reads the whole file.
    package func structuralProblems() throws(MetadataError) -> [String] {
        let query = try readStatements.integrity.structure.begin()
        defer { query.reset() }
        var lines: [String] = []
        while try query.step() {
            let line = query.text(0)
            if line != "ok" { lines.append(line) }
        }
        return lines
    }

    /// How many inodes there are.
    package func inodeCount() throws(MetadataError) -> UInt64 {
        let query = try readStatements.integrity.inodeCount.begin()
        defer { query.reset() }
        return try query.step() ? query.uint64(0) : 0
    }

    /// How many directories have names that are not in this database.
    package func unloadedDirectoryCount() throws(MetadataError) -> UInt64 {
        let query = try readStatements.integrity.unloadedCount.begin()
        defer { query.reset() }
        return try query.step() ? query.uint64(0) : 0
    }

    /// Shows every inode that has a row, or a name that leads to it.
    ///
    /// Three sorted walks side by side. A row that does not decode is shown without its columns.
    ///
    /// - Parameter body: must not begin this walk again.
    package func forEachInode(
        _ body: (InodeFacts) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let rows = try readStatements.integrity.inodes.begin()
        defer { rows.reset() }
        let names = try readStatements.integrity.namesByInode.begin()
        defer { names.reset() }
        let entries = try readStatements.integrity.namesByParent.begin()
        defer { entries.reset() }
        var hasRow = try rows.step()
        var hasNames = try names.step()
        var hasEntries = try entries.step()
        while hasRow || hasNames {
            let ino = min(
                hasRow ? rows.uint64(0) : UInt64.max, hasNames ? names.uint64(0) : UInt64.max)
            let exists = hasRow && rows.uint64(0) == ino
            var row: InodeRow?
            if exists {
                do throws(MetadataError) {
                    row = try InodeRow(from: rows, at: 0)
                } catch {
                    guard case .corrupt = error else { throw error }
                }
            }
            while hasEntries, entries.uint64(0) < ino { hasEntries = try entries.step() }
            let ownsEntries = hasEntries && entries.uint64(0) == ino
            let isNamed = hasNames && names.uint64(0) == ino
            try body(
                InodeFacts(
                    ino: ino, row: row, exists: exists,
                    nameCount: isNamed ? names.uint64(1) : 0,
                    entryCount: ownsEntries ? entries.uint64(1) : 0,
                    childDirectoryCount: ownsEntries ? entries.uint64(2) : 0))
            if exists { hasRow = try rows.step() }
            if isNamed { hasNames = try names.step() }
        }
    }

    /// Shows every name, by directory and then by name.
    ///
    /// - Parameter body: must not begin this walk again.
    package func forEachName(
        _ body: (NameFacts) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try readStatements.integrity.names.begin()
        defer { query.reset() }
        func kind(_ column: Int32) -> FileKind? {
            query.isNull(column)
                ? nil : FileKind(rawValue: UInt8(truncatingIfNeeded: query.int64(column)))
        }
        while try query.step() {
            try body(
                NameFacts(
                    parent: query.uint64(0), name: query.blob(1), ino: query.uint64(2),
                    kind: kind(3), inodeKind: kind(4), parentKind: kind(5)))
        }
    }

    /// Shows every row of inline content whose inode is there.
    ///
    /// - Parameter body: must not begin this walk again.
    package func forEachInline(
        _ body: (InlineFacts) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try readStatements.integrity.inlines.begin()
        defer { query.reset() }
        while try query.step() {
            try body(
                InlineFacts(ino: query.uint64(0), sealed: query.blob(1), size: query.uint64(2)))
        }
    }

    /// Shows every inode in the form `inline` that has bytes, by its size, and no row of them.
    ///
    /// - Parameter body: must not begin this walk again.
    package func forEachMissingInline(
        _ body: (UInt64) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        try forEachNumber(readStatements.integrity.missingInlines, body)
    }

    /// Shows every extended attribute: its inode, its name, and the bytes of its value.
    ///
    /// - Parameter body: must not begin this walk again.
    package func forEachAttribute(
        _ body: (UInt64, [UInt8], UInt64) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try readStatements.integrity.attributes.begin()
        defer { query.reset() }
        while try query.step() {
            try body(query.uint64(0), query.blob(1), query.uint64(2))
        }
    }

    /// Shows the number of every inode that a table has rows of, each once; 0 for the hard-link
    /// table.
    ///
    /// - Parameter body: must not begin the walk of this table again.
    package func forEachOwner(
        in table: IntegrityTable, _ body: (UInt64) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        guard let statement = readStatements.integrity.owners[table] else { return }
        try forEachNumber(statement, body)
    }

    /// Shows the number of every inode that a table has rows of and that is not there itself.
    ///
    /// - Parameter body: must not begin the walk of this table again.
    package func forEachStray(
        in table: IntegrityTable, _ body: (UInt64) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        guard let statement = readStatements.integrity.strays[table] else { return }
        try forEachNumber(statement, body)
    }

    private func forEachNumber(
        _ statement: SQLiteStatement, _ body: (UInt64) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try statement.begin()
        defer { query.reset() }
        while try query.step() { try body(query.uint64(0)) }
    }
}
