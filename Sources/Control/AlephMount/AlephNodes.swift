// SPDX-License-Identifier: Apache-2.0
//
// The numbers of what the kernel has seen below `aleph/`. Pure.
//
// Invariants:
// - A number is given once. One that was dropped is stale, never another's.
// - `numbers` and `messages` lead to a node exactly if that node is in `nodes` and has the name.
// - A node is in `messages` if and only if it is kept as its message's hash.
// - At most `limit` nodes besides the fixed ones.

import AlephProtocol

/// What a node is.
enum AlephPlace: Hashable, Sendable {
    /// A place of the network that nobody changes from here.
    case network(AlephPath)
    /// `me/`
    case me
    /// `me/posts/`, `me/files/`, `me/aggregates/`
    case mine(AlephPath.Part)
    /// A file in one of them; the node's name says which.
    case own(AlephPath.Part)
    /// `me/inbox/`
    case inbox
    /// A file in it.
    case letter(ItemHash)

    /// Whether there are names in it.
    var isDirectory: Bool {
        switch self {
        case .network(let path): path.isDirectory
        case .me, .mine, .inbox: true
        case .own, .letter: false
        }
    }
}

/// One thing that has a number.
struct AlephNode: Sendable {
    /// The directory it is in.
    let parent: UInt64
    /// Its name there.
    let name: String
    /// What it is.
    let place: AlephPlace
}

/// The table of numbers.
struct AlephNodes: Sendable {
    /// The most nodes that are known at a time. Who comes back to one that was dropped is told
    /// that it is stale, and the kernel looks its name up again.
    static let limit = 200_000
    /// `aleph/` itself.
    static let root: UInt64 = 0

    private struct Key: Hashable {
        let parent: UInt64
        let name: String
    }

    /// What a message's file is, by the directory it is in: most nodes are one of these, and kept
    /// in a tenth of the memory.
    private enum MessageKind: UInt8 {
        case message, post, own

        init?(_ place: AlephPlace, in parent: AlephPlace, _ name: AlephMessageName) {
            switch (place, parent) {
            case (.network(.message(let hash)), _) where AlephMessageName(hash) == name:
                self = .message
            case (.network(.post(let owner, let hash)), .network(.part(let other, .posts)))
            where owner == other && AlephMessageName(hash) == name:
                self = .post
            case (.own(.posts), .mine(.posts)): self = .own
            default: return nil
            }
        }
    }

    private struct MessageKey: Hashable {
        let parent: UInt64
        let name: AlephMessageName
    }

    private enum Kept {
        case node(Box)
        case message(MessageKey, MessageKind)
    }

    /// A node beside the table, whose rows are as large as most of them need.
    private final class Box: Sendable {
        let node: AlephNode

        init(_ node: AlephNode) { self.node = node }
    }

    private var nodes: [UInt64: Kept]
    private var numbers: [Key: UInt64] = [:]
    private var messages: [MessageKey: UInt64] = [:]
    private var next: UInt64 = 1
    /// No node below this is left, but for the root.
    private var oldest: UInt64 = 1

    init() {
        nodes = [
            AlephNodes.root: .node(Box(AlephNode(parent: 0, name: "", place: .network(.root))))
        ]
    }

    /// The node of a number; nil if it is stale.
    subscript(number: UInt64) -> AlephNode? {
        switch nodes[number] {
        case .node(let box): return box.node
        case .message(let key, let kind):
            let place: AlephPlace
            switch (kind, nodes[key.parent]) {
            case (.message, _): place = .network(.message(key.name.hash))
            case (.own, _): place = .own(.posts)
            case (.post, .node(let box)):
                guard case .network(.part(let owner, _)) = box.node.place else { return nil }
                place = .network(.post(owner, key.name.hash))
            // Its directory is stale, and so is what is in it.
            case (.post, _): return nil
            }
            return AlephNode(parent: key.parent, name: key.name.fileName, place: place)
        case nil: return nil
        }
    }

    /// The number of a name, if it has one.
    func number(_ name: String, in parent: UInt64) -> UInt64? {
        if let message = AlephMessageName(fileName: name),
            let number = messages[MessageKey(parent: parent, name: message)]
        {
            return number
        }
        return numbers[Key(parent: parent, name: name)]
    }

    /// The names in a directory that have numbers, in no order. Looks at all numbers.
    func names(in parent: UInt64) -> [String] {
        numbers.keys.filter { $0.parent == parent }.map { $0.name }
            + messages.keys.filter { $0.parent == parent }.map { $0.name.fileName }
    }

    /// The number of a name, a new one if it has none or was something else.
    mutating func number(_ name: String, in parent: UInt64, _ place: AlephPlace) -> UInt64 {
        if let known = self.number(name, in: parent), self[known]?.place == place { return known }
        drop(name, in: parent)
        let number = next
        next += 1
        insert(AlephNode(parent: parent, name: name, place: place), as: number)
        while nodes.count > AlephNodes.limit + 1 { dropOldest() }
        return number
    }

    /// Takes the number of a name away: what it names is not what it was.
    ///
    /// - Returns: whether it had one.
    @discardableResult
    mutating func drop(_ name: String, in parent: UInt64) -> Bool {
        guard let number = unlink(name, in: parent) else { return false }
        nodes[number] = nil
        return true
    }

    /// Gives a node another name, in place of what has it.
    mutating func move(
        _ name: String, in parent: UInt64, to newName: String, in newParent: UInt64
    ) {
        drop(newName, in: newParent)
        guard let number = number(name, in: parent), let node = self[number] else { return }
        unlink(name, in: parent)
        insert(AlephNode(parent: newParent, name: newName, place: node.place), as: number)
    }

    /// The names that lead to a node, from the root on; nil if one of them is gone.
    func names(to number: UInt64) -> [String]? {
        var names: [String] = []
        var current = number
        while current != AlephNodes.root {
            guard let node = self[current] else { return nil }
            names.append(node.name)
            current = node.parent
        }
        return names.reversed()
    }

    private mutating func insert(_ node: AlephNode, as number: UInt64) {
        if let name = AlephMessageName(fileName: node.name), let parent = self[node.parent],
            let kind = MessageKind(node.place, in: parent.place, name)
        {
            let key = MessageKey(parent: node.parent, name: name)
            nodes[number] = .message(key, kind)
            messages[key] = number
        } else {
            nodes[number] = .node(Box(node))
            numbers[Key(parent: node.parent, name: node.name)] = number
        }
    }

    /// Takes a name from its node, which keeps its row.
    @discardableResult
    private mutating func unlink(_ name: String, in parent: UInt64) -> UInt64? {
        if let message = AlephMessageName(fileName: name),
            let number = messages.removeValue(forKey: MessageKey(parent: parent, name: message))
        {
            return number
        }
        return numbers.removeValue(forKey: Key(parent: parent, name: name))
    }

    private mutating func dropOldest() {
        while oldest < next {
            let number = oldest
            oldest += 1
            guard let kept = nodes.removeValue(forKey: number) else { continue }
            switch kept {
            case .node(let box):
                numbers[Key(parent: box.node.parent, name: box.node.name)] = nil
            case .message(let key, _): messages[key] = nil
            }
            return
        }
    }
}
