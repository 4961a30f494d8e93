// SPDX-License-Identifier: Apache-2.0
//
// New names: files, directories, symlinks, nodes, hard links.

import Metadata
package import Namespace
import Primitives
import Synchronization

extension Engine {
    /// Set-group-id: new entries of such a directory take its group.
    static let setGroupID: UInt32 = 0o2000
    /// Most names of one inode.
    static let maximumLinkCount: UInt32 = 65_000

    /// Makes a regular file, FIFO, socket or device node. Counts one kernel reference.
    package func makeNode(
        _ name: [UInt8], in parent: UInt64, kind: FileKind, mode: UInt32, device: UInt64,
        _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        guard kind != .directory && kind != .symlink else { throw .invalid }
        if ForeignInodes.isForeign(parent), kind == .regular {
            return try makeForeign(name, in: parent, mode: mode, context)
        }
        let row = newRow(kind, mode, context, device: device)
        return leave(try add(row, name, parent, content: nil, context))
    }

    /// Makes a directory. Counts one kernel reference.
    package func makeDirectory(
        _ name: [UInt8], in parent: UInt64, mode: UInt32, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        var row = newRow(.directory, mode, context)
        row.linkCount = 2
        return leave(try add(row, name, parent, content: nil, context))
    }

    /// Makes a symlink. Counts one kernel reference.
    package func makeSymlink(
        _ name: [UInt8], in parent: UInt64, target: [UInt8], _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        if target.count > NamespaceLimits.maximumSymlinkSize { throw .nameTooLong }
        if target.isEmpty { throw .notFound }
        var row = newRow(.symlink, 0o777, context)
        row.form = .inline
        row.size = UInt64(target.count)
        return leave(try add(row, name, parent, content: target, context))
    }

    /// Makes and opens a regular file; opens what is there unless `isExclusive`.
    package func create(
        _ name: [UInt8], in parent: UInt64, mode: UInt32, _ intent: OpenIntent,
        isExclusive: Bool, _ context: RequestContext
    ) throws(FileError) -> (FileStatus, OpenedFile) {
        if ForeignInodes.isForeign(parent) {
            return try createForeign(
                name, in: parent, mode: mode, intent, isExclusive: isExclusive, context)
        }
        while true {
            do throws(FileError) {
                let row = newRow(.regular, mode, context)
                let (status, inode) = try add(row, name, parent, content: nil, context)
                do throws(FileError) {
                    // There is nothing to cut off, and the times are those of the making.
                    var fresh = intent
                    fresh.truncates = false
                    return (status, try open(pinned: inode, fresh, context))
                } catch {
                    volume.table.dropReferences(status.ino)
                    throw error
                }
            } catch .exists where !isExclusive {
                let status = try lookup(name, in: parent, context)
                do throws(FileError) {
                    let opened = try open(status.ino, intent, context)
                    return (try self.status(of: status.ino, context), opened)
                } catch {
                    volume.table.dropReferences(status.ino)
                    // Removed between the two looks: it is created after all.
                    if error != .stale { throw error }
                }
            }
        }
    }

    /// Makes and opens a regular file that has no name (O_TMPFILE). It goes with its last close,
    /// unless `link` gives it one before. Counts one kernel reference.
    ///
    /// - Throws: `notSupported` in `scratchpads/`, where content belongs to names.
    package func createTemporary(
        in parent: UInt64, mode: UInt32, _ intent: OpenIntent, _ context: RequestContext
    ) throws(FileError) -> (FileStatus, OpenedFile) {
        if ForeignInodes.isForeign(parent) { throw .notSupported }
        let directory = try requireParent(parent, context)
        if directory.form == .pad { throw .notSupported }
        var template = newRow(.regular, mode, context)
        template.linkCount = 0
        if directory.attributes.mode & Engine.setGroupID != 0 {
            template.attributes.gid = directory.attributes.gid
        }
        let prepared = template
        let status = try committer.withNames { () throws(FileError) -> FileStatus in
            var row = prepared
            let lists = try inheritLists(from: parent, to: &row, context)
            row.ino = volume.newInodeNumber()
            let made = row
            try volume.query { (writer) throws(MetadataError) in
                try writer.insertInode(made)
                for list in lists { try writer.setXattr(made.ino, list.name, list.value) }
            }
            volume.totals.add(made.kind)
            volume.orphans.withLock { _ = $0.insert(made.ino) }
            volume.table.addReference(made.ino)
            return FileStatus(made)
        }
        do throws(FileError) {
            let opened = try open(status.ino, intent, context)
            // The open file keeps the inode in memory, and so this mark for as long as it matters.
            volume.table.peek(status.ino) { $0.isLinkable = true }
            return (status, opened)
        } catch {
            volume.table.dropReferences(status.ino)
            removeIfOrphan(status.ino)
            throw error
        }
    }

    /// One more name for an inode. Counts one kernel reference.
    ///
    /// - Throws: as link(2); `wouldBlock` where this machine has not seen the hard-link table yet.
    package func link(
        _ ino: UInt64, as name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        try requireName(name)
        let directory = try requireParent(parent, context)
        if VirtualTree.isVirtual(ino) { throw .notPermitted }
        let standing = try volume.row(ino)
        if standing.kind != .directory && standing.form != .pad {
            try loader.ensureHardLinks(context.patience)
        }
        let status = try volume.with(ino) { (inode) throws(FileError) -> FileStatus in
            try committer.withNames { () throws(FileError) -> FileStatus in
                try link(inode, name, parent, directory)
            }
        }
        volume.table.addReference(ino)
        committer.keepBelowLimits()
        return status
    }

    private func link(
        _ inode: Inode, _ name: [UInt8], _ parent: UInt64, _ directory: InodeRow
    ) throws(FileError) -> FileStatus {
        let (row, isLinkable) = inode.state.withLock { ($0.row, $0.isLinkable) }
        if row.kind == .directory { throw .notPermitted }
        // A pad is its name: it cannot have two.
        if row.form == .pad { throw .notPermitted }
        if directory.form == .pad && row.kind == .regular { throw .crossDevice }
        if isLinkable { return try nameTemporary(inode, name, parent) }
        if row.linkCount == 0 { throw .notFound }
        if row.linkCount >= Engine.maximumLinkCount { throw .tooManyLinks }
        try requireAbsent(name, parent)
        try volume.query { (writer) throws(MetadataError) in
            let change = volume.nextChange()
            if !row.isHardLinked {
                _ = try writer.insertDentry(
                    parent: Volume.hardLinkDirectory, name: Entry.hardLinkName(of: row.ino),
                    ino: row.ino, kind: row.kind)
                // Its first name becomes a link too.
                if let first = try writer.name(parent: row.parent, cookie: row.cookie) {
                    try writer.touch(row.parent, first, change)
                }
            }
            _ = try writer.insertDentry(parent: parent, name: name, ino: row.ino, kind: row.kind)
            try writer.touch(parent, name, change)
        }
        let status = try volume.change(inode) { (state) throws(FileError) -> FileStatus in
            state.row.linkCount += 1
            state.row.isHardLinked = true
            state.row.attributes.changed = .now()
            state.isRowDirty = true
            return state.status
        }
        try touchParent(parent, entries: 1, directories: 0)
        return status
    }

    /// The first name of a file that was made without one. Names are locked.
    private func nameTemporary(
        _ inode: Inode, _ name: [UInt8], _ parent: UInt64
    ) throws(FileError) -> FileStatus {
        try requireAbsent(name, parent)
        let ino = inode.ino
        let cookie = try volume.query { (writer) throws(MetadataError) -> UInt64 in
            let cookie = try writer.insertDentry(
                parent: parent, name: name, ino: ino, kind: .regular)
            try writer.touch(parent, name, volume.nextChange())
            return cookie
        }
        let status = try volume.change(inode) { (state) throws(FileError) -> FileStatus in
            state.isLinkable = false
            state.row.linkCount = 1
            state.row.parent = parent
            state.row.cookie = cookie
            state.row.attributes.changed = .now()
            state.isRowDirty = true
            return state.status
        }
        volume.orphans.withLock { _ = $0.remove(ino) }
        // A flush leaves files without a name alone.
        noteWritten(inode)
        try touchParent(parent, entries: 1, directories: 0)
        return status
    }

    // MARK: Parts

    func newRow(
        _ kind: FileKind, _ mode: UInt32, _ context: RequestContext, device: UInt64 = 0
    ) -> InodeRow {
        let now = Timestamp.now()
        let attributes = FileAttributes(
            mode: mode & FileAttributes.modeMask, uid: context.user, gid: context.group,
            accessed: now, modified: now, changed: now, created: now)
        return InodeRow(
            ino: 0, kind: kind, attributes: attributes, size: 0, linkCount: 1, device: device,
            parent: 0, cookie: 0, change: 0, form: kind == .regular ? .inline : .none,
            isHardLinked: false, isLoaded: true, allocated: 0)
    }

    func requireAbsent(_ name: [UInt8], _ parent: UInt64) throws(FileError) {
        let standing = try volume.query { (reader) throws(MetadataError) in
            try reader.dentry(parent: parent, name: name)
        }
        if standing != nil { throw .exists }
    }

    /// Makes an entry. Counts one kernel reference.
    ///
    /// - Returns: what `stat` shows of it, and its inode, pinned once for the caller.
    private func add(
        _ template: InodeRow, _ name: [UInt8], _ parent: UInt64, content: [UInt8]?,
        _ context: RequestContext
    ) throws(FileError) -> (FileStatus, Inode) {
        try requireName(name)
        let directory = try requireParent(parent, context)
        var row = template
        if directory.attributes.mode & Engine.setGroupID != 0 {
            row.attributes.gid = directory.attributes.gid
            if row.kind == .directory { row.attributes.mode |= Engine.setGroupID }
        }
        if directory.form == .pad && (row.kind == .regular || row.kind == .directory) {
            row.form = .pad
        }
        let prepared = row
        let made = try committer.withNames { () throws(FileError) -> (FileStatus, Inode) in
            guard try volume.row(parent).linkCount > 0 else { throw .notFound }
            var row = prepared
            let lists = try inheritLists(from: parent, to: &row, context)
            return try insert(row, name, parent, content, lists)
        }
        committer.keepBelowLimits()
        return made
    }

    /// The status of an entry that was made, and is not needed in memory.
    func leave(_ made: (status: FileStatus, inode: Inode)) -> FileStatus {
        volume.table.unpin(made.inode)
        return made.status
    }

    /// What a new entry has of its directory's default access list, and the mode it starts with:
    /// the umask counts only where there is no such list. Names are locked.
    private func inheritLists(
        from parent: UInt64, to row: inout InodeRow, _ context: RequestContext
    ) throws(FileError) -> [ExtendedAttribute] {
        if row.kind == .symlink { return [] }
        guard let value = try defaultList(of: parent), let list = AccessList(decoding: value) else {
            row.attributes.mode &= ~context.umask
            return []
        }
        let own = list.inherited(by: row.attributes.mode)
        row.attributes.mode = row.attributes.mode & ~0o777 | own.mode
        var lists: [ExtendedAttribute] = []
        if !own.isPlainMode {
            lists.append(ExtendedAttribute(name: AccessList.accessName, value: own.encoded))
        }
        if row.kind == .directory {
            lists.append(ExtendedAttribute(name: AccessList.defaultName, value: value))
        }
        return lists
    }

    /// A directory's default access list, encoded; nil if it has none. Names are locked.
    private func defaultList(of directory: UInt64) throws(FileError) -> [UInt8]? {
        if volume.table.peek(directory, { $0.lacksAttributes }) == true { return nil }
        let names = try volume.query { (reader) throws(MetadataError) in
            try reader.xattrNames(directory)
        }
        if names.isEmpty {
            // For the next one. It is in memory as long as it has changes that are not written.
            volume.table.peek(directory) { $0.lacksAttributes = true }
            return nil
        }
        guard names.contains(AccessList.defaultName) else { return nil }
        return try volume.query { (reader) throws(MetadataError) in
            try reader.xattr(directory, AccessList.defaultName)
        }
    }

    /// Makes an entry, as `add` does. Names are locked.
    func insert(
        _ template: InodeRow, _ name: [UInt8], _ parent: UInt64, _ content: [UInt8]?,
        _ lists: [ExtendedAttribute]
    ) throws(FileError) -> (FileStatus, Inode) {
        var new = template
        new.ino = volume.newInodeNumber()
        new.parent = parent
        let sealed = content.map { volume.sealer.seal($0) }
        let start = new
        let inserted = try volume.query { (writer) throws(MetadataError) -> InodeRow? in
            var row = start
            do throws(MetadataError) {
                row.cookie = try writer.insertDentry(
                    parent: parent, name: name, ino: row.ino, kind: row.kind)
            } catch .taken {
                return nil
            }
            row.change = volume.nextChange()
            try writer.insertInode(row)
            if let sealed { try writer.setInline(row.ino, sealed) }
            for list in lists { try writer.setXattr(row.ino, list.name, list.value) }
            return row
        }
        guard let row = inserted else { throw .exists }
        volume.totals.add(row.kind)
        // Whoever lists the directory may have found and pinned it already.
        let inode = volume.table.pin(row)
        if lists.isEmpty { inode.state.withLock { $0.lacksAttributes = true } }
        do throws(FileError) {
            if row.form == .pad && row.kind == .regular && !pads.names.isTemporary(name) {
                try assignPad(to: inode, name, parent)
            }
            volume.table.addReference(row.ino)
            try touchParent(parent, entries: 1, directories: row.kind == .directory ? 1 : 0)
        } catch {
            volume.table.unpin(inode)
            throw error
        }
        return (FileStatus(row), inode)
    }

    /// Gives a new pad its identity: the one that is parked for its name, if any is.
    private func assignPad(
        to inode: Inode, _ name: [UInt8], _ parent: UInt64
    ) throws(FileError) {
        let parked = try pads.takeParked(parent: parent, name: name)
        try volume.change(inode) { (state) throws(FileError) in
            pads.assign(parked ?? pads.newIdentity(for: inode.ino), to: &state)
        }
        // The commit that has the pad must not have its identity parked as well.
        if parked != nil {
            try volume.query { (writer) throws(MetadataError) in try pads.saveParked(writer) }
        }
    }

    /// A directory after one of its names changed.
    func touchParent(_ parent: UInt64, entries: Int64, directories: Int64) throws(FileError) {
        try volume.with(parent) { (inode) throws(FileError) in
            try volume.change(inode) { (state) throws(FileError) in
                let now = Timestamp.now()
                state.row.attributes.modified = now
                state.row.attributes.changed = now
                state.row.size = UInt64(max(Int64(state.row.size) + entries, 0))
                state.row.linkCount = UInt32(max(Int64(state.row.linkCount) + directories, 2))
                state.isRowDirty = true
            }
        }
    }
}

extension InodeTable {
    /// Takes back the one reference an operation counted before it failed.
    func dropReferences(_ ino: UInt64) {
        _ = dropReferences(ino, count: 1)
    }
}
