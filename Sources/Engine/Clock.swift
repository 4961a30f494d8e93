// SPDX-License-Identifier: Apache-2.0
//
// The engine's one clock for file times.

import Glibc
import Namespace

extension Timestamp {
    /// The wall clock now, in nanoseconds.
    static func now() -> Timestamp {
        var time = timespec()
        // SAFETY: `time` is a local of the right type.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }
}
