// SPDX-License-Identifier: Apache-2.0
//
// How much is asked of this machine.

import Foundation

/// How much is tried.
enum Effort {
    /// True for `make soak`: the whole size and time of what a check before a change has no time
    /// for.
    static let isLong = ProcessInfo.processInfo.environment["CAIRN_LONG"] != nil
}
