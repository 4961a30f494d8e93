// SPDX-License-Identifier: Apache-2.0
//
// Changes of inodes and names; MetadataWriter+Content.swift and MetadataWriter+Publishing.swift
// have the rest. All of them happen in the standing transaction, and are seen at once by every
// reader of the live state; `MetadataDatabase.commit()` makes them last.

package import Namespace

/// The live state of the database, for the length of one `MetadataDatabase.write`.
///
/// Every method throws `MetadataError`. `.full` comes before anything was changed: what makes the
/// database larger is refused while the disk has no room for the log, what makes it smaller is not.
/// A statement that fails has no effect, and those before it stand; `atomically` undoes them too.
/// Where changes are deferred they fail later, and cost more: `MetadataDatabase.write`.
package struct MetadataWriter: ~Copyable, MetadataReader {
    let core: WriterCore

    package var readStatements: ReadStatements { core.reads }

    /// Runs a body whose changes either all happen or, if it throws, none.
    ///
    /// Costs two more statements and a copy in memory of each page that is changed: for steps that
    /// must not stay half done, not for every write.
    package borrowing func atomically<R>(
        _ body: (borrowing MetadataWriter) throws(MetadataError) -> R
    ) throws(MetadataError) -> R {
        try core.writes.transaction.savepoint.begin().run()
        let mark = core.redo.mark
        core.isDivided = true
        defer { core.isDivided = false }
        do {
            let result = try body(self)
            try core.writes.transaction.release.begin().run()
            return result
        } catch {
            core.redo.cut(to: mark)
            // If undoing fails then the whole transaction is lost, and is brought back without
            // this; what the body met is the cause, and is told now.
            try? core.writes.transaction.rollBackToSavepoint.begin().run()
            try? core.writes.transaction.release.begin().run()
            throw error
        }
    }

    // MARK: Inodes

    /// Adds an inode.
    ///
    /// - Throws: `.taken` if its number is.
    package borrowing func insertInode(_ row: InodeRow) throws(MetadataError) {
        try core.requireRoom()
        let change = try core.writes.inodes.insertInode.begin()
        row.bind(to: change)
        try change.run()
    }

    /// Replaces all of an inode but its number; without one of that number, does nothing.
    package borrowing func updateInode(_ row: InodeRow) throws(MetadataError) {
        let change = try core.writes.inodes.updateInode.begin()
        row.bind(to: change)
        try change.run()
    }

    /// Removes an inode with everything that belongs to it: content, block groups, journal,
    /// extended attributes, scratchpad, published pages. Names that lead to it are the caller's to
    /// remove.
    ///
    /// The leaf pages of a directory in which names are marked stay until `clearTouched` has taken
    /// the last mark: what went from there to another directory is looked for in them.
    package borrowing func deleteInode(_ ino: UInt64) throws(MetadataError) {
        let inodes = core.writes.inodes
        for statement in [
            inodes.deleteInode, inodes.deleteInline, inodes.deleteContent, inodes.deleteXattrs,
            inodes.deletePad, inodes.deletePage, inodes.deleteSettledLeaves,
            inodes.deleteJournal,
        ] {
            let change = try statement.begin()
            change.bind(1, ino)
            try change.run()
        }
        try deleteBlockGroups(ino, from: 0)
    }

    // MARK: Names

    /// Adds a name to a directory.
    ///
    /// - Returns: its cookie, larger than any that was given before in this database.
    /// - Throws: `.taken` if the name is.
    package borrowing func insertDentry(
        parent: UInt64, name: [UInt8], ino: UInt64, kind: FileKind
    ) throws(MetadataError) -> UInt64 {
        try core.requireRoom()
        let cookie = try core.takeCookie()
        let change = try core.writes.names.insertDentry.begin()
        change.bind(1, parent)
        try change.bind(2, name)
        change.bind(3, ino)
        change.bind(4, Int64(kind.rawValue))
        change.bind(5, cookie)
        try change.run()
        return cookie
    }

    /// Makes an existing name lead to another inode, at its old place in the listing: what a
    /// rename over a file does to the name it takes.
    ///
    /// - Returns: false if there is no such name; nothing was changed then.
    package borrowing func replaceDentry(
        parent: UInt64, name: [UInt8], ino: UInt64, kind: FileKind
    ) throws(MetadataError) -> Bool {
        let change = try core.writes.names.replaceDentry.begin()
        change.bind(1, parent)
        try change.bind(2, name)
        change.bind(3, ino)
        change.bind(4, Int64(kind.rawValue))
        return try change.runCountingChanges() == 1
    }

    /// Gives an entry another name, another directory or both.
    ///
    /// - Returns: its new cookie, so that it comes last in its listing; nil if there is no such
    ///   entry.
    /// - Throws: `.taken` if the new name is.
    package borrowing func moveDentry(
        parent: UInt64, name: [UInt8], toParent newParent: UInt64, name newName: [UInt8]
    ) throws(MetadataError) -> UInt64? {
        try core.requireRoom()
        let cookie = try core.takeCookie()
        let change = try core.writes.names.moveDentry.begin()
        change.bind(1, parent)
        try change.bind(2, name)
        change.bind(3, newParent)
        try change.bind(4, newName)
        change.bind(5, cookie)
        return try change.runCountingChanges() == 1 ? cookie : nil
    }

    /// Removes a name.
    ///
    /// - Returns: false if there was none.
    @discardableResult
    package borrowing func removeDentry(
        parent: UInt64, name: [UInt8]
    ) throws(MetadataError) -> Bool {
        let change = try core.writes.names.removeDentry.begin()
        change.bind(1, parent)
        try change.bind(2, name)
        return try change.runCountingChanges() == 1
    }
}
