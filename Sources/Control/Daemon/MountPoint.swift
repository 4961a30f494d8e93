// SPDX-License-Identifier: Apache-2.0
//
// Getting a mount point ready, and looking whether its mount answers.

import FuseHost
import Glibc
import Namespace

/// Looks at mount points.
package enum MountPoint {
    /// Unmounts the mount of a daemon that died, if there is one.
    ///
    /// Whatever else is wrong with the place, `FuseSession` finds and says.
    static func prepare(_ path: String, log: EventLog) throws(CommandFailure) {
        do {
            if try DeadMount.clean(path) {
                log.write(.warning, "the mount of a daemon that died was cleaned away")
            }
        } catch {
            throw CommandFailure(error)
        }
    }

    /// True when another filesystem than its parent's is mounted at `path`, and answers.
    package static func isMounted(_ path: String) -> Bool {
        do {
            let here = try FileFacts.of(path)
            let above = try FileFacts.of(Files.parent(of: path))
            return here.filesystem != above.filesystem
        } catch {
            return false
        }
    }
}
