// SPDX-License-Identifier: Apache-2.0
//
// Every state that a model run went through, beside what had reached the store by then.

import Engine
import Namespace
import Scratchpads

/// The states of a run, oldest first.
struct ModelHistory: Sendable {
    struct State: Sendable {
        let tree: ModelTree
        /// The file whose bytes changed in several steps, each of which may be published.
        let torn: UInt64?
        /// How many requests had reached the store.
        let position: Int
    }

    private(set) var states: [State] = []
    /// By revision, the state that is published whole: nothing waited to be stored.
    private(set) var whole: [UInt64: Int] = [:]

    mutating func note(_ tree: ModelTree, torn: Int?, _ store: TestStore) {
        let position = store.change { $0.requests.count }
        let ino = torn.flatMap { tree.nodes[$0]?.ino }
        states.append(State(tree: tree, torn: ino, position: position))
    }

    /// The tree was published, all of it.
    mutating func notePublished(_ tree: ModelTree, _ volume: TestVolume) {
        guard let root = volume.memory.pads[volume.keys.rootPad.address] else { return }
        note(tree, torn: nil, volume.memory)
        whole[root.counter] = states.count - 1
    }

    /// The last state in which at most so many requests had reached the store.
    func last(at position: Int) -> Int {
        var (low, high) = (0, states.count)
        while low < high {
            let middle = (low + high) / 2
            if states[middle].position <= position { low = middle + 1 } else { high = middle }
        }
        return max(low - 1, 0)
    }
}

extension ModelTree {
    /// Every name that another machine can see, by its path.
    var paths: [[UInt8]: Int] {
        var found: [[UInt8]: Int] = [:]
        var waiting = [
            (ModelTree.files, Array("/files".utf8)),
            (ModelTree.scratchpads, Array("/scratchpads".utf8)),
        ]
        while let (id, path) = waiting.popLast() {
            found[path] = id
            for (name, child) in self[id].children {
                waiting.append((child, path + [UInt8(ascii: "/")] + name))
            }
        }
        return found
    }
}
