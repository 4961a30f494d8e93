// SPDX-License-Identifier: Apache-2.0
//
// A moment as the kernel tells it: seconds and nanoseconds since 1970-01-01T00:00:00Z.

/// A moment, exact to the nanosecond, as `struct timespec` has it.
///
/// `nanoseconds` counts up from `seconds` also before 1970, and is always below one thousand
/// million: pages with any other value are refused.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z without leap seconds; negative before it.
    package var seconds: Int64
    /// Nanoseconds after `seconds`; less than `nanosecondsPerSecond`.
    package var nanoseconds: UInt32

    /// The first value `nanoseconds` may not have.
    package static let nanosecondsPerSecond: UInt32 = 1_000_000_000

    /// 1970-01-01T00:00:00Z.
    package static let zero = Timestamp(seconds: 0, nanoseconds: 0)

    /// - Parameters:
    ///   - seconds: since 1970-01-01T00:00:00Z.
    ///   - nanoseconds: after it; below `nanosecondsPerSecond`, anything else traps.
    package init(seconds: Int64, nanoseconds: UInt32) {
        precondition(nanoseconds < Self.nanosecondsPerSecond, "nanoseconds make a second")
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Earlier moments first.
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.seconds == right.seconds
            ? left.nanoseconds < right.nanoseconds : left.seconds < right.seconds
    }
}
