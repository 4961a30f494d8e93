// SPDX-License-Identifier: Apache-2.0
//
// Random operations on names: what is made, moved, linked and removed.

import Engine
import Namespace
import TestSupport

extension ModelRun {
    /// Few names, so that they collide: among them the longest, one that is not ASCII, and those
    /// that editors use beside a file.
    private static let names: [[UInt8]] =
        (0..<9).map { Array("n\($0)".utf8) }
        + [
            Array("ünïcödé ☃".utf8), [UInt8](repeating: UInt8(ascii: "x"), count: 255),
            [0xFF, 0xFE, 0x20], Array("n1~".utf8), Array(".n2.swp".utf8), Array("n3.tmp".utf8),
            Array("4913".utf8),
        ]
    /// Those that stay on this machine in `scratchpads/`.
    private static let temporary = Set(names.suffix(4))

    func anyName() -> [UInt8] {
        ModelRun.names[Int.random(in: 0..<ModelRun.names.count, using: &dice)]
    }

    func anyDirectory() -> Int { pick(tree.named { $0.kind == .directory }) ?? 0 }

    func pick(_ ids: [Int]) -> Int? {
        ids.isEmpty ? nil : ids[Int.random(in: 0..<ids.count, using: &dice)]
    }

    /// A directory and a name in it that is taken; nil in an empty tree.
    private func anyEntry() -> (parent: Int, name: [UInt8], id: Int)? {
        guard let parent = pick(tree.named { $0.kind == .directory && !$0.children.isEmpty })
        else { return nil }
        let names = tree[parent].children.keys.sorted { $0.lexicographicallyPrecedes($1) }
        let name = names[Int.random(in: 0..<names.count, using: &dice)]
        guard let id = tree.child(name, of: parent) else { return nil }
        return (parent, name, id)
    }

    private var isFull: Bool { tree.nodes.count > ModelRun.nodeLimit }

    // MARK: New names

    /// What a new node has before its times are known.
    ///
    /// - Parameter asked: the mode that the call gives; the umask counts where the directory has no
    ///   default list.
    func newNode(_ kind: FileKind, asked: UInt32, in parent: Int) -> ModelTree.Node {
        var node = ModelTree.Node(kind: kind, ino: 0)
        (node.attributes.uid, node.attributes.gid) = (context.user, context.group)
        let directory = tree[parent]
        if kind == .symlink {
            node.attributes.mode = asked
        } else if let list = directory.xattrs[ModelRun.defaultList] {
            let own = ModelRun.inherited(list, by: asked)
            node.attributes.mode = own.mode
            node.xattrs[ModelRun.accessList] = own.list
            if kind == .directory { node.xattrs[ModelRun.defaultList] = list }
        } else {
            node.attributes.mode = asked & ~context.umask
        }
        if directory.attributes.mode & 0o2000 != 0 {
            node.attributes.gid = directory.attributes.gid
            if kind == .directory { node.attributes.mode |= 0o2000 }
        }
        return node
    }

    private func adopt(
        _ template: ModelTree.Node, _ status: FileStatus, _ name: [UInt8], _ parent: Int
    ) throws -> Int {
        var node = template
        node.ino = status.ino
        if tree.nodes.values.contains(where: { $0.ino == status.ino }) || gone.contains(status.ino)
        {
            throw fail("inode \(status.ino) was given twice", inode: status.ino)
        }
        let id = tree.add(node, name, in: parent)
        if tree[id].isPad && node.kind == .regular && !ModelRun.temporary.contains(name) {
            let key = ModelParking.Name(directory: tree[parent].ino, name: name)
            tree[id].identity = tree.parked.take(key, now: seconds) ?? .unknown
        }
        try settle(id, .all)
        try settle(parent, .bytes)
        return id
    }

    func makeNode() throws {
        if isFull { return try remove() }
        let (parent, name) = (anyDirectory(), anyName())
        let standing: FileError? = tree.child(name, of: parent) == nil ? nil : .exists
        let directory = tree[parent].ino
        var node: ModelTree.Node
        let made: FileStatus?
        switch Int.random(in: 0..<10, using: &dice) {
        case 0..<4:
            node = newNode(.directory, asked: 0o777, in: parent)
            node.links = 2
            made = try expect("mkdir in \(directory)", standing) { () throws(FileError) in
                try engine.makeDirectory(name, in: directory, mode: 0o777, context)
            }
        case 4..<7:
            node = newNode(.symlink, asked: 0o777, in: parent)
            node.target = dice.bytes(Int.random(in: 1...300, using: &dice)).map { $0 | 1 }
            let target = node.target
            made = try expect("symlink in \(directory)", standing) { () throws(FileError) in
                try engine.makeSymlink(name, in: directory, target: target, context)
            }
        default:
            let kinds: [FileKind] = [.fifo, .socket, .characterDevice, .blockDevice, .regular]
            let kind = kinds[Int.random(in: 0..<kinds.count, using: &dice)]
            node = newNode(kind, asked: 0o662, in: parent)
            let isDevice = kind == .characterDevice || kind == .blockDevice
            node.device = isDevice ? UInt64.random(in: 1...0xFFFF_FFFF, using: &dice) : 0
            let device = node.device
            made = try expect("mknod \(kind) in \(directory)", standing) { () throws(FileError) in
                try engine.makeNode(
                    name, in: directory, kind: kind, mode: 0o662, device: device, context)
            }
        }
        guard let made else { return }
        engine.forget(made.ino, count: 1)
        _ = try adopt(node, made, name, parent)
    }

    func createFile() throws {
        if isFull { return try remove() }
        let (parent, name) = (anyDirectory(), anyName())
        let isExclusive = Bool.random(using: &dice)
        let truncates = Int.random(in: 0..<4, using: &dice) == 0
        let directory = tree[parent].ino
        let standing = tree.child(name, of: parent)
        var expected: FileError?
        if let standing {
            switch tree[standing].kind {
            case _ where isExclusive: expected = .exists
            case .regular: break
            case .directory: expected = .isDirectory
            default: expected = .invalid
            }
        }
        let intent = OpenIntent(reads: true, writes: true, truncates: truncates)
        let words =
            "create in \(directory)" + (standing.map { " over \(tree[$0].ino)" } ?? "")
            + (truncates ? " truncates" : "")
        let made = try expect(words, expected) { () throws(FileError) in
            try engine.create(
                name, in: directory, mode: 0o666, intent, isExclusive: isExclusive, context)
        }
        guard let (status, file) = made else { return }
        engine.forget(status.ino, count: 1)
        let id: Int
        if let standing {
            id = standing
            if truncates { try noteSize(id, 0) }
        } else {
            id = try adopt(newNode(.regular, asked: 0o666, in: parent), status, name, parent)
        }
        open.append(Open(handle: file.handle, node: id))
        if Int.random(in: 0..<3, using: &dice) > 0 { try close() }
    }

    func link() throws {
        guard !isFull, let (_, _, id) = anyEntry() else { return }
        let (parent, name) = (anyDirectory(), anyName())
        var expected: FileError?
        let node = tree[id]
        if node.kind == .directory || (node.isPad && node.kind == .regular) {
            expected = .notPermitted
        } else if tree[parent].isPad && node.kind == .regular {
            expected = .crossDevice
        } else if tree.child(name, of: parent) != nil {
            expected = .exists
        }
        // Between the two trees only what is no file may have names; the model keeps them apart.
        if expected == nil && tree[parent].isPad != node.isPad { return }
        let (ino, directory) = (tree[id].ino, tree[parent].ino)
        let made = try expect("link \(ino) in \(directory)", expected) { () throws(FileError) in
            try engine.link(ino, as: name, in: directory, context)
        }
        guard made != nil else { return }
        engine.forget(ino, count: 1)
        tree[id].links += 1
        tree.attach(id, name, parent)
        try settle(id, .changed)
        try settle(parent, .bytes)
    }

    // MARK: Files without names

    /// Makes a file without a name, or gives one to such a file; one whose names are gone gets
    /// none.
    func temporary() throws {
        let nameless = Set(open.map(\.node)).filter { tree[$0].links == 0 }.sorted()
        if let id = pick(nameless), Bool.random(using: &dice) { return try name(id) }
        if isFull { return try remove() }
        let parent = anyDirectory()
        let directory = tree[parent].ino
        let made = try expect(
            "temporary file in \(directory)", tree[parent].isPad ? .notSupported : nil
        ) { () throws(FileError) in
            try engine.createTemporary(
                in: directory, mode: 0o666, OpenIntent(reads: true, writes: true), context)
        }
        guard let (status, file) = made else { return }
        engine.forget(status.ino, count: 1)
        var node = newNode(.regular, asked: 0o666, in: parent)
        node.ino = status.ino
        let id = tree.addNameless(node)
        open.append(Open(handle: file.handle, node: id))
        try settle(id, .all)
    }

    private func name(_ id: Int) throws {
        let (parent, name) = (anyDirectory(), anyName())
        let (ino, directory) = (tree[id].ino, tree[parent].ino)
        var expected: FileError?
        if tree[id].isPad {
            expected = .notPermitted
        } else if tree[parent].isPad {
            expected = .crossDevice
        } else if !tree[id].isLinkable {
            expected = .notFound
        } else if tree.child(name, of: parent) != nil {
            expected = .exists
        }
        let made = try expect("name for \(ino) in \(directory)", expected) {
            () throws(FileError) in
            try engine.link(ino, as: name, in: directory, context)
        }
        guard made != nil else { return }
        engine.forget(ino, count: 1)
        tree[id].links = 1
        tree[id].isLinkable = false
        tree.attach(id, name, parent)
        try settle(id, .changed)
        try settle(parent, .bytes)
    }

    // MARK: Names that go

    func remove() throws {
        guard let (parent, name, id) = anyEntry() else { return }
        let (ino, directory) = (tree[id].ino, tree[parent].ino)
        if Bool.random(using: &dice) == (tree[id].kind == .directory) {
            var expected: FileError?
            if tree[id].kind != .directory {
                expected = .notDirectory
            } else if !tree[id].children.isEmpty {
                expected = .notEmpty
            }
            let done: Void? = try expect("rmdir \(ino)", expected) { () throws(FileError) in
                try engine.removeDirectory(name, in: directory, context)
            }
            if done == nil { return }
        } else {
            let expected: FileError? = tree[id].kind == .directory ? .isDirectory : nil
            let done: Void? = try expect("unlink \(ino)", expected) { () throws(FileError) in
                try engine.unlink(name, in: directory, context)
            }
            if done == nil { return }
            park(id, name, parent, mover: nil)
        }
        _ = tree.detach(name, parent)
        try dropName(id)
        try settle(parent, .bytes)
    }

    /// One name less, and what is left of the node.
    private func dropName(_ id: Int) throws {
        tree.drop(id)
        dropIfUnused(id)
        if tree.nodes[id] != nil && tree[id].kind != .directory { try settle(id, .changed) }
    }

    /// A node without names goes when nobody has it open.
    func dropIfUnused(_ id: Int) {
        guard tree[id].links == 0, !open.contains(where: { $0.node == id }) else { return }
        gone.append(tree[id].ino)
        tree.nodes[id] = nil
    }

    // MARK: Names that move

    func rename() throws {
        guard let (parent, name, id) = anyEntry() else { return }
        let (newParent, newName) = (anyDirectory(), anyName())
        let target = tree.child(newName, of: newParent)
        let mode: RenameMode = [.replace, .replace, .noReplace, .exchange][
            Int.random(in: 0..<4, using: &dice)]
        let expected = renameError(id, parent, newParent, target, mode)
        let (from, to) = (tree[parent].ino, tree[newParent].ino)
        let words =
            "rename \(tree[id].ino) from \(from) to \(to) \(mode)"
            + (target.map { " over \(tree[$0].ino)" } ?? "")
        let done: Void? = try expect(words, expected) { () throws(FileError) in
            try engine.rename(name, in: from, to: newName, in: to, mode, context)
        }
        if done == nil || target == id { return }
        if mode == .exchange, let target {
            exchangePads((id, name, parent), (target, newName, newParent))
        } else {
            movePad(id, name, parent, target, newName, newParent)
        }
        _ = tree.detach(name, parent)
        if let target {
            _ = tree.detach(newName, newParent)
            if mode == .exchange { tree.attach(target, name, parent) }
        }
        tree.attach(id, newName, newParent)
        try settle(id, .changed)
        if let target {
            if mode == .exchange { try settle(target, .changed) } else { try dropName(target) }
        }
        try settle(parent, .bytes)
        try settle(newParent, .bytes)
    }

    private func renameError(
        _ id: Int, _ parent: Int, _ newParent: Int, _ target: Int?, _ mode: RenameMode
    ) -> FileError? {
        if tree[parent].isPad != tree[newParent].isPad { return .crossDevice }
        if mode == .noReplace && target != nil { return .exists }
        if mode == .exchange && target == nil { return .notFound }
        if target == id { return nil }
        let isDirectory = tree[id].kind == .directory
        if isDirectory && tree.isAncestor(id, of: newParent) { return .invalid }
        guard let target else { return nil }
        if mode == .exchange {
            let wouldHoldItself =
                tree[target].kind == .directory && tree.isAncestor(target, of: parent)
            return wouldHoldItself ? .invalid : nil
        }
        if isDirectory && tree[target].kind != .directory { return .notDirectory }
        if !isDirectory && tree[target].kind == .directory { return .isDirectory }
        return isDirectory && !tree[target].children.isEmpty ? .notEmpty : nil
    }

    static func isTemporary(_ name: [UInt8]) -> Bool { temporary.contains(name) }
}
