// SPDX-License-Identifier: Apache-2.0
//
// Finding inodes, and the kernel's references to them.

import Blocks
import Metadata
import Namespace
import Primitives
import Synchronization

extension Engine {
    /// The inode under a name. Counts one kernel reference.
    ///
    /// - Throws: `notFound`; `wouldBlock` for the first look into a directory not loaded.
    package func lookup(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        let status = try find(name, in: parent, context)
        volume.table.addReference(status.ino)
        return status
    }

    /// The inode under a name, without a reference.
    func find(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        if name.count > Engine.maximumNameSize { throw .nameTooLong }
        if let virtual = virtualEntry(name, in: parent) {
            return try virtualStatus(virtual, context.patience)
        }
        if ForeignInodes.isForeign(parent) { return try foreignChild(name, in: parent, context) }
        if VirtualTree.isVirtual(parent) { throw .notFound }
        let loads = loader.ended.load(ordering: .acquiring)
        var mark = volume.drained.load(ordering: .acquiring)
        var row = try volume.query { (reader) throws(MetadataError) in
            try reader.lookup(parent: parent, name: name)
        }
        if row == nil || loader.isPartial(parent) {
            let directory = try volume.row(parent)
            guard directory.kind == .directory else { throw .notDirectory }
            // Missed of the whole, if it was that before the look: else its load may have brought
            // the name, and ended, between the two.
            let isSame = loader.ended.load(ordering: .acquiring) == loads
            if row == nil && directory.isLoaded && isSame { throw .notFound }
            try loader.ensureLoaded(directory, context.patience)
            mark = volume.drained.load(ordering: .acquiring)
            row = try volume.query { (reader) throws(MetadataError) in
                try reader.lookup(parent: parent, name: name)
            }
        }
        guard let row else { throw .notFound }
        return try volume.status(of: row, readAt: mark)
    }

    /// The kernel forgets `count` references; an inode without names goes with its last one.
    package func forget(_ ino: UInt64, count: UInt64) {
        guard volume.table.dropReferences(ino, count: count) else { return }
        removeIfOrphan(ino)
    }

    /// One reference, for an entry that was put into a listing.
    package func countReference(_ ino: UInt64) {
        volume.table.addReference(ino)
    }

    /// What `stat` shows.
    package func status(
        of ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        if VirtualTree.isVirtual(ino) { return try virtualStatus(ino, context.patience) }
        if let status = volume.table.peek(ino, { $0.isDeleted ? nil : $0.status }), let status {
            return status
        }
        return FileStatus(try volume.row(ino))
    }

    /// Where a symlink points.
    package func readLink(_ ino: UInt64) throws(FileError) -> [UInt8] {
        try volume.with(ino) { (inode) throws(FileError) in
            try inode.state.withLock { (state) throws(FileError) in
                guard state.row.kind == .symlink else { throw .invalid }
                try volume.loadInline(&state)
                return state.inline ?? []
            }
        }
    }

    /// The inode at a path from the mount's root, such as `/files/a/b`. Follows no symlinks.
    package func resolve(_ path: [UInt8], _ context: RequestContext) throws(FileError) -> UInt64 {
        var ino = Engine.rootInode
        for name in path.split(separator: UInt8(ascii: "/")) {
            ino = try find(Array(name), in: ino, context).ino
        }
        return ino
    }

    /// Deletes the inode if it has no name, no opener and no reference left.
    func removeIfOrphan(_ ino: UInt64) {
        guard volume.orphans.withLock({ $0.contains(ino) }) else { return }
        // An inode that is gone already needs no second removal.
        guard let inode = try? volume.pin(ino) else {
            volume.orphans.withLock { _ = $0.remove(ino) }
            return
        }
        defer { volume.table.unpin(inode) }
        do throws(FileError) {
            try committer.withNames { () throws(FileError) in
                let isFree = inode.state.withLock { $0.openCount == 0 && $0.row.linkCount == 0 }
                guard isFree, !volume.table.isReferenced(ino) else { return }
                try delete(inode)
            }
        } catch {
            // The row stays with no links: the next start removes it.
            return
        }
    }

    /// Removes an inode that nothing leads to. Names are locked.
    func delete(_ inode: Inode) throws(FileError) {
        let ino = inode.ino
        let slots = try inode.state.withLock { (state) throws(FileError) in
            if state.isDeleted { return [(slot: UInt32, owner: BlockOwner)]() }
            try volume.discardContent(&state)
            try volume.query { (writer) throws(MetadataError) in try writer.deleteInode(ino) }
            state.isDeleted = true
            volume.totals.remove(state.row.kind, bytes: state.countedSize)
            if state.row.kind == .regular { volume.quota.giveBack(state.row.size) }
            let slots = state.pendingReleases
            state.pendingReleases = []
            state.inline = nil
            volume.countInline(&state)
            return slots
        }
        volume.arena.release(slots)
        volume.orphans.withLock { _ = $0.remove(ino) }
        flusher.forget(ino)
        early.forget(ino)
        pads.forget(ino)
    }
}
