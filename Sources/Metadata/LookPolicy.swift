// SPDX-License-Identifier: Apache-2.0
//
// Whether to look for the end of a write, or to sleep until it comes.

/// What became of the last looks, and what follows for the next.
///
/// A look costs a processor that nobody else wants, and saves waking up. Where somebody wants it,
/// the look costs his whole turn, some milliseconds; where the disk is slow it saves nothing. After
/// either nobody looks for a while, each time for twice as long. (`DirectWriter` asks one of its
/// own whether to begin a write at all.)
struct LookPolicy {
    enum Result {
        /// The write ended while it was looked at.
        case over
        /// It took longer than one looks.
        case late
        /// Somebody else took the processor.
        case displaced
    }

    /// So many writes in a row that are late are of a slow disk: a good one has one now and then.
    static let lateLimit = 4
    /// How long nobody looks: at first, and after many looks in vain.
    static let shortestPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(60)

    private var lateCount = 0
    private var pause = LookPolicy.shortestPause
    /// Nil unless the last look was in vain.
    private var next: ContinuousClock.Instant?

    /// Whether the write that was begun should be looked for.
    func isWorthIt(at now: ContinuousClock.Instant) -> Bool {
        guard let next else { return true }
        return now >= next
    }

    /// Notes what became of a look.
    mutating func note(_ result: Result, at now: ContinuousClock.Instant) {
        switch result {
        case .over:
            self = LookPolicy()
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
