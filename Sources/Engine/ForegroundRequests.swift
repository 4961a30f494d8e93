// SPDX-License-Identifier: Apache-2.0
//
// Politeness: threads that encode take caches and memory from programs that ask at the same time,
// and no priority gives those back. So most of them stand back while there are many requests; but
// not while a program waits for what they do.

import Primitives
import Synchronization

/// Tells whether programs ask for much just now, and lets background threads stand back meanwhile.
final class ForegroundRequests: Sendable {
    /// Requests a second from which on programs count as busy. One `ls` after another has three
    /// times as many, and a large file is written with so many.
    static let busyRate = 500.0
    /// The rate is that of at least so long a time,
    static let window = Duration.milliseconds(10)
    /// and of at most so long a one: what was longer ago says nothing of now.
    static let memory = Duration.seconds(1)

    private struct Look {
        var total: UInt64 = 0
        var at = ContinuousClock.now
        /// Nil after a look that began anew.
        var isBusy: Bool?
    }

    /// A number that rises with each request. Until it is set nobody asks.
    let count = Handler<Void, UInt64>()
    private let last = Lock(Look())
    /// Programs that wait for the background.
    let waiters = Atomic<Int>(0)

    /// Runs what waits for the background's work for a program: nobody stands back meanwhile.
    func whileWaiting<R, Failure: Error>(
        _ body: () throws(Failure) -> R
    ) throws(Failure) -> R {
        waiters.add(1, ordering: .relaxed)
        defer { waiters.subtract(1, ordering: .relaxed) }
        return try body()
    }

    /// Waits while programs are busy, at most `BackgroundPause.limit`; a moment where nobody knows
    /// yet whether they are.
    ///
    /// - Parameter isLeft: whether there is still something to wait for.
    func pause(while isLeft: () -> Bool) {
        BackgroundPause.wait {
            waiters.load(ordering: .relaxed) == 0 && isBusy(at: .now) != false && isLeft()
        }
    }

    /// Whether programs have asked for much since somebody last looked, or did at that look if it
    /// was just now; nil if it was too long ago, and from now on it is counted.
    func isBusy(at now: ContinuousClock.Instant) -> Bool? {
        guard let total = count() else { return false }
        return last.withLock { last in
            let time = now - last.at
            guard time >= Self.window else { return last.isBusy }
            guard time <= Self.memory else {
                last = Look(total: total, at: now)
                return nil
            }
            // Who counted first may come here last.
            let more = total > last.total ? Double(total - last.total) : 0
            last = Look(total: total, at: now, isBusy: more > Self.busyRate * (time / .seconds(1)))
            return last.isBusy
        }
    }
}
