// SPDX-License-Identifier: Apache-2.0
//
// Notices a serving thread that does not come back. Such threads never wait, so one that stays in
// the same request is a fault of ours; callers would hang with it in a sleep no signal ends. The
// watchdog says so, and the session gives the connection up, which frees them with an error.

import Synchronization

/// Watches the serving threads of one mount.
final class Watchdog: Sendable {
    /// What was seen of one thread: the count of its activity, and how many looks in a row.
    private struct Seen {
        let activity: Activity
        var count: UInt64?
        var looks = 0
    }

    private struct State {
        var threads: [Seen] = []
        /// Requests of threads that have ended.
        var ended: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Watches one more thread.
    func watch(_ activity: Activity) {
        state.withLock { $0.threads.append(Seen(activity: activity)) }
    }

    /// Requests that came to serving threads so far.
    var requestCount: UInt64 {
        state.withLock { state in
            state.threads.reduce(state.ended) { $0 + $1.activity.requestCount }
        }
    }

    /// Looks at every thread.
    ///
    /// - Returns: the most looks in a row, this one included, at which some thread was inside one
    ///   and the same request.
    func look() -> Int {
        state.withLock { state in
            state.threads.removeAll { thread in
                guard thread.activity.isOver else { return false }
                state.ended += thread.activity.requestCount
                return true
            }
            var most = 0
            for index in state.threads.indices {
                let sample = state.threads[index].activity.sample
                let isInside = sample.map { $0 % 2 == 1 } ?? false
                let isSame = isInside && sample == state.threads[index].count
                state.threads[index].looks =
                    isInside ? (isSame ? state.threads[index].looks + 1 : 1) : 0
                state.threads[index].count = sample
                most = max(most, state.threads[index].looks)
            }
            return most
        }
    }
}
