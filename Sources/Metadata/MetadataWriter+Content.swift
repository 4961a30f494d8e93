// SPDX-License-Identifier: Apache-2.0
//
// Changes of content: inline bytes, stored content, block groups, extended attributes, pads.

import Namespace
import Scratchpads

extension MetadataWriter {
    /// A block group's map up to this many bytes lies in the tree's own pages, several to a page; a
    /// longer one takes a page of its own for what goes beyond, and each commit that changes it
    /// writes that page.
    ///
    /// - Source: SQLite's file format, "payload overflow": a page of 4096 bytes keeps 1002 bytes of
    ///   a row in a table without row numbers, 21 of which are at most the key and the lengths.
    package static let preferredBlockGroupSize = 981

    /// Sets the inline content of an inode, or the target of a symbolic link; nil removes it.
    package borrowing func setInline(
        _ ino: UInt64, _ bytes: [UInt8]?
    ) throws(MetadataError) {
        guard let bytes else {
            let change = try core.writes.inodes.deleteInline.begin()
            change.bind(1, ino)
            return try change.run()
        }
        try core.requireRoom(for: bytes.count)
        let change = try core.writes.content.setInline.begin()
        change.bind(1, ino)
        try change.bind(2, bytes)
        try change.run()
    }

    /// Sets the stored content of a file; nil removes it. Its block groups stay as they are.
    package borrowing func setContent(
        _ ino: UInt64, _ content: StoredContent?
    ) throws(MetadataError) {
        guard let content else {
            let change = try core.writes.inodes.deleteContent.begin()
            change.bind(1, ino)
            return try change.run()
        }
        let segments = content.encodedSegments
        try core.requireRoom(for: segments.count)
        let change = try core.writes.content.setContent.begin()
        change.bind(1, ino)
        change.bind(2, content.size)
        change.bind(3, content.modified.seconds)
        change.bind(4, Int64(content.modified.nanoseconds))
        change.bind(5, content.baseLimit)
        change.bind(6, content.isDirty ? 1 : 0 as Int64)
        change.bind(7, content.generation)
        try change.bind(8, segments)
        try change.run()
    }

    /// Marks the stored content of a file dirty or clean; does nothing if it has none.
    package borrowing func setDirty(_ ino: UInt64, _ isDirty: Bool) throws(MetadataError) {
        let change = try core.writes.content.setDirty.begin()
        change.bind(1, ino)
        change.bind(2, isDirty ? 1 : 0 as Int64)
        try change.run()
    }

    /// Sets the map of one block group; nil removes it.
    ///
    /// - Parameter map: the engine's own bytes; best at most `preferredBlockGroupSize`.
    package borrowing func setBlockGroup(
        _ ino: UInt64, _ group: UInt64, _ map: [UInt8]?
    ) throws(MetadataError) {
        guard let map else {
            let change = try core.writes.content.deleteBlockGroup.begin()
            change.bind(1, ino)
            change.bind(2, group)
            return try change.run()
        }
        try core.requireRoom(for: map.count)
        let change = try core.writes.content.setBlockGroup.begin()
        change.bind(1, ino)
        change.bind(2, group)
        try change.bind(3, map)
        try change.run()
    }

    /// Sets what the journal has of one piece of a file.
    ///
    /// - Parameter bytes: the engine's own.
    package borrowing func setJournalPiece(
        _ ino: UInt64, _ piece: UInt64, _ bytes: [UInt8]
    ) throws(MetadataError) {
        try core.requireRoom(for: bytes.count)
        let change = try core.writes.content.setJournalPiece.begin()
        change.bind(1, ino)
        change.bind(2, piece)
        try change.bind(3, bytes)
        try change.run()
    }

    /// Removes what the journal has of one piece; does nothing if it has nothing.
    package borrowing func removeJournalPiece(
        _ ino: UInt64, _ piece: UInt64
    ) throws(MetadataError) {
        let change = try core.writes.content.removeJournalPiece.begin()
        change.bind(1, ino)
        change.bind(2, piece)
        try change.run()
    }

    /// Removes everything the journal has, of all files.
    package borrowing func clearJournal() throws(MetadataError) {
        try core.writes.content.clearJournal.begin().run()
    }

    /// Removes the block groups of all files.
    package borrowing func clearBlockGroups() throws(MetadataError) {
        try core.writes.content.clearBlockGroups.begin().run()
    }

    /// Removes the block groups of a file from one on: 0 removes all.
    package borrowing func deleteBlockGroups(
        _ ino: UInt64, from group: UInt64
    ) throws(MetadataError) {
        let change = try core.writes.inodes.deleteBlockGroups.begin()
        change.bind(1, ino)
        change.bind(2, Int64(clamping: group))
        try change.run()
    }

    /// Sets one extended attribute, whether or not it was there.
    package borrowing func setXattr(
        _ ino: UInt64, _ name: [UInt8], _ value: [UInt8]
    ) throws(MetadataError) {
        try core.requireRoom(for: value.count)
        let change = try core.writes.content.setXattr.begin()
        change.bind(1, ino)
        try change.bind(2, name)
        try change.bind(3, value)
        try change.run()
    }

    /// Removes one extended attribute.
    ///
    /// - Returns: false if there was none of that name.
    @discardableResult
    package borrowing func removeXattr(
        _ ino: UInt64, _ name: [UInt8]
    ) throws(MetadataError) -> Bool {
        let change = try core.writes.content.removeXattr.begin()
        change.bind(1, ino)
        try change.bind(2, name)
        return try change.runCountingChanges() == 1
    }

    /// Sets all there is to know about the scratchpad of an inode.
    ///
    /// - Throws: `.sqlite` if another inode has the same identity: take it from that one first.
    package borrowing func setPad(_ row: PadRow) throws(MetadataError) {
        try core.requireRoom(for: row.pendingRecord?.count ?? 0)
        let change = try core.writes.content.setPad.begin()
        change.bind(1, row.ino)
        try change.bind(2, row.identity)
        change.bind(3, Int64(row.address.scheme.rawValue))
        try change.bind(4, row.address.bytes)
        change.bind(5, row.encoding)
        change.bind(6, row.counter)
        change.bind(7, row.isLocalOnly ? PadRow.localOnlyFlag : 0)
        try change.bind(8, optional: row.publishedDigest)
        try change.bind(9, optional: row.pendingRecord)
        try change.run()
    }

    /// Forgets the scratchpad of an inode; its identity may then be given to another.
    package borrowing func removePad(_ ino: UInt64) throws(MetadataError) {
        let change = try core.writes.inodes.deletePad.begin()
        change.bind(1, ino)
        try change.run()
    }
}
