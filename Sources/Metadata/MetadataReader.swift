// SPDX-License-Identifier: Apache-2.0
//
// What can be asked about inodes and names. MetadataReader+Content.swift and
// MetadataReader+Publishing.swift have the rest. Written once, for the live state and for
// snapshots.

import Namespace

/// Something that answers questions about one state of the database: `MetadataWriter` about the
/// live state with everything not yet committed, `MetadataSnapshot` about a committed one.
///
/// Every method throws `MetadataError`: `.corrupt` for a row that can not be right, else what the
/// disk did. None takes longer than its answer is long.
package protocol MetadataReader: ~Copyable {
    /// The queries of the connection that is asked. Not for use elsewhere.
    var readStatements: ReadStatements { get }
}

extension MetadataReader where Self: ~Copyable {
    // MARK: Inodes

    /// The inode with this number; nil if there is none.
    package func inode(_ ino: UInt64) throws(MetadataError) -> InodeRow? {
        let query = try readStatements.inodes.inode.begin()
        defer { query.reset() }
        query.bind(1, ino)
        return try query.step() ? try InodeRow(from: query, at: 0) : nil
    }

    /// Inodes whose `change` is larger, in its order: what has changed since a publish.
    ///
    /// - Parameter limit: the most that is given; ask again after the last one's `change`, unless
    ///   several inodes may share one, in which case `limit` must be large enough for those.
    package func changedInodes(
        after change: UInt64, limit: Int
    ) throws(MetadataError) -> [InodeRow] {
        let query = try readStatements.inodes.changedInodes.begin()
        defer { query.reset() }
        query.bind(1, Int64(clamping: change))
        query.bind(2, Int64(limit))
        var rows: [InodeRow] = []
        while try query.step() { rows.append(try InodeRow(from: query, at: 0)) }
        return rows
    }

    /// Inodes without a name, in the order of their numbers: what a crash left of open files.
    package func orphans() throws(MetadataError) -> [UInt64] {
        let query = try readStatements.inodes.orphans.begin()
        defer { query.reset() }
        return try query.allNumbers()
    }

    /// The largest number of an inode; 0 if there are none.
    package func highestInode() throws(MetadataError) -> UInt64 {
        let query = try readStatements.inodes.highestInode.begin()
        defer { query.reset() }
        return try query.step() ? query.uint64(0) : 0
    }

    /// The largest number of a change that an inode or a touched name has; 0 if there is none.
    package func highestChange() throws(MetadataError) -> UInt64 {
        let query = try readStatements.inodes.highestChange.begin()
        defer { query.reset() }
        return try query.step() ? query.uint64(0) : 0
    }

    // MARK: Names

    /// The entry of this name; nil if there is none.
    package func dentry(
        parent: UInt64, name: [UInt8]
    ) throws(MetadataError) -> DirectoryItem? {
        let query = try readStatements.names.dentry.begin()
        defer { query.reset() }
        query.bind(1, parent)
        try query.bind(2, name)
        return try query.step() ? try DirectoryItem(from: query) : nil
    }

    /// The inode this name leads to; nil if there is none. One search, not two.
    package func lookup(parent: UInt64, name: [UInt8]) throws(MetadataError) -> InodeRow? {
        let query = try readStatements.names.lookup.begin()
        defer { query.reset() }
        query.bind(1, parent)
        try query.bind(2, name)
        return try query.step() ? try InodeRow(from: query, at: 0) : nil
    }

    /// The name with this cookie; nil if it is gone.
    package func name(parent: UInt64, cookie: UInt64) throws(MetadataError) -> [UInt8]? {
        let query = try readStatements.names.nameByCookie.begin()
        defer { query.reset() }
        query.bind(1, parent)
        query.bind(2, cookie)
        return try query.step() ? query.blob(0) : nil
    }

    /// Entries of a directory in the order of their cookies.
    ///
    /// - Parameters:
    ///   - cookie: the last one already seen; 0 for the start. Any number is allowed.
    ///   - limit: the most that is given; fewer means the end was reached.
    package func entries(
        parent: UInt64, after cookie: UInt64, limit: Int
    ) throws(MetadataError) -> [DirectoryItem] {
        let query = try readStatements.names.entriesByCookie.begin()
        defer { query.reset() }
        query.bind(1, parent)
        query.bind(2, Int64(clamping: cookie))
        query.bind(3, Int64(limit))
        return try query.allItems()
    }

    /// Entries as `entries(parent:after:limit:)` gives them, each with its inode: for readdirplus.
    package func entriesWithInodes(
        parent: UInt64, after cookie: UInt64, limit: Int
    ) throws(MetadataError) -> [(DirectoryItem, InodeRow)] {
        let query = try readStatements.names.entriesWithInodes.begin()
        defer { query.reset() }
        query.bind(1, parent)
        query.bind(2, Int64(clamping: cookie))
        query.bind(3, Int64(limit))
        var pairs: [(DirectoryItem, InodeRow)] = []
        while try query.step() {
            let item = try DirectoryItem(from: query)
            pairs.append((item, try InodeRow(from: query, at: DirectoryItem.columnCount)))
        }
        return pairs
    }

    /// Entries of a directory in the order of their names' bytes: one page's run.
    ///
    /// - Parameters:
    ///   - name: the first that may be given; empty for the start.
    ///   - end: the first that is not given any more; nil for none.
    ///   - limit: the most that is given.
    package func entries(
        parent: UInt64, from name: [UInt8], before end: [UInt8]?, limit: Int
    ) throws(MetadataError) -> [DirectoryItem] {
        let statement =
            end == nil
            ? readStatements.names.entriesFromName : readStatements.names.entriesBetweenNames
        let query = try statement.begin()
        defer { query.reset() }
        query.bind(1, parent)
        try query.bind(2, name)
        query.bind(3, Int64(limit))
        if let end { try query.bind(4, end) }
        return try query.allItems()
    }

    /// Whether a directory has no entries.
    package func isEmpty(_ parent: UInt64) throws(MetadataError) -> Bool {
        let query = try readStatements.names.anyEntry.begin()
        defer { query.reset() }
        query.bind(1, parent)
        return try !query.step()
    }

    /// Entries of a directory that are directories. Reads the whole listing: keep the answer.
    package func childDirectoryCount(_ parent: UInt64) throws(MetadataError) -> Int {
        let query = try readStatements.names.childDirectoryCount.begin()
        defer { query.reset() }
        query.bind(1, parent)
        query.bind(2, Int64(FileKind.directory.rawValue))
        return try query.step() ? Int(query.int64(0)) : 0
    }
}

extension SQLiteStatement {
    /// The first column of all rows, as unsigned numbers.
    func allNumbers() throws(MetadataError) -> [UInt64] {
        var numbers: [UInt64] = []
        while try step() { numbers.append(uint64(0)) }
        return numbers
    }

    /// The first column of all rows, as bytes.
    func allBlobs() throws(MetadataError) -> [[UInt8]] {
        var blobs: [[UInt8]] = []
        while try step() { blobs.append(blob(0)) }
        return blobs
    }

    /// All rows, as entries.
    fileprivate func allItems() throws(MetadataError) -> [DirectoryItem] {
        var items: [DirectoryItem] = []
        while try step() { items.append(try DirectoryItem(from: self)) }
        return items
    }
}
