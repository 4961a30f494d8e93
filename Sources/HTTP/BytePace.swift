// SPDX-License-Identifier: Apache-2.0
//
// An even speed within one body. Pure: the caller brings the clock, and rests. libcurl's own limits
// of speed look only between two rounds of reading, and a chunk may come in one.

/// Bytes at an even speed.
struct BytePace {
    /// The longest pause, so that an end from outside is seen soon; a slower line than one piece a
    /// second is held back between requests.
    static let longestPause = Duration.seconds(1)

    private let bytesPerSecond: UInt64
    private var start: ContinuousClock.Instant?
    private var count = 0

    /// - Parameter bytesPerSecond: at least 1 counts.
    init(bytesPerSecond: UInt64) {
        self.bytesPerSecond = max(bytesPerSecond, 1)
    }

    /// What may be moved at once: a quarter of a second's bytes.
    var piece: Int { max(1024, Int(clamping: bytesPerSecond / 4)) }

    /// Notes bytes that were moved.
    ///
    /// - Returns: how long to rest now.
    mutating func moved(_ bytes: Int, at now: ContinuousClock.Instant) -> Duration {
        let start = start ?? now
        self.start = start
        count += bytes
        let due = start + .seconds(Double(count) / Double(bytesPerSecond))
        return min(max(due - now, .zero), BytePace.longestPause)
    }
}
