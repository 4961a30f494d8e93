// SPDX-License-Identifier: Apache-2.0
//
// What has to be so before a rename gives pads other identities. Changes nothing but what comes
// from the store.

import Metadata
import Namespace
import Primitives
import Scratchpads
import Synchronization

extension Engine {
    /// The file that has to have its content before it is renamed, because it would get another
    /// identity, or none, and nobody could ask the store for it any more; nil if there is none.
    /// Names are locked.
    ///
    /// - Throws: `tooLarge` if the pad whose identity it would take cannot have so much.
    func unfetched(
        _ source: DirectoryItem, to name: [UInt8], _ parent: UInt64, over target: DirectoryItem?
    ) throws(FileError) -> UInt64? {
        guard source.kind == .regular else { return nil }
        if pads.names.isTemporary(name) { return try unfetched(source, taking: nil) }
        var standing: PadRow?
        if let target, target.kind == .regular { standing = try pad(target.ino) }
        if let pad = standing, try pads.isKeyless(pad) { standing = nil }
        if standing == nil {
            standing = pads.parked.withLock { $0.entry(parent: parent, name: name)?.pad }
        }
        return standing == nil ? nil : try unfetched(source, taking: standing)
    }

    /// The same of two that change places.
    func unfetched(
        _ one: DirectoryItem, _ parent: UInt64, with other: DirectoryItem, _ otherParent: UInt64
    ) throws(FileError) -> UInt64? {
        guard one.kind == .regular, other.kind == .regular else {
            let first = try unfetched(one, to: other.name, otherParent, over: nil)
            return try first == nil ? unfetched(other, to: one.name, parent, over: nil) : first
        }
        if one.ino == other.ino { return nil }
        let (own, others) = (try pad(one.ino), try pad(other.ino))
        for pad in [own, others] {
            // Neither changes then.
            if let pad, try pads.isKeyless(pad) { return nil }
        }
        let first = try unfetched(one, taking: others)
        return try first == nil ? unfetched(other, taking: own) : first
    }

    /// The file itself if its content is to come first.
    private func unfetched(
        _ item: DirectoryItem, taking standing: PadRow?
    ) throws(FileError) -> UInt64? {
        try volume.with(item.ino) { (inode) throws(FileError) in
            try inode.state.withLock { (state) throws(FileError) in
                try pads.load(&state)
                if let pad = state.pad, try pads.isKeyless(pad) { return nil }
                if try volume.unfetchedPad(&state) != nil { return item.ino }
                if state.row.size > UInt64(PadKeeper.contentLimit(standing)) { throw .tooLarge }
                return nil
            }
        }
    }

    /// Brings a pad's content, if it is still there.
    func fetchContent(of ino: UInt64, _ context: RequestContext) throws(FileError) {
        guard let inode = try volume.pinIfPresent(ino) else { return }
        defer { volume.table.unpin(inode) }
        try ensureContent(inode, context.patience)
    }
}
