// SPDX-License-Identifier: Apache-2.0
//
// Looking at foreign trees: `Engine+ForeignChanges.swift` changes those that can be changed.

import Glibc
import Namespace
import Primitives

extension Engine {
    /// Permission bits of what nobody can change.
    private static let foreignDirectoryMode: UInt32 = 0o555
    private static let foreignFileMode: UInt32 = 0o444

    /// The inode of a foreign tree's directory by its name in the root.
    func foreignRoot(_ name: [UInt8]) -> UInt64? {
        trees.firstIndex { Array($0.name.utf8) == name }.map {
            ForeignInodes.ino(tree: $0, node: 0)
        }
    }

    /// The names of all foreign trees in the root, with their inodes.
    var foreignRoots: [(name: String, ino: UInt64)] {
        trees.enumerated().map { ($1.name, ForeignInodes.ino(tree: $0, node: 0)) }
    }

    /// Tells the trees that the engine runs.
    func beginForeignTrees() {
        for (index, tree) in trees.enumerated() {
            tree.begin(
                ForeignHost(
                    report: { [volume] in volume.errors.add(.tree, $0) },
                    nameChanged: { [weak self] directory, name in
                        let parent = ForeignInodes.ino(tree: index, node: directory)
                        guard let tell = self?.invalidation else { return }
                        if let name { tell(.entry(parent: parent, name: name)) }
                        // The kernel may have the whole listing.
                        tell(.inode(parent))
                    },
                    statusChanged: { [weak self] node in
                        self?.invalidation(
                            .attributes(ForeignInodes.ino(tree: index, node: node)))
                    }))
        }
    }

    func foreignStatus(
        _ ino: UInt64, _ patience: Patience?
    ) throws(FileError) -> FileStatus {
        let (tree, node) = try foreign(ino)
        let status = try tree.status(of: node, patience)
        let time = status.modified ?? .now()
        let fixed = status.isDirectory ? Self.foreignDirectoryMode : Self.foreignFileMode
        return FileStatus(
            ino: ino, kind: status.isDirectory ? .directory : .regular,
            attributes: FileAttributes(
                mode: status.mode ?? fixed, uid: geteuid(), gid: getegid(), accessed: time,
                modified: time, changed: time, created: time),
            size: status.isDirectory ? FileStatus.directorySize : status.size,
            linkCount: status.isDirectory ? 2 : 1, device: 0,
            allocated: status.isDirectory ? 0 : status.size)
    }

    func foreignChild(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        let (tree, node) = try foreign(parent)
        let child = try tree.child(name, of: node, context.patience)
        return try foreignStatus(
            ForeignInodes.ino(tree: index(parent), node: child), context.patience)
    }

    func openForeign(
        _ ino: UInt64, _ intent: OpenIntent, _ context: RequestContext
    ) throws(FileError) -> OpenedFile {
        let (tree, node) = try foreign(ino)
        if intent.writes || intent.truncates {
            guard let tree = tree as? any WritableForeignTree else { throw .accessDenied }
            try requireWritable()
            let content = try tree.openForWriting(
                node, truncates: intent.truncates, context.patience)
            // What the kernel gathered would come after the close that is to say what is wrong.
            let handle = try add(.foreignWriter(content)) { content.close() }
            return OpenedFile(handle: handle, keepsCache: false, isDirect: true)
        }
        let content = try tree.open(node, context.patience)
        let handle = try add(.foreign(content)) { content.close() }
        return OpenedFile(
            handle: handle, keepsCache: content.keepsCache ?? false,
            isDirect: content.keepsCache == nil)
    }

    /// A number for content that was opened; closes it if there is none.
    private func add(_ handle: OpenHandle, orClose close: () -> Void) throws(FileError) -> UInt64 {
        do throws(FileError) {
            return try handles.add(handle)
        } catch {
            close()
            throw error
        }
    }

    func requireForeignDirectory(
        _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) {
        let (tree, node) = try foreign(ino)
        guard try tree.status(of: node, context.patience).isDirectory else { throw .notDirectory }
    }

    func listForeign(
        _ ino: UInt64, from offset: UInt64, withStatus: Bool, _ context: RequestContext,
        _ body: (ListedEntry) -> Bool
    ) throws(FileError) {
        let (tree, node) = try foreign(ino)
        let first = Engine.firstCookieOffset
        guard var position = Int(exactly: offset < first ? 0 : offset - first) else { return }
        var isFirst = true
        while true {
            let children: [ForeignChild]
            do throws(FileError) {
                children = try tree.children(
                    of: node, from: position, limit: Engine.listingBatch, context.patience)
            } catch {
                // What was given so far stands; the next call waits for the rest, or fails.
                if isFirst { throw error }
                return
            }
            isFirst = false
            for child in children {
                let childIno = ForeignInodes.ino(tree: index(ino), node: child.node)
                position = child.next
                let entry = ListedEntry(
                    name: child.name, ino: childIno,
                    kind: child.isDirectory ? .directory : .regular,
                    nextOffset: first + UInt64(position),
                    status: withStatus ? try listedStatus(childIno) : nil)
                if !body(entry) { return }
            }
            if children.isEmpty { return }
        }
    }

    /// A status that is known already: a listing asks nobody about each of its names.
    private func listedStatus(_ ino: UInt64) throws(FileError) -> FileStatus? {
        do throws(FileError) {
            return try foreignStatus(ino, nil)
        } catch .wouldBlock, .stale {
            return nil
        }
    }

    func foreignAttribute(
        _ name: [UInt8], of ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> [UInt8] {
        let (tree, node) = try foreign(ino)
        let text = String(decoding: name, as: UTF8.self)
        if let value = try tree.attribute(text, of: node, context.patience) {
            return Array(value.utf8)
        }
        guard name == Engine.identifierAttribute else { throw .noAttribute }
        if try tree.status(of: node, context.patience).isDirectory { throw .noAttribute }
        guard let patience = context.patience else { throw .wouldBlock }
        let content = try tree.open(node, patience)
        defer { content.close() }
        return try contentIdentifier(patience) { (offset, out, patience) throws(FileError) in
            try content.read(at: offset, into: &out, patience)
        }
    }

    func foreignAttributeNames(of ino: UInt64) throws(FileError) -> [[UInt8]] {
        let (tree, node) = try foreign(ino)
        return try tree.attributeNames(of: node).sorted().map { Array($0.utf8) }
    }

    func index(_ ino: UInt64) -> Int { ForeignInodes.split(ino).tree }

    func foreign(
        _ ino: UInt64
    ) throws(FileError) -> (tree: any ForeignTree, node: UInt64) {
        let (tree, node) = ForeignInodes.split(ino)
        guard trees.indices.contains(tree) else { throw .stale }
        return (trees[tree], node)
    }
}
