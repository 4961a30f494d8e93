// SPDX-License-Identifier: Apache-2.0
//
// Names that go: unlink and rmdir.

import Metadata
import Namespace
import Primitives
import Synchronization

extension Engine {
    /// Removes a name of something that is not a directory. The bytes stay while it is open.
    package func unlink(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) {
        if ForeignInodes.isForeign(parent) { return try removeForeign(name, in: parent, context) }
        _ = try requireParent(parent, context)
        let orphan = try committer.withNames(frees: true) { () throws(FileError) -> UInt64 in
            let item = try item(name, parent)
            if item.kind == .directory { throw .isDirectory }
            return try volume.with(item.ino) { (inode) throws(FileError) in
                try park(inode, name, parent, movedTo: 0)
                try forgetName(name, parent)
                try dropLink(inode)
                try touchParent(parent, entries: -1, directories: 0)
                return item.ino
            }
        }
        removeIfOrphan(orphan)
        committer.keepBelowLimits()
    }

    /// Removes an empty directory.
    package func removeDirectory(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) {
        _ = try requireParent(parent, context)
        let status = try find(name, in: parent, context)
        guard status.kind == .directory else { throw .notDirectory }
        try loader.ensureLoaded(try volume.row(status.ino), context.patience)
        let orphan = try committer.withNames(frees: true) { () throws(FileError) -> UInt64 in
            let item = try item(name, parent)
            guard item.kind == .directory else { throw .notDirectory }
            try requireEmpty(item.ino)
            return try volume.with(item.ino) { (inode) throws(FileError) in
                try forgetName(name, parent)
                try volume.change(inode) { (state) throws(FileError) in
                    state.row.linkCount = 0
                    state.isRowDirty = true
                }
                volume.orphans.withLock { _ = $0.insert(item.ino) }
                try touchParent(parent, entries: -1, directories: -1)
                return item.ino
            }
        }
        removeIfOrphan(orphan)
        committer.keepBelowLimits()
    }

    // MARK: Parts shared with rename

    func item(_ name: [UInt8], _ parent: UInt64) throws(FileError) -> DirectoryItem {
        let item = try volume.query { (reader) throws(MetadataError) in
            try reader.dentry(parent: parent, name: name)
        }
        guard let item else { throw .notFound }
        return item
    }

    func requireEmpty(_ directory: UInt64) throws(FileError) {
        let isEmpty = try volume.query { (reader) throws(MetadataError) in
            try reader.isEmpty(directory)
        }
        if !isEmpty { throw .notEmpty }
    }

    /// Removes the name's row, and marks it for the next publication.
    func forgetName(_ name: [UInt8], _ parent: UInt64) throws(FileError) {
        try volume.query { (writer) throws(MetadataError) in
            try writer.removeDentry(parent: parent, name: name)
            try writer.touch(parent, name, volume.nextChange())
        }
    }

    /// One name less; the last one makes it an orphan. Names are locked.
    func dropLink(_ inode: Inode) throws(FileError) {
        let row = try volume.change(inode) { (state) throws(FileError) -> InodeRow in
            state.row.linkCount -= min(state.row.linkCount, 1)
            state.row.attributes.changed = .now()
            state.isRowDirty = true
            return state.row
        }
        guard row.linkCount == 0 else { return }
        if row.isHardLinked {
            try forgetName(Entry.hardLinkName(of: row.ino), Volume.hardLinkDirectory)
        }
        volume.orphans.withLock { _ = $0.insert(row.ino) }
    }

    /// Leaves a pad's identity at the name it is about to lose. Names are locked.
    ///
    /// - Parameter mover: the inode that goes on under another, temporary name; 0 for none.
    func park(
        _ inode: Inode, _ name: [UInt8], _ parent: UInt64, movedTo mover: UInt64
    ) throws(FileError) {
        let pad = try volume.change(inode) { (state) throws(FileError) in
            guard state.row.form == .pad, state.row.kind == .regular else {
                return Optional<PadRow>.none
            }
            try pads.load(&state)
            guard let pad = state.pad else { return nil }
            // Nobody could write to a pad without its key under this name: it goes with its file.
            if mover != 0, try pads.isKeyless(pad) { return nil }
            pads.assign(nil, to: &state)
            return pad
        }
        guard let pad else { return }
        if try pads.isKeyless(pad) {
            // The file may live on while it is open, but its pad may come back by another name.
            let ino = inode.ino
            try volume.query { (writer) throws(MetadataError) in try writer.removePad(ino) }
            return
        }
        pads.parked.withLock {
            $0.park(pad, parent: parent, name: name, mover: mover, now: .now)
        }
        pads.noteParked()
        let ino = inode.ino
        try volume.query { (writer) throws(MetadataError) in
            try writer.removePad(ino)
            try pads.saveParked(writer)
        }
    }
}
