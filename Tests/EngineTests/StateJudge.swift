// SPDX-License-Identifier: Apache-2.0
//
// Whether what a recovered volume shows is one state of the model. Names are those of the state; a
// file whose newest bytes were not stored yet may have older ones, or, if there are none, be absent
// (docs/ARCHITECTURE.md §6.11); a pad may have what it had later: the root does not publish pads.

import Engine
import Namespace

/// Compares what is shown with one state of a history.
struct StateJudge {
    let shown: ShownTree
    let history: ModelHistory
    /// The state.
    let index: Int
    /// The last state whose pads may be shown.
    let end: Int
    /// Whether this machine knew, before the revision was made, that the store had a record of it.
    let wasAnswered: (String) -> Bool

    /// The first difference; nil if there is none.
    func problem(_ verdict: inout RequestLog.Verdict) -> String? {
        var tree = history.states[index].tree
        tree.forgetLocal()
        let paths = tree.paths
        for path in shown.nodes.keys where paths[path] == nil {
            return "\(words(path)) is shown, and was not there"
        }
        for (path, id) in paths where shown.nodes[path] == nil {
            if shown.hides(path) { continue }
            if let problem = absent(tree[id]) { return "\(words(path)) \(problem)" }
            if !tree[id].isPad { verdict.absent[path] = tree[id].ino }
        }
        for (path, node) in shown.nodes {
            guard let id = paths[path], node.failure == nil else { continue }
            if tree[id].kind == .regular && !tree[id].isPad { verdict.shown[path] = node.ino }
            if let problem = differs(node, tree[id], path, &verdict) {
                return "\(words(path)), inode \(node.ino): \(problem)"
            }
        }
        return nil
    }

    private func words(_ path: [UInt8]) -> String {
        String(decoding: path.prefix(60), as: UTF8.self)
    }

    /// Why a name may not be absent.
    private func absent(_ node: ModelTree.Node) -> String? {
        guard node.kind == .regular else { return "is absent" }
        if node.isPad {
            guard case .known(let address, _) = node.identity, wasAnswered(address) else {
                return nil
            }
            return "is absent, and the store had its record"
        }
        // What never was large is in its page, always.
        let wasLarge = history.states[...index].contains { state in
            state.tree.nodes.values.contains {
                $0.ino == node.ino && $0.content.size > ModelRun.inlineLimit
            }
        }
        return wasLarge ? nil : "is absent, and is small"
    }

    private func differs(
        _ node: ShownTree.Node, _ model: ModelTree.Node, _ path: [UInt8],
        _ verdict: inout RequestLog.Verdict
    ) -> String? {
        if model.isPad && model.kind == .regular {
            let isThere = (0...end).reversed().contains { number in
                (candidates(number, node.ino, path) + samePad(model, number))
                    .contains { equals(node, $0) }
            }
            return isThere ? nil : "is no content that the pad ever had"
        }
        if equals(node, model) {
            if node.kind == .regular { verdict.contents[node.ino] = index }
            return nil
        }
        guard model.kind == .regular else { return "is not the \(model.kind) that it was" }
        verdict.olderCount += 1
        let older = (0..<index).reversed().first { number in
            candidates(number, node.ino, path).contains { equals(node, $0) }
        }
        if let older {
            verdict.contents[node.ino] = older
            return nil
        }
        // One of the steps in which it changed.
        let upTo = min(index + 1, history.states.count - 1)
        if history.states[...upTo].contains(where: { $0.torn == node.ino }) { return nil }
        return "has \(node.bytes.count) bytes that it never had"
    }

    /// What the inode, or what stood at the name, was in a state.
    private func candidates(_ number: Int, _ ino: UInt64, _ path: [UInt8]) -> [ModelTree.Node] {
        let tree = history.states[number].tree
        var found = tree.nodes.values.filter { $0.ino == ino }
        if let id = tree.id(at: path) { found.append(tree[id]) }
        return found
    }

    /// What the pad was in a state: a rename over it hands it to another inode, at another path.
    private func samePad(_ model: ModelTree.Node, _ number: Int) -> [ModelTree.Node] {
        guard case .known(let address, _) = model.identity else { return [] }
        return history.states[number].tree.nodes.values.filter { other in
            guard case .known(address, _) = other.identity else { return false }
            return true
        }
    }

    private func equals(_ node: ShownTree.Node, _ model: ModelTree.Node) -> Bool {
        guard node.kind == model.kind else { return false }
        switch node.kind {
        case .regular:
            let size = model.content.size
            return node.bytes.count == size && same(node.bytes, model.content.read(0..<size))
        case .symlink: return node.bytes == model.target
        default: return node.device == model.device
        }
    }
}

extension ModelTree {
    /// What a path leads to; nil for nothing.
    func id(at path: [UInt8]) -> Int? {
        let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
        guard let first = parts.first else { return nil }
        var id =
            Array(first) == Array("files".utf8) ? ModelTree.files : ModelTree.scratchpads
        for name in parts.dropFirst() {
            guard let next = child(Array(name), of: id) else { return nil }
            id = next
        }
        return id
    }
}
