// SPDX-License-Identifier: Apache-2.0
//
// Getting a mount point ready, looking whether its mount answers, and taking the mount away.

import FuseHost
import Glibc

/// Looks at and unmounts mount points.
package enum MountPoint {
    /// How a mount stands at its place.
    enum Standing: Equatable, Sendable {
        /// It is what who goes there meets.
        case inPlace
        /// Something else is mounted over it.
        case covered
        /// It was taken away from there; programs that were inside may use it still.
        case gone
    }

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
        MountTable.current().cairnMounts().contains { $0.mountPoint == Array(path.utf8) }
    }

    /// The device number of what is mounted at `path`, as stat(2) tells it; 0 if it is not known.
    static func device(at path: String) -> UInt64 {
        MountTable.current().mount(at: path)?.device ?? 0
    }

    /// How the mount with a device number stands at its place. One of an unknown number is believed
    /// to be there.
    static func standing(of device: UInt64, at path: String) -> Standing {
        guard device != 0 else { return .inPlace }
        let here = MountTable.current().entries.filter { $0.mountPoint == Array(path.utf8) }
        // The last one hides the others.
        if here.last?.device == device { return .inPlace }
        return here.contains { $0.device == device } ? .covered : .gone
    }

    /// What every mount of a volume has as its source.
    static func source(of name: VolumeName) -> String { "cairn:\(name)" }

    /// Where mounts of a volume stand whose daemon has died.
    static func dead(of name: VolumeName) -> [String] {
        MountTable.current().cairnMounts()
            .filter { $0.source == Array(source(of: name).utf8) && DeadMount.isDead($0.path) }
            .map(\.path)
    }

    /// Takes away the mounts of a volume whose daemon has died.
    ///
    /// - Returns: where they were.
    /// - Throws: `mountPointUnusable` when this user cannot unmount one.
    package static func cleanDead(of name: VolumeName) throws(CommandFailure) -> [String] {
        let paths = dead(of: name)
        for path in paths { try detach(path) }
        return paths
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

extension MountEntry {
    /// The filesystem's device number, as stat(2) tells it.
    ///
    /// - Source: glibc's bits/sysmacros.h, makedev.
    var device: UInt64 {
        let (major, minor) = (UInt64(major), UInt64(minor))
        return (major & 0xFFF) << 8 | (major & ~0xFFF) << 32 | minor & 0xFF | (minor & ~0xFF) << 12
    }
}
