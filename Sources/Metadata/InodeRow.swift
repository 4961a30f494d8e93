// SPDX-License-Identifier: Apache-2.0
//
// One inode as the database holds it, and what a directory listing gives.

package import Namespace

/// Where the content of an inode is. The raw values are stored; they never change.
package enum StorageForm: UInt8, Sendable, Hashable, CaseIterable {
    /// There is none: directories and special files.
    case none = 0
    /// In the table of inline content: small files, and the targets of symbolic links.
    case inline = 1
    /// In the arena and in data maps: `StoredContent` and the block groups.
    case blocks = 2
    /// A scratchpad: its plaintext is inline, its record is a `PadRow`.
    case pad = 3
}

/// One inode.
///
/// Unsigned numbers are stored as the bit patterns of SQLite's signed ones: all are kept whole, but
/// what is searched by order (`change`, cookies) must stay below 2^63.
package struct InodeRow: Sendable, Equatable {
    /// Its number, stable for the life of the volume.
    package var ino: UInt64
    /// What sort of thing it is.
    package var kind: FileKind
    /// Mode, owner and times.
    package var attributes: FileAttributes
    /// Bytes.
    package var size: UInt64
    /// Names that lead here; 0 for an orphan, which only open handles still reach.
    package var linkCount: UInt32
    /// For device files, the number of the device; else 0.
    package var device: UInt64
    /// The directory of its name, or of one of its names; 0 for none.
    package var parent: UInt64
    /// The cookie of that name in `parent`.
    package var cookie: UInt64
    /// When it last changed, in the engine's own count, which only grows.
    package var change: UInt64
    /// Where its content is.
    package var form: StorageForm
    /// It is published in the hard-link table, because it has or had several names.
    package var isHardLinked: Bool
    /// For directories: the entries are in this database.
    package var isLoaded: Bool
    /// Bytes taken by the content, for `st_blocks`.
    package var allocated: UInt64
    /// Its stored content is older than its name: it was renamed over another file while newer
    /// bytes were not stored. Until they are, a revision has there what it had before.
    package var isContentHeld: Bool
    /// Its stored content is another file's: it is a copy of what was not all stored, and has the
    /// other's data maps below blocks of its own. Until these are stored too, nothing is.
    package var isContentBorrowed: Bool

    package init(
        ino: UInt64, kind: FileKind, attributes: FileAttributes, size: UInt64 = 0,
        linkCount: UInt32 = 1, device: UInt64 = 0, parent: UInt64 = 0, cookie: UInt64 = 0,
        change: UInt64 = 0, form: StorageForm = .none, isHardLinked: Bool = false,
        isLoaded: Bool = false, allocated: UInt64 = 0, isContentHeld: Bool = false,
        isContentBorrowed: Bool = false
    ) {
        self.ino = ino
        self.kind = kind
        self.attributes = attributes
        self.size = size
        self.linkCount = linkCount
        self.device = device
        self.parent = parent
        self.cookie = cookie
        self.change = change
        self.form = form
        self.isHardLinked = isHardLinked
        self.isLoaded = isLoaded
        self.allocated = allocated
        self.isContentHeld = isContentHeld
        self.isContentBorrowed = isContentBorrowed
    }
}

/// One name in one directory.
package struct DirectoryItem: Sendable, Hashable {
    /// Its place in the listing: larger than that of every name made before it, and never given
    /// again, so that a reader who stops and goes on sees no name twice and misses none that stays.
    package var cookie: UInt64
    /// The bytes of the name.
    package var name: [UInt8]
    /// The inode it leads to.
    package var ino: UInt64
    /// The kind of that inode.
    package var kind: FileKind

    package init(cookie: UInt64, name: [UInt8], ino: UInt64, kind: FileKind) {
        self.cookie = cookie
        self.name = name
        self.ino = ino
        self.kind = kind
    }
}

extension InodeRow {
    /// Bits of the column `flags`; the values are stored.
    private static let hardLinkedFlag: Int64 = 1
    private static let loadedFlag: Int64 = 2
    private static let contentHeldFlag: Int64 = 4
    private static let contentBorrowedFlag: Int64 = 8

    /// Reads the columns of the present row from `first` on.
    init(from row: SQLiteStatement, at first: Int32) throws(MetadataError) {
        guard let kind = FileKind(rawValue: UInt8(truncatingIfNeeded: row.int64(first + 1))),
            let form = StorageForm(rawValue: UInt8(truncatingIfNeeded: row.int64(first + 18)))
        else { throw .corrupt("an inode's kind or form") }
        let openedNanos = row.uint64(first + 12)
        let madeNanos = row.uint64(first + 13)
        let flags = row.int64(first + 19)
        self.init(
            ino: row.uint64(first),
            kind: kind,
            attributes: FileAttributes(
                mode: UInt32(truncatingIfNeeded: row.int64(first + 2)),
                uid: UInt32(truncatingIfNeeded: row.int64(first + 3)),
                gid: UInt32(truncatingIfNeeded: row.int64(first + 4)),
                accessed: try Timestamp(row.int64(first + 8), nanos: openedNanos >> 32),
                modified: try Timestamp(row.int64(first + 9), nanos: openedNanos & 0xffff_ffff),
                changed: try Timestamp(row.int64(first + 10), nanos: madeNanos >> 32),
                created: try Timestamp(row.int64(first + 11), nanos: madeNanos & 0xffff_ffff)),
            size: row.uint64(first + 5),
            linkCount: UInt32(truncatingIfNeeded: row.int64(first + 6)),
            device: row.uint64(first + 7),
            parent: row.uint64(first + 14),
            cookie: row.uint64(first + 15),
            change: row.uint64(first + 16),
            form: form,
            isHardLinked: flags & Self.hardLinkedFlag != 0,
            isLoaded: flags & Self.loadedFlag != 0,
            allocated: row.uint64(first + 17),
            isContentHeld: flags & Self.contentHeldFlag != 0,
            isContentBorrowed: flags & Self.contentBorrowedFlag != 0)
    }

    /// Binds all columns to the parameters from 1 on, in the order that `Columns.inode` and
    /// `init(from:at:)` have.
    func bind(to statement: SQLiteStatement) {
        let columns: [20 of Int64] = [
            Int64(bitPattern: ino),
            Int64(kind.rawValue),
            Int64(attributes.mode),
            Int64(attributes.uid),
            Int64(attributes.gid),
            Int64(bitPattern: size),
            Int64(linkCount),
            Int64(bitPattern: device),
            attributes.accessed.seconds,
            attributes.modified.seconds,
            attributes.changed.seconds,
            attributes.created.seconds,
            // Two counts of nanoseconds share a column: seconds keep their whole range that way,
            // and a row has two columns fewer to be taken apart at every read.
            attributes.accessed.packedNanos(with: attributes.modified),
            attributes.changed.packedNanos(with: attributes.created),
            Int64(bitPattern: parent),
            Int64(bitPattern: cookie),
            Int64(bitPattern: change),
            Int64(bitPattern: allocated),
            Int64(form.rawValue),
            (isHardLinked ? Self.hardLinkedFlag : 0) | (isLoaded ? Self.loadedFlag : 0)
                | (isContentHeld ? Self.contentHeldFlag : 0)
                | (isContentBorrowed ? Self.contentBorrowedFlag : 0),
        ]
        statement.bind(columns.span)
    }
}

extension DirectoryItem {
    /// Columns a listing reads: cookie, name, ino, kind.
    static let columnCount: Int32 = 4

    /// Reads cookie, name, ino and kind of the present row.
    init(from row: SQLiteStatement) throws(MetadataError) {
        guard let kind = FileKind(rawValue: UInt8(truncatingIfNeeded: row.int64(3))) else {
            throw .corrupt("an entry's kind")
        }
        self.init(cookie: row.uint64(0), name: row.blob(1), ino: row.uint64(2), kind: kind)
    }
}

extension Timestamp {
    /// A stored moment; a second has fewer nanoseconds than a damaged row may say.
    init(_ seconds: Int64, nanos: UInt64) throws(MetadataError) {
        guard nanos < UInt64(Timestamp.nanosecondsPerSecond) else {
            throw .corrupt("a time's nanoseconds")
        }
        self.init(seconds: seconds, nanoseconds: UInt32(nanos))
    }

    /// This moment's nanoseconds in the upper half, the other's in the lower.
    fileprivate func packedNanos(with other: Timestamp) -> Int64 {
        Int64(nanoseconds) << 32 | Int64(other.nanoseconds)
    }
}
