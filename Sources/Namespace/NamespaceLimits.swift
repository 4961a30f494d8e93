// SPDX-License-Identifier: Apache-2.0
//
// Every limit of the volume's own formats, in one place. Readers refuse what is over them, so
// raising one is a change of format: docs/format.md §5 lists them.

/// The limits of entries, pages, the root and the revision log. Sizes are bytes.
package enum NamespaceLimits {
    /// A file name; POSIX `NAME_MAX`.
    package static let maximumNameSize = 255
    /// The largest inode number: 2^56 − 1, so that a key of the hard-link table begins with NUL.
    package static let maximumInode: UInt64 = (1 << 56) - 1
    /// Content held inside an entry. The engine's own option is lower, 16 KiB as delivered.
    package static let maximumInlineSize = 64 * 1024
    /// The path a symbolic link holds: Linux `PATH_MAX` without its NUL.
    package static let maximumSymlinkSize = 4095
    /// The name of an extended attribute; Linux `XATTR_NAME_MAX`.
    package static let maximumXattrNameSize = 255
    /// The value of an extended attribute; Linux `XATTR_SIZE_MAX`.
    package static let maximumXattrValueSize = 64 * 1024
    /// Extended attributes of one inode. All names fit into Linux `XATTR_LIST_MAX`, 64 KiB.
    package static let maximumXattrCount = 256
    /// One encoded entry, whatever it is made of.
    package static let maximumEntrySize = 1024 * 1024
    /// A regular file; the largest `off_t`.
    package static let maximumFileSize = UInt64(Int64.max)
    /// Chunks named by one data map inside a page. Packed maps have three.
    package static let maximumMapChunkCount = 1024
    /// Levels below a packed data map. One holds 658 GB; two were written by old libraries.
    package static let maximumMapDepth: UInt64 = 8
    /// Segments of one file: about what one segments page has room for.
    package static let maximumSegmentCount = 16_384
    /// Segments held inside an entry; a longer list becomes a page of its own.
    package static let maximumEntrySegmentCount = 64
    /// A sealed page: the largest chunk any store takes (docs/ARCHITECTURE.md §1).
    package static let maximumSealedPageSize = 4 * 1024 * 1024
    /// The encoding inside a sealed page, before compression.
    package static let maximumPagePlaintextSize = maximumSealedPageSize - 64
    /// Levels of a directory's tree. Three reach a million entries; five exceed 2^56 inodes.
    package static let maximumTreeDepth = 8
    /// A device's name in the root and in revision records, UTF-8.
    package static let maximumDeviceSize = 128
    /// The entry of `files/` or of `scratchpads/` as it stands in the root, encoded. Only extended
    /// attributes can make one larger than some 150 bytes.
    package static let maximumTopEntrySize = 256 * 1024
    /// The encoded root. A pad would take 4 MiB; a root is under one KiB in practice.
    package static let maximumRootSize = 2 * maximumTopEntrySize + 4096
    /// Records in one page of the revision log; the newest page is rewritten at every publish.
    package static let maximumRevisionsPerPage = 64
    /// Older spans a page of the revision log names: enough for 2^63 pages.
    package static let maximumRevisionSpanCount = 128
}
