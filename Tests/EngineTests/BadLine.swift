// SPDX-License-Identifier: Apache-2.0
//
// The line between the engine of a model run and its store: always bad, sometimes worse.

import Engine
import FaultStore
import Primitives
import Scratchpads
import StoreWrappers
import Stores

/// Puts the fault injector under each engine that a run starts, and retry around it, as a store
/// behind a network has it.
final class BadLine: Sendable {
    /// What goes wrong all the time. A retry mends it, so nobody may notice.
    static let usual: Faults = {
        var faults = Faults()
        (faults.dropped, faults.busy, faults.doneButFailed) = (4, 3, 4)
        (faults.stray, faults.late, faults.reordered) = (3, 3, 15)
        return faults
    }()

    /// What no retry mends for long, and bytes that are not what they should be.
    static let worse: Faults = {
        var faults = Faults()
        (faults.dropped, faults.busy, faults.doneButFailed) = (45, 20, 30)
        (faults.stray, faults.late, faults.reordered, faults.wrongBytes) = (10, 10, 30, 15)
        return faults
    }()

    /// Puts that are reported as done, and are not, besides what is usual.
    static let lying: Faults = {
        var faults = usual
        faults.lost = 25
        return faults
    }()

    /// Calls of one retry: so many in a row do not fail on the usual line.
    private static let attempts = 16

    private struct State {
        var seed: UInt64
        var faults = BadLine.usual
        var lines: [FaultStore] = []
    }
    private let state: Lock<State>

    init(seed: UInt64) {
        state = Lock(State(seed: seed))
    }

    /// Lays the line between the engine that starts next and its store.
    func lay(_ configuration: inout EngineConfiguration) {
        let (chunks, pads) = (configuration.chunks, configuration.pads)
        let line = state.withLock { state in
            state.seed += 1
            let line = FaultStore(chunks: chunks, pads: pads, state.faults, seed: state.seed)
            state.lines.append(line)
            return line
        }
        let plan = RetryPlan(
            firstWait: .milliseconds(1), longestWait: .milliseconds(2),
            attemptLimit: BadLine.attempts)
        let layer = RetryLayer(plan)
        configuration.chunks = StoreLayers.wrap(line as any ChunkStore, in: layer)
        configuration.pads = StoreLayers.wrap(line as any PadStore, in: layer)
    }

    /// From now on this goes wrong.
    func change(_ faults: Faults) {
        state.withLock { state in
            state.faults = faults
            for line in state.lines { line.change { $0 = faults } }
        }
    }

    /// Everything that was reported as done and was not, is done after all.
    func keepPromises(at store: TestStore) {
        for line in state.withLock({ $0.lines }) {
            let lost = line.takeLost()
            let connection = StoreConnection(store)
            // The store is well, and takes what it said that it has.
            for (digest, bytes) in lost.chunks { try? connection.put(digest, bytes) }
            for record in lost.records { _ = try? connection.put(record) }
        }
    }

    /// What went wrong so far, and how often.
    var counts: [String: Int] {
        state.withLock { state in
            state.lines.reduce(into: [:]) { $0.merge($1.counts) { $0 + $1 } }
        }
    }
}
