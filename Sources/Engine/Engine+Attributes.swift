// SPDX-License-Identifier: Apache-2.0
//
// chmod, chown, truncate, utimes; and statfs.

import Primitives
import Metadata
import Namespace
import Stores
import Synchronization
import Threading

extension Engine {
    /// Set-user-id and set-group-id.
    static let privilegeBits: UInt32 = 0o6000
    static let setUserID: UInt32 = 0o4000
    static let groupExecute: UInt32 = 0o010

    /// Changes attributes and gives the new ones.
    package func setAttributes(
        of ino: UInt64, _ change: AttributeChange, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        if ForeignInodes.isForeign(ino) { return try changeForeign(ino, change, context) }
        if !Engine.isOwn(ino) { throw .notPermitted }
        try requireWritable()
        let status = try volume.with(ino) { (inode) throws(FileError) -> FileStatus in
            if let size = change.size {
                let kind = inode.state.withLock { $0.row.kind }
                if kind == .directory { throw .isDirectory }
                guard kind == .regular else { throw .invalid }
                try pads.requireKey(inode)
                try ensureContent(inode, context.patience)
                // With all else that changes, so that no commit comes between.
                let status = try writer.truncate(inode, to: size, context.patience) {
                    (state) throws(FileError) in
                    try apply(change, to: &state, context, now: state.row.attributes.changed)
                }
                noteWritten(inode)
                if change.mode == nil { return status }
            }
            guard let mode = change.mode else {
                return try volume.change(inode) { (state) throws(FileError) in
                    try apply(change, to: &state, context)
                }
            }
            // One commit has the mode and the access list that goes with it.
            return try committer.withNames { () throws(FileError) -> FileStatus in
                try rewriteAccessList(of: ino, for: mode)
                return try volume.change(inode) { (state) throws(FileError) in
                    try apply(change, to: &state, context)
                }
            }
        }
        committer.keepBelowLimits()
        return status
    }

    private func apply(
        _ change: AttributeChange, to state: inout InodeState, _ context: RequestContext,
        now: Timestamp = .now()
    ) throws(FileError) -> FileStatus {
        if state.isDeleted { throw .stale }
        apply(change, to: &state.row, context, now: now)
        state.isRowDirty = true
        if change.modified != nil { try noteModified(&state) }
        return state.status
    }

    /// A time that was set belongs to the stored content as well: it is what a publication shows.
    private func noteModified(_ state: inout InodeState) throws(FileError) {
        // With bytes to flush, the flush brings the time along: a program that syncs small writes
        // would else rewrite this row with each of them.
        guard state.row.form == .blocks, state.buffers.isEmpty else { return }
        try volume.loadBase(&state)
        guard state.base != nil else { return }
        let modified = state.row.attributes.modified
        state.base?.modified = modified
        state.isBaseDirty = true
    }

    private func apply(
        _ change: AttributeChange, to row: inout InodeRow, _ context: RequestContext,
        now: Timestamp
    ) {
        // Of writes that it does not gather, as a pad's, the kernel keeps nothing.
        let isOld = change.changed.map { $0 < row.attributes.changed } ?? false
        if change.isKept && isOld && row.form == .pad { return }
        if let mode = change.mode { row.attributes.mode = mode & FileAttributes.modeMask }
        let isOwnerChange = change.user != nil || change.group != nil
        if let user = change.user { row.attributes.uid = user }
        if let group = change.group { row.attributes.gid = group }
        let clears = change.clearsPrivileges || (isOwnerChange && change.mode == nil)
        if clears && row.kind != .directory {
            // The caller's first group decides, as for access lists.
            let isForeign =
                change.clearsPrivileges && context.user != 0
                && context.group != row.attributes.gid
            clearPrivileges(&row.attributes, isForeign: isForeign)
        }
        if let accessed = change.accessed { row.attributes.accessed = accessed.time(now) }
        if let modified = change.modified { row.attributes.modified = modified.time(now) }
        row.attributes.changed = change.changed ?? now
    }

    /// What a write or a chown takes away; set-group-id without group execution is a lock mark and
    /// stays, unless who writes is not of the group.
    ///
    /// - Source: Linux, fs/attr.c, setattr_should_drop_sgid.
    private func clearPrivileges(_ attributes: inout FileAttributes, isForeign: Bool) {
        attributes.mode &= ~Engine.setUserID
        if isForeign || attributes.mode & Engine.groupExecute != 0 {
            attributes.mode &= ~Engine.setGroupID
        }
    }

    /// Age of an access time at which reading moves it whatever else happened.
    ///
    /// - Source: mount(8), relatime.
    static let accessTimeAge: Int64 = 24 * 60 * 60

    /// Moves the access time of a file that was opened for reading, or a directory that is listed,
    /// if the volume does so.
    ///
    /// The row is written by the next commit, and published with the next change of its own:
    /// reading makes no revision. The kernel is told, because it believes the attributes it has;
    /// but not of a file of which it has no pages: it drops the access time itself when it reads
    /// one, and only that. Told, it would drop all, and ask for them at the next open.
    ///
    /// - Parameter isKnown: the kernel drops the access time by itself.
    func noteAccess(_ inode: Inode, isKnown: Bool = false) throws(FileError) {
        let now = Timestamp.now()
        let mayBeCached = volume.table.mayBeCached(inode.ino)
        let isToldNow = try volume.change(inode) { (state) throws(FileError) -> Bool? in
            guard !state.isDeleted, isAccessDue(state.row.attributes, now) else { return nil }
            state.row.attributes.accessed = now
            state.isAccessDirty = true
            if isKnown { return false }
            let isRead = mayBeCached || state.mayBeCached || state.row.kind != .regular
            state.isAccessUntold = !isRead
            return isRead
        }
        guard let isToldNow else { return }
        if isToldNow { invalidation(.attributes(inode.ino)) }
        committer.tellIfCrowded()
    }

    /// Whether reading at `now` moves an access time.
    func isAccessDue(_ times: FileAttributes, _ now: Timestamp) -> Bool {
        if configuration.isReadOnly || times.accessed >= now { return false }
        switch configuration.accessTimes {
        case .never: return false
        case .strict: return true
        case .relative:
            return times.accessed <= times.modified || times.accessed <= times.changed
                || now.seconds - times.accessed.seconds >= Engine.accessTimeAge
        }
    }

    /// What `statfs` shows. Never asks the store: its room was asked for in the background.
    package func statistics() -> VolumeStatistics {
        let totals = volume.totals.value
        let room = capacity.last(configuration.chunks)
        let used = volume.quota.used
        let free = min(room.free, volume.quota.free ?? .max)
        let (total, overflows) = used.addingReportingOverflow(free)
        return VolumeStatistics(
            totalBytes: overflows ? .max : total, freeBytes: free,
            usedInodes: totals.fileCount + totals.directoryCount)
    }
}

extension TimeChange {
    func time(_ now: Timestamp) -> Timestamp {
        switch self {
        case .now: now
        case .at(let time): time
        }
    }
}

/// The store's room, as it was when a background thread last asked.
final class CapacityProbe: Sendable {
    /// What a store without a limit of its own shows as free: 1 PiB.
    static let unlimited: UInt64 = 1 << 50
    /// Age at which the answer is asked for again.
    static let lifetime = Duration.seconds(10)

    private struct Answer {
        var free = CapacityProbe.unlimited
        var askedAt: ContinuousClock.Instant?
    }
    private let answer = Lock(Answer())

    /// The last answer; asks again, elsewhere, when it is old.
    func last(_ store: any ChunkStore) -> (free: UInt64, isAsked: Bool) {
        guard let reporting = store as? any CapacityReporting else {
            return (CapacityProbe.unlimited, false)
        }
        let now = ContinuousClock.now
        let (free, isOld) = answer.withLock { state in
            let isOld = state.askedAt.map { now - $0 > CapacityProbe.lifetime } ?? true
            if isOld { state.askedAt = now }
            return (state.free, isOld)
        }
        if isOld {
            _ = SystemThread.start("cairn-capacity", stackSize: WorkerPool.stackSize) {
                // A store that does not answer keeps its last answer; as one that is not asked,
                // because there is no thread to ask it on.
                guard let room = try? reporting.capacity() else { return }
                self.answer.withLock { $0.free = room.free }
            }
        }
        return (free, true)
    }
}
