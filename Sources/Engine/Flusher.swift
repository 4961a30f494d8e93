// SPDX-License-Identifier: Apache-2.0
//
// Turns dirty blocks into chunks and data maps that the store has acknowledged.
//
// Invariants (docs/ARCHITECTURE.md §6.2, 6.3):
// 1. A block becomes clean only here, after `ChunkStore.sync` acknowledged every chunk of the map.
// 2. The map committed is that of the snapshot that was read: a block is cleaned only if its entry
//    is still the snapshot's; what was written since stays dirty over it.

import Blocks
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import Threading

/// Flushes files that are closed or idle, on its own thread and its own pool.
final class Flusher: Sendable {
    /// Files of one round: they share one acknowledgement.
    static let batchLimit = 256
    /// How often due files are looked for.
    static let tick = Duration.milliseconds(250)

    private let volume: Volume
    private let committer: Committer
    private let encoder: FileEncoder
    private let early: EarlyUploader
    private let publisherPoke = Listener<Void>()

    /// A file that has bytes to flush.
    private struct Candidate {
        var since: ContinuousClock.Instant
        var last: ContinuousClock.Instant
        /// After failures that are the file's own: others are flushed meanwhile.
        var backoff = Backoff()
    }

    private struct Work {
        var files: [UInt64: Candidate] = [:]
        var flushing: [UInt64: Candidate] = [:]
        var isUrgent = false
        var isStopping = false
        var isStopped = false
        /// After failures that would meet any file.
        var backoff = Backoff()
        /// Rounds begun and ended, for those who wait.
        var begun = 0
        var ended = 0
        var lastFailure: FileError?
    }
    private let work = Monitor(Work())

    init(volume: Volume, committer: Committer, encoder: FileEncoder, early: EarlyUploader) {
        self.volume = volume
        self.committer = committer
        self.encoder = encoder
        self.early = early
    }

    func start(poke: @escaping @Sendable () -> Void) {
        publisherPoke.set(poke)
        WorkerPool.startThread("cairn-flush") { self.run() }
    }

    /// What failed may be tried again at once.
    func hurry() {
        work.update { state in
            state.backoff.hurry()
            for ino in state.files.keys { state.files[ino]?.backoff.hurry() }
        }
    }

    func stop(until deadline: ContinuousClock.Instant) {
        work.update { $0.isStopping = true }
        _ = work.wait(atMost: deadline - .now) { $0.isStopped ? true : nil }
    }

    /// The file has bytes the store does not have.
    func note(_ ino: UInt64) {
        let now = ContinuousClock.now
        work.withLock { state in
            state.files[ino, default: Candidate(since: now, last: now)].last = now
        }
    }

    /// The file is gone.
    func forget(_ ino: UInt64) {
        work.withLock { _ = $0.files.removeValue(forKey: ino) }
    }

    /// True while the file waits for its flush, or is in it.
    func state(of ino: UInt64) -> FileState? {
        work.withLock { state in
            if state.flushing[ino] != nil { return .flushing }
            return state.files[ino] == nil ? nil : .dirty
        }
    }

    /// Files that wait or are being flushed.
    var pendingCount: Int { work.withLock { $0.files.count + $0.flushing.count } }

    /// The same files by their numbers.
    var pending: Set<UInt64> { work.withLock { Set($0.flushing.keys).union($0.files.keys) } }

    /// Whether files wait or are being flushed, other than those that failed for themselves: these
    /// may take for ever.
    var isExpectingFiles: Bool {
        work.withLock { state in
            state.files.values.contains { !$0.backoff.hasFailed }
                || state.flushing.values.contains { !$0.backoff.hasFailed }
        }
    }

    /// Flushes whatever is due now regardless of idle times.
    func flushNow() {
        work.update { state in
            state.isUrgent = true
            state.backoff.hurry()
        }
    }

    /// Whether all that waits is due at once.
    var isUrgent: Bool { work.withLock { $0.isUrgent } }

    /// Takes `flushNow` back: what is not flushed yet has its time again.
    func calm() {
        work.update { $0.isUrgent = false }
    }

    /// Flushes everything that is dirty now.
    ///
    /// - Returns: nil when all is stored; else why not. `wouldBlock` when the time ran out.
    func flushAll(until deadline: WaitClock.Instant?) -> FileError? {
        var mark: Int?
        return flushAll(&mark, until: deadline)
    }

    /// As above, in pieces of time.
    ///
    /// - Parameter mark: nil at first; when the time ran out, where the next call goes on waiting.
    func flushAll(_ mark: inout Int?, until deadline: WaitClock.Instant?) -> FileError? {
        // A round that runs now may have met what is over: a failure counts from the next one on.
        let begun = mark ?? work.withLock { $0.begun }
        mark = begun
        while true {
            flushNow()
            let left = deadline.map { $0 - WaitClock.now }
            if let left, left <= .zero { return .wouldBlock }
            let step = min(left ?? Flusher.tick, Flusher.tick)
            let outcome = work.wait(atMost: step) { state -> FileError?? in
                if state.files.isEmpty && state.flushing.isEmpty {
                    // What is written from here on has its time, as ever.
                    state.isUrgent = false
                    return .some(nil)
                }
                if state.ended > begun, let failure = state.lastFailure, state.flushing.isEmpty {
                    return .some(failure)
                }
                return nil
            }
            if let outcome {
                mark = nil
                return outcome
            }
        }
    }

    private func run() {
        while true {
            let batch = work.wait(atMost: Flusher.tick) { state -> [UInt64]? in
                if state.isStopping { return [] }
                let due = due(&state)
                return due.isEmpty ? nil : due
            }
            if work.withLock({ $0.isStopping }) { break }
            guard let batch else { continue }
            round(batch)
        }
        work.update { $0.isStopped = true }
    }

    /// Takes the files whose time has come out of the list.
    private func due(_ state: inout Work) -> [UInt64] {
        let now = ContinuousClock.now
        if state.backoff.isWaiting(at: now) { return [] }
        let delay = volume.configuration.flushDelay
        // A delay that was asked for is never undercut.
        let ceiling = max(volume.configuration.flushCeiling, delay)
        let isUrgent = state.isUrgent
        var batch: [UInt64] = []
        for (ino, candidate) in state.files {
            let isTime = now - candidate.last >= delay || now - candidate.since >= ceiling
            let isDue = isUrgent || (isTime && !candidate.backoff.isWaiting(at: now))
            if isDue { batch.append(ino) }
            if batch.count >= Flusher.batchLimit { break }
        }
        for ino in batch {
            state.flushing[ino] = state.files.removeValue(forKey: ino)
        }
        if !batch.isEmpty { state.begun += 1 }
        if state.files.isEmpty { state.isUrgent = false }
        return batch
    }

    private func round(_ batch: [UInt64]) {
        early.hold(batch)
        // It may have waited long, and the encoder's threads end with the engine.
        if work.withLock({ $0.isStopping }) {
            early.release(batch)
            return settle(batch, lost: batch, .wouldBlock)
        }
        let refusals = encoder.refusals
        let (results, failed) = encoder.encode(batch.sorted(), early: early.chunks)
        var failure = failed.first?.1
        var lost = failed.map { $0.0 }
        // While the store refuses chunks, nobody can say which file would fail without that.
        var isOwn =
            encoder.refusals == refusals && !failed.contains { Flusher.meetsAll($0.1) }
        if !results.isEmpty {
            do throws(StoreError) {
                try volume.configuration.chunks.sync()
                volume.counters.storeAnswered()
            } catch {
                failure = volume.reportStore(error)
                isOwn = false
                early.forgetAll()
                lost += results.map { $0.snapshot.inode.ino }
            }
        }
        for result in results {
            if !lost.contains(result.snapshot.inode.ino) {
                do throws(FileError) {
                    try complete(result)
                } catch {
                    failure = error
                    if Flusher.meetsAll(error) { isOwn = false }
                    lost.append(result.snapshot.inode.ino)
                }
            } else {
                result.snapshot.inode.state.withLock { $0.endFlush() }
            }
            result.snapshot.release(volume)
            volume.table.unpin(result.snapshot.inode)
        }
        if results.count > 0 && failure == nil {
            do throws(FileError) {
                try committer.commit()
            } catch {
                failure = error
                isOwn = false
            }
        }
        early.release(batch)
        // Nor where the store does not give what they need.
        if volume.counters.storeError != nil { isOwn = false }
        settle(batch, lost: lost, failure, isOwn: isOwn)
        publisherPoke()
    }

    /// Whether what one file failed with is what any would fail with: there is no room on this
    /// disk, or the store takes nothing.
    private static func meetsAll(_ failure: FileError) -> Bool {
        switch failure {
        case .noSpace, .quotaExceeded, .readOnly: true
        default: false
        }
    }

    /// Ends a round.
    ///
    /// - Parameter isOwn: each lost file failed for itself, and waits for itself.
    private func settle(
        _ batch: [UInt64], lost: [UInt64], _ failure: FileError?, isOwn: Bool = false
    ) {
        let now = ContinuousClock.now
        volume.counters.flushEnded(failure)
        work.update { state in
            for ino in lost {
                var candidate = state.files[ino] ?? Candidate(since: now, last: now)
                if let before = state.flushing[ino] { candidate.backoff = before.backoff }
                if isOwn { candidate.backoff.fail(at: now) }
                state.files[ino] = candidate
            }
            for ino in batch { state.flushing[ino] = nil }
            state.ended += 1
            state.lastFailure = failure
            // Else they would all be due again, and no wait of theirs counted.
            if isOwn { state.isUrgent = false }
            if failure == nil || isOwn {
                state.backoff.succeed()
            } else {
                state.backoff.fail(at: now)
            }
        }
    }

    /// The map is acknowledged: it becomes the content of the snapshot.
    private func complete(_ result: EncodedFile) throws(FileError) {
        let snapshot = result.snapshot
        var isStillDirty = false
        try volume.change(snapshot.inode) { (state) throws(FileError) in
            let truncation = state.flushTruncation ?? snapshot.size
            let isHeld = state.isFlushHeld
            state.endFlush()
            if state.isDeleted || state.row.form != .blocks { return }
            // What can fail comes first: entries and base change together.
            for number in snapshot.groups.keys { try volume.loadGroup(number, &state) }
            // Behind a cut the map counts for nothing, though the same slots may be there again.
            let limit = truncation < snapshot.size ? truncation : .max
            let healed = snapshot.healed.withLock { $0 }
            var cleaned: [(slot: UInt32, owner: BlockOwner)] = []
            for (number, group) in snapshot.groups {
                for index in 0..<BlockGroup.span {
                    let then = group[index]
                    let block = number * UInt64(BlockGroup.span) + UInt64(index)
                    let isHealed = healed.contains(block)
                    guard (block + 1) * UInt64(Arena.blockSize) <= limit,
                        state.groups[number]?[index] == then,
                        isHealed || then.differsFromBase,
                        // A buffer that lies over the entry needs it still.
                        !isHealed || !state.buffers.contains(block)
                    else { continue }
                    guard case .dirty(let reference) = then, !isHealed else {
                        volume.setEntry(block, .absent, &state)
                        continue
                    }
                    volume.setEntry(block, .clean(reference), &state)
                    let owner = BlockOwner(ino: state.ino, block: block)
                    reference.forEachSlot { cleaned.append((slot: $0, owner: owner)) }
                }
            }
            volume.arena.setClean(cleaned)
            state.base = StoredContent(
                segments: result.segments, size: snapshot.size, modified: snapshot.modified,
                baseLimit: min(snapshot.size, truncation), isDirty: false,
                generation: (state.base?.generation ?? 0) + 1)
            state.isBaseLoaded = true
            state.isBaseDirty = true
            state.isRowDirty = true
            state.fullMaps = result.fullMaps
            isStillDirty =
                !state.buffers.isEmpty || truncation < snapshot.size
                || state.row.size != snapshot.size
                || state.groups.values.contains { $0.entries.contains { $0.differsFromBase } }
            state.row.isContentHeld = isHeld && isStillDirty
            state.row.isContentBorrowed = false
            // A time that was set after the snapshot changed no bytes: it is this content's time.
            let modified = state.row.attributes.modified
            if !isStillDirty { state.base?.modified = modified }
            // Small holes that the map filled with zeros are bytes now.
            let blocks = try volume.allocatedBytes(&state, in: 0..<state.row.size)
            state.row.allocated = blocks
        }
        if isStillDirty { note(snapshot.inode.ino) }
    }
}
