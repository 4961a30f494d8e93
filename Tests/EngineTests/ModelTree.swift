// SPDX-License-Identifier: Apache-2.0
//
// The plain model of `files/`: what a filesystem is when nothing can go wrong. A value, so that
// every past state can be kept and compared.

import Engine
import Namespace

/// A tree of nodes by number; 0 is `files/`.
struct ModelTree {
    struct Node {
        var kind: FileKind
        var ino: UInt64
        var mode: UInt32 = 0
        var user: UInt32 = 1000
        var group: UInt32 = 1000
        var modified = Timestamp(seconds: 0, nanoseconds: 0)
        var links: UInt32 = 1
        var content = SparseBytes()
        var target: [UInt8] = []
        var device: UInt64 = 0
        var attributes: [[UInt8]: [UInt8]] = [:]
        var children: [[UInt8]: Int] = [:]
        var parent = 0
    }

    var nodes: [Int: Node] = [:]
    private var next = 1

    init(root: Node) {
        nodes[0] = root
    }

    subscript(id: Int) -> Node {
        get {
            guard let node = nodes[id] else { preconditionFailure("the model has no node \(id)") }
            return node
        }
        set { nodes[id] = newValue }
    }

    func child(_ name: [UInt8], of parent: Int) -> Int? { nodes[parent]?.children[name] }

    /// Numbers of nodes that have a name, in a fixed order.
    func named(_ condition: (Node) -> Bool) -> [Int] {
        nodes.filter { $0.value.links > 0 && condition($0.value) }.keys.sorted()
    }

    mutating func add(_ node: Node, _ name: [UInt8], in parent: Int) -> Int {
        let id = next
        next += 1
        nodes[id] = node
        attach(id, name, parent)
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
    }

    /// Forgets nodes without names.
    mutating func forgetOrphans() {
        nodes = nodes.filter { $0.value.links > 0 }
    }

    /// True when `id` is `below` or one of its ancestors.
    func isAncestor(_ id: Int, of below: Int) -> Bool {
        var current = below
        while current != 0 {
            if current == id { return true }
            current = self[current].parent
        }
        return id == 0
    }
}
