// SPDX-License-Identifier: Apache-2.0
//
// Politeness: chunks that are being written fill the disk's queue and the filesystem's journal, and
// a program that syncs every few kilobytes would wait behind each of them.

import Glibc
import Synchronization

/// How threads of the background stand back.
enum BackgroundPause {
    /// Longest pause before one piece of work: the background goes on under the busiest foreground,
    /// at a chunk for each pause or two that a thread makes.
    static let limit = Duration.milliseconds(250)
    private static let step: UInt32 = 5_000

    /// A moment in which others get a lock that is wanted again at once: none of ours is fair.
    static func betweenSteps() { usleep(1_000) }

    /// Waits while something holds, at most `limit`.
    static func wait(while isHeld: () -> Bool) {
        let end = ContinuousClock.now + limit
        while isHeld(), ContinuousClock.now < end { usleep(step) }
    }
}

/// Lets background writes pause while somebody waits for the disk.
final class ForegroundWaits: Sendable {
    /// A sync this recent means that more are coming.
    static let quiet = Duration.milliseconds(30)

    private let start = ContinuousClock.now
    /// Nanoseconds after `start` of the last sync; 0 before the first.
    private let last = Atomic<Int64>(0)

    /// Somebody asked for a sync, or has just got one.
    func note() {
        last.store(nanoseconds(.now), ordering: .relaxed)
    }

    /// Waits until nobody has synced for a moment, at most `BackgroundPause.limit`.
    func pause() {
        BackgroundPause.wait { isBusy }
    }

    /// Whether somebody has synced just now.
    var isBusy: Bool {
        let then = last.load(ordering: .relaxed)
        guard then > 0 else { return false }
        return nanoseconds(.now) - then < ForegroundWaits.quiet.components.attoseconds
            / 1_000_000_000
    }

    private func nanoseconds(_ moment: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (moment - start).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
