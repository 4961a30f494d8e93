// SPDX-License-Identifier: Apache-2.0
//
// The one place where a call of a store is made again. The engine's own rounds (flush, publish,
// pads) are no retries of a call: each begins by looking what there is to send by then.
// docs/decisions/0015-s3.md.

package import Stores
internal import Threading

/// When a call that failed is made again. Pure: the caller brings the dice, and the clock.
package struct RetryPlan: Hashable, Sendable {
    /// The longest first wait.
    package var firstWait: Duration
    /// The longest wait of all.
    package var longestWait: Duration
    /// The most calls, the first one included.
    package var attemptLimit: Int
    /// No call begins later than this after the first one did.
    package var deadline: Duration

    /// Names the four. The default gives up before a reader does, whose limit is 30 s.
    package init(
        firstWait: Duration = .milliseconds(200), longestWait: Duration = .seconds(8),
        attemptLimit: Int = 10, deadline: Duration = .seconds(25)
    ) {
        precondition(attemptLimit >= 1, "no call at all")
        self.firstWait = firstWait
        self.longestWait = longestWait
        self.attemptLimit = attemptLimit
        self.deadline = deadline
    }

    /// How long to wait before the next call; nil to give up.
    ///
    /// Drawn evenly from zero to a limit that doubles with each failure, so that a thousand mounts
    /// that lost one server do not come back in step; and never less than the store asks for.
    ///
    /// Damaged bytes are asked for once more: they may have been damaged on their way. What comes
    /// damaged twice rests there like that.
    ///
    /// - Parameters:
    ///   - failures: calls that have failed so far; at least 1.
    ///   - damaged: how many of them because what came was damaged, this one included.
    ///   - elapsed: since the first call began.
    ///   - dice: from 0 to 1.
    /// - Source: "full jitter", AWS Architecture Blog, 2015.
    package func wait(
        afterFailures failures: Int, damaged: Int = 0, _ error: StoreError, elapsed: Duration,
        dice: Double
    ) -> Duration? {
        precondition(failures >= 1, "nothing has failed yet")
        let asked: Duration
        switch error {
        case .unreachable(let retryAfter), .busy(let retryAfter): asked = retryAfter ?? .zero
        case .corrupt where damaged <= 1, .corruptPad where damaged <= 1: asked = .zero
        default: return nil
        }
        guard failures < attemptLimit else { return nil }
        let doublings = min(failures - 1, 20)
        let limit = min(firstWait * (1 << doublings), longestWait)
        let wait = max(limit * dice, asked)
        return elapsed + wait <= deadline ? wait : nil
    }
}

/// Makes calls again that may succeed later.
package final class RetryLayer: StoreLayer {
    private let plan: RetryPlan
    private let pause = Pause()

    /// A layer that goes by `plan`.
    package init(_ plan: RetryPlan = RetryPlan()) {
        self.plan = plan
    }

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let start = WaitClock.now
        var failures = 0
        var damaged = 0
        while true {
            do throws(StoreError) {
                return try body()
            } catch {
                // A listing has named chunks already, and would name them twice.
                guard call.operation != .list else { throw error }
                failures += 1
                if error.isDamage { damaged += 1 }
                let wait = plan.wait(
                    afterFailures: failures, damaged: damaged, error, elapsed: .now - start,
                    dice: Double.random(in: 0...1))
                guard let wait, pause.sleep(wait) else { throw error }
            }
        }
    }

    package func stop() { pause.stop() }
}

extension StoreError {
    /// Whether bytes came that are not what they should be.
    fileprivate var isDamage: Bool {
        switch self {
        case .corrupt, .corruptPad: true
        default: false
        }
    }
}
