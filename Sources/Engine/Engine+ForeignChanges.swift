// SPDX-License-Identifier: Apache-2.0
//
// Changing what can be changed of foreign trees. Everything here was refused for the trees that
// only show something.

import Glibc
import Namespace
import Threading

extension Engine {
    /// Whether there is a tree that is to hear of each close. Where there is none the kernel is
    /// told to save itself the request.
    package var hearsCloses: Bool { trees.contains { $0 is any WritableForeignTree } }

    /// Whether an inode belongs to a tree that is not the volume's.
    package static func isForeign(_ ino: UInt64) -> Bool { ForeignInodes.isForeign(ino) }

    /// Makes a file in a foreign tree. Counts one kernel reference.
    func makeForeign(
        _ name: [UInt8], in parent: UInt64, mode: UInt32, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        try requireName(name)
        let (tree, node) = try writableForeign(parent)
        let child = try tree.create(
            name, in: node, mode: mode & ~context.umask, context.patience)
        let status = try foreignStatus(
            ForeignInodes.ino(tree: index(parent), node: child), context.patience)
        volume.table.addReference(status.ino)
        return status
    }

    /// Makes and opens a file in a foreign tree.
    func createForeign(
        _ name: [UInt8], in parent: UInt64, mode: UInt32, _ intent: OpenIntent,
        isExclusive: Bool, _ context: RequestContext
    ) throws(FileError) -> (FileStatus, OpenedFile) {
        let status: FileStatus
        do throws(FileError) {
            status = try makeForeign(name, in: parent, mode: mode, context)
        } catch .exists where !isExclusive {
            status = try lookup(name, in: parent, context)
        }
        do throws(FileError) {
            return (status, try open(status.ino, intent, context))
        } catch {
            volume.table.dropReferences(status.ino)
            throw error
        }
    }

    func changeForeign(
        _ ino: UInt64, _ change: AttributeChange, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        let (tree, node) = try writableForeign(ino)
        // Everything is this user's; who says so again, as those who copy do, changes nothing.
        if change.user ?? geteuid() != geteuid() || change.group ?? getegid() != getegid() {
            throw .notPermitted
        }
        do throws(FileError) {
            try tree.change(node, change, context.patience)
            return try foreignStatus(ino, context.patience)
        } catch .stale where change.size == nil {
            // A kernel that keeps times itself hands over those of what was removed, too.
            let now = Timestamp.now()
            return FileStatus(
                ino: ino, kind: .regular,
                attributes: FileAttributes(
                    mode: 0, uid: geteuid(), gid: getegid(), accessed: now, modified: now,
                    changed: now, created: now),
                size: 0, linkCount: 0, device: 0, allocated: 0)
        }
    }

    func removeForeign(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) {
        let (tree, node) = try writableForeign(parent)
        try tree.remove(name, in: node, context.patience)
    }

    func renameForeign(
        _ name: [UInt8], in parent: UInt64, to newName: [UInt8], in newParent: UInt64,
        _ mode: RenameMode, _ context: RequestContext
    ) throws(FileError) {
        guard ForeignInodes.isForeign(parent), ForeignInodes.isForeign(newParent),
            index(parent) == index(newParent)
        else { throw .crossDevice }
        try requireName(newName)
        let (tree, node) = try writableForeign(parent)
        let (_, newNode) = try writableForeign(newParent)
        try tree.rename(name, in: node, to: newName, in: newNode, mode, context.patience)
    }

    func setForeignAttribute(
        _ name: [UInt8], of ino: UInt64, to value: [UInt8]?, _ expectation: AttributeExpectation,
        _ context: RequestContext
    ) throws(FileError) {
        // Who copies permissions sets them as a mode then.
        if name == AccessList.accessName || name == AccessList.defaultName { throw .notSupported }
        let (tree, node) = try writableForeign(ino)
        let text = String(decoding: name, as: UTF8.self)
        if expectation != .any || value == nil {
            let isThere = try tree.attribute(text, of: node, context.patience) != nil
            if expectation == .absent && isThere { throw .exists }
            if (expectation == .present || value == nil) && !isThere { throw .noAttribute }
        }
        try tree.setAttribute(text, of: node, to: value, context.patience)
    }

    /// fsync of something in a foreign tree: it has become what it stands for.
    package func synchronizeForeign(
        _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) {
        let (tree, node) = try foreign(ino)
        try (tree as? any WritableForeignTree)?.synchronize(node, context.patience)
    }

    /// A close of one of those who have a file open.
    package func finish(_ handle: UInt64) throws(FileError) {
        guard case .foreignWriter(let content) = handles.handle(handle) else { return }
        try content.finish()
    }

    /// Waits for all that was written to foreign trees; nil when nothing is left.
    ///
    /// - Parameter retries: the trees that are still to try what failed, once each; nil for none.
    func flushForeignTrees(
        retries: inout Set<Int>?, until deadline: WaitClock.Instant?
    ) -> FileError? {
        for (index, tree) in trees.enumerated() {
            guard let tree = tree as? any WritableForeignTree else { continue }
            let isRetrying = retries?.remove(index) != nil
            if let failure = tree.flushAll(retrying: isRetrying, until: deadline) {
                return failure
            }
        }
        return nil
    }

    /// Files of foreign trees that are not yet what they stand for.
    var pendingForeignCount: Int {
        trees.reduce(0) { $0 + (($1 as? any WritableForeignTree)?.pendingCount ?? 0) }
    }

    private func writableForeign(
        _ ino: UInt64
    ) throws(FileError) -> (tree: any WritableForeignTree, node: UInt64) {
        let (tree, node) = try foreign(ino)
        guard let tree = tree as? any WritableForeignTree else { throw .notPermitted }
        try requireWritable()
        return (tree, node)
    }
}
