// SPDX-License-Identifier: Apache-2.0
//
// The clock and the waiting of the client, which tests replace.

internal import Glibc

/// What time it is, and how to let it pass.
package struct AlephTime: Sendable {
    /// Seconds since 1970.
    package let now: @Sendable () -> Double
    /// Waits; false if that was ended before its time, and what waits should end too.
    package let sleep: @Sendable (Duration) -> Bool

    /// A time of one's own.
    package init(
        now: @escaping @Sendable () -> Double, sleep: @escaping @Sendable (Duration) -> Bool
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// The system's.
    package static let system = AlephTime(
        now: {
            var time = timespec()
            // SAFETY: the structure is a local, written during the call.
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        },
        sleep: { duration in
            let (seconds, attoseconds) = duration.components
            guard seconds >= 0, attoseconds >= 0 else { return true }
            var wanted = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            var rest = timespec()
            // SAFETY: both are locals; what a signal leaves of the time is written into the second.
            while unsafe nanosleep(&wanted, &rest) != 0, errno == EINTR { wanted = rest }
            return true
        })
}
