// SPDX-License-Identifier: Apache-2.0
//
// The head of a volume: the plaintext of its root pad.

/// What is in a volume, for `statfs` and `cairn info`.
package struct Totals: Hashable, Sendable {
    /// Inodes that are not directories.
    package var fileCount: UInt64
    /// Directories, `files/` and `scratchpads/` included.
    package var directoryCount: UInt64
    /// Sizes of all regular files and pads together, holes included.
    package var byteCount: UInt64

    package init(fileCount: UInt64, directoryCount: UInt64, byteCount: UInt64) {
        self.fileCount = fileCount
        self.directoryCount = directoryCount
        self.byteCount = byteCount
    }
}

/// One published state of a volume: everything a fresh machine needs besides the secret.
package struct Root: Hashable, Sendable {
    /// The version this root is written in; readers refuse others.
    package var formatVersion: UInt16
    /// The volume's name for itself, `volumeIDSize` bytes, derived from the secret.
    package var volumeID: [UInt8]
    /// The state's number: the counter of the root pad.
    package var revision: UInt64
    /// The directory `files/`.
    package var files: Entry
    /// The directory `scratchpads/`.
    package var scratchpads: Entry
    /// The hard-link table's tree; nil when no inode has a second name.
    package var hardLinks: PageReference?
    /// What the volume holds.
    package var totals: Totals
    /// The next inode number to give out; larger than any in use.
    package var nextInode: UInt64
    /// The machine that published, as its owner named it.
    package var device: String
    /// When it published, by its own clock.
    package var published: Timestamp
    /// The newest page of the revision log.
    package var revisionLog: PageReference?
    /// How the volume compresses chunks, fixed when it was created.
    package var compression: UInt8
    /// The size files are cut at, fixed when the volume was created.
    package var maximumChunkSize: UInt32

    /// The version written now.
    package static let currentFormatVersion: UInt16 = 1
    /// Bytes of `volumeID`.
    package static let volumeIDSize = 16

    package init(
        volumeID: [UInt8], revision: UInt64, files: Entry, scratchpads: Entry,
        hardLinks: PageReference?, totals: Totals, nextInode: UInt64, device: String,
        published: Timestamp, revisionLog: PageReference?, compression: UInt8,
        maximumChunkSize: UInt32
    ) {
        self.formatVersion = Self.currentFormatVersion
        self.volumeID = volumeID
        self.revision = revision
        self.files = files
        self.scratchpads = scratchpads
        self.hardLinks = hardLinks
        self.totals = totals
        self.nextInode = nextInode
        self.device = device
        self.published = published
        self.revisionLog = revisionLog
        self.compression = compression
        self.maximumChunkSize = maximumChunkSize
    }
}
