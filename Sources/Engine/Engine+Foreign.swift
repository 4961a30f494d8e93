// SPDX-License-Identifier: Apache-2.0
//
// Filesystem operations on foreign trees. Everything that would change one was refused before it
// comes here, as for `.cairn`.

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

    func foreignStatus(_ ino: UInt64) throws(FileError) -> FileStatus {
        let (tree, node) = try foreign(ino)
        let status = try tree.status(of: node)
        let time = status.modified ?? .now()
        return FileStatus(
            ino: ino, kind: status.isDirectory ? .directory : .regular,
            attributes: FileAttributes(
                mode: status.isDirectory ? Self.foreignDirectoryMode : Self.foreignFileMode,
                uid: geteuid(), gid: getegid(), accessed: time, modified: time, changed: time,
                created: time),
            size: status.isDirectory ? FileStatus.directorySize : status.size,
            linkCount: status.isDirectory ? 2 : 1, device: 0,
            allocated: status.isDirectory ? 0 : status.size)
    }

    func foreignChild(
        _ name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        let (tree, node) = try foreign(parent)
        let child = try tree.child(name, of: node, context.patience)
        return try foreignStatus(ForeignInodes.ino(tree: index(parent), node: child))
    }

    func openForeign(
        _ ino: UInt64, _ intent: OpenIntent, _ context: RequestContext
    ) throws(FileError) -> OpenedFile {
        if intent.writes || intent.truncates { throw .accessDenied }
        let (tree, node) = try foreign(ino)
        let content = try tree.open(node, context.patience)
        // What lies under an address never changes, so what the kernel has stays true.
        return OpenedFile(
            handle: try handles.add(.foreign(content)), keepsCache: true, isDirect: false)
    }

    func requireForeignDirectory(_ ino: UInt64) throws(FileError) {
        let (tree, node) = try foreign(ino)
        guard try tree.status(of: node).isDirectory else { throw .notDirectory }
    }

    func listForeign(
        _ ino: UInt64, from offset: UInt64, withStatus: Bool, _ body: (ListedEntry) -> Bool
    ) throws(FileError) {
        let (tree, node) = try foreign(ino)
        let first = Engine.firstCookieOffset
        guard var position = Int(exactly: offset < first ? 0 : offset - first) else { return }
        while true {
            let children = try tree.children(
                of: node, from: position, limit: Engine.listingBatch)
            for child in children {
                let childIno = ForeignInodes.ino(tree: index(ino), node: child.node)
                position += 1
                let entry = ListedEntry(
                    name: child.name, ino: childIno,
                    kind: child.isDirectory ? .directory : .regular,
                    nextOffset: first + UInt64(position),
                    status: withStatus ? try foreignStatus(childIno) : nil)
                if !body(entry) { return }
            }
            if children.count < Engine.listingBatch { return }
        }
    }

    func foreignAttribute(_ name: [UInt8], of ino: UInt64) throws(FileError) -> [UInt8] {
        guard name.starts(with: Array(Engine.ownPrefix.utf8)) else { throw .noAttribute }
        let key = String(decoding: name.dropFirst(Engine.ownPrefix.utf8.count), as: UTF8.self)
        let (tree, node) = try foreign(ino)
        guard let value = try tree.attributes(of: node)[key] else { throw .noAttribute }
        return Array(value.utf8)
    }

    func foreignAttributeNames(of ino: UInt64) throws(FileError) -> [[UInt8]] {
        let (tree, node) = try foreign(ino)
        return try tree.attributes(of: node).keys.sorted().map {
            Array((Engine.ownPrefix + $0).utf8)
        }
    }

    private func index(_ ino: UInt64) -> Int { ForeignInodes.split(ino).tree }

    private func foreign(
        _ ino: UInt64
    ) throws(FileError) -> (tree: any ForeignTree, node: UInt64) {
        let (tree, node) = ForeignInodes.split(ino)
        guard trees.indices.contains(tree) else { throw .stale }
        return (trees[tree], node)
    }
}
