// SPDX-License-Identifier: Apache-2.0
//
// The work of a flush: snapshot, hash, encrypt, put. Large files use all threads of the pool for
// their chunks, small ones a thread each.

import Blocks
import Compression
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import Threading

/// A file whose chunks have been handed to the store.
struct EncodedFile: Sendable {
    let snapshot: FileSnapshot
    let segments: [Segment]
    /// Maps before packing, by segment offset: the next flush starts from them.
    let fullMaps: [UInt64: FullMap]
}

/// Encodes files on a pool of polite threads.
final class FileEncoder: Sendable {
    /// From this size on a file's own chunks are worth all threads.
    static let largeFile: UInt64 = 16 << 20
    /// The generation that is written.
    static let version = FormatVersion.v2
    /// Nice value of the encoding threads: the user's own work goes first.
    static let niceness: Int32 = 10
    /// Most threads that compute at once, however many processors there are.
    static let computingThreadLimit = 8
    /// Threads that compute where there are two or three processors, and none is left over.
    private static let fewestBeside = 3
    /// Most threads that put chunks into a store that takes many at once; each holds about 10 MB.
    static let puttingThreadLimit = 16
    /// One in so many threads, and one at least, goes on at full speed while programs ask for much.
    static let threadsToOneBesidePrograms = 4
    /// Threads that no chunk of a file that is still being written takes.
    static let reservedThreads = 2

    let volume: Volume
    /// How the chunks of every file are made.
    let transform: ChunkTransform
    private let fetcher: ChunkFetcher
    private let reader: ContentReader
    private let pool: WorkerPool
    /// Chunks that the store did not take.
    private let refusedChunks = Atomic<Int>(0)

    init(volume: Volume, fetcher: ChunkFetcher, reader: ContentReader, threads: Int) {
        self.volume = volume
        self.fetcher = fetcher
        self.reader = reader
        transform = ChunkTransform(
            version: FileEncoder.version, quality: volume.configuration.compression)
        pool = WorkerPool("cairn-encode", threads: threads, niceness: FileEncoder.niceness)
    }

    /// Threads that hash, encrypt and put: one a processor, of which one is left to programs where
    /// there are more than three; one more where there are one or two, of which one waits for the
    /// disk now and then; or as many as the store takes at once.
    ///
    /// - Parameters:
    ///   - processors: how many there are; at least 1.
    ///   - useful: the store's `usefulConcurrency`.
    static func threads(processors: Int, useful: Int) -> Int {
        let computing = max(processors - 1, min(processors + 1, fewestBeside))
        return max(min(computing, computingThreadLimit), min(useful, puttingThreadLimit))
    }

    func stop(until deadline: ContinuousClock.Instant) {
        pool.stop(until: deadline)
    }

    private struct Outcome: Sendable {
        var done: [EncodedFile] = []
        var failed: [(UInt64, FileError)] = []
    }

    /// Encodes the files and puts their chunks. Snapshots of the done ones are the caller's to
    /// release, with one pin each.
    ///
    /// - Parameter early: what is known of chunks that went out before.
    func encode(
        _ inodes: [UInt64], early: (UInt64) -> EarlyChunks?
    ) -> (done: [EncodedFile], failed: [(UInt64, FileError)]) {
        let outcome = SharedBox(Outcome())
        var large: [FileSnapshot] = []
        var small: [FileSnapshot] = []
        var isFull = false
        for ino in inodes {
            do throws(FileError) {
                // What one file finds no room for on this disk, the next ones do not find either.
                if isFull { throw .noSpace }
                guard let snapshot = try snapshot(ino) else { continue }
                if snapshot.size >= FileEncoder.largeFile {
                    large.append(snapshot)
                } else {
                    small.append(snapshot)
                }
            } catch {
                isFull = error == .noSpace
                outcome.value.withLock { $0.failed.append((ino, error)) }
            }
        }
        for snapshot in large {
            finish(snapshot, isParallel: true, early(snapshot.inode.ino), outcome)
        }
        let files = small
        do throws(FileError) {
            try forEach(files.count, true) { (index) throws(FileError) in
                self.finish(files[index], isParallel: false, nil, outcome)
            }
        } catch {
            // `finish` keeps each file's own error; none is thrown here.
            assertionFailure("a file's failure left its own record")
        }
        let all = outcome.value.withLock { $0 }
        return (all.done, all.failed)
    }

    private func finish(
        _ snapshot: FileSnapshot, isParallel: Bool, _ early: EarlyChunks?,
        _ outcome: SharedBox<Outcome>
    ) {
        do throws(FileError) {
            let encoded = try encode(snapshot, isParallel: isParallel, early)
            outcome.value.withLock { $0.done.append(encoded) }
        } catch {
            outcome.value.withLock { $0.failed.append((snapshot.inode.ino, error)) }
            snapshot.release(volume)
            snapshot.inode.state.withLock { $0.endFlush() }
            volume.table.unpin(snapshot.inode)
        }
    }

    /// A pinned snapshot; nil when there is nothing to flush any more.
    private func snapshot(_ ino: UInt64) throws(FileError) -> FileSnapshot? {
        guard let inode = try volume.pinIfPresent(ino) else { return nil }
        var isKept = false
        defer { if !isKept { volume.table.unpin(inode) } }
        let limit = UInt64(volume.configuration.inlineLimit)
        let shrinks = inode.state.withLock { state in
            guard state.row.form == .blocks else { return false }
            // Self-encryption needs three bytes: less is inline at once, open or not.
            return state.row.size < UInt64(ChunkLayout.minimumFileSize)
                || (state.row.size <= limit && state.openCount == 0)
        }
        if shrinks, try becomeInline(inode) { return nil }
        let snapshot = try volume.change(inode) { (state) throws(FileError) -> FileSnapshot? in
            // Cut below three bytes just now: whoever cut it notes it for the next round.
            guard !state.isDeleted, state.row.form == .blocks, state.row.linkCount > 0,
                state.row.size == 0 || state.row.size >= UInt64(ChunkLayout.minimumFileSize)
            else { return nil }
            try volume.loadBase(&state)
            try volume.sealBuffers(&state)
            let ino = state.ino
            let rows = try volume.query { (reader) throws(MetadataError) in
                try reader.blockGroups(ino, in: 0..<UInt64(Int64.max))
            }
            for (group, _) in rows { try volume.loadGroup(group, &state) }
            let snapshot = try FileSnapshot(inode, &state, volume)
            state.flushTruncation = snapshot.size
            state.flushRuns = snapshot.runs
            return snapshot
        }
        isKept = snapshot != nil
        return snapshot
    }

    /// A file that shrank below the inline limit goes back into its row.
    private func becomeInline(_ inode: Inode) throws(FileError) -> Bool {
        let before = inode.state.withLock { ($0.row.size, $0.lastModified) }
        var bytes = [UInt8](repeating: 0, count: Int(before.0))
        var span = bytes.mutableSpan
        let patience = Patience(for: volume.configuration.readDeadline)
        _ = try reader.read(inode, at: 0, into: &span, patience)
        let content = bytes
        return try volume.change(inode) { (state) throws(FileError) -> Bool in
            guard state.row.form == .blocks, state.row.size == before.0,
                state.lastModified == before.1, !state.isDeleted
            else { return false }
            volume.dropBuffers(from: 0, &state)
            try volume.dropEntries(from: 0, &state)
            state.base = nil
            state.isBaseDirty = true
            state.fullMaps = [:]
            state.row.form = .inline
            state.row.allocated = state.row.size
            state.inline = content
            state.isInlineDirty = true
            state.isRowDirty = true
            return true
        }
    }

    // MARK: One file

    private func encode(
        _ snapshot: FileSnapshot, isParallel: Bool, _ early: EarlyChunks?
    ) throws(FileError) -> EncodedFile {
        let version = FileEncoder.version
        var segments: [Segment] = []
        var fullMaps: [UInt64: FullMap] = [:]
        let runs = snapshot.runs
        guard runs.count <= NamespaceLimits.maximumSegmentCount else {
            // Refused for this file alone: a page that names too many would stop every publication.
            volume.errors.add(
                .chunk, "a sparse file has \(runs.count) data runs, more than can be published",
                detail: "at most \(NamespaceLimits.maximumSegmentCount); fill some of its holes")
            throw .tooLarge
        }
        for run in runs {
            let old = snapshot.base?.segments.first {
                $0.offset == run.lowerBound && $0.map.version == version
            }
            let oldMap = try old.map { (segment) throws(FileError) -> DataMap in
                try fetcher.fullMap(snapshot.inode, segment, patience()).0
            }
            let size = run.upperBound - run.lowerBound
            let changed = old.map { snapshot.changes(in: run, since: $0) } ?? [0..<size]
            if let old, changed.isEmpty, old.size == size, let oldMap {
                segments.append(old)
                fullMaps[run.lowerBound] = FullMap(segment: old, map: oldMap)
                continue
            }
            let plan = ReencryptionPlan(
                version: version, old: oldMap, size: size, changed: changed,
                maximumChunkSize: version.maximumChunkSize)
            let work = MapWork(
                plan: plan, snapshot: snapshot, run: run, isNew: oldMap == nil,
                isParallel: isParallel)
            let full = try carryOut(work, early)
            let segment = Segment(offset: run.lowerBound, size: size, map: try store(full))
            segments.append(segment)
            fullMaps[run.lowerBound] = FullMap(segment: segment, map: full)
        }
        return EncodedFile(snapshot: snapshot, segments: segments, fullMaps: fullMaps)
    }

    /// Encrypts a chunk and puts it; gives its address.
    func put(
        _ plain: [UInt8], index: Int, source: Digest, neighbours: (Digest, Digest)
    ) throws(FileError) -> Digest {
        let chunk = transform.encrypt(
            plain.span, index: index, source: source, neighbours: neighbours)
        try put(chunk)
        volume.counters.bytesFlushed.add(UInt64(plain.count), ordering: .relaxed)
        return chunk.address
    }

    // MARK: Before the flush

    /// Chunks that may be under way before their file's flush: some threads are left to the files
    /// that are flushed meanwhile.
    var earlyThreads: Int { max(1, pool.threadCount - FileEncoder.reservedThreads) }

    /// Encrypts and puts a chunk on a thread of the pool, then calls `body` with its address; with
    /// nil if that failed, which the flush will report.
    ///
    /// - Returns: false, with `body` not called, once the pool has ended.
    func putEarly(
        _ plain: [UInt8], index: Int, source: Digest, neighbours: (Digest, Digest),
        _ body: @escaping @Sendable (Digest?) -> Void
    ) -> Bool {
        let pending = volume.counters
        pending.pendingChunks.add(1, ordering: .relaxed)
        let isAccepted = pool.submit {
            var address: Digest?
            do throws(FileError) {
                address = try self.put(
                    plain, index: index, source: source, neighbours: neighbours)
            } catch {
                // `put` has told of it; the flush tries again, and fails or succeeds for the file.
            }
            pending.pendingChunks.subtract(1, ordering: .relaxed)
            body(address)
        }
        if !isAccepted { pending.pendingChunks.subtract(1, ordering: .relaxed) }
        return isAccepted
    }

    /// The bytes of a part of a file.
    func read(_ snapshot: FileSnapshot, _ part: Range<UInt64>) throws(FileError) -> [UInt8] {
        try snapshot.read(part, volume, fetcher, patience())
    }

    /// Packs a map and stores its upper levels.
    func store(_ full: DataMap) throws(FileError) -> DataMap {
        do {
            let packed = try pack(full, quality: volume.configuration.compression)
            for chunk in packed.chunks { try put(chunk) }
            return packed.root
        } catch let error as FileError {
            throw error
        } catch {
            volume.errors.add(.chunk, "a data map could not be packed", detail: "\(error)")
            throw .tooLarge
        }
    }

    /// How many chunks the store has not taken so far, whatever it said.
    var refusals: Int { refusedChunks.load(ordering: .acquiring) }

    func put(_ chunk: EncryptedChunk) throws(FileError) {
        volume.foreground.pause()
        do throws(StoreError) {
            try volume.configuration.chunks.put(chunk.address, chunk.bytes)
        } catch {
            refusedChunks.add(1, ordering: .releasing)
            throw volume.reportStore(error)
        }
        volume.counters.storeAnswered()
        volume.counters.chunksStored.add(1, ordering: .relaxed)
        volume.counters.bytesStored.add(UInt64(chunk.bytes.count), ordering: .relaxed)
    }

    private func patience() -> Patience {
        Patience(for: volume.configuration.readDeadline)
    }

    /// On all threads of the pool, of which some stand back while programs ask for much, or on this
    /// one; either way the indexes are begun in order.
    func forEach(
        _ count: Int, _ isParallel: Bool,
        _ body: @escaping @Sendable (Int) throws(FileError) -> Void
    ) throws(FileError) {
        if isParallel {
            let requests = volume.requests
            let unheld = max(1, pool.threadCount / FileEncoder.threadsToOneBesidePrograms)
            try pool.forEach(
                count: count,
                before: { thread, isLeft in
                    if thread >= unheld { requests.pause(while: isLeft) }
                }, body)
        } else {
            for index in 0..<count { try body(index) }
        }
    }
}

/// A mutex that closures of several threads share.
final class SharedBox<Value: Sendable>: Sendable {
    let value: Lock<Value>
    init(_ initial: Value) { value = Lock(initial) }
}
