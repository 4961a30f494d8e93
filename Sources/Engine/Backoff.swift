// SPDX-License-Identifier: Apache-2.0
//
// When something that failed is tried again. Pure: the caller brings the clock.

/// The wait after failures that come one after another.
struct Backoff {
    /// The wait after the first failure; doubles with each one that follows.
    static let first = Duration.seconds(1)
    /// The longest wait.
    static let longest = Duration.seconds(60)
    /// Most doublings that are counted; more than `longest` needs.
    private static let doublingLimit = 6

    private let first: Duration
    private let longest: Duration
    private var failures = 0
    /// Nothing is tried before this moment; nil after a success.
    private(set) var retryAt: ContinuousClock.Instant?

    /// No failure yet.
    ///
    /// - Parameters:
    ///   - first: the wait after the first failure.
    ///   - longest: the longest wait.
    init(first: Duration = Backoff.first, longest: Duration = Backoff.longest) {
        self.first = first
        self.longest = longest
    }

    /// Notes one more failure.
    mutating func fail(at now: ContinuousClock.Instant) {
        let wait = first * (1 << min(failures, Backoff.doublingLimit))
        failures += 1
        retryAt = now + min(wait, longest)
    }

    /// Notes a success.
    mutating func succeed() { self = Backoff(first: first, longest: longest) }

    /// Lets the next try begin at once, and forgets no failure.
    mutating func hurry() { retryAt = nil }

    /// True after a failure, until a success.
    var hasFailed: Bool { failures > 0 }

    /// True while it is too early to try.
    func isWaiting(at now: ContinuousClock.Instant) -> Bool { retryAt.map { now < $0 } ?? false }
}
