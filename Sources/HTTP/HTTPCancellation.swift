// SPDX-License-Identifier: Apache-2.0
//
// A word from another thread that ends requests.
//
// Invariants:
// - Once cancelled, for ever cancelled.
// - A wake-up that was added before the cancelling is called once, or was removed.

internal import Primitives

/// Ends every request that was given this, at once and from any thread.
package final class HTTPCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var nextKey: UInt64 = 0
        var wakeUps: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = Lock(State())

    /// Nothing is cancelled yet.
    package init() {}

    /// Whether `cancel` was called.
    package var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends the requests under way with `cancelled`, and every later one before it begins.
    package func cancel() {
        let wakeUps = state.withLock { state in
            state.isCancelled = true
            defer { state.wakeUps = [:] }
            return Array(state.wakeUps.values)
        }
        for wakeUp in wakeUps { wakeUp() }
    }

    /// Has `wakeUp` called when this is cancelled, at once if it is already.
    ///
    /// - Returns: what `remove` takes.
    func add(_ wakeUp: @escaping @Sendable () -> Void) -> UInt64 {
        let (key, isLate) = state.withLock { state in
            state.nextKey += 1
            if !state.isCancelled { state.wakeUps[state.nextKey] = wakeUp }
            return (state.nextKey, state.isCancelled)
        }
        if isLate { wakeUp() }
        return key
    }

    /// Forgets a wake-up; it may be running at this moment, and is not waited for.
    func remove(_ key: UInt64) {
        state.withLock { $0.wakeUps[key] = nil }
    }
}
