// SPDX-License-Identifier: Apache-2.0
//
// Makes the past durable on this machine: one commit for all who wait.
//
// Invariants (docs/ARCHITECTURE.md §6.8):
// 1. Every row of a commit names only slots that an arena sync has covered: dirty inodes are
//    drained, the arena is synced, and no drain runs between that sync and the commit.
// 2. Slots freed by rows of a commit are reusable only after the log of that commit is synced. (A
//    commit here is a COMMIT of the database, or a record in its redo file.)
// 3. A commit holds everything that had been done at one moment, of every file, and no bytes that
//    came later: what a crash loses, it loses from the end. At that moment every inode that the
//    commit may write is locked, and no other is dirty (`drainAtOneMoment`).
// 4. A buffer's bytes are in a commit by a map entry (sealed) or a journal row (journaled), never
//    by both: whoever writes the entry removes the row with it.

import Blocks
import Metadata
import Primitives
import Synchronization
import Threading

/// Drains dirty inodes into the database and commits, for one caller or many.
final class Committer: Sendable {
    /// Dirty inodes that are locked at once, or written back in the background in a row: a few
    /// milliseconds for who waits.
    static let heldAtOnce = 256
    /// Drains beside writers before they have to wait however many inodes are dirty.
    static let drainPasses = 4
    /// Slots let go of that are worth a commit of their own: 1 MiB.
    static let releasedCount = 64
    /// Bytes of an inode's row, about; one that is changed takes the place of the one before.
    static let inodeSize = 128
    /// Bytes that a changed group of a block map may add, about: some of its blocks are new.
    static let groupSize = 512
    /// Bytes of a data map in a file's content, about: three chunks at most.
    static let segmentSize = 384

    let volume: Volume
    /// Held by whoever changes names, while dirty inodes are written, and from there to the commit:
    /// so a name and the rows of what it names are always in the same commit.
    let structure = Lock<Void>(())

    private struct Rounds {
        var begun: UInt64 = 0
        var ended: UInt64 = 0
        var isRunning = false
        /// The next round is to end in a COMMIT.
        var isWholeWanted = false
        var failure: FileError?
        var failedRound: UInt64 = 0
    }
    private let rounds = Monitor(Rounds())

    private let pressure = Listener<Void>()
    let crowd = Listener<Void>()
    /// The background was told of the crowd that there is.
    let isCrowdKnown = Atomic<Bool>(false)
    /// The first commit is over.
    private let hasCommitted = Atomic<Bool>(false)
    /// The last change that is durable.
    let committedChange: Atomic<UInt64>

    init(volume: Volume) {
        self.volume = volume
        committedChange = Atomic(volume.lastChange.load(ordering: .relaxed))
    }

    /// Has `body` called after the first commit, after each that leaves a log worth copying, or a
    /// journal worth sealing, and when a commit should come before its time; it must not wait.
    func whenPressed(_ body: @escaping @Sendable () -> Void) {
        pressure.set(body)
    }

    /// Has `body` called when there begins to be much in memory; it must not wait.
    func whenCrowded(_ body: @escaping @Sendable () -> Void) {
        crowd.set(body)
    }

    /// Returns when everything done before the call is durable. Callers that come together share a
    /// round.
    ///
    /// - Parameters:
    ///   - isWhole: the database has it all in a COMMIT, for a snapshot; else its redo file may
    ///     have the end of it.
    ///   - isRequest: the thread serves a program, and says when it begins to wait.
    func commit(isWhole: Bool = true, isRequest: Bool = false) throws(FileError) {
        // A round that is running may have passed this caller's change: wait for one that begins
        // later.
        let wanted = rounds.withLock { state in
            if isWhole { state.isWholeWanted = true }
            return state.begun + 1
        }
        while true {
            if isRequest, rounds.withLock({ $0.isRunning }) { volume.willWait() }
            let lead = rounds.wait { state -> Bool? in
                if state.ended >= wanted { return false }
                return state.isRunning ? nil : true
            }
            guard lead == true else { break }
            let isRoundWhole = rounds.update { state -> Bool? in
                if state.isRunning || state.ended >= wanted { return nil }
                state.isRunning = true
                state.begun += 1
                defer { state.isWholeWanted = false }
                return state.isWholeWanted
            }
            guard let isRoundWhole else { continue }
            var failure: FileError?
            do throws(FileError) {
                try round(isWhole: isRoundWhole, isRequest: isRequest)
            } catch {
                failure = error
            }
            rounds.update { state in
                state.isRunning = false
                state.ended = state.begun
                if let failure {
                    state.failure = failure
                    state.failedRound = state.ended
                }
            }
        }
        let failure = rounds.withLock { $0.failedRound >= wanted ? $0.failure : nil }
        if let failure { throw failure }
    }

    /// - Parameters: as of `commit`.
    private func round(isWhole: Bool, isRequest: Bool) throws(FileError) {
        // The long part without the lock: others may drain meanwhile, the second pass covers them.
        // A small commit has none, but for what others have sealed.
        let isLarge = !isSmall()
        let isCrowd = steps(from: Committer.crowdSize) > 0
        if isLarge || isCrowd || !volume.arena.isSynced {
            if isRequest { volume.willWait() }
            // What fails is met again below, where room is made.
            if isLarge {
                do throws(FileError) { try drain(isRequest: isRequest) } catch .noSpace {}
            } else {
                try? drainCrowd(isRequest: isRequest)
            }
            try syncArena()
        }
        var frees = false
        var change: UInt64 = 0
        let epoch = try structure.withLock { (_) throws(FileError) -> FreeEpoch in
            do throws(FileError) {
                try drainAtOneMoment(isSmall() ? .journaled : .sealed, defers: !isWhole)
            } catch .noSpace {
                // A log that starts anew has room. A checkpoint that fails too leaves the second
                // try to say why.
                _ = try? volume.metadata.checkpoint()
                frees = mayFree
                // The arena's slots are reserved, the journal's are not: but if the log's own
                // space may be used, it has some, and the arena's disk may be full.
                try drainAtOneMoment(frees && isSmall() ? .journaled : .sealed, frees: frees)
            }
            // Costs nothing where nothing was sealed since the last one.
            try syncArena()
            let epoch = volume.arena.beginCommit()
            do throws(MetadataError) {
                try volume.metadata.write(defers: !isWhole, frees: frees) {
                    (writer) throws(MetadataError) in
                    change = volume.lastChange.load(ordering: .relaxed)
                    try volume.highWater.save(volume, isLast: false, writer)
                }
                if isWhole {
                    try volume.metadata.commit()
                } else {
                    try volume.metadata.record()
                }
            } catch {
                throw volume.failure(error)
            }
            return epoch
        }
        if isRequest { volume.willWait() }
        do {
            try volume.metadata.syncLog()
        } catch {
            throw volume.failure(error)
        }
        volume.arena.endCommit(epoch)
        committedChange.store(change, ordering: .relaxed)
        // What it was done for.
        if frees { volume.punchFreed() }
        let isFirst = !hasCommitted.exchange(true, ordering: .relaxed)
        let metadata = volume.metadata
        if isFirst || metadata.wantsCommit || metadata.wantsCheckpoint
            || JournalSealing.isDue(volume)
        {
            pressure()
        }
    }

    /// Slots that files have let go of, which come free with a commit: who writes the same blocks
    /// again and again has no others.
    var releasedSlots: Int {
        let deferred = volume.arena.usage().deferred / UInt64(Arena.blockSize)
        return volume.dirty.withLock { $0 }.reduce(Int(clamping: deferred)) { count, inode in
            count + inode.state.withLock { $0.pendingReleases.count }
        }
    }

    /// Whether a commit is worth the log's own space: files have let go of much, and it adds less,
    /// so that there is room to copy the log afterwards.
    var mayFree: Bool {
        let released = releasedSlots
        guard released >= Committer.releasedCount else { return false }
        var added = volume.unwrittenInline.load(ordering: .relaxed)
        added += volume.configuration.journal.piecesPerCommit * Arena.pieceSize
        for inode in volume.dirty.withLock({ $0 }) {
            added += inode.state.withLock { Committer.added(by: $0) }
        }
        return added < released * Arena.blockSize
    }

    /// Bytes that an inode's rows may add, about, but for inline content and pieces.
    private static func added(by state: InodeState) -> Int {
        var bytes = inodeSize + state.dirtyGroups.count * groupSize
        if state.isBaseDirty { bytes += (state.base?.segments.count ?? 0) * segmentSize }
        // `Volume.unwrittenInline` leaves pads out.
        if state.row.form == .pad { bytes += state.inline?.count ?? 0 }
        if state.isPadDirty { bytes += state.pad?.pendingRecord?.count ?? 0 }
        return bytes
    }

    /// Whether all that is buffered now may go into the journal.
    private func isSmall() -> Bool {
        let limits = volume.configuration.journal
        let buffers = volume.bufferedBytes.load(ordering: .relaxed) / Arena.blockSize
        guard limits.piecesPerCommit > 0, buffers <= limits.blocks else { return false }
        if buffers * Arena.pieceCount <= limits.piecesPerCommit { return true }
        var changed = 0
        for inode in volume.dirty.withLock({ $0 }) {
            changed += inode.state.withLock { $0.buffers.changedCount }
            if changed > limits.piecesPerCommit { return false }
        }
        return true
    }

    /// Where a drain leaves the bytes of buffers.
    enum Buffers {
        /// In the arena, out of memory.
        case sealed
        /// In journal rows, and in memory as before.
        case journaled
    }

    /// Writes what dirty inodes hold into the open transaction, and their buffers into the arena,
    /// without making either durable; a crowd in steps.
    ///
    /// - Parameter isRequest: as of `commit`.
    func drain(isRequest: Bool = false) throws(FileError) {
        try drainCrowd(isRequest: isRequest)
        try structure.withLock { (_) throws(FileError) in try drainLocked(.sealed) }
    }

    /// A program does not wait for others between the steps.
    private func drainCrowd(isRequest: Bool) throws(FileError) {
        try drainInSteps {
            if !isRequest { BackgroundPause.betweenSteps() }
            return true
        }
    }

    /// Runs an operation that changes names: alone, whole in one commit, and whole or not at all
    /// where the disk is full.
    ///
    /// - Parameter frees: it removes something; a full disk lets it.
    /// - Throws: `noSpace` before anything is changed; what `body` throws.
    func withNames<R>(
        frees: Bool = false, _ body: () throws(FileError) -> R
    ) throws(FileError) -> R {
        try structure.withLock { (_) throws(FileError) in
            do throws(MetadataError) {
                try volume.metadata.holdRoom(frees: frees)
            } catch {
                throw volume.failure(error)
            }
            defer { volume.metadata.releaseRoom() }
            return try body()
        }
    }

    /// Has the background commit if the database has so much to commit that it should not wait.
    func pressIfDue() {
        if volume.metadata.wantsCommit { pressure() }
    }

    private func drainLocked(_ buffers: Buffers, frees: Bool = false) throws(FileError) {
        _ = try write(back: takeDirty(), buffers, frees: frees)
    }

    /// Writes what inodes have to write that were taken off the list.
    ///
    /// - Parameters:
    ///   - onlyRead: those that were changed go back to the list.
    ///   - frees: as of `MetadataDatabase.write`.
    /// - Returns: how many did not go back.
    func write(
        back list: [Inode], _ buffers: Buffers, onlyRead: Bool = false, frees: Bool = false
    ) throws(FileError) -> Int {
        var kept: [Inode] = []
        var left = pieces(for: buffers)
        for (index, inode) in list.enumerated() {
            do throws(FileError) {
                let isKept = try inode.state.withLock { (state) throws(FileError) in
                    if onlyRead && state.isChanged { return true }
                    return try settle(&state, journaling: &left, frees: frees)
                }
                if isKept { kept.append(inode) } else { volume.table.unpin(inode) }
            } catch {
                // What is not written stays listed: nothing that was accepted is dropped.
                volume.dirty.withLock { $0.append(contentsOf: kept + list[index...]) }
                throw error
            }
        }
        if !kept.isEmpty { volume.dirty.withLock { $0.append(contentsOf: kept) } }
        return list.count - kept.count
    }

    /// As `drainLocked`, and what is written is what had been done at one moment.
    ///
    /// Drained one after the other, a file that was passed may change before one that is still to
    /// come, and the commit would have the later change without the earlier. So all are locked
    /// before the first is written. Until the list is empty somebody may add to it: what is dirty
    /// then is held here, whole, and nothing that comes later is.
    ///
    /// No deadlock: names are locked, and without them nobody holds two inodes.
    ///
    /// - Parameters:
    ///   - defers: as of `MetadataDatabase.write`.
    ///   - frees: the same.
    private func drainAtOneMoment(
        _ buffers: Buffers, defers: Bool = false, frees: Bool = false
    ) throws(FileError) {
        for _ in 0..<Committer.drainPasses where dirtyCount > Committer.heldAtOnce {
            try drainLocked(buffers, frees: frees)
        }
        var held: [Inode] = []
        while true {
            let more = takeDirty()
            if more.isEmpty { break }
            for inode in more { inode.state.acquire() }
            held += more
        }
        var left = pieces(for: buffers)
        var kept: [Inode] = []
        var settled: [Inode] = []
        var failure: FileError?
        for inode in held {
            do throws(FileError) {
                if let failure { throw failure }
                let isKept = try inode.state.withAcquired { (state) throws(FileError) in
                    try settle(&state, journaling: &left, defers: defers, frees: frees)
                }
                if isKept { kept.append(inode) } else { settled.append(inode) }
            } catch {
                failure = error
                kept.append(inode)
            }
        }
        volume.dirty.withLock { $0.append(contentsOf: kept) }
        for inode in held { inode.state.release() }
        for inode in settled { volume.table.unpin(inode) }
        if let failure { throw failure }
    }

    func takeDirty(atMost limit: Int = .max) -> [Inode] {
        volume.dirty.withLock { list in
            // All of them, as every sync takes them, are not copied.
            let taken = list.count <= limit ? list : Array(list.prefix(limit))
            list = list.count <= limit ? [] : Array(list.dropFirst(limit))
            return taken
        }
    }

    /// Changed pieces that one drain may journal; nil for none.
    private func pieces(for buffers: Buffers) -> Int? {
        buffers == .journaled ? volume.configuration.journal.piecesPerCommit : nil
    }

    private func syncArena() throws(FileError) {
        do {
            try volume.arena.sync()
        } catch {
            throw volume.failure(error)
        }
    }
}
