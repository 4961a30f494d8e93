// SPDX-License-Identifier: Apache-2.0
//
// The metadata of one volume on this machine: one SQLite database, one writer, any number of
// snapshots.
//
// Invariants:
// - One write transaction stands from `init` to `close()`. Nothing but `commit()`, `record()` and
//   `close()` makes what is in it durable: an engine that syncs its arena before these thus never
//   has a durable row that names a slot that is not on the disk.
// - No fsync happens under the writer's lock, but when a record is taken back, and when the log
//   starts anew: the few frames that are left are copied and synced there (however many they are,
//   from `excessFactor` times its limit on), and the next COMMIT syncs the new header.
// - Lock order: `checkpointer`, then `writer`. The log's own lock is taken under neither, that of
//   the redo file under `writer` where a record is taken back.

import Primitives
import Synchronization

/// The metadata database of one volume.
package final class MetadataDatabase: Sendable {
    /// The schema this code writes.
    package static let schemaVersion = Schema.currentVersion
    /// Bytes of the log from which on it is started anew.
    ///
    /// Short, because what lies within it is written over and over: see WriteAheadLog.swift.
    package static let logLimit = 8 * 1024 * 1024
    /// Bytes of the log that `lengthenLog` writes: what may come while a log over its limit is
    /// being copied fits as well.
    package static let writtenLog = 16 * 1024 * 1024
    /// Bytes the log grows beyond its limit until copying it is worth another try.
    private static let checkpointStep = 4 * 1024 * 1024
    /// Frames that may still have to be copied when the log starts anew under the writer's lock:
    /// 4 MiB. Each of them is a write there.
    private static let restartFrameLimit = 1024
    /// From this many times `logLimit` on, the log is to start anew soon; see `wantsRestart`.
    private static let restartFactor = 8
    /// From this many times `logLimit` on, the log is started anew however long it takes, and then
    /// its disk space is given back.
    private static let excessFactor = 32
    /// How long opening waits for another process that is just closing, in milliseconds.
    private static let openTimeout: Int32 = 250

    private let path: String
    private let log: WriteAheadLog
    private let redoFile: RedoFile
    private let snapshots = SnapshotCounter()
    private let isClosed = Atomic<Bool>(false)
    private let checkpointer: Lock<SQLiteConnection?>
    private let writer: Lock<Writer>
    /// Frames in the log after the last commit.
    private let logFrames = Atomic<Int>(0)
    /// Bytes recorded since the last commit.
    private let uncommitted = Atomic<Int>(0)
    /// Bytes of the redo file that are in use.
    private let recorded = Atomic<Int>(0)
    /// Frames in the log from which on `wantsCheckpoint` is true.
    private let nextCheckpoint = Atomic<Int>(
        MetadataDatabase.logLimit / WriteAheadLog.frameSize)

    private struct Writer {
        let core: WriterCore
        /// Set when the log is to start anew after the next commit: how many of its frames were
        /// copied by then.
        var copiedForRestart: Int?
    }

    /// Opens the database of a state folder, creates it if there is none, and brings its schema up
    /// to date. What stands in the log is on the disk when this returns, so that nothing seen now
    /// can be lost later.
    ///
    /// - Parameters:
    ///   - path: the database file, in an existing folder. It gets mode 0600, and the `-wal`,
    ///     `-shm` and `-redo` files beside it the same.
    ///   - creates: make the database if there is none; else that it is missing is damage.
    /// - Throws: `.newerSchema`, `.olderSchema`, `.corrupt`, `.inUse`, `.full`, or what SQLite
    ///   says.
    package init(path: String, creates: Bool = true) throws(MetadataError) {
        self.path = path
        if creates { try Self.createFile(at: path) } else { try Self.requireFile(at: path) }
        let connection = try SQLiteConnection(path: path, timeout: Self.openTimeout)
        try Self.prepare(connection, path)
        log = try WriteAheadLog(databasePath: path)
        // Frames another process left may never have been synced. A reader somewhere may keep the
        // checkpoint from finishing; the log is synced in any case.
        do throws(MetadataError) {
            _ = try connection.checkpoint(.truncate)
        } catch .full {
            // Others have filled the disk since a process was killed.
            log.giveBackReserve()
            _ = try connection.checkpoint(.truncate)
        }
        try log.sync()
        redoFile = try RedoFile(databasePath: path)
        let background = try SQLiteConnection(path: path, timeout: Self.openTimeout)
        try background.execute(Self.connectionSettings)
        checkpointer = Lock(background)
        let core = try WriterCore(connection: connection, log: log, redoFile: redoFile)
        // From here on a busy lock means a reader of the log, for whom nobody waits under a lock.
        try connection.execute("PRAGMA busy_timeout = 0")
        writer = Lock(Writer(core: core))
    }

    // MARK: The live state

    /// Runs a body that reads and writes the live state, with all that is not yet committed, and
    /// alone: keep it short, and never call this database from inside.
    ///
    /// What the body did before it throws stays done; see `MetadataWriter.atomically`.
    ///
    /// - Parameter defers: changes may be done when `record()` has the disk at work, unless
    ///   somebody asks or changes something before: for a body that only changes, and a `record()`
    ///   soon after it. What fails then fails there, and costs the transaction (`.full` and others,
    ///   until it could be brought back).
    /// - Parameter frees: for a commit that gives more room back than it takes, or a start, after
    ///   which one can be made: the log's own space is enough.
    /// - Throws: what the body throws. After `close()` that is `.closed` at its first call.
    package func write<R, E: Error>(
        defers: Bool = false, frees: Bool = false,
        _ body: (borrowing MetadataWriter) throws(E) -> R
    ) throws(E) -> R {
        try writer.withLock { (writer) throws(E) in
            // What is still lost is told by the body's first call.
            if writer.core.mayGoOn() { writer.core.checkRoom() }
            writer.core.redo.isDeferring = defers
            writer.core.room.isFreeing = frees
            defer {
                writer.core.redo.isDeferring = false
                writer.core.room.isFreeing = false
                uncommitted.store(writer.core.redo.size, ordering: .relaxed)
            }
            return try body(MetadataWriter(core: writer.core))
        }
    }

    /// Commits everything written since the last commit, in one step: after a crash either all of
    /// it is there or none. Fast, and durable only after `syncLog()`.
    ///
    /// The kernel may bring it to the disk at any time from here on: what the rows name must be on
    /// its disk before this is called.
    ///
    /// - Throws: `.full`, `.transactionLost` or what SQLite says if nothing could be committed: the
    ///   changes stand, and go with the next commit that can be made. `.logNotSynced` after a
    ///   failed sync.
    package func commit() throws(MetadataError) { try commit(isLast: false) }

    private func commit(isLast: Bool) throws(MetadataError) {
        try writer.withLock { (writer) throws(MetadataError) in
            let copied = writer.copiedForRestart
            writer.copiedForRestart = nil
            try writer.core.commit(isLast: isLast) { core in
                if let copied { self.restartLog(core, copied: copied) }
            }
            logFrames.store(writer.core.logFrames, ordering: .relaxed)
            uncommitted.store(writer.core.redo.size, ordering: .relaxed)
            recorded.store(0, ordering: .relaxed)
            log.bringAhead(of: writer.core.logFrames)
        }
    }

    /// As `commit()` for who only wants what was written to be durable after `syncLog()`: the
    /// changes themselves go to the disk, not the pages that they changed, unless they are too
    /// many. Snapshots do not have them before the next `commit()`.
    ///
    /// - Throws: as `commit()`.
    package func record() throws(MetadataError) {
        let isRecorded = try writer.withLock { (writer) throws(MetadataError) in
            let isRecorded = try writer.core.record()
            recorded.store(writer.core.recordedSize, ordering: .relaxed)
            return isRecorded
        }
        if !isRecorded { try commit() }
    }

    /// Whether something was recorded since the last commit.
    package var hasRecorded: Bool { recorded.load(ordering: .relaxed) > 0 }

    /// Bytes that the disk must have free until anything can be written, when it was last found to
    /// have less; 0 when it had enough.
    package var missingRoom: Int { writer.withLock { $0.core.room.missing } }

    /// Whether so much was written since the last commit that one should come before its time:
    /// until then all of it is kept in memory, and what was recorded keeps its place in a file.
    package var wantsCommit: Bool {
        uncommitted.load(ordering: .relaxed) >= RedoLog.commitSize
            || recorded.load(ordering: .relaxed) >= RedoFile.commitSize
    }

    /// Whether the log has become long since the last `checkpoint()`, so that one should come
    /// before its time.
    package var wantsCheckpoint: Bool {
        logFrames.load(ordering: .relaxed) >= nextCheckpoint.load(ordering: .relaxed)
    }

    /// Whether the log has grown for so long that it should start anew although changes never
    /// pause, and no snapshot is in the way. A commit soon after a `checkpoint()` adds little, and
    /// can do it quickly; those that come in their own time may add too much.
    package var wantsRestart: Bool {
        logFrames.load(ordering: .relaxed) * WriteAheadLog.frameSize
            >= Self.logLimit * Self.restartFactor && snapshots.open.load(ordering: .relaxed) == 0
    }

    /// Writes the first bytes of the redo file and of the log before they are needed, so that syncs
    /// there are fast. For a background thread; one step of many, of which each writes zeros under
    /// the lock: some hundred microseconds, or 1.1 ms where memory comes slowly from a host.
    ///
    /// - Returns: false when there is nothing more to do.
    /// - Throws: as `syncLog()`.
    package func lengthenLog() throws(MetadataError) -> Bool {
        let (isRedoLonger, isLogLonger) = writer.withLock { writer in
            // Short of room, the space is for what somebody wants to keep.
            if writer.core.connection.isClosed || writer.core.lacksRoom { return (false, false) }
            if redoFile.lengthen() { return (true, false) }
            return (false, log.lengthen(upTo: Self.writtenLog))
        }
        if isRedoLonger { try redoFile.syncZeros() }
        if isLogLonger { try log.syncZeros() }
        return isRedoLonger || isLogLonger
    }

    /// Brings the log and the redo file to the disk, outside the writer's lock: when it returns,
    /// every `commit()` and `record()` that returned before it was called is durable. Those who
    /// call at the same time share a sync.
    ///
    /// - Throws: `.logNotSynced`, now and ever after: then nothing since the last success is sure.
    package func syncLog() throws(MetadataError) {
        try redoFile.sync()
        try log.sync()
    }

    /// Promises room for an operation that consists of several writes, so that it is not refused in
    /// its middle. `releaseRoom()` ends it; it is to be short, and add little.
    ///
    /// - Parameter frees: it removes more than it adds in the end, and so may run on a full disk,
    ///   for as long as the log has space of its own.
    /// - Throws: `.full`; then nothing may be done, and `releaseRoom()` is not called.
    package func holdRoom(frees: Bool) throws(MetadataError) {
        try writer.withLock { (writer) throws(MetadataError) in try writer.core.hold(frees: frees) }
    }

    /// Ends the promise.
    package func releaseRoom() {
        writer.withLock { $0.core.release() }
    }

    // MARK: Beside the writer

    /// A fixed view of what is committed now, on a connection of its own.
    package func snapshot() throws(MetadataError) -> sending MetadataSnapshot {
        if isClosed.load(ordering: .acquiring) { throw .closed }
        return try MetadataSnapshot(path: path, counter: snapshots)
    }

    /// Copies what is committed from the log into the database file, so that the log stays short
    /// and the next start is fast. Slow: it syncs. For a background thread, every few seconds.
    ///
    /// Once the log is longer than `logLimit`, or the disk has no room for more of it, and nearly
    /// all is copied, it is started anew: at once if nothing waits to be committed, else within the
    /// next `commit()`.
    ///
    /// - Returns: false if another process was at it, and nothing was copied.
    /// - Throws: `.logNotSynced` where the disk failed, now and ever after.
    @discardableResult
    package func checkpoint() throws(MetadataError) -> Bool {
        let result = try checkpointer.withLock { (connection) throws(MetadataError) in
            guard let connection else { throw MetadataError.closed }
            return try copyLog { () throws(MetadataError) in try connection.checkpoint(.passive) }
        }
        // It does not even say how long the log is.
        if result.wasBusy { return false }
        let isLong = result.logFrames * WriteAheadLog.frameSize > Self.logLimit
        let limit = isLong ? result.logFrames * WriteAheadLog.frameSize : Self.logLimit
        let step = isLong ? Self.checkpointStep : 0
        nextCheckpoint.store((limit + step) / WriteAheadLog.frameSize, ordering: .relaxed)
        try writer.withLock { (writer) throws(MetadataError) in
            guard isLong || writer.core.lacksRoom, !writer.core.isLost else { return }
            if writer.core.hasChanges {
                writer.copiedForRestart = result.copiedFrames
            } else {
                try writer.core.betweenTransactions { core in
                    self.restartLog(core, copied: result.copiedFrames)
                }
            }
        }
        return true
    }

    /// Commits, brings all to the disk, and ends all connections but those of snapshots. Whatever
    /// is asked later throws `.closed`; closing once more does nothing.
    ///
    /// - Parameter commits: false drops what was written since the last commit: for a caller whose
    ///   last changes are written in part only.
    /// - Throws: what `commit()` and `syncLog()` throw; the connections are ended all the same.
    package func close(commits: Bool = true) throws(MetadataError) {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        defer {
            checkpointer.withLock { connection in
                connection?.close()
                connection = nil
            }
            // The last connection to close copies the log into the database and removes it.
            writer.withLock { writer in
                if (try? log.checkSound()) == nil { writer.core.connection.keepLog() }
                writer.core.connection.close()
            }
        }
        if commits { try commit(isLast: true) }
        try syncLog()
    }

    /// Copies frames of a log that is sound; where the disk fails, it is sound no longer.
    private func copyLog<R>(_ copy: () throws(MetadataError) -> R) throws(MetadataError) -> R {
        try log.checkSound()
        do throws(MetadataError) {
            return try copy()
        } catch {
            if case .logNotSynced(let code) = error { log.noteFailedCopy(errno: code) }
            throw error
        }
    }

    /// Starts the log anew while no transaction stands, if that is possible and quick.
    private func restartLog(_ core: WriterCore, copied: Int) {
        let isExcessive =
            core.logFrames * WriteAheadLog.frameSize > Self.logLimit * Self.excessFactor
        let pending = core.logFrames - copied
        guard snapshots.open.load(ordering: .relaxed) == 0,
            isExcessive || pending <= Self.restartFrameLimit
        else { return }
        // A failure changes nothing but that the log stays as it is. A disk that fails is told by
        // the next `checkpoint()`, where its error has a caller.
        let isRestarted = try? copyLog { () throws(MetadataError) in
            try core.restartLog(cut: isExcessive)
        }
        guard isRestarted == true else { return }
        logFrames.store(core.logFrames, ordering: .relaxed)
        nextCheckpoint.store(Self.logLimit / WriteAheadLog.frameSize, ordering: .relaxed)
    }
}
