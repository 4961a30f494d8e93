// SPDX-License-Identifier: Apache-2.0
//
// The one file that speaks to SQLite's C interface: a connection and its prepared statements.
// It knows no table. Nothing of C leaves it: results are Swift values, failures are MetadataError.
//
// Invariants:
// - A connection and its statements are used by one thread at a time (SQLITE_OPEN_NOMUTEX): their
//   owner keeps them in a Lock, or lets nobody share them.
// - Once `setStanding(true)` was called, a statement that finds the transaction gone sets `isLost`,
//   and from then on every statement fails with `.transactionLost` before it touches the database:
//   in SQLite's automatic mode it would commit alone, out of order.
// - A statement is reset before the call that used it returns, so that none keeps a lock or pins
//   the log.

import CSQLite
import Glibc

/// One connection to one database file.
///
/// `@unchecked Sendable` because whoever owns it lets one thread at a time use it.
@safe final class SQLiteConnection: @unchecked Sendable {
    fileprivate let handle: OpaquePointer
    /// Where SQLite's hook leaves the length of the log.
    private let logFrameCount: UnsafeMutablePointer<Int32>
    private(set) var isLost = false
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
        isLost = false
    }

    /// The standing transaction is over, and no new one could be begun.
    func markLost() {
        isLost = true
    }

    /// Copies frames of the log into the database file. Needs no open transaction here.
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
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else { throw failure(code) }
        return CheckpointResult(
            logFrames: max(0, Int(log)), copiedFrames: max(0, Int(copied)),
            wasBusy: code != SQLITE_OK)
    }

    /// Throws what makes this connection useless, if anything does.
    @inline(__always)
    fileprivate func checkUsable() throws(MetadataError) {
        if isLost || isClosed { throw isClosed ? .closed : .transactionLost }
    }

    /// What a result code means here; notices when the standing transaction is gone.
    fileprivate func failure(_ code: Int32) -> MetadataError {
        // SAFETY: the handle is valid until `close`.
        if unsafe isStanding && sqlite3_get_autocommit(handle) != 0 {
            isLost = true
            return .transactionLost
        }
        // SAFETY: as above.
        return SQLiteConnection.error(code, systemError: unsafe sqlite3_system_errno(handle))
    }

    /// The error for an extended result code, without any text a row could have put there.
    private static func error(_ code: Int32, systemError: Int32) -> MetadataError {
        // SAFETY: a constant of the library, NUL-terminated.
        let message = unsafe sqlite3_errstr(code).map { unsafe String(cString: $0) } ?? "unknown"
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

/// A prepared statement, made from its text when it is first used and kept from then on.
///
/// Use: `begin()`, the `bind`s, `step()` and the columns, `reset()`. Parameters count from 1,
/// columns from 0, as SQLite's do. Binding outside these is a mistake of ours, and traps.
///
/// `@unchecked Sendable` because it belongs to a connection, which one thread at a time uses.
@safe final class SQLiteStatement: @unchecked Sendable {
    /// Blobs up to this many bytes in all are bound from memory the statement keeps: names are at
    /// most 255 bytes, and an allocation for each would cost as much as the search.
    private static let scratchSize = 512

    private let connection: SQLiteConnection
    private let sql: String
    private var handle: OpaquePointer?
    private var scratch: UnsafeMutablePointer<UInt8>?
    private var scratchUsed = 0
    private var hasCopies = false

    init(_ connection: SQLiteConnection, _ sql: String) {
        self.connection = connection
        self.sql = sql
    }

    deinit {
        // SAFETY: both are ours alone; a closed connection has finalized the handle; nil is fine.
        if !connection.isClosed { _ = unsafe sqlite3_finalize(handle) }
        unsafe scratch?.deallocate()
    }

    /// The statement, prepared and ready for its parameters.
    @inline(__always)
    func begin() throws(MetadataError) -> SQLiteStatement {
        try connection.checkUsable()
        // SAFETY: the handle is ours; it is only compared.
        if unsafe handle == nil { try prepare() }
        return self
    }

    private func prepare() throws(MetadataError) {
        // SAFETY: the text lives for the call; `handle` is ours, finalized in deinit.
        let code = unsafe sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        if code != SQLITE_OK { throw connection.failure(code) }
    }

    /// Binds an integer.
    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) {
        // SAFETY: the handle is valid until `close`; the value is copied.
        check(unsafe sqlite3_bind_int64(handle, index, value))
    }

    /// Binds the bit pattern of an unsigned integer: SQLite's are signed.
    @inline(__always)
    func bind(_ index: Int32, _ value: UInt64) {
        bind(index, Int64(bitPattern: value))
    }

    /// Binds a copy of the bytes; none at all are an empty blob, not NULL.
    func bind(_ index: Int32, _ bytes: [UInt8]) throws(MetadataError) {
        guard !bytes.isEmpty else {
            // SAFETY: the handle is valid until `close`.
            return check(unsafe sqlite3_bind_zeroblob(handle, index, 0))
        }
        guard bytes.count <= Self.scratchSize - scratchUsed else {
            return try bindCopy(index, bytes)
        }
        // SAFETY: the guard left room for the bytes; the scratch stays where it is until deinit,
        // and what is bound here is not written again before `reset`.
        let base = unsafe scratch ?? .allocate(capacity: Self.scratchSize)
        unsafe scratch = base
        let start = unsafe base + scratchUsed
        unsafe bytes.withUnsafeBufferPointer { source in
            guard let from = source.baseAddress else { return }
            unsafe start.update(from: from, count: source.count)
        }
        scratchUsed += bytes.count
        check(unsafe sqlite3_bind_blob(handle, index, start, Int32(bytes.count), nil))
    }

    /// Binds the bytes, or NULL for nil.
    func bind(_ index: Int32, optional bytes: [UInt8]?) throws(MetadataError) {
        if let bytes { return try bind(index, bytes) }
        // SAFETY: the handle is valid until `close`.
        check(unsafe sqlite3_bind_null(handle, index))
    }

    private func bindCopy(_ index: Int32, _ bytes: [UInt8]) throws(MetadataError) {
        // SAFETY: TRANSIENT, the pointer with all bits set, makes SQLite copy before it returns.
        let code = unsafe bytes.withUnsafeBufferPointer { source in
            let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            return unsafe sqlite3_bind_blob64(
                handle, index, source.baseAddress, UInt64(source.count), transient)
        }
        if code != SQLITE_OK { throw connection.failure(code) }
        hasCopies = true
    }

    @inline(__always)
    private func check(_ code: Int32) {
        precondition(code == SQLITE_OK, "no such parameter, or the statement is running")
    }

    /// Goes to the next row; false when there is none.
    @inline(__always)
    func step() throws(MetadataError) -> Bool {
        // Between two rows of a walk its caller may close the connection.
        if connection.isClosed { throw .closed }
        // SAFETY: the handle is valid until the connection is closed.
        let code = unsafe sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        throw connection.failure(code)
    }

    /// Runs a statement that gives no rows, and resets it.
    func run() throws(MetadataError) {
        defer { reset() }
        _ = try step()
    }

    /// Runs a statement that gives no rows, resets it, and gives the rows it changed.
    func runCountingChanges() throws(MetadataError) -> Int {
        try run()
        // SAFETY: the connection's handle is valid for as long as this object retains it.
        return Int(unsafe sqlite3_changes64(connection.handle))
    }

    /// Makes the statement ready for its next use.
    func reset() {
        guard !connection.isClosed else { return }
        // SAFETY: the handle is valid until `close`. The code repeats what `step` has thrown.
        _ = unsafe sqlite3_reset(handle)
        scratchUsed = 0
        if hasCopies {
            _ = unsafe sqlite3_clear_bindings(handle)
            hasCopies = false
        }
    }

    /// A column of the present row as an integer; 0 for NULL.
    @inline(__always)
    func int64(_ column: Int32) -> Int64 {
        // SAFETY: the handle is valid until `close`; a wrong column reads as NULL.
        unsafe sqlite3_column_int64(handle, column)
    }

    /// A column of the present row as the unsigned integer with its bit pattern.
    @inline(__always)
    func uint64(_ column: Int32) -> UInt64 {
        UInt64(bitPattern: int64(column))
    }

    /// Whether a column of the present row is NULL.
    func isNull(_ column: Int32) -> Bool {
        // SAFETY: the handle is valid until `close`.
        unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    /// A column of the present row as bytes; empty for NULL.
    func blob(_ column: Int32) -> [UInt8] {
        // SAFETY: SQLite owns the bytes until the next step or reset; copied here.
        guard let start = unsafe sqlite3_column_blob(handle, column) else { return [] }
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// A column of the present row as text; empty for NULL.
    func text(_ column: Int32) -> String {
        // SAFETY: as in `blob`; SQLite ends its texts with NUL.
        guard let start = unsafe sqlite3_column_text(handle, column) else { return "" }
        return unsafe String(cString: start)
    }
}
