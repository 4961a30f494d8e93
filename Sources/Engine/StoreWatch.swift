// SPDX-License-Identifier: Apache-2.0
//
// Looks after a store that is away: asks it now and then whether it is back, so that work goes on
// at once and not when each part's own patience has run out; and judges the store's root when it
// could not be asked for at the start.
//
// States: the root is unjudged, then judged. The store is there, or away since
// `Counters.offlineSince`; only while it is away, or the root unjudged, is it asked.

import Cryptography
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import Threading

/// Asks a store that is away, on its own thread.
final class StoreWatch: Sendable {
    /// How often a store that is there is looked at in the counters.
    static let tick = Duration.milliseconds(250)
    /// The wait after the first question without an answer; doubles with each that follows.
    static let first = Duration.seconds(1)
    /// The longest wait between two questions.
    static let longest = Duration.seconds(15)

    /// Calls in a row without an answer that mean that the store is away: one may be lost. Layers
    /// around it go on trying for longer than a person wants to be left without a word.
    static let silentCalls: UInt64 = 2

    private let volume: Volume

    /// What was counted at a store's own calls so far.
    private struct Calls {
        var answered: UInt64 = 0
        var silent: UInt64 = 0
    }

    private struct State {
        var isStopping = false
        var isStopped = true
        var isJudged = false
        /// The first question had its answer, or none.
        var isAsked = false
        var backoff = Backoff(first: StoreWatch.first, longest: StoreWatch.longest)
    }
    private let state: Monitor<State>

    /// What the watch does when it has an answer.
    struct Hooks: Sendable {
        /// Says what is wrong with the store's root; false if it could not be had.
        var judge: @Sendable () -> Bool
        /// The store is back: everything that waits for it may go on.
        var isBack: @Sendable () -> Void
    }

    init(volume: Volume) {
        self.volume = volume
        state = Monitor(State())
    }

    /// Starts the thread.
    func start(_ hooks: Hooks) {
        state.update { $0.isStopped = false }
        WorkerPool.startThread("cairn-watch") { self.run(hooks) }
        // Apart: a question to a store that is away may take as long as its layers try.
        WorkerPool.startThread("cairn-notice") { self.notice() }
    }

    /// Ends the thread.
    func stop(until deadline: ContinuousClock.Instant) {
        state.update { $0.isStopping = true }
        _ = state.wait(atMost: deadline - .now) { $0.isStopped ? true : nil }
    }

    /// Returns when the root has been judged or could not be had, at most after a time.
    func waitForJudgement(atMost patience: Duration) {
        _ = state.wait(atMost: patience) { $0.isAsked ? true : nil }
    }

    private func run(_ hooks: Hooks) {
        while true {
            let isJudged = state.withLock { $0.isJudged }
            let isAway = volume.counters.offlineSince.load(ordering: .relaxed) != 0
            let isTime = state.withLock { !$0.backoff.isWaiting(at: .now) }
            if isTime && (!isJudged || isAway) { ask(hooks, isJudged: isJudged) }
            let isStopping = state.wait(atMost: StoreWatch.tick) { $0.isStopping ? true : nil }
            if isStopping == true { break }
        }
        state.update { $0.isStopped = true }
    }

    /// Looks at the counters only: it waits for nothing, and nobody waits for its end.
    private func notice() {
        var last = Calls()
        repeat {
            observe(&last)
        } while state.wait(atMost: StoreWatch.tick, { $0.isStopping ? true : nil }) == nil
    }

    /// Notes a store as away whose calls go unanswered, before whoever made them gives up.
    private func observe(_ last: inout Calls) {
        guard let store = volume.configuration.chunks as? any MetricsReporting else { return }
        var now = Calls()
        for numbers in store.metrics().values {
            let silent = numbers.failures["unreachable"] ?? 0
            now.silent += silent
            now.answered += numbers.count - silent
        }
        if now.answered > last.answered {
            last = now
        } else if now.silent >= last.silent + StoreWatch.silentCalls {
            last = now
            volume.counters.storeFailed(.unreachable(retryAfter: nil))
        }
    }

    private func ask(_ hooks: Hooks, isJudged: Bool) {
        let isNowJudged = isJudged || hooks.judge()
        let isThere = isNowJudged && answers()
        state.update { state in
            state.isJudged = isNowJudged
            state.isAsked = true
            if isThere { state.backoff.succeed() } else { state.backoff.fail(at: .now) }
        }
        guard isThere, volume.counters.offlineSince.load(ordering: .relaxed) != 0 else { return }
        volume.counters.storeAnswered()
        hooks.isBack()
    }

    /// Whether pads and chunks can be asked for: they may rest in different places.
    private func answers() -> Bool {
        let configuration = volume.configuration
        do throws(StoreError) {
            _ = try configuration.pads.get(configuration.keys.rootPad.address)
            // Nothing has this digest: whether it is said to be there is all the same.
            _ = try configuration.chunks.has([Blake3.hash([])])
            return true
        } catch {
            return !error.isAbsence
        }
    }
}
