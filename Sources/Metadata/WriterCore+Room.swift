// SPDX-License-Identifier: Apache-2.0
//
// Room on the disk for what the standing transaction may still write.

/// What is known of the room there is for the log.
struct LogRoom {
    /// Room beyond what is known to be needed: what 64 changes may dirty or add until room is
    /// looked at again, with much to spare.
    static let slack = 4 * 1024 * 1024
    /// Room beyond that, which only changes that free something may use up: a disk that is full
    /// would never have room again without theirs.
    static let freeing = 2 * 1024 * 1024
    /// Room in the log is taken in steps of this many bytes.
    static let step = 8 * 1024 * 1024
    /// After this many rows or bytes room is looked at again.
    static let checkRows: Int64 = 64
    static let checkBytes = 1024 * 1024

    /// Bytes of the log that have disk space.
    var reserved = 0
    /// Pages of the standing transaction that are in the log already.
    var spilledPages = 0
    var changesAtCheck: Int64 = 0
    var bytesSinceCheck = 0
    /// Whether there is room for anything.
    var isThere = true
    /// Whether the log has disk space for the most that can come, whatever else is full.
    var isInLog = true
    /// What is written now frees something: the log's own space is enough.
    var isFreeing = false
    /// Bytes that the disk was asked to have free and has not; 0 while there is room.
    var missing = 0
}

extension WriterCore {
    /// Whether the log was found without room: starting it anew makes some.
    var lacksRoom: Bool { !room.isThere }

    /// Looks whether the log has room for what stands and what may come; cheap when little changed.
    func checkRoom() {
        if holdCount > 0 { return }
        let changes = connection.changeCount + redo.deferredCount - room.changesAtCheck
        if !room.isThere || changes >= LogRoom.checkRows
            || room.bytesSinceCheck >= LogRoom.checkBytes
        {
            lookForRoom()
        }
    }

    /// Throws `.full` if the log had no room when this write began.
    @inline(__always)
    func requireRoom(for bytes: Int = 0) throws(MetadataError) {
        room.bytesSinceCheck += bytes
        if room.isThere || holdCount > 0 || (room.isFreeing && room.isInLog) { return }
        throw .full
    }

    /// Promises room for some writes that belong together, until `release()`.
    ///
    /// - Parameter frees: they remove more than they add, in the end: the log's own space is
    ///   enough.
    func hold(frees: Bool) throws(MetadataError) {
        _ = recover()
        try connection.runDeferred()
        if let loss = connection.loss { throw loss }
        checkRoom()
        guard room.isThere || (frees && room.isInLog) || holdCount > 0 else { throw .full }
        holdCount += 1
    }

    func release() {
        precondition(holdCount > 0, "more released than was held")
        _ = mayGoOn()
        holdCount -= 1
    }

    /// A COMMIT that finds the disk full loses the whole transaction: so the log has disk space for
    /// the most that can come, which is each page of the cache dirty and all that spilled. A log
    /// that can not be copied can never start anew: so nothing is accepted for which the database
    /// file could not grow.
    func lookForRoom() {
        room.changesAtCheck = connection.changeCount
        room.bytesSinceCheck = 0
        room.spilledPages += connection.takeSpilledPages()
        let cachePages = Self.cacheSizeKiB * 1024 / Schema.pageSize
        let frames = logFrames + room.spilledPages + cachePages
        let needed = WriteAheadLog.headerSize + frames * WriteAheadLog.frameSize + LogRoom.slack
        let wanted = needed + LogRoom.freeing
        let isEnough = wanted <= room.reserved
        let end = isEnough ? room.reserved : (wanted / LogRoom.step + 1) * LogRoom.step
        // A connection that can not even count its pages has worse to tell, at its next use.
        let databaseSize = (try? fileSizeToCome()) ?? 0
        let asked = end - room.reserved + log.databaseGrowth(to: databaseSize)
        let free = log.freeRoom
        // Looked at before it is taken: room for a longer log must not come from what the log needs
        // to be copied.
        room.isThere = asked <= free && reserveLog(upTo: end)
        room.missing = room.isThere ? 0 : asked + WriteAheadLog.spareRoom
        if !room.isThere && logFrames + room.spilledPages == 0 {
            // An empty log has nothing to be copied. Without this, nothing that frees could be done
            // after a start on a disk that others have filled.
            let least = room.reserved + min(wanted - room.reserved, free)
            if least >= needed { _ = reserveLog(upTo: least) }
        }
        room.isInLog = needed <= room.reserved
    }

    /// Takes disk space for the log, if it has less.
    private func reserveLog(upTo end: Int) -> Bool {
        guard end > room.reserved else { return true }
        guard log.reserve(from: room.reserved, count: end - room.reserved) else { return false }
        room.reserved = end
        return true
    }

    /// Bytes the database file may have after the next changes, which take its free pages first.
    private func fileSizeToCome() throws(MetadataError) -> Int {
        let pages = try number(writes.transaction.pageCount)
        let free = try number(writes.transaction.freePageCount)
        return max(pages * Schema.pageSize, (pages - free) * Schema.pageSize + LogRoom.slack)
    }

    private func number(_ statement: SQLiteStatement) throws(MetadataError) -> Int {
        let query = try statement.begin()
        defer { query.reset() }
        return try query.step() ? Int(query.int64(0)) : 0
    }
}
