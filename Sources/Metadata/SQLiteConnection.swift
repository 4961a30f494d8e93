// SPDX-License-Identifier: Apache-2.0
//
// A connection to a database. With SQLiteStatement.swift the only file that speaks to SQLite's C
// interface. They know no table, and nothing of C leaves them: results are Swift values, failures
// are MetadataError.
//
// Invariants:
// - A connection and its statements are used by one thread at a time (SQLITE_OPEN_NOMUTEX): their
//   owner keeps them in a Lock, or lets nobody share them.
// - Once `setStanding(true)` was called, a statement that finds the transaction gone sets `loss`,
//   and from then on every statement fails with it before it touches the database: in SQLite's
//   automatic mode it would commit alone, out of order.

import CSQLite
import Glibc

/// One connection to one database file.
///
/// `@unchecked Sendable` because whoever owns it lets one thread at a time use it.
@safe final class SQLiteConnection: @unchecked Sendable {
    let handle: OpaquePointer
    /// Where SQLite's hook leaves the length of the log.
    private let logFrameCount: UnsafeMutablePointer<Int32>
    /// Why the standing transaction is gone; nil while it stands.
    private(set) var loss: MetadataError?
    /// Has recorded changes of the standing transaction done again; nil for readers.
    var redo: RedoLog?
    /// Brings a lost transaction back if that is possible at once; says whether the statement that
    /// lost it was done with it. Takes the moment before that statement.
    var onLoss: ((RedoLog.Mark?) -> Bool)?
    private var isStanding = false
    private(set) var isClosed = false

    /// Opens an existing file.
    ///
    /// - Parameter timeout: milliseconds to wait for a lock; 0 fails at once.
    init(path: String, isReadOnly: Bool = false, timeout: Int32) throws(MetadataError) {
        let flags =
            (isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX
            | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE
        var opened: OpaquePointer?
        // SAFETY: `path` lives for the call; `opened` is ours from here, also after a failure.
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            // SAFETY: nobody else has it; closing nil is allowed.
            _ = unsafe sqlite3_close(opened)
            throw SQLiteConnection.error(code, systemError: 0)
        }
        unsafe handle = opened
        // SAFETY: ours until deinit, which runs after the hook that writes it is gone.
        unsafe logFrameCount = .allocate(capacity: 1)
        unsafe logFrameCount.initialize(to: 0)
        // SQLite's own checkpoint after a COMMIT is such a hook too: this one takes its place, and
        // a log is copied only when `checkpoint` is called.
        // SAFETY: the hook runs on this connection's thread, inside COMMIT, while both live.
        unsafe sqlite3_busy_timeout(opened, timeout)
        _ = unsafe sqlite3_wal_hook(
            opened,
            { count, _, _, frames in
                // SAFETY: `count` is the pointer given below, which outlives the connection.
                unsafe count?.assumingMemoryBound(to: Int32.self).pointee = frames
                return SQLITE_OK
            }, logFrameCount)
    }

    deinit {
        close()
        // SAFETY: the connection that could write there is closed, and its statements are gone:
        // each of them retains this object.
        unsafe logFrameCount.deallocate()
    }

    /// Ends the connection and its statements; an open transaction is rolled back.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        // SAFETY: `isClosed` keeps every statement from using or finalizing its handle again. A
        // connection without statements can be closed, and then its locks are really gone.
        while let statement = unsafe sqlite3_next_stmt(handle, nil) {
            unsafe sqlite3_finalize(statement)
        }
        _ = unsafe sqlite3_close(handle)
    }

    /// Frames in the log after this connection's last commit; 0 if it never committed.
    ///
    /// Every page of a transaction is one frame: the page and a header of 24 bytes.
    var logFrames: Int {
        // SAFETY: initialized in init, written only by the hook on this thread.
        unsafe Int(logFrameCount.pointee)
    }

    /// Rows inserted, updated and deleted since the connection was opened.
    var changeCount: Int64 {
        // SAFETY: the handle is valid until `close`.
        isClosed ? 0 : unsafe sqlite3_total_changes64(handle)
    }

    /// The number of the row inserted last.
    var lastInsertedRow: UInt64 {
        // SAFETY: the handle is valid until `close`.
        isClosed ? 0 : UInt64(bitPattern: unsafe sqlite3_last_insert_rowid(handle))
    }

    /// Dirty pages written to the log before their transaction committed, since the last call.
    func takeSpilledPages() -> Int {
        guard !isClosed else { return 0 }
        var current: Int32 = 0
        var highest: Int32 = 0
        // SAFETY: both outlive the call, the handle is valid until `close`.
        let code = unsafe sqlite3_db_status(
            handle, SQLITE_DBSTATUS_CACHE_SPILL, &current, &highest, 1)
        return code == SQLITE_OK ? Int(current) : 0
    }

    /// Runs fixed SQL text that gives no rows; several statements may stand in it.
    func execute(_ sql: String) throws(MetadataError) {
        try checkUsable()
        // SAFETY: the text lives for the call; the handle is valid until `close`.
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw failure(code) }
    }

    /// The first column of the first row of fixed SQL text, as an integer; nil without a row.
    func integer(_ sql: String) throws(MetadataError) -> Int64? {
        let statement = try SQLiteStatement(self, sql).begin()
        defer { statement.reset() }
        return try statement.step() ? statement.int64(0) : nil
    }

    /// The first column of the first row of fixed SQL text, as text; nil without a row.
    func text(_ sql: String) throws(MetadataError) -> String? {
        let statement = try SQLiteStatement(self, sql).begin()
        defer { statement.reset() }
        return try statement.step() ? statement.text(0) : nil
    }

    /// Declares whether a transaction stands from here on, whose loss is an error.
    func setStanding(_ stands: Bool) {
        isStanding = stands
        loss = nil
    }

    /// Whether the standing transaction is gone.
    var isLost: Bool { loss != nil }

    /// There is no transaction from here on: none could be begun, or what stands is not what it
    /// should be, and is rolled back.
    func abandon(_ cause: MetadataError) {
        guard !isClosed else { return }
        // SAFETY: the handle is valid until `close`. Without a transaction it fails, as is right.
        if unsafe sqlite3_get_autocommit(handle) == 0 {
            _ = unsafe sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
        }
        loss = cause
    }

    /// Copies frames of the log into the database file. Needs no open transaction here.
    ///
    /// - Throws: `.logNotSynced` where the disk failed: pages that an earlier copy wrote may be
    ///   gone then, which a later one would not write again.
    func checkpoint(_ mode: CheckpointMode) throws(MetadataError) -> CheckpointResult {
        try checkUsable()
        let raw =
            switch mode {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .restart: SQLITE_CHECKPOINT_RESTART
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        var log: Int32 = 0
        var copied: Int32 = 0
        // SAFETY: both outlive the call; the handle is valid until `close`.
        let code = unsafe sqlite3_wal_checkpoint_v2(handle, nil, raw, &log, &copied)
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else {
            // SAFETY: the handle is valid until `close`.
            let systemError = unsafe sqlite3_system_errno(handle)
            let error = failure(code)
            let isWrite = code == Self.writeFailed || code == Self.cutFailed
            if code == Self.syncFailed || (isWrite && error != .full) {
                throw .logNotSynced(errno: systemError)
            }
            throw error
        }
        return CheckpointResult(
            logFrames: max(0, Int(log)), copiedFrames: max(0, Int(copied)),
            wasBusy: code != SQLITE_OK)
    }

    /// Does what was noted to be done later. One that fails costs the transaction, which is then
    /// brought back whole or is lost: whoever noted it believes that it is done.
    func runDeferred() throws(MetadataError) {
        guard let redo, redo.deferred != nil, !redo.isReplaying, isStanding, loss == nil else {
            return
        }
        do throws(MetadataError) {
            try redo.runDeferred()
        } catch {
            if error.isLasting {
                redo.giveUp()
                abandon(.transactionLost)
            } else {
                if loss == nil { abandon(error) }
                _ = onLoss?(nil)
            }
            if let loss { throw loss }
        }
    }

    /// Throws what makes this connection useless, if anything does.
    @inline(__always)
    func checkUsable() throws(MetadataError) {
        if loss == nil && !isClosed { return }
        throw isClosed ? .closed : loss ?? .closed
    }

    /// What a result code means here; notices when the standing transaction is gone.
    func failure(_ code: Int32) -> MetadataError {
        // SAFETY: the handle is valid until `close`.
        let error = SQLiteConnection.error(code, systemError: unsafe sqlite3_system_errno(handle))
        // SAFETY: as above.
        if unsafe isStanding && sqlite3_get_autocommit(handle) != 0 {
            loss = error
        }
        return error
    }

    /// Leaves the log where it is when the last connection is closed.
    func keepLog() {
        guard !isClosed else { return }
        var keeps: Int32 = 1
        // SAFETY: the number outlives the call; the handle is valid until `close`. Where it fails,
        // the log is as it would be without.
        _ = unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keeps)
    }

    /// SQLITE_IOERR_WRITE, _FSYNC and _TRUNCATE of sqlite3.h, expressions that Swift does not
    /// import.
    private static let writeFailed = SQLITE_IOERR | 3 << 8
    private static let syncFailed = SQLITE_IOERR | 4 << 8
    private static let cutFailed = SQLITE_IOERR | 6 << 8

    /// SQLITE_CONSTRAINT_PRIMARYKEY of sqlite3.h, an expression that Swift does not import.
    private static let primaryKeyTaken = SQLITE_CONSTRAINT | 6 << 8

    /// The error for an extended result code, without any text a row could have put there.
    private static func error(_ code: Int32, systemError: Int32) -> MetadataError {
        // SAFETY: a constant of the library, NUL-terminated.
        let message = unsafe sqlite3_errstr(code).map { unsafe String(cString: $0) } ?? "unknown"
        if code == primaryKeyTaken { return .taken }
        switch code & 0xff {
        case SQLITE_FULL: return .full
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(message)
        case SQLITE_BUSY, SQLITE_LOCKED: return .inUse
        case SQLITE_IOERR, SQLITE_CANTOPEN:
            // A quota, or the shared index of the log: SQLite has no code of its own for these.
            return systemError == ENOSPC || systemError == EDQUOT
                ? .full : .sqlite(code: code, message: message)
        default: return .sqlite(code: code, message: message)
        }
    }
}
