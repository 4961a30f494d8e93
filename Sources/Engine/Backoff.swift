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

    private var failures = 0
    /// Nothing is tried before this moment; nil after a success.
    private(set) var retryAt: ContinuousClock.Instant?

    /// Notes one more failure.
    mutating func fail(at now: ContinuousClock.Instant) {
        let wait = Backoff.first * (1 << min(failures, Backoff.doublingLimit))
        failures += 1
        retryAt = now + min(wait, Backoff.longest)
    }

    /// Notes a success.
    mutating func succeed() { self = Backoff() }

    /// Lets the next try begin at once, and forgets no failure.
    mutating func hurry() { retryAt = nil }

    /// True while it is too early to try.
    func isWaiting(at now: ContinuousClock.Instant) -> Bool { retryAt.map { now < $0 } ?? false }
}
