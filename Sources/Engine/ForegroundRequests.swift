// SPDX-License-Identifier: Apache-2.0
//
// Politeness: threads that encode take caches and memory from programs that ask at the same time,
// and no priority gives those back.

import Glibc
import Primitives

/// Tells whether programs ask for much just now, and lets background threads stand back meanwhile.
final class ForegroundRequests: Sendable {
    /// Requests a second from which on programs count as busy. One `ls` after another has three
    /// times as many, and a large file is written with so many.
    static let busyRate = 500.0
    /// The rate is that of at least so long a time.
    static let window = Duration.milliseconds(10)
    /// Longest pause of a thread before one piece of work: the background goes on under the busiest
    /// foreground.
    static let longestPause = ForegroundWaits.longestPause
    private static let step: UInt32 = 5_000

    private struct Look {
        var total: UInt64 = 0
        var at = ContinuousClock.now
        var isBusy = false
    }

    /// A structure around the function, as in `Listener`.
    private struct Count: Sendable {
        let call: @Sendable () -> UInt64
    }

    private let count = Lock<Count?>(nil)
    private let last = Lock(Look())

    /// Has the requests counted by `call`: a number that rises with each. Nobody asks before that.
    func counted(by call: @escaping @Sendable () -> UInt64) {
        let function = Count(call: call)
        count.withLock { $0 = function }
    }

    /// Waits while programs are busy, at most `longestPause`.
    ///
    /// - Parameter isLeft: whether there is still something to wait for.
    func pause(while isLeft: () -> Bool) {
        let end = ContinuousClock.now + Self.longestPause
        while isBusy(at: .now), isLeft(), ContinuousClock.now < end { usleep(Self.step) }
    }

    /// Whether programs have asked for much since somebody last looked, or did at that look if it
    /// was just now.
    func isBusy(at now: ContinuousClock.Instant) -> Bool {
        guard let count = count.withLock({ $0 }) else { return false }
        return last.withLock { last in
            let time = now - last.at
            guard time >= Self.window else { return last.isBusy }
            let total = count.call()
            // It falls where a thread has ended that counted.
            let more = total > last.total ? Double(total - last.total) : 0
            last = Look(total: total, at: now, isBusy: more > Self.busyRate * (time / .seconds(1)))
            return last.isBusy
        }
    }
}
