// SPDX-License-Identifier: Apache-2.0
//
// What a store means by "less often" holds for all of its calls, not only for the one it was said
// to.

internal import Primitives
package import Stores

/// How often calls may begin. Pure: the caller brings the clock.
///
/// States: free (no gap), and paced (a gap between the beginnings of calls). A store that is busy
/// doubles the gap, at most once for all the calls that were under way together; each success
/// takes a fiftieth of it away, and a small gap is none.
package struct Pace: Sendable {
    /// The gap after the first time that the store was busy.
    package static let firstGap = Duration.milliseconds(10)
    /// The largest gap.
    package static let largestGap = Duration.seconds(2)
    /// A gap below this is none.
    package static let smallestGap = Duration.milliseconds(1)
    /// How long nobody calls when the store gives no time itself.
    package static let usualRest = Duration.milliseconds(500)
    /// The longest rest that a store may ask for.
    package static let longestRest = Duration.seconds(120)

    /// Between the beginnings of two calls.
    package private(set) var gap = Duration.zero
    /// Before this, no call begins.
    private var next: ContinuousClock.Instant
    private var slowedAt: ContinuousClock.Instant

    /// No gap.
    package init(now: ContinuousClock.Instant) {
        next = now
        slowedAt = now
    }

    /// Takes the next place in the row.
    ///
    /// - Returns: when the call may begin.
    package mutating func admit(now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let start = max(next, now)
        next = start + gap
        return start
    }

    /// The store was busy for a call that began at `start`.
    package mutating func slowDown(
        callBegan start: ContinuousClock.Instant, retryAfter: Duration?,
        now: ContinuousClock.Instant
    ) {
        let rest = min(retryAfter ?? Pace.usualRest, Pace.longestRest)
        next = max(next, now + rest)
        // Calls that were under way when it was slowed down tell nothing new.
        guard start > slowedAt || gap == .zero else { return }
        slowedAt = now
        gap = gap == .zero ? Pace.firstGap : min(gap * 2, Pace.largestGap)
    }

    /// A call succeeded.
    package mutating func succeed() {
        gap = gap * 0.98
        if gap < Pace.smallestGap { gap = .zero }
    }
}

/// Slows all calls down when a store asks for it.
package final class PaceLayer: StoreLayer {
    private let pace = Lock(Pace(now: .now))
    private let pause = Pause()

    /// A layer without a gap.
    package init() {}

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let start = pace.withLock { $0.admit(now: .now) }
        guard pause.sleep(start - .now) else { throw .unreachable(retryAfter: nil) }
        do throws(StoreError) {
            let answer = try body()
            pace.withLock { $0.succeed() }
            return answer
        } catch {
            if case .busy(let retryAfter) = error {
                pace.withLock {
                    $0.slowDown(callBegan: start, retryAfter: retryAfter, now: .now)
                }
            }
            throw error
        }
    }

    package func stop() { pause.stop() }
}
