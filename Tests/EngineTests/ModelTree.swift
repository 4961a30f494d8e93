// SPDX-License-Identifier: Apache-2.0
//
// The plain model of `files/` and `scratchpads/`: what a filesystem is when nothing can go wrong. A
// value, so that every past state can be kept and compared.

import Engine
import Namespace

/// Two trees of nodes by number: 0 is `files/`, 1 is `scratchpads/`.
struct ModelTree {
    static let files = 0
    static let scratchpads = 1

    struct Node {
        var kind: FileKind
        var ino: UInt64
        var attributes = FileAttributes.none
        var links: UInt32 = 1
        var content = SparseBytes()
        /// Where bytes may be that are not zeros, or zeros that were written.
        var cover = BlockCover()
        var target: [UInt8] = []
        var device: UInt64 = 0
        var xattrs: [[UInt8]: [UInt8]] = [:]
        var children: [[UInt8]: Int] = [:]
        var parent = 0
        /// Below `scratchpads/`.
        var isPad = false
        /// Made without a name, and not given one yet.
        var isLinkable = false
        var identity = PadIdentity.none

        /// Blocks that count as written and have nothing but zeros.
        var emptyBlocks: Set<Int> {
            Set(
                cover.blocks.filter { block in
                    let start = block * BlockCover.blockSize
                    return content.isZero(start..<start + BlockCover.blockSize)
                })
        }
    }

    var nodes: [Int: Node] = [:]
    /// Identities that pads left behind at their names.
    var parked = ModelParking()
    private var next = 2

    init(files: UInt64, scratchpads: UInt64) {
        nodes[ModelTree.files] = Node(kind: .directory, ino: files, links: 2)
        nodes[ModelTree.scratchpads] = Node(
            kind: .directory, ino: scratchpads, links: 2, isPad: true)
    }

    subscript(id: Int) -> Node {
        get {
            guard let node = nodes[id] else { preconditionFailure("the model has no node \(id)") }
            return node
        }
        _modify {
            guard var node = nodes.removeValue(forKey: id) else {
                preconditionFailure("the model has no node \(id)")
            }
            defer { nodes[id] = node }
            yield &node
        }
    }

    func child(_ name: [UInt8], of parent: Int) -> Int? { nodes[parent]?.children[name] }

    /// True for the two directories that are always there.
    static func isFixed(_ id: Int) -> Bool { id <= ModelTree.scratchpads }

    /// Numbers of nodes that have a name, in a fixed order.
    func named(_ condition: (Node) -> Bool) -> [Int] {
        nodes.filter { $0.value.links > 0 && condition($0.value) }.keys.sorted()
    }

    mutating func add(_ node: Node, _ name: [UInt8], in parent: Int) -> Int {
        let id = next
        next += 1
        var node = node
        node.isPad = self[parent].isPad
        nodes[id] = node
        attach(id, name, parent)
        return id
    }

    /// A file without a name, which somebody has open.
    mutating func addNameless(_ node: Node) -> Int {
        let id = next
        next += 1
        nodes[id] = node
        nodes[id]?.links = 0
        nodes[id]?.isLinkable = true
        return id
    }

    mutating func attach(_ id: Int, _ name: [UInt8], _ parent: Int) {
        self[parent].children[name] = id
        if self[id].kind == .directory {
            self[id].parent = parent
            self[parent].links += 1
        }
    }

    mutating func detach(_ name: [UInt8], _ parent: Int) -> Int? {
        guard let id = self[parent].children.removeValue(forKey: name) else { return nil }
        if self[id].kind == .directory { self[parent].links -= 1 }
        return id
    }

    /// One name less. A node without names stays for whoever has it open.
    mutating func drop(_ id: Int) {
        self[id].links = self[id].kind == .directory ? 0 : self[id].links - 1
        if self[id].links == 0 { self[id].identity = .none }
    }

    /// Forgets nodes without names.
    mutating func forgetOrphans() {
        nodes = nodes.filter { $0.value.links > 0 }
    }

    /// True when `id` is `below` or one of its ancestors.
    func isAncestor(_ id: Int, of below: Int) -> Bool {
        var current = below
        while !ModelTree.isFixed(current) {
            if current == id { return true }
            current = self[current].parent
        }
        return id == current
    }

    /// Nodes that went away under temporary names may have taken back by now what they left.
    mutating func expireIdentities(now: Int64) {
        for mover in parked.expire(now: now) where nodes[mover]?.identity == PadIdentity.none {
            self[mover].identity = .unknown
        }
    }

    /// What another machine sees: pads under temporary names stay on this one.
    mutating func forgetLocal() {
        forgetOrphans()
        parked = ModelParking()
        for (id, node) in nodes where node.isPad && node.kind == .directory {
            for (name, child) in node.children
            where self[child].kind == .regular && self[child].identity == .none {
                _ = detach(name, id)
                nodes[child] = nil
            }
        }
    }
}

/// Which pad a file is.
enum PadIdentity: Equatable {
    /// None: no pad, or a pad under a temporary name.
    case none
    /// One that is not known yet, or perhaps none.
    case unknown
    /// This address, and the content type that is signed with it.
    case known(address: String, encoding: UInt64)
}

/// Identities left behind at names, for 30 seconds of the wall clock. Near their end it is
/// anybody's guess whether the engine has forgotten them.
struct ModelParking {
    /// Seconds for which an identity is surely there, and after which it surely is not.
    static let surelyThere: Int64 = 25
    static let surelyGone: Int64 = 35

    struct Name: Hashable {
        let directory: UInt64
        let name: [UInt8]
    }

    struct Parked {
        let identity: PadIdentity
        /// The node that went on under a temporary name.
        let mover: Int?
        var since: Int64
        /// Whether it was surely there when the engine that runs was started.
        var isSure = true
    }

    private(set) var names: [Name: Parked] = [:]

    mutating func park(_ identity: PadIdentity, at name: Name, mover: Int?, now: Int64) {
        names[name] = Parked(identity: identity, mover: mover, since: now)
    }

    mutating func take(_ name: Name, now: Int64) -> PadIdentity? {
        guard let found = names.removeValue(forKey: name) else { return nil }
        let age = now - found.since
        if age > ModelParking.surelyGone { return nil }
        return found.isSure && age < ModelParking.surelyThere ? found.identity : .unknown
    }

    /// An engine was started: each identity that it still has gets its whole time again.
    mutating func restart(now: Int64) {
        for (name, parked) in names {
            names[name]?.isSure = parked.isSure && now - parked.since < ModelParking.surelyThere
            names[name]?.since = now
        }
    }

    /// Forgets what is over; gives the nodes that may have their identities back.
    mutating func expire(now: Int64) -> [Int] {
        let old = names.filter { now - $0.value.since >= ModelParking.surelyThere }
        for (name, parked) in old where now - parked.since > ModelParking.surelyGone {
            names[name] = nil
        }
        return old.compactMap { $0.value.mover }
    }
}
