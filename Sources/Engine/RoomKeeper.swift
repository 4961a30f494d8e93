// SPDX-License-Identifier: Apache-2.0
//
// Keeps the arena inside its budget: evicts clean blocks, and lets writers wait for room.
//
// Invariant (docs/ARCHITECTURE.md §6.2): only clean entries are evicted, and an entry is clean only
// when a data map whose chunks are all acknowledged has its bytes.

import Blocks
import Metadata
import Primitives
import Stores
import Synchronization
import Threading

/// Evicts on its own thread, when asked.
final class RoomKeeper: Sendable {
    /// Blocks evicted in one step: 16 MiB, so that each step is one commit.
    static let batch = 1024
    /// How often a waiting writer looks again.
    static let step = Duration.milliseconds(20)
    /// How often the flusher is made to hurry at most. Each time it tries every file that waits,
    /// and where the disk or the store is full, each of these tries fails.
    static let hurryInterval = Duration.seconds(1)

    private let volume: Volume
    private let committer: Committer

    private struct Wish {
        var isAsked = false
        var isStopping = false
        var isStopped = false
        var flushNow: (@Sendable () -> Void)?
    }
    private let wish = Monitor(Wish())

    init(volume: Volume, committer: Committer) {
        self.volume = volume
        self.committer = committer
    }

    /// Starts the thread. `flushNow` is called when evicting alone gives no room.
    func start(flushNow: @escaping @Sendable () -> Void) {
        wish.update { $0.flushNow = flushNow }
        WorkerPool.startThread("cairn-room") { self.run() }
    }

    /// Ends the thread.
    func stop() {
        wish.update { state in
            state.isStopping = true
            // The flusher reaches this object again through its reader.
            state.flushNow = nil
        }
        _ = wish.wait { $0.isStopped ? true : nil }
    }

    /// Asks for room; returns at once.
    func ask() {
        wish.update { $0.isAsked = true }
    }

    /// Asks if the arena is short of free slots.
    func askIfShort() {
        if volume.arena.shortfall() > 0 { ask() }
    }

    /// Returns when `count` slots can be reserved.
    ///
    /// - Throws: `noSpace` at the deadline, or `quotaExceeded` if it is because the store wants to
    ///   be paid or takes no more; `interrupted` by a signal.
    func waitForRoom(_ count: Int, _ patience: Patience) throws(FileError) {
        try volume.requests.whileWaiting { () throws(FileError) in
            try waitForSlots(count, patience)
        }
    }

    private func waitForSlots(_ count: Int, _ patience: Patience) throws(FileError) {
        while true {
            let failure: ArenaError
            do throws(ArenaError) {
                try volume.arena.reserve(count)
                // Only a look: the caller reserves for itself, under its inode's lock.
                volume.arena.unreserve(count)
                return
            } catch {
                failure = error
            }
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver {
                // What the last flush met: since then the store may have answered a read.
                if volume.counters.flushFailure == .quotaExceeded { throw .quotaExceeded }
                throw volume.failure(failure)
            }
            ask()
            _ = wish.wait(atMost: RoomKeeper.step) { _ in Bool?.none }
        }
    }

    private func run() {
        var nextHurry = ContinuousClock.now
        while true {
            let isStopping = wish.wait { state -> Bool? in
                if state.isStopping { return true }
                guard state.isAsked else { return nil }
                state.isAsked = false
                return false
            }
            if isStopping == true { break }
            if evict() == 0 {
                if .now < nextHurry { continue }
                nextHurry = .now + RoomKeeper.hurryInterval
                wish.withLock { $0.flushNow }?()
            } else {
                askIfShort()
            }
        }
        wish.update { $0.isStopped = true }
    }

    /// One batch for what the arena is short of.
    private func evict() -> Int {
        evict(min(max(volume.arena.shortfall(), 64), RoomKeeper.batch))
    }

    /// Drops up to `count` clean blocks, or else commits what was let go of, if that is much.
    /// Returns how many slots will be free after its commit.
    func evict(_ count: Int) -> Int {
        // What could not be committed is tried again before there is more of it.
        let isStuck = volume.metadata.missingRoom > 0 && committer.mayFree
        let candidates = isStuck ? [] : volume.arena.evictable(count)
        var evicted = 0
        for (ino, blocks) in Dictionary(grouping: candidates, by: { $0.owner.ino }) {
            // A file deleted meanwhile has no blocks to evict: its slots are on their way already.
            guard let inode = try? volume.pin(ino) else { continue }
            defer { volume.table.unpin(inode) }
            do throws(FileError) {
                try volume.change(inode) { (state) throws(FileError) in
                    for candidate in blocks {
                        let block = candidate.owner.block
                        guard case .clean(let reference) = try volume.entry(block, &state),
                            reference.names(candidate.slot),
                            // Journal rows may lie over this slot; the next drain frees it.
                            !state.buffers.contains(block)
                        else { continue }
                        volume.setEntry(block, .absent, &state)
                        evicted += 1
                    }
                }
            } catch {
                continue
            }
        }
        let released = evicted > 0 ? 0 : committer.releasedSlots
        guard evicted > 0 || released >= Committer.releasedCount else { return 0 }
        do throws(FileError) {
            try committer.commit()
        } catch {
            // Said in the error log by whoever failed; the slots stay deferred until a commit
            // works.
            return 0
        }
        volume.punchFreed()
        return evicted + released
    }
}
