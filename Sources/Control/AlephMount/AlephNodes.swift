// SPDX-License-Identifier: Apache-2.0
//
// The numbers of what the kernel has seen below `aleph/`. Pure.
//
// Invariants:
// - A number is given once. One that was dropped is stale, never another's.
// - `numbers` leads to a node exactly if that node is in `nodes` and has the name.
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
    var parent: UInt64
    /// Its name there.
    var name: String
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

    private var nodes: [UInt64: AlephNode]
    private var numbers: [Key: UInt64] = [:]
    private var next: UInt64 = 1
    /// No node below this is left, but for the root.
    private var oldest: UInt64 = 1

    init() {
        nodes = [AlephNodes.root: AlephNode(parent: 0, name: "", place: .network(.root))]
    }

    /// The node of a number; nil if it is stale.
    subscript(number: UInt64) -> AlephNode? { nodes[number] }

    /// The number of a name, if it has one.
    func number(_ name: String, in parent: UInt64) -> UInt64? {
        numbers[Key(parent: parent, name: name)]
    }

    /// The number of a name, a new one if it has none or was something else.
    mutating func number(_ name: String, in parent: UInt64, _ place: AlephPlace) -> UInt64 {
        let key = Key(parent: parent, name: name)
        if let known = numbers[key], nodes[known]?.place == place { return known }
        drop(key)
        let number = next
        next += 1
        nodes[number] = AlephNode(parent: parent, name: name, place: place)
        numbers[key] = number
        while nodes.count > AlephNodes.limit + 1 { dropOldest() }
        return number
    }

    /// Takes the number of a name away: what it names is not what it was.
    ///
    /// - Returns: whether it had one.
    @discardableResult
    mutating func drop(_ name: String, in parent: UInt64) -> Bool {
        drop(Key(parent: parent, name: name))
    }

    /// Gives a node another name, in place of what has it.
    mutating func move(
        _ name: String, in parent: UInt64, to newName: String, in newParent: UInt64
    ) {
        let (old, new) = (
            Key(parent: parent, name: name), Key(parent: newParent, name: newName)
        )
        drop(new)
        guard let number = numbers.removeValue(forKey: old) else { return }
        nodes[number]?.parent = newParent
        nodes[number]?.name = newName
        numbers[new] = number
    }

    /// The names that lead to a node, from the root on; nil if one of them is gone.
    func names(to number: UInt64) -> [String]? {
        var names: [String] = []
        var current = number
        while current != AlephNodes.root {
            guard let node = nodes[current] else { return nil }
            names.append(node.name)
            current = node.parent
        }
        return names.reversed()
    }

    @discardableResult
    private mutating func drop(_ key: Key) -> Bool {
        guard let number = numbers.removeValue(forKey: key) else { return false }
        nodes[number] = nil
        return true
    }

    private mutating func dropOldest() {
        while oldest < next {
            let number = oldest
            oldest += 1
            guard let node = nodes[number] else { continue }
            drop(Key(parent: node.parent, name: node.name))
            return
        }
    }
}
