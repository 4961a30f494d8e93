// SPDX-License-Identifier: Apache-2.0
//
// A prepared statement of one connection, and what SQLiteConnection.swift says of both.
//
// Invariants:
// - A statement is reset before the call that used it returns, so that none keeps a lock or pins
//   the log.
// - A recorded statement is in the connection's redo log if and only if it was done, or is to be.

import CSQLite

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
    /// Its text.
    let sql: String
    /// Its number in the connection's redo log; nil if it is not recorded.
    private var redoNumber: UInt16?
    private let isRecorded: Bool
    /// Whether what was begun is noted only, and done later.
    private var isDeferred = false
    private var handle: OpaquePointer?
    private var scratch: UnsafeMutablePointer<UInt8>?
    private var scratchUsed = 0
    private var hasCopies = false

    /// - Parameter isRecorded: it changes rows, with no value but those that are bound: it is done
    ///   again if its transaction is lost.
    init(_ connection: SQLiteConnection, _ sql: String, isRecorded: Bool = false) {
        self.connection = connection
        self.sql = sql
        self.isRecorded = isRecorded
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
        if let redo = connection.redo {
            isDeferred = isRecorded && redo.defersNext
            // It may look at what they change, or change it too.
            if !isDeferred && redo.deferred != nil { try connection.runDeferred() }
            if isRecorded {
                let number = redoNumber ?? redo.register(self)
                redoNumber = number
                redo.begin(number)
            }
        }
        // SAFETY: the handle is ours; it is only compared.
        if unsafe !isDeferred && handle == nil { try prepare() }
        return self
    }

    private func prepare() throws(MetadataError) {
        // SAFETY: the text lives for the call; `handle` is ours, finalized in deinit.
        let code = unsafe sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        if code != SQLITE_OK { throw connection.failure(code) }
    }

    /// Parameters of the statement, which must have been begun.
    var parameterCount: Int32 {
        // SAFETY: the handle is valid until `close`; no handle has no parameters.
        connection.isClosed ? 0 : unsafe sqlite3_bind_parameter_count(handle)
    }

    /// Binds integers to the parameters from 1 on.
    func bind(_ values: Span<Int64>) {
        if isRecorded { connection.redo?.note(values) }
        if isDeferred { return }
        let handle = unsafe handle
        var parameter: Int32 = 1
        for index in values.indices {
            // SAFETY: the handle is valid until `close`; the value is copied.
            check(unsafe sqlite3_bind_int64(handle, parameter, values[index]))
            parameter += 1
        }
    }

    /// Binds an integer.
    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) {
        if isRecorded { connection.redo?.note(index, value) }
        if isDeferred { return }
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
        if isRecorded { connection.redo?.note(index, bytes) }
        if isDeferred { return }
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
        if isRecorded { connection.redo?.noteNull(index) }
        if isDeferred { return }
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
    ///
    /// If a recorded one loses the transaction, it is done again with all that was in it; it fails
    /// if it fails once more, and what was done before it stands.
    ///
    /// Where recorded ones are deferred it is noted only, and done by `runDeferred`.
    func run() throws(MetadataError) {
        if isDeferred {
            isDeferred = false
            if connection.redo?.deferLast() == true { try connection.runDeferred() }
            return
        }
        do {
            defer { reset() }
            _ = try step()
        } catch {
            let before = isRecorded ? connection.redo?.end() : nil
            if connection.isLost {
                if connection.onLoss?(before) == true { return }
            } else if let before {
                connection.redo?.cut(to: before)
            }
            throw error
        }
        if isRecorded { connection.redo?.end() }
    }

    /// Runs a statement that gives no rows, resets it, and gives the rows it changed.
    func runCountingChanges() throws(MetadataError) -> Int {
        try runNow()
        // SAFETY: the connection's handle is valid for as long as this object retains it.
        return Int(unsafe sqlite3_changes64(connection.handle))
    }

    /// Runs a statement that inserts a row, resets it, and gives the row's number.
    func runGivingRow() throws(MetadataError) -> UInt64 {
        try runNow()
        return connection.lastInsertedRow
    }

    private func runNow() throws(MetadataError) {
        try run()
        try connection.runDeferred()
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
