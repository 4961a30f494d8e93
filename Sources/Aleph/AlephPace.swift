// SPDX-License-Identifier: Apache-2.0
//
// How slow a node may be: one that sends a byte now and then never stands still, and would hold
// whoever waits for as long as it likes.

/// The time that bytes of a node may take.
package enum AlephPace {
    /// What each answer has, however short it is.
    package static let base = Duration.seconds(60)
    /// Bytes a second that a node must send at least.
    package static let rate = 32 << 10

    /// How long an answer of so many bytes may take, at most.
    package static func time(of size: Int) -> Duration { base + extra(for: size) }

    /// The part of it that is for the bytes.
    package static func extra(for size: Int) -> Duration { .seconds(size / rate) }
}
