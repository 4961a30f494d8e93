// SPDX-License-Identifier: Apache-2.0
//
// What all parts of the engine share: the database, the arena, the resident inodes, and the list of
// those that a commit has to write. It decides nothing about the kernel or the stores.
//
// Lock order, outermost first: `Committer.structure` → an inode's state (two only under
// `structure`, one after the other) → a shard of `table` → the database's mutex → the arena's own
// locks. No state is ever locked under a shard, and pinning once more what is pinned takes no lock.
// `dirty` and the small mutexes of the logs and counters are leaves: nothing is taken while they
// are held.

import Blocks
import Cryptography
import Metadata
import Namespace
import Primitives
import Stores
import Synchronization

/// The shared state of one running volume.
final class Volume: Sendable {
    /// Inodes below this are fixed; ordinary ones start here.
    static let firstOrdinaryInode: UInt64 = 64
    /// The pseudo-directory whose entries are the inodes with more than one name.
    static let hardLinkDirectory: UInt64 = 0

    let configuration: EngineConfiguration
    let metadata: MetadataDatabase
    let arena: Arena
    let table = InodeTable()
    let errors = ErrorLog()
    let counters = Counters()
    let sealer: LocalSealer
    let journalSealer: JournalSealer
    let totals: TotalsCounter
    let quota: ByteQuota
    let highWater: HighWater
    /// Reads of the arena that nobody waits for yet.
    let readsAhead = DiskHelper("cairn-around")

    /// Inodes with something to commit, each pinned once by this list.
    let dirty = Lock<[Inode]>([])
    /// Inodes without a name that something still holds.
    let orphans = Lock<Set<UInt64>>([])

    private let nextInode: Atomic<UInt64>
    /// The last change number given out. Only raised inside `metadata.write`.
    let lastChange: Atomic<UInt64>
    /// When somebody last waited for the disk; the background keeps out of the way for a moment.
    let foreground = ForegroundWaits()
    /// How much programs ask for.
    let requests = ForegroundRequests()
    /// Called before a thread of the kernel's side reads content from the disk.
    let willWait = Listener<Void>()
    /// Raised whenever an inode was written back, before it is dropped from memory.
    let drained = Atomic<UInt64>(0)
    /// Bytes in unsealed buffers, for back-pressure.
    let bufferedBytes = Atomic<Int>(0)
    /// The database can keep nothing more in this process: what is changed from here on is refused.
    let cannotCommit = Atomic<Bool>(false)
    /// Bytes of inline content, but for pads, that are not in the database yet.
    let unwrittenInline = Atomic<Int>(0)

    init(
        configuration: EngineConfiguration, metadata: MetadataDatabase, arena: Arena,
        sealer: LocalSealer, journalSealer: JournalSealer, totals: Totals, highWater: HighWater,
        nextInode: UInt64, lastChange: UInt64
    ) {
        self.configuration = configuration
        self.metadata = metadata
        self.arena = arena
        self.sealer = sealer
        self.journalSealer = journalSealer
        self.totals = TotalsCounter(totals)
        quota = ByteQuota(limit: configuration.quota, used: totals.byteCount)
        self.highWater = highWater
        self.nextInode = Atomic(max(nextInode, Volume.firstOrdinaryInode))
        self.lastChange = Atomic(lastChange)
    }

    // MARK: Inodes

    /// A number no inode of this volume has had.
    func newInodeNumber() -> UInt64 {
        nextInode.add(1, ordering: .relaxed).oldValue
    }

    /// The number the next new inode gets; published, so that another machine goes on from there.
    var inodeHighWater: UInt64 { nextInode.load(ordering: .relaxed) }

    /// The inode pinned; throws `stale` when there is none.
    func pin(_ ino: UInt64) throws(FileError) -> Inode {
        guard let inode = try pinIfPresent(ino) else { throw .stale }
        return inode
    }

    /// The inode pinned; nil when there is none.
    func pinIfPresent(_ ino: UInt64) throws(FileError) -> Inode? {
        try table.pin(ino) { (ino) throws(FileError) -> InodeRow? in
            try self.query { (reader) throws(MetadataError) in try reader.inode(ino) }
        }
    }

    /// Runs `body` with the inode pinned.
    func with<R>(
        _ ino: UInt64, _ body: (Inode) throws(FileError) -> R
    ) throws(FileError) -> R {
        let inode = try pin(ino)
        defer { table.unpin(inode) }
        return try body(inode)
    }

    /// Runs `body` with the inode's lock held, and lists the inode for the next commit if it is
    /// dirty then.
    func change<R>(
        _ inode: Inode, _ body: (inout InodeState) throws(FileError) -> R
    ) throws(FileError) -> R {
        try inode.state.withLock { (state) throws(FileError) -> R in
            defer {
                countInline(&state)
                if !state.isListed && state.isDirty && !state.isDeleted {
                    // Under the lock: a commit of whoever sees the mark must see the list as well.
                    state.isListed = true
                    table.pinAgain(inode)
                    dirty.withLock { $0.append(inode) }
                }
            }
            return try body(&state)
        }
    }

    /// Notes what an inode has of inline content that is not written yet. Its lock is held.
    @inline(__always)
    func countInline(_ state: inout InodeState) {
        var held = 0
        // Pads are few, and would count whole with each write.
        if state.isInlineDirty && !state.isDeleted && state.row.form != .pad {
            held = state.inline?.count ?? 0
        }
        if held == state.unwrittenInline { return }
        unwrittenInline.add(held - state.unwrittenInline, ordering: .relaxed)
        state.unwrittenInline = held
    }

    /// The status of an inode whose row was read while `drained` stood at `mark`.
    ///
    /// An inode may have been written back and dropped from memory between that read and this look:
    /// its row is then older than what somebody has already been told, and is read again.
    func status(of row: InodeRow, readAt mark: UInt64) throws(FileError) -> FileStatus {
        if let status = table.peek(row.ino, { $0.isDeleted ? nil : $0.status }), let status {
            return status
        }
        if drained.load(ordering: .acquiring) == mark { return FileStatus(row) }
        return FileStatus(try self.row(row.ino))
    }

    /// The row as it is now, in memory or in the database.
    func row(_ ino: UInt64) throws(FileError) -> InodeRow {
        if let row = table.peek(ino, { $0.isDeleted ? nil : $0.row }), let row { return row }
        let found = try query { (reader) throws(MetadataError) in try reader.inode(ino) }
        guard let found else { throw .stale }
        return found
    }

    /// Looks how much room the disk has for the arena, and for the metadata, which comes first.
    func measureDisk() {
        // A disk that does not tell is met by the next write.
        try? arena.measureDisk(metadataNeed: metadata.missingRoom)
    }

    /// Gives the disk what commits have freed in the arena, as far as that is worth it.
    func punchFreed() {
        measureDisk()
        arena.punchFreed(limit: BackgroundCommits.punchLimit)
    }

    // MARK: Database

    /// A read or write of the live state; database failures become EIO with a line in the log.
    func query<R>(
        _ body: (borrowing MetadataWriter) throws(MetadataError) -> R
    ) throws(FileError) -> R {
        do {
            return try metadata.write(body)
        } catch {
            throw failure(error)
        }
    }

    /// The number of one more change. Call it inside `metadata.write` only, with the row it is for.
    func nextChange() -> UInt64 {
        lastChange.add(1, ordering: .relaxed).newValue
    }

    /// A database error as the caller of a file operation sees it.
    func failure(_ error: MetadataError) -> FileError {
        switch error {
        case .full: return missesRoom(.database, Volume.fullDisk)
        case .transactionLost:
            cannotCommit.store(true, ordering: .relaxed)
            errors.add(.database, Volume.lostChanges)
        case .logNotSynced:
            cannotCommit.store(true, ordering: .relaxed)
            errors.add(.database, Volume.failedSync, detail: "\(error)")
        default: errors.add(.database, "the local database failed", detail: "\(error)")
        }
        return .inputOutput
    }

    private static let lostChanges =
        "the local database lost the changes since its last sync, and takes no more; unmount, and "
        + "mount again"
    private static let failedSync =
        "the disk of the local state failed in a sync: what was changed since the one before will "
        + "be lost, and no more is taken; look after it, unmount, and mount again"
    private static let fullDisk = "the disk of the local state is full; make room there"

    private func missesRoom(_ part: ErrorLog.Part, _ sentence: String) -> FileError {
        errors.add(part, sentence)
        counters.roomFailed(sentence)
        return .noSpace
    }

    /// An arena error as the caller of a file operation sees it.
    func failure(_ error: ArenaError) -> FileError {
        switch error {
        case .full:
            return missesRoom(.arena, "the local cache is full of what is not on the store yet")
        case .diskFull: return missesRoom(.arena, Volume.fullDisk)
        default:
            errors.add(.arena, "the local cache failed", detail: "\(error)")
            return .inputOutput
        }
    }
}
