// SPDX-License-Identifier: Apache-2.0
//
// Mounts whose process is gone, or does not answer: how to tell them, and how to clear them away.

import CFuse
import Glibc
import Synchronization
import Threading

/// How a mount is.
package enum MountCondition: Sendable, Hashable {
    /// Nothing is mounted exactly there.
    case notMounted
    /// It answers.
    case alive
    /// Its process is gone, or its connection was aborted: everything under it fails.
    case dead
    /// It did not answer in time.
    case unresponsive
}

/// Tells and clears dead mounts.
package enum DeadMount {
    /// How long a mount may take to answer a question that no working one thinks about.
    package static let patience = Duration.seconds(2)

    /// UMOUNT_NOFOLLOW: who can replace the mount point by a link must not choose what goes.
    ///
    /// - Source: umount2(2), linux/fs.h.
    private static let noFollow: Int32 = 8

    /// Whether the process behind a mount point is gone.
    ///
    /// - Parameter path: of a mount point; other paths are not dead.
    package static func isDead(_ path: String) -> Bool { condition(of: path) == .dead }

    /// How the mount at a path is.
    ///
    /// Asks for the filesystem's statistics: unlike `stat`, which a kernel with cached attributes
    /// answers for the dead, that always asks the process. On a thread of its own, because a
    /// process that hangs would take the asking thread with it.
    ///
    /// - Parameter path: as a person wrote it; a dead mount cannot be resolved, so its last
    ///   component is taken as it is.
    package static func condition(of path: String) -> MountCondition {
        let resolved = resolvedMountPoint(path)
        guard MountTable.current().mount(at: resolved) != nil else { return .notMounted }
        let answer = Monitor<MountCondition?>(nil)
        let isAsked = SystemThread.start("cairn-probe") {
            // SAFETY: writes into a local of the right type.
            var statistics = statvfs()
            let result = unsafe statvfs(resolved, &statistics)
            let isDead = result != 0 && SystemFailure.last == .disconnected
            answer.withLock { $0 = isDead ? .dead : .alive }
            answer.wakeAll()
        }
        guard isAsked else { return .unresponsive }
        let condition = answer.wait(atMost: patience) { $0 } ?? .unresponsive
        // Where it went meanwhile, the folder beneath may have answered.
        return MountTable.current().mount(at: resolved) == nil ? .notMounted : condition
    }

    /// Takes a mount away, dead or alive, now for new callers, and for those inside when they
    /// leave.
    ///
    /// - Parameter path: of the mount point.
    /// - Returns: false when nothing was mounted there.
    /// - Throws: `helperMissing` or `mountPointForbidden` when this user cannot.
    @discardableResult
    package static func clean(_ path: String) throws(FuseHostError) -> Bool {
        let resolved = resolvedMountPoint(path)
        guard MountTable.current().mount(at: resolved) != nil else { return false }
        // SAFETY: `resolved` is alive for the call.
        if unsafe umount2(resolved, Int32(MNT_DETACH) | noFollow) == 0 { return true }
        guard let helper = FuseHelper.find() else { throw .helperMissing }
        guard FuseHelper.run(helper, ["-u", "-z", "--", resolved]) else {
            throw .mountPointForbidden(path)
        }
        return true
    }

    /// Ends the connection of a mount that hangs: every caller that waits on it gets an error, even
    /// one that no signal can reach. The mount stays, as a dead one, for `clean`.
    ///
    /// - Parameter path: of the mount point.
    /// - Returns: false when no FUSE filesystem is mounted there.
    /// - Throws: `connectionNotReachable` when this user cannot.
    @discardableResult
    package static func abort(_ path: String) throws(FuseHostError) -> Bool {
        let resolved = resolvedMountPoint(path)
        guard let connection = MountTable.current().mount(at: resolved)?.connection else {
            return false
        }
        do throws(FuseHostError) {
            try connection.abort()
        } catch {
            // Where the control files are not mounted, a forced unmount ends the connection
            // first, and then usually fails, because the mount is busy: only the first is wanted.
            // Root only.
            // SAFETY: `resolved` is alive for the call.
            _ = unsafe umount2(resolved, Int32(MNT_FORCE) | noFollow)
            guard condition(of: resolved) != .unresponsive else { throw error }
        }
        return true
    }

    /// A mount point's path without links; its own last component, which may be dead, unlooked at.
    static func resolvedMountPoint(_ path: String) -> String {
        var components = path.split(separator: "/", omittingEmptySubsequences: true)
        guard let last = components.popLast(), last != ".", last != ".." else {
            return SystemFile.resolved(path) ?? path
        }
        let start = path.hasPrefix("/") ? "/" : "./"
        let folder = SystemFile.resolved(start + components.joined(separator: "/"))
        guard let folder else { return path }
        let whole = folder == "/" ? "/\(last)" : "\(folder)/\(last)"
        // A link to a mount point is followed, unless what it leads to is dead.
        if MountTable.current().mount(at: whole) != nil { return whole }
        return SystemFile.resolved(whole) ?? whole
    }
}
