// SPDX-License-Identifier: Apache-2.0
//
// A clock that a test moves: a suspend, and any length of time, in no time.

import Foundation

/// A clock that moves when it is told to, and not by itself.
package final class HandClock: Clock {
    /// A moment, as the time since the clock was made.
    package struct Instant: InstantProtocol {
        private var time: Duration

        fileprivate init(_ time: Duration) { self.time = time }

        package func advanced(by duration: Duration) -> Instant { Instant(time + duration) }
        package func duration(to other: Instant) -> Duration { other.time - time }
        package static func < (left: Instant, right: Instant) -> Bool { left.time < right.time }
    }

    // @unchecked because: `time` is touched only between lock and unlock.
    private final class State: @unchecked Sendable {
        private let lock = NSLock()
        private var time = Duration.zero

        func add(_ duration: Duration) -> Duration {
            lock.withLock {
                time += duration
                return time
            }
        }
    }

    private let state = State()

    /// A clock that stands at zero.
    package init() {}

    package var now: Instant { Instant(state.add(.zero)) }
    package var minimumResolution: Duration { .nanoseconds(1) }

    /// Lets so much time pass.
    package func move(by duration: Duration) { _ = state.add(duration) }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        preconditionFailure("nobody sleeps by this clock")
    }
}
