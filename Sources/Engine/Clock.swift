// SPDX-License-Identifier: Apache-2.0
//
// The engine's one clock for file times.

import Glibc
package import Namespace

extension Timestamp {
    /// The wall clock now, as coarse as the kernel's for its own file times, some milliseconds: of
    /// two clocks, a file that was made by one could be older by the other.
    package static func now() -> Timestamp {
        var time = timespec()
        // SAFETY: `time` is a local of the right type.
        unsafe clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }
}
