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
    /// A node whose bytes and times of change may be anything.
    var torn: Int?
    /// Pads as they were found; an identity may be with one name only.
    private(set) var identities: [Int: PadIdentity] = [:]

    /// Looks at what may change between two looks, because a flush runs, before it counts.
    private static let attempts = 20

    private var engine: Engine { volume.engine }

    init(_ volume: TestVolume, _ tree: ModelTree) {
        self.volume = volume
        self.tree = tree
    }

    /// The first difference, or nil. Compares names, attributes, contents, links and holes.
    mutating func difference() -> String? {
        var waiting = [
            (ModelTree.files, Engine.filesInode, "/files"),
            (ModelTree.scratchpads, Engine.scratchpadsInode, "/scratchpads"),
        ]
        var seen: Set<Int> = []
        while let (id, ino, path) = waiting.popLast() {
            do throws(FileError) {
                if seen.insert(id).inserted, let problem = try node(id, ino) {
                    return "\(path), inode \(ino): \(problem)"
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
        return doubleIdentity()
    }

    /// Two pads with one address would overwrite each other on the store.
    private func doubleIdentity() -> String? {
        var known: Set<String> = []
        for case .known(let address, _) in identities.values where !known.insert(address).inserted {
            return "two pads have the address \(address)"
        }
        return nil
    }

    private func names(_ names: some Sequence<[UInt8]>) -> String {
        names.map { String(decoding: $0.prefix(20), as: UTF8.self) }.sorted().description
    }

    private func list(_ ino: UInt64) throws(FileError) -> [[UInt8]: ListedEntry] {
        let handle = try engine.openDirectory(ino, volume.context).handle
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
    mutating func node(_ id: Int, _ ino: UInt64) throws(FileError) -> String? {
        let node = tree[id]
        let status = try engine.status(of: ino, volume.context)
        if let problem = facts(id, status) { return problem }
        if let problem = try xattrs(node, ino) { return problem }
        if let problem = try identity(id, ino) { return problem }
        switch node.kind {
        case .regular: return id == torn ? nil : try content(node, ino)
        case .symlink: return try engine.readLink(ino) == node.target ? nil : "points elsewhere"
        default: return nil
        }
    }

    /// Compares what `stat` shows, but for the allocated bytes.
    func facts(_ id: Int, _ status: FileStatus) -> String? {
        let node = tree[id]
        if status.ino != node.ino { return "is inode \(status.ino), not \(node.ino)" }
        if status.kind != node.kind { return "is a \(status.kind), not a \(node.kind)" }
        if status.linkCount != node.links {
            return "has \(status.linkCount) links, not \(node.links)"
        }
        if status.device != node.device { return "is another device" }
        var attributes = status.attributes
        if id == torn {
            attributes.modified = node.attributes.modified
            attributes.changed = node.attributes.changed
        }
        if attributes != node.attributes {
            return "has the attributes \(attributes), not \(node.attributes)"
        }
        if id == torn { return nil }
        let size =
            switch node.kind {
            case .regular: node.content.size
            case .symlink: node.target.count
            case .directory: 4096
            default: 0
            }
        return status.size == UInt64(size) ? nil : "has \(status.size) bytes, not \(size)"
    }

    /// Compares the user's extended attributes.
    func xattrs(_ node: ModelTree.Node, _ ino: UInt64) throws(FileError) -> String? {
        let names = try engine.extendedAttributeNames(of: ino, volume.context)
            .filter { !$0.starts(with: Array("user.cairn.".utf8)) }
        if Set(names) != Set(node.xattrs.keys) { return "has other extended attributes" }
        for (name, value) in node.xattrs
        where try engine.extendedAttribute(name, of: ino, volume.context) != value {
            return "has another value of \(String(decoding: name, as: UTF8.self))"
        }
        return nil
    }

    private mutating func identity(_ id: Int, _ ino: UInt64) throws(FileError) -> String? {
        let node = tree[id]
        guard node.isPad, node.kind == .regular, node.links > 0 else { return nil }
        let found = try TreeComparison.identity(of: ino, volume)
        identities[id] = found
        if node.identity == .unknown || node.identity == found { return nil }
        return "is the pad \(found), not \(node.identity)"
    }

    /// What the engine says of a pad's identity.
    static func identity(
        of ino: UInt64, _ volume: TestVolume
    ) throws(FileError) -> PadIdentity {
        func attribute(_ name: String) throws(FileError) -> String? {
            do throws(FileError) {
                let value = try volume.engine.extendedAttribute(
                    Array("user.cairn.\(name)".utf8), of: ino, volume.context)
                return String(decoding: value, as: UTF8.self)
            } catch .noAttribute {
                return nil
            }
        }
        guard let address = try attribute("address"), let encoding = try attribute("encoding")
        else { return .none }
        let number = UInt64(encoding) ?? .max
        return .known(address: address, encoding: number)
    }

    // MARK: Content

    /// Compares all bytes, the holes, and how much is allocated.
    private func content(_ node: ModelTree.Node, _ ino: UInt64) throws(FileError) -> String? {
        let step = 1 << 18
        for start in stride(from: 0, to: node.content.size, by: step) {
            let range = start..<min(start + step, node.content.size)
            if let problem = try bytes(node, ino, range, volume.context) { return problem }
        }
        var problem: String?
        for _ in 0..<TreeComparison.attempts {
            problem = try holes(node, ino)
            if problem == nil { return nil }
        }
        return problem
    }

    /// Compares the bytes of one range.
    ///
    /// - Throws: `wouldBlock` without patience, if the store has them.
    func bytes(
        _ node: ModelTree.Node, _ ino: UInt64, _ range: Range<Int>, _ context: RequestContext
    ) throws(FileError) -> String? {
        let given = try volume.readPart(ino, range, context)
        let wanted = node.content.read(range)
        if given.count != wanted.count { return "gives \(given.count) bytes at \(range)" }
        if same(given, wanted) { return nil }
        let at = zip(given, wanted).enumerated().first { $0.1.0 != $0.1.1 }?.offset ?? 0
        return "has other bytes at \(range.lowerBound + at) of \(node.content.size)"
    }

    /// Holes must be zeros, data must be where it may be, and what is allocated is what has data.
    private func holes(_ node: ModelTree.Node, _ ino: UInt64) throws(FileError) -> String? {
        let allocated = try engine.status(of: ino, volume.context).allocated
        let size = UInt64(node.content.size)
        var position: UInt64 = 0
        var data: UInt64 = 0
        while position < size {
            let start: UInt64
            do throws(FileError) {
                start = try engine.seek(ino, from: position, findsData: true, volume.context)
            } catch .noSuchExtent {
                start = size
            }
            if start < position || start > size { return "SEEK_DATA went astray" }
            if !node.content.isZero(Int(position)..<Int(start)) { return "has bytes in a hole" }
            if start == size { break }
            let hole = try engine.seek(ino, from: start, findsData: false, volume.context)
            if hole <= start || hole > size { return "SEEK_HOLE went astray" }
            // A pad is in its row, and has no holes.
            if !node.isPad && !node.cover.mayHaveData(Int(start)..<Int(hole)) {
                return "has data in a hole, at \(start)..<\(hole) of \(size): \(node.cover)"
            }
            data += hole - start
            position = hole
        }
        let block = UInt64(BlockCover.blockSize)
        let blocks = (data + block - 1) / block * block
        // What lives in its row takes what it has; else whole blocks are counted.
        let livesInRow = node.isPad || size <= UInt64(ModelRun.inlineLimit)
        if allocated == blocks || (livesInRow && allocated == size && data == size) { return nil }
        return "has \(allocated) bytes allocated, and data in \(blocks) of \(size)"
    }
}
