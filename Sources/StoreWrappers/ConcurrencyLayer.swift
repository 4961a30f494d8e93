// SPDX-License-Identifier: Apache-2.0
//
// How many calls a store gets at once.

package import Stores
internal import Threading

/// A number of calls at once that adapts. Pure.
///
/// Grows by one for as many successes as it is, while it is used up; shrinks by a third when the
/// store is busy or does not answer, once for all calls that were under way together.
package struct ConcurrencyLimit: Sendable {
    /// The least.
    package static let least = 2
    /// Where it begins.
    package static let first = 16
    /// The most: what an HTTP client keeps connections for.
    package static let most = 64

    /// Calls that may be under way.
    package private(set) var limit = first
    /// Calls under way.
    package private(set) var inUse = 0
    private var successes = 0
    /// Calls that began before the last shrinking, and are not yet over.
    private var old = 0

    /// The number it begins with.
    package init() {}

    /// Begins a call.
    ///
    /// - Returns: false if there are too many.
    package mutating func begin() -> Bool {
        guard inUse < limit else { return false }
        inUse += 1
        return true
    }

    /// Ends a call.
    ///
    /// - Parameter isOverloaded: whether it failed because the store was busy or away.
    package mutating func end(isOverloaded: Bool) {
        let isOld = old > 0
        old = max(old - 1, 0)
        let wasFull = inUse >= limit
        inUse -= 1
        if isOverloaded {
            guard !isOld else { return }
            limit = max(limit * 2 / 3, ConcurrencyLimit.least)
            old = inUse
            successes = 0
        } else if wasFull {
            successes += 1
            guard successes >= limit else { return }
            limit = min(limit + 1, ConcurrencyLimit.most)
            successes = 0
        }
    }
}

/// Lets as many calls through as the store bears.
package final class ConcurrencyLayer: StoreLayer {
    private struct State {
        var limit = ConcurrencyLimit()
        var isStopped = false
    }
    private let state = Monitor(State())

    /// A layer with the number that limits begin with.
    package init() {}

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let hasBegun = state.wait { state -> Bool? in
            if state.isStopped { return false }
            return state.limit.begin() ? true : nil
        }
        guard hasBegun == true else { throw .unreachable(retryAfter: nil) }
        do throws(StoreError) {
            let answer = try body()
            state.update { $0.limit.end(isOverloaded: false) }
            return answer
        } catch {
            state.update { $0.limit.end(isOverloaded: error.isTransient) }
            throw error
        }
    }

    package func stop() { state.update { $0.isStopped = true } }
}
