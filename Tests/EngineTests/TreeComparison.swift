// SPDX-License-Identifier: Apache-2.0
//
// Whether an engine shows exactly what a model tree says.

import Engine
import Namespace

/// Compares a running volume with a model.
struct TreeComparison {
    let volume: TestVolume
    let tree: ModelTree
    /// Entries taken from a listing before it is asked again from where it was.
    var listingStep = 7
    /// A node whose bytes and time of change may be anything.
    var torn: Int?

    private var engine: Engine { volume.engine }

    init(_ volume: TestVolume, _ tree: ModelTree) {
        self.volume = volume
        self.tree = tree
    }

    /// The first difference, or nil. Compares names, attributes, contents, links and holes.
    func difference() -> String? {
        var waiting = [(0, Engine.filesInode, "/files")]
        var seen: Set<Int> = []
        while let (id, ino, path) = waiting.popLast() {
            do throws(FileError) {
                if seen.insert(id).inserted, let problem = try node(id, ino) {
                    return "\(path): \(problem)"
                }
                guard tree[id].kind == .directory else { continue }
                let listed = try list(ino)
                let wanted = tree[id].children
                if Set(listed.keys) != Set(wanted.keys) {
                    return "\(path): lists \(names(listed.keys)), not \(names(wanted.keys))"
                }
                for (name, child) in wanted {
                    let below = "\(path)/\(String(decoding: name.prefix(20), as: UTF8.self))"
                    guard let entry = listed[name] else { continue }
                    let status = try engine.lookup(name, in: ino, volume.context)
                    engine.forget(status.ino, count: 1)
                    if entry.ino != status.ino { return "\(below): listing and lookup differ" }
                    // A flush may change in between how many bytes are allocated.
                    var (one, other) = (entry.status, status)
                    one?.allocated = 0
                    other.allocated = 0
                    if one != other { return "\(below): listed status differs" }
                    waiting.append((child, status.ino, below))
                }
            } catch {
                return "\(path): \(error)"
            }
        }
        return nil
    }

    private func names(_ names: some Sequence<[UInt8]>) -> String {
        names.map { String(decoding: $0.prefix(20), as: UTF8.self) }.sorted().description
    }

    private func list(_ ino: UInt64) throws(FileError) -> [[UInt8]: ListedEntry] {
        let handle = try engine.openDirectory(ino, volume.context)
        defer { engine.releaseDirectory(handle) }
        var entries: [[UInt8]: ListedEntry] = [:]
        var offset: UInt64 = 0
        while true {
            var count = 0
            let from = offset
            try engine.readDirectory(
                handle, ino: ino, from: from, withStatus: true, volume.context
            ) { entry in
                if count == listingStep { return false }
                count += 1
                offset = entry.nextOffset
                if entry.name != Array(".".utf8) && entry.name != Array("..".utf8) {
                    entries[entry.name] = entry
                }
                return true
            }
            if count < listingStep { return entries }
        }
    }

    /// Compares one node without its names.
    func node(_ id: Int, _ ino: UInt64) throws(FileError) -> String? {
        let node = tree[id]
        let status = try engine.status(of: ino, volume.context)
        if ino != node.ino || status.ino != ino { return "is inode \(ino), not \(node.ino)" }
        if status.kind != node.kind { return "is a \(status.kind), not a \(node.kind)" }
        if status.linkCount != node.links {
            return "has \(status.linkCount) links, not \(node.links)"
        }
        if id != 0 && status.attributes.mode != node.mode {
            return "has mode \(String(status.attributes.mode, radix: 8)), not "
                + String(node.mode, radix: 8)
        }
        if id != 0 && (status.attributes.uid, status.attributes.gid) != (node.user, node.group) {
            return "has another owner"
        }
        if id != torn && status.attributes.modified != node.modified {
            return "changed at \(status.attributes.modified), not \(node.modified)"
        }
        if let problem = try attributes(node, ino) { return problem }
        switch node.kind {
        case .regular: return id == torn ? nil : try content(node, ino, status)
        case .symlink:
            if try engine.readLink(ino) != node.target { return "points elsewhere" }
            return Int(status.size) == node.target.count ? nil : "has a target of another size"
        case .directory: return nil
        default: return status.device == node.device ? nil : "is another device"
        }
    }

    private func attributes(_ node: ModelTree.Node, _ ino: UInt64) throws(FileError) -> String? {
        let names = try engine.extendedAttributeNames(of: ino, volume.context)
            .filter { !$0.starts(with: Array("user.cairn.".utf8)) }
        if Set(names) != Set(node.attributes.keys) { return "has other extended attributes" }
        for (name, value) in node.attributes
        where try engine.extendedAttribute(name, of: ino, volume.context) != value {
            return "has another value of an extended attribute"
        }
        return nil
    }

    private func content(
        _ node: ModelTree.Node, _ ino: UInt64, _ status: FileStatus
    ) throws(FileError) -> String? {
        if Int(status.size) != node.content.size {
            return "has \(status.size) bytes, not \(node.content.size)"
        }
        let file = try engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { engine.release(file.handle, ino: ino) }
        let step = 1 << 18
        var buffer = [UInt8](repeating: 0xEE, count: step)
        for start in stride(from: 0, to: node.content.size, by: step) {
            var span = buffer.mutableSpan
            let count = try engine.read(
                file.handle, ino: ino, at: UInt64(start), into: &span, volume.context)
            let wanted = node.content.read(start..<start + step)
            if count != wanted.count { return "gives \(count) bytes at \(start)" }
            let given = Array(buffer[..<count])
            if !same(given, wanted) {
                let at = zip(given, wanted).enumerated().first { $0.1.0 != $0.1.1 }?.offset ?? 0
                return "has other bytes at \(start + at) of \(node.content.size)"
            }
        }
        return try holes(node, ino)
    }

    /// Holes must be zeros, data and holes must alternate to the end.
    private func holes(_ node: ModelTree.Node, _ ino: UInt64) throws(FileError) -> String? {
        var position: UInt64 = 0
        let size = UInt64(node.content.size)
        while position < size {
            let data: UInt64
            do throws(FileError) {
                data = try engine.seek(ino, from: position, findsData: true, volume.context)
            } catch .noSuchExtent {
                data = size
            }
            if data < position || data > size { return "SEEK_DATA went astray" }
            if !node.content.isZero(Int(position)..<Int(data)) { return "has bytes in a hole" }
            if data == size { return nil }
            let hole = try engine.seek(ino, from: data, findsData: false, volume.context)
            if hole <= data || hole > size { return "SEEK_HOLE went astray" }
            position = hole
        }
        return nil
    }
}
