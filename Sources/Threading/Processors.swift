// SPDX-License-Identifier: Apache-2.0
//
// What there is to compute with.

internal import CLinux

/// The processors of this machine.
package enum Processors {
    /// How many of them this process may use: all, or those that it was given (taskset(1), a
    /// container's cpuset). At least 1. A quota of their time is not looked at.
    package static var count: Int { Int(cairn_processor_count()) }
}
