// SPDX-License-Identifier: Apache-2.0
//
// Renames: within and across directories, over what stands there, and swaps.

import Metadata
import Namespace
import Primitives
import Synchronization

extension Engine {
    /// Gives an entry another name.
    ///
    /// - Parameter leavesWhiteout: a character device 0:0 without permissions is left at the old
    ///   name, by which union mounts mark a name as gone; not with `exchange`.
    /// - Throws: as rename(2); `crossDevice` between `files/` and `scratchpads/`.
    package func rename(
        _ name: [UInt8], in parent: UInt64, to newName: [UInt8], in newParent: UInt64,
        _ mode: RenameMode, leavesWhiteout: Bool = false, _ context: RequestContext
    ) throws(FileError) {
        if leavesWhiteout && mode == .exchange { throw .invalid }
        if ForeignInodes.isForeign(parent) || ForeignInodes.isForeign(newParent) {
            return try renameForeign(name, in: parent, to: newName, in: newParent, mode, context)
        }
        try requireName(newName)
        let from = try requireParent(parent, context)
        let to = newParent == parent ? from : try requireParent(newParent, context)
        if (from.form == .pad) != (to.form == .pad) { throw .crossDevice }
        // Ends: what was loaded once stays so.
        while true {
            let step = try committer.withNames { () throws(FileError) -> Renaming in
                let (found, target) = try volume.query { (reader) throws(MetadataError) in
                    (
                        try reader.dentry(parent: parent, name: name),
                        try reader.dentry(parent: newParent, name: newName)
                    )
                }
                guard let source = found else { throw .notFound }
                if target != nil && mode == .noReplace { throw .exists }
                if mode == .exchange {
                    guard let target else { throw .notFound }
                    if from.form == .pad,
                        let ino = try unfetched(source, parent, with: target, newParent)
                    {
                        return .needsContent(ino)
                    }
                    try exchange(source, parent, target, newParent)
                    return .done(replaced: nil)
                }
                if let target, target.ino == source.ino { return .done(replaced: nil) }
                try requireMovable(source, to: newParent)
                if from.form == .pad,
                    let ino = try unfetched(source, to: newName, newParent, over: target)
                {
                    return .needsContent(ino)
                }
                if let target, source.kind == .directory, target.kind == .directory {
                    let directory = try volume.row(target.ino)
                    if !directory.isLoaded {
                        try requireEmpty(target.ino)
                        // What the store has of it may all be links to files that never came.
                        return .needs(directory)
                    }
                }
                let replaced = try replace(source, parent, target, newName, newParent)
                if leavesWhiteout { try leaveWhiteout(name, parent, context) }
                return .done(replaced: replaced)
            }
            switch step {
            case .needsContent(let ino): try fetchContent(of: ino, context)
            case .needs(let directory): try loader.ensureLoaded(directory, context.patience)
            case .done(let replaced):
                if let replaced { removeIfOrphan(replaced) }
                return committer.keepBelowLimits()
            }
        }
    }

    /// How far a rename came.
    private enum Renaming {
        /// It is done, and maybe took the place of an inode.
        case done(replaced: UInt64?)
        /// Nothing was done: a directory has to be loaded first.
        case needs(InodeRow)
        /// Nothing was done: a pad's content has to come first.
        case needsContent(UInt64)
    }

    private func leaveWhiteout(
        _ name: [UInt8], _ parent: UInt64, _ context: RequestContext
    ) throws(FileError) {
        let row = newRow(.characterDevice, 0, context)
        let status = leave(try insert(row, name, parent, nil, []))
        // Nobody was told of it yet.
        volume.table.dropReferences(status.ino)
    }

    /// A directory cannot move into itself.
    private func requireMovable(_ source: DirectoryItem, to parent: UInt64) throws(FileError) {
        guard source.kind == .directory else { return }
        var current = parent
        while current >= Volume.firstOrdinaryInode {
            if current == source.ino { throw .invalid }
            current = try volume.row(current).parent
        }
    }

    private func replace(
        _ source: DirectoryItem, _ parent: UInt64, _ target: DirectoryItem?, _ newName: [UInt8],
        _ newParent: UInt64
    ) throws(FileError) -> UInt64? {
        let isDirectory = source.kind == .directory
        if let target {
            if isDirectory && target.kind != .directory { throw .notDirectory }
            if !isDirectory && target.kind == .directory { throw .isDirectory }
            if isDirectory { try requireEmpty(target.ino) }
        }
        try volume.with(source.ino) { (inode) throws(FileError) in
            try movePad(inode, source, parent, target, newName, newParent)
            if let target { try removeTarget(target, newName, newParent) }
            try move(inode, source.name, parent, newName, newParent)
            if target != nil { try holdContent(inode) }
        }
        let crosses: Int64 = isDirectory && parent != newParent ? 1 : 0
        let lost: Int64 = isDirectory && target != nil ? 1 : 0
        if parent == newParent {
            try touchParent(parent, entries: target == nil ? 0 : -1, directories: -lost)
        } else {
            try touchParent(parent, entries: -1, directories: -crosses)
            try touchParent(newParent, entries: target == nil ? 1 : 0, directories: crosses - lost)
        }
        return target?.ino
    }

    private func removeTarget(
        _ target: DirectoryItem, _ name: [UInt8], _ parent: UInt64
    ) throws(FileError) {
        try volume.with(target.ino) { (inode) throws(FileError) in
            try forgetName(name, parent)
            if target.kind == .directory {
                try volume.change(inode) { (state) throws(FileError) in
                    state.row.linkCount = 0
                    state.isRowDirty = true
                }
                volume.orphans.withLock { _ = $0.insert(target.ino) }
            } else {
                try dropLink(inode)
            }
        }
    }

    /// The row's move, and the inode's knowledge of its name.
    private func move(
        _ inode: Inode, _ name: [UInt8], _ parent: UInt64, _ newName: [UInt8],
        _ newParent: UInt64
    ) throws(FileError) {
        let isLinked = inode.state.withLock { $0.row.isHardLinked }
        let cookie = try volume.query { (writer) throws(MetadataError) -> UInt64? in
            let cookie = try writer.moveDentry(
                parent: parent, name: name, toParent: newParent, name: newName)
            let change = volume.nextChange()
            try writer.touch(parent, name, change)
            if isLinked { try writer.touch(newParent, newName, change) }
            return cookie
        }
        guard let cookie else { throw .notFound }
        try volume.change(inode) { (state) throws(FileError) in
            state.row.parent = newParent
            state.row.cookie = cookie
            state.row.attributes.changed = .now()
            state.isRowDirty = true
        }
    }

    /// A revision must not show at a name what was stored of a file before it had that name.
    private func holdContent(_ inode: Inode) throws(FileError) {
        guard flusher.state(of: inode.ino) != nil else { return }
        let isHeld = try volume.change(inode) { (state) throws(FileError) in
            state.holdContent()
            return state.row.isContentHeld
        }
        // Its flush may be over but for the list's own books: only another one lets it go again.
        if isHeld { flusher.note(inode.ino) }
    }

    private func exchange(
        _ first: DirectoryItem, _ firstParent: UInt64, _ second: DirectoryItem,
        _ secondParent: UInt64
    ) throws(FileError) {
        if first.ino == second.ino { return }
        try requireMovable(first, to: secondParent)
        try requireMovable(second, to: firstParent)
        try volume.with(first.ino) { (a) throws(FileError) in
            try volume.with(second.ino) { (b) throws(FileError) in
                try exchangePads((a, first, firstParent), (b, second, secondParent))
                // A name of the engine's own, which no program can have made, holds one of them
                // meanwhile.
                let aside: [UInt8] = [0]
                try move(a, first.name, firstParent, aside, firstParent)
                try move(b, second.name, secondParent, first.name, firstParent)
                try move(a, aside, firstParent, second.name, secondParent)
                try holdContent(a)
                try holdContent(b)
            }
        }
        let firstDirectory: Int64 = first.kind == .directory ? 1 : 0
        let secondDirectory: Int64 = second.kind == .directory ? 1 : 0
        if firstParent == secondParent {
            try touchParent(firstParent, entries: 0, directories: 0)
            return
        }
        try touchParent(firstParent, entries: 0, directories: secondDirectory - firstDirectory)
        try touchParent(secondParent, entries: 0, directories: firstDirectory - secondDirectory)
    }

    // MARK: Pads

    /// Identities belong to names: a file that takes a pad's name takes its identity
    /// (docs/ARCHITECTURE.md §2).
    private func movePad(
        _ inode: Inode, _ source: DirectoryItem, _ parent: UInt64, _ target: DirectoryItem?,
        _ newName: [UInt8], _ newParent: UInt64
    ) throws(FileError) {
        let isPadFile = inode.state.withLock { $0.row.form == .pad && $0.row.kind == .regular }
        guard isPadFile, try !isKeylessPad(inode) else { return }
        if pads.names.isTemporary(newName) {
            try park(inode, source.name, parent, movedTo: inode.ino)
            return
        }
        var standing: PadRow?
        if let target {
            standing = try volume.with(target.ino) { (other) throws(FileError) in
                try takePad(other)
            }
        }
        if standing == nil {
            standing = try pads.takeParked(parent: newParent, name: newName)
        }
        try volume.change(inode) { (state) throws(FileError) in
            try pads.load(&state)
            if let standing {
                pads.assign(standing, to: &state)
            } else if state.pad == nil {
                pads.assign(pads.newIdentity(for: state.ino), to: &state)
            }
        }
        try volume.query { (writer) throws(MetadataError) in
            if standing != nil { try writer.removePad(inode.ino) }
            try pads.saveParked(writer)
        }
    }

    /// Takes an inode's identity away, with the record that is not acknowledged yet; nil for one
    /// that nothing else can have, because there is no key to it.
    private func takePad(_ inode: Inode) throws(FileError) -> PadRow? {
        let pad = try volume.change(inode) { (state) throws(FileError) -> PadRow? in
            try pads.load(&state)
            guard let pad = state.pad else { return nil }
            pads.assign(nil, to: &state)
            return pad
        }
        if let pad {
            let ino = inode.ino
            try volume.query { (writer) throws(MetadataError) in try writer.removePad(ino) }
            if try pads.isKeyless(pad) { return nil }
        }
        return pad
    }

    /// Two pads that change places leave their identities where they are. A pad that changes places
    /// with something else goes there as if nothing stood there.
    private func exchangePads(
        _ one: (inode: Inode, item: DirectoryItem, parent: UInt64),
        _ other: (inode: Inode, item: DirectoryItem, parent: UInt64)
    ) throws(FileError) {
        if one.item.kind == .regular && other.item.kind == .regular {
            try swapPads(one.inode, other.inode)
            return
        }
        try movePad(one.inode, one.item, one.parent, nil, other.item.name, other.parent)
        try movePad(other.inode, other.item, other.parent, nil, one.item.name, one.parent)
    }

    /// True for a pad whose content nobody here can change: its identity stays with its file.
    private func isKeylessPad(_ inode: Inode) throws(FileError) -> Bool {
        try volume.change(inode) { (state) throws(FileError) in
            try pads.load(&state)
            return try state.pad.map { (pad) throws(FileError) in try pads.isKeyless(pad) } ?? false
        }
    }

    private func swapPads(_ a: Inode, _ b: Inode) throws(FileError) {
        if try isKeylessPad(a) { return }
        if try isKeylessPad(b) { return }
        let padOfA = try takePad(a)
        let padOfB = try takePad(b)
        try volume.change(a) { (state) throws(FileError) in
            if let padOfB { pads.assign(padOfB, to: &state) }
        }
        try volume.change(b) { (state) throws(FileError) in
            if let padOfA { pads.assign(padOfA, to: &state) }
        }
    }
}
