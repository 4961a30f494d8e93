// SPDX-License-Identifier: Apache-2.0
//
// What a machine must be able to do for a suite to run there.

import Foundation
package import Testing

extension Trait where Self == ConditionTrait {
    /// Suites that mount.
    package static var mounting: Self {
        .enabled(
            if: getuid() == 0 && FileManager.default.fileExists(atPath: "/dev/fuse"),
            "mounting needs root and /dev/fuse")
    }

    /// Tests that make a `SmallDisk`.
    package static var smallDisks: Self {
        .enabled("mounting a small disk needs root, and a machine that lets it") {
            SmallDisk.isPossible
        }
    }
}
