// SPDX-License-Identifier: Apache-2.0
//
// The times that messages carry in their content. They decide which of two messages counts, and of
// equal ones the later loses: so they grow with each, whatever the machine's clock does.
//
// Invariant: no time that was given is given again, nor any before it.

internal import Primitives

/// Gives each message a time of its own.
package final class ContentClock: Sendable {
    /// Seconds between two times: less than machines send messages, and more than what separates
    /// two doubles until the year 2242.
    package static let step = 1e-6

    private let now: @Sendable () -> Double
    private let last: Lock<Double>

    /// A clock over one that gives seconds since 1970.
    package init(now: @escaping @Sendable () -> Double) {
        self.now = now
        last = Lock(0)
    }

    /// The time for the next message.
    ///
    /// - Parameter floor: the time of the newest message about the same thing, which this one
    ///   must beat: another machine's clock may be ahead of ours.
    package func next(after floor: Double? = nil) -> Double {
        let own = last.withLock { last in
            last = max(now(), last + ContentClock.step)
            return last
        }
        guard let floor else { return own }
        return max(own, floor + ContentClock.step, floor.nextUp)
    }
}
