// SPDX-License-Identifier: Apache-2.0
//
// Brings chunks from the store: fetched once for all who wait, verified, decrypted, kept for a
// while in memory and for longer in the arena.
//
// Invariant (docs/ARCHITECTURE.md §6.5): no byte leaves here whose chunk was not checked against
// its address.

import Blocks
import Compression
import Cryptography
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import Threading

/// The only way from the store to a reader.
final class ChunkFetcher: Sendable {
    /// Threads that ask the store: as many requests are under way at once.
    static let threads = 8
    /// Decrypted chunks kept in memory, in bytes.
    static let recentLimit = 32 << 20
    /// Chunks asked for ahead of a sequential reader.
    static let prefetchDepth = 2
    /// How often a waiting reader looks whether it was interrupted.
    static let step = Duration.milliseconds(100)

    private let volume: Volume
    private let pool: WorkerPool
    private let room: RoomKeeper

    private struct Chunks {
        var recent: [Digest: [UInt8]] = [:]
        var order: [Digest] = []
        var bytes = 0
        var running: Set<Digest> = []
        var failed: [Digest: FileError] = [:]
    }
    private let chunks = Monitor(Chunks())

    init(volume: Volume, room: RoomKeeper) {
        self.volume = volume
        self.room = room
        pool = WorkerPool("cairn-fetch", threads: ChunkFetcher.threads)
    }

    func stop(until deadline: ContinuousClock.Instant) {
        pool.stop(until: deadline)
    }

    /// Which chunk of which file a plaintext belongs to.
    private struct Place: Sendable {
        let ino: UInt64
        let segment: Segment
        let map: DataMap
        let index: Int
        let layout: ChunkLayout
        var chunk: ChunkDescriptor { map.chunks[index] }
    }

    /// Fills `out` with the bytes of `range` as far as segments have them; gaps are left as they
    /// are.
    func read(
        _ inode: Inode, _ segments: [Segment], _ range: Range<UInt64>,
        into out: inout MutableSpan<UInt8>, _ patience: Patience
    ) throws(FileError) {
        for segment in segments {
            let whole = segment.offset..<segment.offset + segment.size
            let wanted = whole.clamped(to: range)
            if wanted.isEmpty { continue }
            let (map, layout) = try fullMap(inode, segment, patience)
            let inner = (wanted.lowerBound - segment.offset)..<(wanted.upperBound - segment.offset)
            let indexes = layout.chunks(overlapping: inner)
            let places = indexes.map {
                Place(ino: inode.ino, segment: segment, map: map, index: $0, layout: layout)
            }
            for place in places.dropFirst() { begin(place) }
            for place in places {
                let plain = try plaintext(place, patience)
                let span = layout.range(of: place.index)
                let part = span.clamped(to: inner)
                let source = plain.span.extracting(
                    Int(part.lowerBound - span.lowerBound)..<Int(part.upperBound - span.lowerBound))
                let offset = Int(segment.offset + part.lowerBound - range.lowerBound)
                copyBytes(source, to: &out, at: offset)
            }
            prefetch(after: indexes.upperBound, inode.ino, segment, map, layout)
        }
    }

    private func prefetch(
        after next: Int, _ ino: UInt64, _ segment: Segment, _ map: DataMap, _ layout: ChunkLayout
    ) {
        for index in next..<min(next + ChunkFetcher.prefetchDepth, layout.count) {
            begin(Place(ino: ino, segment: segment, map: map, index: index, layout: layout))
        }
    }

    // MARK: Maps

    /// The segment's map with one entry per chunk of the file.
    func fullMap(
        _ inode: Inode, _ segment: Segment, _ patience: Patience
    ) throws(FileError) -> (DataMap, ChunkLayout) {
        let known = inode.state.withLock { $0.fullMaps[segment.offset] }
        let map: DataMap
        if let known, known.fileSize == segment.size {
            map = known
        } else {
            map = try unpackedMap(segment.map, patience)
            inode.state.withLock { state in
                let isCurrent = state.base?.segments.contains(segment) ?? false
                if isCurrent { state.fullMaps[segment.offset] = map }
            }
        }
        guard map.fileSize == segment.size,
            let layout = ChunkLayout(
                fileSize: segment.size, maximumChunkSize: map.version.maximumChunkSize),
            layout.count == map.chunks.count
        else {
            volume.errors.add(.chunk, "a data map does not describe its file")
            throw .inputOutput
        }
        return (map, layout)
    }

    /// Fetches the levels above the file's own map; most files have none.
    func unpackedMap(_ map: DataMap, _ patience: Patience) throws(FileError) -> DataMap {
        if map.child == nil { return map }
        do {
            return try unpack(map) { (digest) throws(FileError) in try self.raw(digest, patience) }
        } catch let error as FileError {
            throw error
        } catch {
            volume.errors.add(
                .chunk, "a data map's upper level does not decrypt", detail: "\(error)")
            throw .inputOutput
        }
    }

    // MARK: Chunks

    /// Starts a fetch nobody waits for yet.
    private func begin(_ place: Place) {
        let digest = place.chunk.address
        let isNew = chunks.update { state -> Bool in
            if state.recent[digest] != nil { return false }
            return state.running.insert(digest).inserted
        }
        guard isNew else { return }
        let isQueued = pool.submit { self.fetch(place) }
        if !isQueued {
            chunks.update { state in
                state.running.remove(digest)
                state.failed[digest] = .inputOutput
            }
        }
    }

    private func plaintext(_ place: Place, _ patience: Patience) throws(FileError) -> [UInt8] {
        let digest = place.chunk.address
        while true {
            chunks.update { _ = $0.failed.removeValue(forKey: digest) }
            begin(place)
            var outcome: Result<[UInt8], FileError>?
            while outcome == nil {
                if patience.isInterrupted { throw .interrupted }
                if ContinuousClock.now >= patience.deadline {
                    volume.errors.add(.store, "a chunk did not come in time", detail: digest.hex)
                    throw .inputOutput
                }
                outcome = chunks.wait(atMost: ChunkFetcher.step) { state in
                    if let plain = state.recent[digest] { return .success(plain) }
                    if let error = state.failed[digest] { return .failure(error) }
                    // Fetched and pushed out again before this thread woke: ask once more.
                    return state.running.contains(digest) ? nil : .failure(.wouldBlock)
                }
            }
            switch outcome {
            case .success(let plain): return plain
            case .failure(.wouldBlock), nil: continue
            case .failure(let error): throw error
            }
        }
    }

    /// On a pool thread: the whole way of one chunk.
    private func fetch(_ place: Place) {
        let digest = place.chunk.address
        do throws(FileError) {
            let bytes: [UInt8]
            do throws(StoreError) {
                bytes = try fetchVerified(digest)
            } catch {
                throw fail(error)
            }
            let plain: [UInt8]
            do {
                let transform = ChunkTransform(version: place.map.version, quality: .fast)
                plain = try transform.decrypt(bytes.span, index: place.index, map: place.map)
            } catch {
                volume.errors.add(.chunk, "a chunk does not decrypt", detail: digest.hex)
                throw .inputOutput
            }
            remember(digest, plain)
            install(place, plain)
        } catch {
            chunks.update { state in
                state.running.remove(digest)
                state.failed[digest] = error
                // Nobody may come for it: the list stays short.
                if state.failed.count > 1024 { state.failed = [digest: error] }
            }
        }
    }

    /// A chunk as it is on the store, for pages and maps: fetched on the pool, waited for with
    /// patience.
    func raw(_ digest: Digest, _ patience: Patience) throws(FileError) -> [UInt8] {
        let box = Monitor<Result<[UInt8], StoreError>?>(nil)
        let isQueued = pool.submit {
            let result = Result { () throws(StoreError) in try self.fetchVerified(digest) }
            box.update { $0 = result }
        }
        if !isQueued { throw .inputOutput }
        while true {
            if let result = box.wait(atMost: ChunkFetcher.step, { $0 }) {
                do throws(StoreError) { return try result.get() } catch { throw fail(error) }
            }
            if patience.isInterrupted { throw .interrupted }
            if ContinuousClock.now >= patience.deadline {
                volume.errors.add(.store, "a page or map did not come in time", detail: digest.hex)
                throw .inputOutput
            }
        }
    }

    /// Chunk bytes, checked here whatever the store promised.
    func fetchVerified(_ digest: Digest) throws(StoreError) -> [UInt8] {
        let bytes = try volume.configuration.chunks.get(digest)
        volume.counters.storeAnswered()
        volume.counters.chunksFetched.add(1, ordering: .relaxed)
        volume.counters.bytesFetched.add(UInt64(bytes.count), ordering: .relaxed)
        let actual = Digests.of(bytes.span, algorithm: digest.algorithm)
        guard actual == digest else { throw .corrupt(wanted: digest, got: actual) }
        return bytes
    }

    /// A store's failure as a reader sees it; the sentence goes to the log.
    func fail(_ error: StoreError) -> FileError {
        volume.reportStore(error)
    }

    private func remember(_ digest: Digest, _ plain: [UInt8]) {
        chunks.update { state in
            state.running.remove(digest)
            guard state.recent.updateValue(plain, forKey: digest) == nil else { return }
            state.order.append(digest)
            state.bytes += plain.count
            while state.bytes > ChunkFetcher.recentLimit, state.order.count > 1 {
                let oldest = state.order.removeFirst()
                state.bytes -= state.recent.removeValue(forKey: oldest)?.count ?? 0
            }
        }
    }

    // MARK: Into the arena

    /// Seals the blocks that this chunk completes into the arena, as clean.
    private func install(_ place: Place, _ plain: [UInt8]) {
        let size = UInt64(Arena.blockSize)
        let inner = place.layout.range(of: place.index)
        let range =
            (place.segment.offset + inner.lowerBound)..<(place.segment.offset + inner.upperBound)
        // A file that is gone, or a full cache, only means that nothing is kept.
        guard let inode = try? volume.pin(place.ino) else { return }
        defer { volume.table.unpin(inode) }
        let blocks = (range.lowerBound / size)..<((range.upperBound + size - 1) / size)
        do throws(FileError) {
            try volume.change(inode) { (state) throws(FileError) in
                guard state.base?.segments.contains(place.segment) == true else { return }
                var ready: [PlainBlock] = []
                for block in blocks where state.buffers[block] == nil {
                    guard try volume.entry(block, &state) == .absent, state.baseCovers(block),
                        let bytes = assemble(block, place, plain, limit: state.baseLimit)
                    else { continue }
                    ready.append(
                        PlainBlock(
                            bytes: bytes, owner: BlockOwner(ino: place.ino, block: block),
                            isDirty: false, usesReservation: false))
                }
                if ready.isEmpty { return }
                guard let references = try? volume.arena.write(ready) else {
                    room.ask()
                    return
                }
                for (block, reference) in zip(ready, references) {
                    volume.setEntry(block.owner.block, .clean(reference), &state)
                }
            }
        } catch {
            return
        }
        room.askIfShort()
    }

    /// The bytes of one block, if this chunk and its remembered neighbours have all of them.
    private func assemble(
        _ block: UInt64, _ place: Place, _ plain: [UInt8], limit: UInt64
    ) -> [UInt8]? {
        let size = UInt64(Arena.blockSize)
        let segment = place.segment
        let start = block * size
        let end = min(start + size, limit)
        // Blocks on the edge of a segment may have bytes of another: they are left to the reader.
        guard start >= segment.offset, end <= segment.offset + segment.size else { return nil }
        let inner = (start - segment.offset)..<(end - segment.offset)
        let own = place.layout.range(of: place.index)
        if own.lowerBound <= inner.lowerBound && own.upperBound >= inner.upperBound {
            let from = Int(inner.lowerBound - own.lowerBound)
            return Array(plain[from..<from + inner.count])
        }
        var bytes = [UInt8](repeating: 0, count: inner.count)
        for index in place.layout.chunks(overlapping: inner) {
            let source: [UInt8]?
            if index == place.index {
                source = plain
            } else {
                let digest = place.map.chunks[index].address
                source = chunks.withLock { $0.recent[digest] }
            }
            guard let source else { return nil }
            let span = place.layout.range(of: index)
            let part = span.clamped(to: inner)
            let from = Int(part.lowerBound - span.lowerBound)
            var out = bytes.mutableSpan
            copyBytes(
                source.span.extracting(from..<from + Int(part.upperBound - part.lowerBound)),
                to: &out, at: Int(part.lowerBound - inner.lowerBound))
        }
        return bytes
    }
}

extension Volume {
    /// Notes a store's failure and gives the error a file operation shows for it.
    func reportStore(_ error: StoreError) -> FileError {
        let sentence = error.description
        let result: FileError =
            switch error {
            case .full: .noSpace
            case .paymentRequired, .quotaExceeded: .quotaExceeded
            case .readOnly: .readOnly
            default: .inputOutput
            }
        errors.add(.store, "\(sentence); \(error.advice)")
        if result == .noSpace { counters.roomFailed(sentence) }
        counters.storeFailed(error)
        return result
    }
}

extension StoreError {
    /// What a person can do about it, for the line in `.cairn/errors`.
    fileprivate var advice: String {
        switch self {
        case .missing, .missingPad, .corrupt, .corruptPad:
            "restore it from a backup of the store; all that does not need it can be read"
        case .unreachable, .busy: "it is asked again"
        case .full, .quotaExceeded: "make room there, and it goes on by itself"
        case .paymentRequired: "pay it, and it goes on by itself"
        case .readOnly, .refused: "see who may write there; it is tried again"
        case .notAStore: "see that its path and its disk are there, then mount anew"
        case .newerFormat: "use a newer version of this program"
        case .tooLarge: "see what else keeps its bytes there"
        }
    }
}
