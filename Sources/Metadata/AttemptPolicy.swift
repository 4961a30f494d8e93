// SPDX-License-Identifier: Apache-2.0
//
// Whether to try what may be in vain: to look for the end of a write, and to begin one at all.
// Pure: the caller brings the clock.

/// What became of the last attempts, and what follows for the next.
///
/// Looking for the end of a write costs a processor that nobody else wants, and saves waking up.
/// Where somebody wants it, the look costs his whole turn, some milliseconds; where the disk is
/// slow it saves nothing. After either it is not tried for a while, each time for twice as long.
/// The same holds for beginning a write where that takes long: others wait.
struct AttemptPolicy {
    enum Result {
        case worthIt
        /// It took too long.
        case late
        /// Somebody else took the processor.
        case displaced
    }

    /// So many in a row that are late are of a slow disk: a good one has one now and then.
    static let lateLimit = 4
    /// How long it is not tried: at first, and after many attempts in vain.
    static let shortestPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(60)

    private var lateCount = 0
    private var pause = AttemptPolicy.shortestPause
    /// Nil unless the last one was in vain.
    private var next: ContinuousClock.Instant?

    /// Whether to try.
    func isWorthIt(at now: ContinuousClock.Instant) -> Bool {
        guard let next else { return true }
        return now >= next
    }

    /// Notes what became of an attempt.
    mutating func note(_ result: Result, at now: ContinuousClock.Instant) {
        switch result {
        case .worthIt:
            self = AttemptPolicy()
            return
        case .late:
            lateCount += 1
            if lateCount < Self.lateLimit { return }
        case .displaced: break
        }
        next = now + pause
        pause = min(pause * 2, Self.longestPause)
    }
}
