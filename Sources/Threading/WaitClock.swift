// SPDX-License-Identifier: Apache-2.0
//
// Which clock a wait for somebody else goes by, and the waits that nobody can be woken from.

internal import Glibc

/// The clock of every wait that ends in an error when its time is over: for a store, a server,
/// another process, or room in the cache.
///
/// It stands still while the machine is suspended. Nobody can answer meanwhile: by a clock that
/// goes on, whatever was waiting when the lid closed would fail at the wake-up, before the network
/// is back. What is to be done at some time, and does not fail, goes by `ContinuousClock`.
///
/// - Source: on Linux CLOCK_MONOTONIC, where `ContinuousClock` is CLOCK_BOOTTIME; clock_gettime(2).
package typealias WaitClock = SuspendingClock

/// Looks again and again until something is so, for what the system tells nobody of: that another
/// process let go of a lock, or ended.
///
/// - Parameters:
///   - limit: how long it is looked. It is looked once if this is zero, and once more when it is
///     over.
///   - pause: between two looks, in microseconds; less than a second.
///   - clock: what `limit` is measured by; tests bring clocks of their own.
///   - isSo: the look.
/// - Returns: whether it is so at the end.
/// - Throws: what `isSo` throws, at once.
package func polled<Measure: Clock, Failure: Error>(
    within limit: Duration, every pause: UInt32, by clock: Measure = WaitClock(),
    _ isSo: () throws(Failure) -> Bool
) throws(Failure) -> Bool where Measure.Duration == Duration {
    let deadline = clock.now.advanced(by: limit)
    while true {
        // Before the look: one that comes after the end may still find it so.
        let isOver = clock.now >= deadline
        if try isSo() { return true }
        if isOver { return false }
        _ = usleep(pause)
    }
}
