// SPDX-License-Identifier: Apache-2.0
//
// Sends the chunks of a large file while it is still being written, so that little is left to be
// sent when it is closed. Only to stores where a chunk that nobody names costs its room alone.
//
// Nothing here changes a file, nor makes a block clean: a flush does the same work as without it,
// and leaves out what it finds done (`FileEncoder`). What is known is in memory only; after a crash
// the chunks are put again.
//
// Invariants:
// 1. A chunk counts as put only after `ChunkStore.put` returned, and as acknowledged by the `sync`
//    of the flush that names it, which begins later (docs/ARCHITECTURE.md §6.1).
// 2. While a file is flushed, nothing is under way here of what was known of it when the flush
//    began. What is noted of it after that may be put twice.
// 3. After a `sync` that failed nothing counts as put any more.

import Blocks
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import Threading

/// Looks after files that grow, on a thread of its own; chunks are encrypted and put on the
/// encoder's.
final class EarlyUploader: Sendable {
    private struct File {
        /// Tells this account of the file from one that was begun anew.
        let serial: UInt64
        var chunks: EarlyChunks?
        var underWay = 0
        var isQueued = false
        /// A flush has it.
        var isHeld = false
        /// A chunk could not be put: the flush will say why.
        var hasFailed = false
    }

    private struct State {
        var files: [UInt64: File] = [:]
        var queue: [UInt64] = []
        /// The file that the thread looks at.
        var current: UInt64?
        var underWay = 0
        var nextSerial: UInt64 = 0
        var isStopping = false
        var isStopped = true
    }

    private let volume: Volume
    private let encoder: FileEncoder
    private let limits: EarlyLimits
    private let state = Monitor(State())

    init(volume: Volume, encoder: FileEncoder) {
        self.volume = volume
        self.encoder = encoder
        limits =
            volume.configuration.chunks.takesUnnamedChunks
            ? volume.configuration.earlyLimits : .none
    }

    /// Begins, if the store is one that chunks go to early.
    func start() {
        guard limits.fileCount > 0 else { return }
        state.update { $0.isStopped = false }
        WorkerPool.startThread("cairn-early", niceness: FileEncoder.niceness) { self.run() }
    }

    func stop(until deadline: ContinuousClock.Instant) {
        state.update { $0.isStopping = true }
        _ = state.wait(atMost: deadline - .now) { $0.isStopped && $0.underWay == 0 ? true : nil }
    }

    // MARK: What others tell

    /// The file has grown, and what is behind its writer lies in the arena.
    func note(_ ino: UInt64, size: UInt64) {
        guard limits.fileCount > 0,
            size >= UInt64(limits.minimumChunks) * EarlyChunks.chunkSize
        else { return }
        let isNew = state.withLock { state in
            if state.files[ino] == nil {
                guard state.files.count < limits.fileCount else { return false }
                state.files[ino] = File(serial: state.nextSerial)
                state.nextSerial += 1
            }
            guard let file = state.files[ino], !file.isQueued, !file.isHeld, !file.hasFailed
            else { return false }
            state.files[ino]?.isQueued = true
            state.queue.append(ino)
            return true
        }
        if isNew { state.wakeAll() }
    }

    /// The file is gone.
    func forget(_ ino: UInt64) {
        state.withLock { _ = $0.files.removeValue(forKey: ino) }
    }

    /// Nothing counts as put any more: the store could not say that it is safe.
    func forgetAll() {
        state.withLock { $0.files = [:] }
    }

    /// A flush takes these files: returns when nothing of them is under way.
    func hold(_ inodes: [UInt64]) {
        guard limits.fileCount > 0 else { return }
        state.update { state in
            for ino in inodes { state.files[ino]?.isHeld = true }
        }
        let held = Set(inodes)
        _ = state.wait { state in
            if let current = state.current, held.contains(current) { return nil as Bool? }
            return inodes.allSatisfy { state.files[$0]?.underWay ?? 0 == 0 } ? true : nil
        }
    }

    /// The flush is over, for better or worse. After one that failed the next puts each chunk
    /// again: a store that was away for hours may have come back with less than it had.
    func release(_ inodes: [UInt64]) {
        state.update { state in
            for ino in inodes { state.files[ino] = nil }
        }
    }

    /// What is known of the file's chunks.
    func chunks(of ino: UInt64) -> EarlyChunks? {
        state.withLock { $0.files[ino]?.chunks }
    }

    // MARK: The thread

    private func run() {
        while true {
            let ino = state.wait { state -> UInt64?? in
                if state.isStopping { return .some(nil) }
                guard !state.queue.isEmpty else { return nil }
                let ino = state.queue.removeFirst()
                state.files[ino]?.isQueued = false
                state.current = ino
                return .some(ino)
            }
            guard let ino = ino ?? nil else { break }
            let goesOn = advance(ino)
            state.update { state in
                state.current = nil
                // Behind the others that grow: each gets its turn.
                guard goesOn, let file = state.files[ino], !file.isQueued, !file.isHeld else {
                    return
                }
                state.files[ino]?.isQueued = true
                state.queue.append(ino)
            }
        }
        state.update { $0.isStopped = true }
    }

    /// Looks at one more chunk of the file. False when there is none to be looked at.
    private func advance(_ ino: UInt64) -> Bool {
        // A chunk waits in memory for its thread: never more than there are threads.
        let found = state.wait { state -> (serial: UInt64, next: Int?)?? in
            guard !state.isStopping, let file = state.files[ino], !file.isHeld, !file.hasFailed
            else { return .some(nil) }
            return state.underWay < encoder.earlyThreads
                ? .some((file.serial, file.chunks?.next)) : nil
        }
        guard let file = found ?? nil else { return false }
        do throws(FileError) {
            guard let (part, index) = try part(ino, file.next) else { return false }
            defer { volume.table.unpin(part.inode) }
            defer { part.release(volume) }
            guard let range = part.runs.first, let places = part.places(of: range) else {
                return false
            }
            let plain = try encoder.read(part, range)
            // It stays as it is, most likely: the commit that comes with the file's end would have
            // to write all of it at once, and everybody would wait for the disk then.
            volume.arena.startWriting(part.slots)
            return note(ino, file.serial, index, places, plain)
        } catch {
            // The flush meets the same error, and tells of it.
            state.update { $0.files[ino]?.hasFailed = true }
            return false
        }
    }

    /// Chunk `next` of the file, or the first one that may go out, held still and its inode pinned
    /// once more; nil if it is not whole yet.
    private func part(
        _ ino: UInt64, _ next: Int?
    ) throws(FileError) -> (FileSnapshot, Int)? {
        if let next, next >= limits.chunkCount { return nil }
        guard let inode = try volume.pinIfPresent(ino) else { return nil }
        var isKept = false
        defer { if !isKept { volume.table.unpin(inode) } }
        let found = try inode.state.withLock { (state) throws(FileError) in
            guard !state.isDeleted, state.row.form == .blocks, state.row.linkCount > 0,
                state.flushTruncation == nil
            else { return nil as (FileSnapshot, Int)? }
            try volume.loadBase(&state)
            let index = next ?? EarlyChunks.first(behind: state.base?.size ?? 0)
            guard let range = EarlyChunks.range(of: index, ofFileSize: state.row.size, limits),
                let part = try FileSnapshot(inode, part: range, &state, volume)
            else { return nil }
            return (part, index)
        }
        isKept = found != nil
        return found
    }

    /// Notes chunk `index`, which was read, and hands it over to be put.
    private func note(
        _ ino: UInt64, _ serial: UInt64, _ index: Int, _ places: Digest, _ plain: [UInt8]
    ) -> Bool {
        let source = encoder.transform.sourceDigest(plain.span)
        let noted = state.update { state -> (neighbours: (Digest, Digest)?, isNoted: Bool) in
            guard state.files[ino]?.serial == serial else { return (nil, false) }
            if state.files[ino]?.chunks == nil {
                state.files[ino]?.chunks = EarlyChunks(first: index)
            }
            let neighbours = state.files[ino]?.chunks?.append(places: places, source: source)
            if neighbours != nil {
                state.files[ino]?.underWay += 1
                state.underWay += 1
            }
            return (neighbours ?? nil, true)
        }
        guard noted.isNoted, let neighbours = noted.neighbours else { return noted.isNoted }
        let isAccepted = encoder.putEarly(
            plain, index: index, source: source, neighbours: neighbours
        ) { address in
            self.ended(ino, serial, index, address)
        }
        if !isAccepted { ended(ino, serial, index, nil) }
        return isAccepted
    }

    /// A chunk is put under `address`, or could not be.
    private func ended(_ ino: UInt64, _ serial: UInt64, _ index: Int, _ address: Digest?) {
        state.update { state in
            state.underWay -= 1
            guard let file = state.files[ino], file.serial == serial else { return }
            state.files[ino]?.underWay -= 1
            if let address {
                state.files[ino]?.chunks?.stored(index, at: address)
            } else {
                state.files[ino]?.hasFailed = true
            }
        }
    }
}
