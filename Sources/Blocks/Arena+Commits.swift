// SPDX-License-Identifier: Apache-2.0
//
// What makes writes durable and freed slots free: syncs, epochs, and holes for the disk's sake.

internal import Glibc
internal import Synchronization
internal import Primitives

extension Arena {
    /// Makes every write that has returned durable.
    ///
    /// Costs nothing when nothing was written since the last one. The kernel reports a lost write
    /// once and then forgets it, so a failure here stays until the arena is reopened.
    package func sync() throws(ArenaError) { try writes.sync(file.sync) }

    /// Whether `sync` has nothing to do.
    package var isSynced: Bool { writes.isSettled }

    /// Has the disk begin with what lies a little behind a slot, where somebody writes on from slot
    /// to slot: many neighbours at a time, so that the filesystem gives them neighbouring blocks of
    /// the disk. Makes nothing durable, and waits for nothing but the disk's queue.
    package func startWriting(behind slot: UInt32) {
        file.startWriting(Self.done(behind: slot))
    }

    /// Has the disk begin with these slots, so that the next sync finds less to do. Makes nothing
    /// durable, and waits for nothing but the disk's queue.
    ///
    /// - Parameter slots: in the order of their file's blocks; neighbours are written together, and
    ///   one that several blocks have parts in may come again.
    package func startWriting(_ slots: [UInt32]) {
        var first = slots.startIndex
        while first < slots.endIndex {
            var end = first + 1
            while end < slots.endIndex, slots[end] >= slots[end - 1],
                slots[end] - slots[end - 1] <= 1
            { end += 1 }
            file.startWriting(
                Self.offset(of: slots[first])..<Self.offset(of: slots[end - 1])
                    + UInt64(Self.blockSize))
            first = end
        }
    }

    /// Closes the epoch of slots freed so far. The commit that forgets them comes after this.
    package func beginCommit() -> FreeEpoch { table.withLock { $0.closeEpoch() } }

    /// Lets the slots freed up to `epoch` be used again: the commit begun with it, or a later
    /// one, is synced.
    package func endCommit(_ epoch: FreeEpoch) {
        while table.withLock({ $0.freeDeferred(upTo: epoch, limit: Self.lockBatch) }) {}
    }

    // MARK: Holes

    /// Gives disk blocks of free slots back, in runs of 1 MiB, or of any length when more than
    /// 64 MiB is free or the disk is short. For the background; a nearly full arena keeps them, to
    /// write to at once.
    ///
    /// Errors are let go: no byte depends on a hole.
    ///
    /// - Parameters:
    ///   - limit: bytes to give back at most.
    ///   - mayGoOn: asked before each hole, of which the disk may have to be told; where that is
    ///     short of room nobody is.
    /// - Returns: bytes given back.
    @discardableResult
    package func punchFreed(
        limit: UInt64 = .max, while mayGoOn: () -> Bool = { true }
    ) -> UInt64 {
        if cannotPunch.load(ordering: .relaxed) { return 0 }
        var left = Int(clamping: limit / UInt64(Self.blockSize))
        let allowed = left
        for run in table.withLock({ $0.takeBeyond() }) {
            if punch(run) { left -= run.count }
        }
        left -= punchRuns(minimum: Self.punchableRun, limit: left, mayGoOn)
        if table.withLock({ $0.isDiskShort || $0.backedFree > Self.punchAllAbove }) {
            left -= punchRuns(minimum: 1, limit: left, mayGoOn)
        }
        return UInt64(allowed - left) * UInt64(Self.blockSize)
    }

    private func punchRuns(minimum: Int, limit: Int, _ mayGoOn: () -> Bool) -> Int {
        var position = 0
        var done = 0
        while done < limit, !cannotPunch.load(ordering: .relaxed) {
            if !mayGoOn(), !table.withLock({ $0.isDiskShort }) { break }
            let batch = min(Self.punchBatch, limit - done)
            let taken = table.withLock {
                $0.takePunchable(from: &position, minimum: minimum, limit: batch)
            }
            guard let run = taken else { break }
            let succeeded = punch(run)
            table.withLock { $0.punched(run, succeeded: succeeded) }
            if succeeded { done += run.count }
        }
        return done
    }

    /// Gives the disk blocks of slots back that nobody reads.
    func punch(_ run: SlotRun) -> Bool {
        let start = Self.offset(of: run.first)
        do {
            try file.punch(start..<start + UInt64(run.count * Self.blockSize))
            return true
        } catch {
            if error == .io(errno: EOPNOTSUPP) { cannotPunch.store(true, ordering: .relaxed) }
            return false
        }
    }
}
