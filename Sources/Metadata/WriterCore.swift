// SPDX-License-Identifier: Apache-2.0
//
// The writing connection and its standing transaction; MetadataDatabase keeps it in its Lock.
//
// Invariants:
// - Between calls a write transaction stands, or the connection is lost or closed.
// - Cookies are given in growing order, each once: the end of the reserved batch is in the
//   database before the first cookie of the batch is given, in the same transaction as the names.
// - A lost transaction is brought back from `redo`, whole or not at all. Not in the middle of an
//   operation of several writes whose next one fails: that one is not finished, and what it has
//   changed elsewhere is not here.
// - `room.reserved` never exceeds what the log file really has allocated: cutting the log sets it
//   to 0.

import Namespace

/// What stands behind the writer's lock.
///
/// `@unchecked Sendable` because only `MetadataDatabase` has it, inside a Lock.
final class WriterCore: @unchecked Sendable {
    /// Memory the writing connection may keep pages in, in KiB.
    static let cacheSizeKiB = 32 * 1024
    /// Keys of settings that begin so are the database's own.
    static let ownKeyPrefix = "metadata."
    /// Smaller cookies are never given: a listing has `.` and `..` before its first name.
    static let firstCookie: UInt64 = 16
    /// Cookies that are reserved at once. A crash wastes at most as many of 2^63.
    private static let cookieBatch: UInt64 = 65_536
    /// Where the base is kept that records of the redo file follow.
    static let baseKey = "metadata.base"
    /// Where the end of the reserved cookies is kept.
    private static let cookieKey = "metadata.cookies"
    /// A lost transaction is not done again more often: a try may write up to `RedoLog.limit`.
    private static let recoveryInterval = Duration.seconds(1)

    let connection: SQLiteConnection
    let redo = RedoLog()
    let reads: ReadStatements
    let writes: WriteStatements
    let log: WriteAheadLog
    private let redoFile: RedoFile

    /// What the redo file has of the standing transaction.
    private struct Recorded {
        /// What the COMMIT before wrote into the database.
        let base: UInt64
        var end: RedoLog.Mark
        var declared: Set<UInt16> = []
        var records: UInt64 = 0
        /// Bytes.
        var size = 0
        /// Those of them on the page that the next record begins on.
        var tail: ArraySlice<UInt8> = []
    }
    /// Nil before the first COMMIT of this process.
    private var recorded: Recorded?

    private var nextCookie: UInt64 = 0
    private var reservedCookies: UInt64 = 0

    /// Frames in the log after the last commit.
    private(set) var logFrames = 0
    private var changesAtBegin: Int64 = 0

    var room = LogRoom()
    /// Operations of several writes that were promised room when they began.
    var holdCount = 0
    /// Within a savepoint, which ends with the transaction.
    var isDivided = false
    /// When a lost transaction is tried again.
    private var nextRecovery = ContinuousClock.now

    /// Takes a connection in WAL mode, and begins the standing transaction.
    init(
        connection: SQLiteConnection, log: WriteAheadLog, redoFile: RedoFile
    ) throws(MetadataError) {
        self.connection = connection
        self.log = log
        self.redoFile = redoFile
        reads = ReadStatements(connection)
        writes = WriteStatements(connection)
        connection.redo = redo
        try begin()
        try loadCookies()
        connection.onLoss = { [unowned self] before in self.isDoneAgain(since: before) }
    }

    deinit {
        // They keep each other.
        connection.redo = nil
        connection.onLoss = nil
    }

    // MARK: The transaction

    /// Whether the standing transaction has changed anything.
    var hasChanges: Bool { connection.changeCount != changesAtBegin || redo.deferred != nil }

    /// Whether the standing transaction is gone.
    var isLost: Bool { connection.isLost }

    private func begin() throws(MetadataError) {
        connection.setStanding(false)
        do {
            try writes.transaction.begin.begin().run()
            connection.setStanding(true)
        } catch {
            connection.abandon(error)
            throw error
        }
        changesAtBegin = connection.changeCount
        room.spilledPages = 0
        _ = connection.takeSpilledPages()
        lookForRoom()
    }

    /// Commits what stands and begins anew.
    ///
    /// - Parameters:
    ///   - isLast: nothing is recorded after it, in this process.
    ///   - between: what is done to the log while no transaction stands.
    func commit(
        isLast: Bool = false, _ between: (WriterCore) -> Void
    ) throws(MetadataError) {
        try requireSound()
        guard hasChanges else { return }
        try connection.runDeferred()
        // A COMMIT that fails may have written all of its frames, and a start may find them: what
        // was recorded on the base before would be nowhere then. So nothing is until one succeeds.
        recorded = nil
        let base = UInt64.random(in: .min ... .max)
        if isLast {
            try removeSetting(Self.baseKey)
        } else {
            try setInteger(Self.baseKey, Int64(bitPattern: base))
        }
        do throws(MetadataError) {
            try writes.transaction.commit.begin().run()
        } catch {
            // Brought back by now, if that was possible: once more, for what passes by itself.
            guard !isLost else { throw error }
            try writes.transaction.commit.begin().run()
        }
        redo.clear()
        if !isLast { recorded = Recorded(base: base, end: redo.mark) }
        logFrames = connection.logFrames
        log.noteCommit()
        between(self)
        // The commit itself is done. If no new transaction can be begun then `begin` marks the
        // connection lost, and the next call says so.
        try? begin()
    }

    private func requireSound() throws(MetadataError) {
        if connection.isClosed { throw .closed }
        try log.checkSound()
        try redoFile.checkSound()
        _ = recover()
        if let loss = connection.loss { throw loss }
    }

    /// Writes what was changed since the last COMMIT, and is not there yet, into the redo file.
    ///
    /// - Returns: false if that can not be: it wants a COMMIT then.
    func record() throws(MetadataError) -> Bool {
        try requireSound()
        guard hasChanges else { return true }
        guard var next = recorded, redo.isWhole, log.isSettled else { return false }
        let encoded = redo.encoded(
            from: next.end, declared: &next.declared, limit: RedoFile.recordLimit)
        guard let (changes, end) = encoded else { return false }
        if changes.isEmpty { return true }
        let record = RedoFile.record(changes, base: next.base, number: next.records)
        guard next.size + record.count <= RedoFile.size,
            let tail = redoFile.write(record, at: next.size, behind: next.tail)
        else { return false }
        do throws(MetadataError) {
            // While the disk works.
            try connection.runDeferred()
        } catch {
            // A start might fail with it too. If this fails, every sync does from here on.
            try? redoFile.takeBack(from: next.size, behind: next.tail)
            throw error
        }
        next.end = end
        next.records += 1
        next.size += record.count
        next.tail = tail
        recorded = next
        return true
    }

    /// Bytes of the redo file that are in use.
    var recordedSize: Int { recorded?.size ?? 0 }

    /// Ends a transaction that has changed nothing, does something, and begins anew.
    func betweenTransactions(_ body: (WriterCore) -> Void) throws(MetadataError) {
        precondition(!hasChanges, "a transaction with changes is committed by its owner only")
        try writes.transaction.commit.begin().run()
        body(self)
        try begin()
    }

    /// Lets the next transaction write at the start of the log.
    ///
    /// - Parameter cut: also gives the log's disk space back.
    /// - Returns: false if a reader still needs the log.
    func restartLog(cut: Bool) throws(MetadataError) -> Bool {
        connection.setStanding(false)
        let result = try connection.checkpoint(cut ? .truncate : .restart)
        guard !result.wasBusy else { return false }
        logFrames = 0
        if cut { room.reserved = 0 }
        return true
    }

    /// A statement lost the transaction.
    ///
    /// - Parameter before: the moment before it; nil if it is none that is recorded.
    /// - Returns: whether it was done with all the others. Else it is forgotten, and they are done
    ///   without it; but not if it was a part of an operation that can not go on.
    private func isDoneAgain(since before: RedoLog.Mark?) -> Bool {
        // One that is being done again and fails again ends that: trying once more from within it
        // would never end.
        if redo.isReplaying { return false }
        let isHeld = holdCount > 0
        let mayTry = !isDivided && (isHeld || .now >= nextRecovery)
        if mayTry && recover(isUrgent: true) { return before != nil }
        if isHeld {
            giveUp()
        } else if let before {
            redo.cut(to: before)
            if mayTry { _ = recover(isUrgent: true) }
        }
        return false
    }

    /// Whether a transaction stands, brought back if need be; not in the middle of an operation.
    func mayGoOn() -> Bool {
        if isLost && holdCount > 0 { giveUp() }
        return recover()
    }

    /// What was lost stays lost, and every call says so from here on.
    private func giveUp() {
        redo.giveUp()
        connection.abandon(.transactionLost)
    }

    /// Brings a lost transaction back: begins anew, and does again what it had done.
    ///
    /// - Parameter isUrgent: does not wait for its time.
    /// - Returns: whether a transaction stands.
    func recover(isUrgent: Bool = false) -> Bool {
        guard isLost else { return true }
        if !redo.isWhole && connection.loss != .transactionLost { giveUp() }
        let now = ContinuousClock.now
        guard !connection.isClosed, redo.isWhole, isUrgent || now >= nextRecovery else {
            return false
        }
        nextRecovery = now + Self.recoveryInterval
        redo.forgetDeferral()
        do throws(MetadataError) {
            try begin()
            try redo.replay()
            try loadCookies()
            return true
        } catch {
            // What is taken is an answer to who adds it, and this is none.
            connection.abandon(error == .taken ? .transactionLost : error)
            return false
        }
    }

    // MARK: Cookies

    /// A cookie that was never given before.
    func takeCookie() throws(MetadataError) -> UInt64 {
        if nextCookie >= reservedCookies {
            let end = nextCookie + Self.cookieBatch
            try setInteger(Self.cookieKey, Int64(bitPattern: end))
            reservedCookies = end
        }
        defer { nextCookie += 1 }
        return nextCookie
    }

    private func loadCookies() throws(MetadataError) {
        let query = try reads.publishing.setting.begin()
        defer { query.reset() }
        try query.bind(1, Array(Self.cookieKey.utf8))
        reservedCookies = try query.step() ? query.uint64(0) : 0
        // After a loss the cookies given in memory stay given: some listing may have shown them.
        nextCookie = max(nextCookie, reservedCookies, Self.firstCookie)
    }

    private func removeSetting(_ key: String) throws(MetadataError) {
        let change = try writes.publishing.removeSetting.begin()
        try change.bind(1, Array(key.utf8))
        try change.run()
    }

    /// Sets a setting to a number.
    func setInteger(_ key: String, _ value: Int64) throws(MetadataError) {
        let change = try writes.publishing.setSetting.begin()
        try change.bind(1, Array(key.utf8))
        change.bind(2, value)
        try change.run()
    }
}
