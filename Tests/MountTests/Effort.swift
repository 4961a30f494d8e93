// SPDX-License-Identifier: Apache-2.0
//
// What this machine can do, and how much is asked of it.

import Foundation
import Testing

extension Trait where Self == ConditionTrait {
    /// Suites that mount.
    static var mounting: Self {
        .enabled(
            if: getuid() == 0 && FileManager.default.fileExists(atPath: "/dev/fuse"),
            "mounting needs root and /dev/fuse")
    }
}

/// How much is tried.
enum Effort {
    /// True for `make soak`: the whole size and time of what a check before a change has no time
    /// for.
    static let isLong = ProcessInfo.processInfo.environment["CAIRN_LONG"] != nil
}
