// SPDX-License-Identifier: Apache-2.0
//
// Names that were looked up in directories that are everybody's, and found: these stay listed until
// the mount ends. Pure.
//
// Invariants:
// - A name keeps its number; numbers only grow.
// - Each directory has at most `limit` names: those that were found last.

import AlephProtocol

/// The names.
struct AlephSeen: Sendable {
    /// The most names of one directory.
    static let limit = 1000

    private struct Names: Sendable {
        var items: [(number: Int, name: String)] = []
        var numbers: [String: Int] = [:]
        var next = 0
    }

    private var directories: [AlephPath: Names] = [:]

    init() {}

    /// The directory whose name a path needs to be seen, and that name; nil for what is listed
    /// without being looked for.
    static func name(for path: AlephPath, in parent: AlephPath) -> (AlephPath, String)? {
        switch path {
        case .message(let hash):
            // Below tags it is the tag that was looked for.
            if case .tagged(let tags) = parent { return name(for: tags) }
            return (.messages, "\(hash).json")
        case .file(let hash): return (parent == .ipfs ? .ipfs : .files, hash.text)
        case .tagged(let tags): return name(for: tags)
        case .post(let address, _), .storedFile(let address, _), .aggregate(let address, _),
            .element(let address, _, _), .history(let address, _), .part(let address, _):
            return (.accounts, address)
        case .root, .messages, .status, .files, .ipfs, .accounts, .account, .tags: return nil
        }
    }

    private static func name(for tags: [String]) -> (AlephPath, String)? {
        tags.first.map { (.tags, AlephName.name(for: $0)) }
    }

    /// Notes that a name was found.
    ///
    /// - Returns: whether it is new.
    mutating func note(_ name: String, in directory: AlephPath) -> Bool {
        var names = directories[directory] ?? Names()
        guard names.numbers[name] == nil else { return false }
        names.numbers[name] = names.next
        names.items.append((names.next, name))
        names.next += 1
        if names.items.count > AlephSeen.limit {
            names.numbers[names.items.removeFirst().name] = nil
        }
        directories[directory] = names
        return true
    }

    /// What had this name is gone.
    ///
    /// - Returns: whether it was listed.
    @discardableResult
    mutating func remove(_ name: String, from directory: AlephPath) -> Bool {
        guard directories[directory]?.numbers.removeValue(forKey: name) != nil else { return false }
        directories[directory]?.items.removeAll { $0.name == name }
        return true
    }

    /// The names of a directory with numbers from `start` on.
    func names(in directory: AlephPath, from start: Int) -> [(number: Int, name: String)] {
        directories[directory]?.items.filter { $0.number >= start } ?? []
    }
}
