// SPDX-License-Identifier: Apache-2.0
//
// Getting a mount point ready, looking whether its mount answers, and taking the mount away.

import FuseHost
import Glibc

/// Looks at and unmounts mount points.
package enum MountPoint {
    /// UMOUNT_NOFOLLOW: who can replace the mount point by a symlink must not choose what we
    /// unmount.
    ///
    /// - Source: umount2(2), linux/fs.h.
    private static let unmountsNoLink: Int32 = 8

    /// Unmounts the mount of a daemon that died, if one of ours is there.
    ///
    /// - Parameter path: absolute.
    /// - Returns: true when there was one.
    /// - Throws: `mountPointUnusable` when this user cannot unmount it.
    @discardableResult
    package static func cleanDead(_ path: String) throws(CommandFailure) -> Bool {
        guard isOurs(path), DeadMount.isDead(path) else { return false }
        do {
            try DeadMount.clean(path)
            return true
        } catch {
            throw CommandFailure(error)
        }
    }

    /// True when a Cairn volume is mounted exactly at `path`, alive or dead.
    package static func isOurs(_ path: String) -> Bool {
        MountTable.current().cairnMounts().contains { $0.path == path }
    }

    /// True when the Cairn volume mounted at `path` answers.
    package static func answers(_ path: String) -> Bool {
        isOurs(path) && DeadMount.condition(of: path) == .alive
    }

    /// Unmounts `path` if no program uses it. Its daemon must be serving: the kernel hands it what
    /// is unwritten.
    ///
    /// - Returns: false when programs use it.
    static func unmount(_ path: String) throws(SystemError) -> Bool {
        // SAFETY: the string lives through the call.
        if unsafe umount2(path, unmountsNoLink) == 0 { return true }
        let error = SystemError.last("umount2")
        switch error.code {
        case EBUSY: return false
        case EINVAL, ENOENT: return true  // Somebody else was faster.
        case EPERM: break
        default: throw error
        }
        // Who is not root unmounts through fusermount3. It tells EBUSY from other failures in its
        // words only, so the mount table is asked.
        let status = try ProcessLaunch.run("fusermount3", ["-u", "--", path])
        return status == 0 || !isOurs(path)
    }

    /// Takes `path` away from new callers at once, whoever uses it.
    static func detach(_ path: String) throws(CommandFailure) {
        do {
            // False when somebody else was faster.
            try DeadMount.clean(path)
        } catch {
            throw CommandFailure(error)
        }
    }
}
