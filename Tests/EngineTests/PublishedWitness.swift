// SPDX-License-Identifier: Apache-2.0
//
// Looks at each root at the moment it is put: whether the store has made durable all that it names.

import Engine
import Namespace
import Primitives
import Scratchpads
import Synchronization

/// Stands at a store in memory while a volume publishes to it.
final class PublishedWitness: Sendable {
    private let seen = Lock((roots: 0, problems: [String]()))

    /// The roots that were put.
    var roots: Int { seen.withLock { $0.roots } }
    /// What was not durable, a line for each root of which that is so.
    var problems: [String] { seen.withLock { $0.problems } }

    init(_ volume: TestVolume, _ store: TestStore) {
        let keys = volume.keys
        store.change { state in
            state.witness = { [self] record, state in
                guard record.address == keys.rootPad.address else { return }
                seen.withLock { $0.roots += 1 }
                do {
                    _ = try PublishedTree(record, keys) { digest in
                        state.unsynced.contains(digest) ? nil : state.chunks[digest]
                    }
                } catch {
                    seen.withLock { $0.problems.append("revision \(record.counter): \(error)") }
                }
            }
        }
    }
}
