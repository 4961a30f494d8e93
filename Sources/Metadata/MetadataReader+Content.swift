// SPDX-License-Identifier: Apache-2.0
//
// What can be asked about content: inline bytes, stored content, block groups, attributes, pads.

package import Namespace
import Scratchpads

extension MetadataReader where Self: ~Copyable {
    // MARK: Content

    /// The inline content of an inode, or the target of a symbolic link; nil if it has none.
    package func inline(_ ino: UInt64) throws(MetadataError) -> [UInt8]? {
        let query = try readStatements.content.inline.begin()
        defer { query.reset() }
        query.bind(1, ino)
        return try query.step() ? query.blob(0) : nil
    }

    /// The stored content of a file; nil if it has none.
    package func content(_ ino: UInt64) throws(MetadataError) -> StoredContent? {
        let query = try readStatements.content.content.begin()
        defer { query.reset() }
        query.bind(1, ino)
        guard try query.step() else { return nil }
        return StoredContent(
            segments: try StoredContent.segments(decoding: query.blob(6)),
            size: query.uint64(0),
            modified: try Timestamp(query.int64(1), nanos: query.uint64(2)),
            baseLimit: query.uint64(3),
            isDirty: query.int64(4) != 0,
            generation: query.uint64(5))
    }

    /// Files whose stored content is marked dirty, in the order of their numbers.
    package func dirtyFiles() throws(MetadataError) -> [UInt64] {
        let query = try readStatements.content.dirtyFiles.begin()
        defer { query.reset() }
        return try query.allNumbers()
    }

    /// The map of one block group; nil if it was never set.
    package func blockGroup(_ ino: UInt64, _ group: UInt64) throws(MetadataError) -> [UInt8]? {
        let query = try readStatements.content.blockGroup.begin()
        defer { query.reset() }
        query.bind(1, ino)
        query.bind(2, group)
        return try query.step() ? query.blob(0) : nil
    }

    /// The block groups of a file in a range, in order, at most `limit`; those never set are left
    /// out.
    package func blockGroups(
        _ ino: UInt64, in range: Range<UInt64>, limit: Int = .max
    ) throws(MetadataError) -> [(UInt64, [UInt8])] {
        let query = try readStatements.content.blockGroupRange.begin()
        defer { query.reset() }
        query.bind(1, ino)
        query.bind(2, Int64(clamping: range.lowerBound))
        query.bind(3, Int64(clamping: range.upperBound))
        query.bind(4, Int64(limit))
        var groups: [(UInt64, [UInt8])] = []
        while try query.step() { groups.append((query.uint64(0), query.blob(1))) }
        return groups
    }

    /// Shows every block group of every file, in the order of files and groups.
    ///
    /// - Parameter body: must not change block groups, nor begin this walk again.
    package func forEachBlockGroup(
        _ body: (BlockGroupRow) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try readStatements.content.allBlockGroups.begin()
        defer { query.reset() }
        while try query.step() {
            try body(
                BlockGroupRow(ino: query.uint64(0), group: query.uint64(1), map: query.blob(2)))
        }
    }

    /// Shows every piece the journal has, in the order of files and pieces.
    ///
    /// - Parameter body: must not change the journal, nor begin this walk again.
    package func forEachJournalPiece(
        _ body: (JournalPieceRow) throws(MetadataError) -> Void
    ) throws(MetadataError) {
        let query = try readStatements.content.journal.begin()
        defer { query.reset() }
        while try query.step() {
            try body(
                JournalPieceRow(
                    ino: query.uint64(0), piece: query.uint64(1), bytes: query.blob(2)))
        }
    }

    // MARK: Extended attributes

    /// The value of one extended attribute; nil if the inode has none of that name.
    package func xattr(_ ino: UInt64, _ name: [UInt8]) throws(MetadataError) -> [UInt8]? {
        let query = try readStatements.content.xattr.begin()
        defer { query.reset() }
        query.bind(1, ino)
        try query.bind(2, name)
        return try query.step() ? query.blob(0) : nil
    }

    /// The names of an inode's extended attributes, in the order of their bytes.
    package func xattrNames(_ ino: UInt64) throws(MetadataError) -> [[UInt8]] {
        let query = try readStatements.content.xattrNames.begin()
        defer { query.reset() }
        query.bind(1, ino)
        return try query.allBlobs()
    }

    /// An inode's extended attributes, in the order of their names' bytes.
    package func xattrs(_ ino: UInt64) throws(MetadataError) -> [ExtendedAttribute] {
        let query = try readStatements.content.xattrs.begin()
        defer { query.reset() }
        query.bind(1, ino)
        var attributes: [ExtendedAttribute] = []
        while try query.step() {
            attributes.append(ExtendedAttribute(name: query.blob(0), value: query.blob(1)))
        }
        return attributes
    }

    // MARK: Scratchpads

    /// The scratchpad an inode shows; nil if it shows none.
    package func pad(_ ino: UInt64) throws(MetadataError) -> PadRow? {
        let query = try readStatements.content.pad.begin()
        defer { query.reset() }
        query.bind(1, ino)
        return try query.step() ? try PadRow(from: query) : nil
    }

    /// The scratchpad with this identity; nil if no inode shows it.
    package func pad(identity: [UInt8]) throws(MetadataError) -> PadRow? {
        let query = try readStatements.content.padByIdentity.begin()
        defer { query.reset() }
        try query.bind(1, identity)
        return try query.step() ? try PadRow(from: query) : nil
    }

    /// All scratchpads, in the order of their inodes, pending records included.
    package func pads() throws(MetadataError) -> [PadRow] {
        let query = try readStatements.content.pads.begin()
        defer { query.reset() }
        var rows: [PadRow] = []
        while try query.step() { rows.append(try PadRow(from: query)) }
        return rows
    }
}

extension PadRow {
    /// Bit of the column `flags`; stored.
    static let localOnlyFlag: Int64 = 1

    /// Reads the columns `Columns.pad` names.
    fileprivate init(from row: SQLiteStatement) throws(MetadataError) {
        guard let scheme = SignatureSchemeID(rawValue: UInt8(truncatingIfNeeded: row.int64(2))),
            let address = PadAddress(scheme: scheme, bytes: row.blob(3))
        else { throw .corrupt("a scratchpad's address") }
        self.init(
            ino: row.uint64(0), identity: row.blob(1), address: address,
            encoding: row.uint64(4), counter: row.uint64(5),
            publishedDigest: row.isNull(7) ? nil : row.blob(7),
            pendingRecord: row.isNull(8) ? nil : row.blob(8),
            isLocalOnly: row.int64(6) & Self.localOnlyFlag != 0)
    }
}
