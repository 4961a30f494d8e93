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

    private let seen = Mutex<[Seen]>([])

    /// Watches one more thread.
    func watch(_ activity: Activity) {
        seen.withLock { $0.append(Seen(activity: activity)) }
    }

    /// Requests that the threads which serve now have begun, at least.
    var requestCount: UInt64 {
        seen.withLock { all in all.reduce(0) { $0 + $1.activity.requestCount } }
    }

    /// Looks at every thread.
    ///
    /// - Returns: the most looks in a row, this one included, at which some thread was inside one
    ///   and the same request.
    func look() -> Int {
        seen.withLock { all in
            all.removeAll { $0.activity.isOver }
            var most = 0
            for index in all.indices {
                let sample = all[index].activity.sample
                let isInside = sample.map { $0 % 2 == 1 } ?? false
                let isSame = isInside && sample == all[index].count
                all[index].looks = isInside ? (isSame ? all[index].looks + 1 : 1) : 0
                all[index].count = sample
                most = max(most, all[index].looks)
            }
            return most
        }
    }
}
