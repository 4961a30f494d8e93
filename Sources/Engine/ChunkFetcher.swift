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
    /// Decrypted chunks kept in memory, in bytes.
    static let recentLimit = 32 << 20
    /// Threads that decrypt and install at once: each needs memory for some copies of a chunk, and
    /// so many are faster than any store.
    static let openings = 4
    /// Chunks of a foreign file that are asked for together: they are kept in memory only.
    static let foreignDepth = 4
    /// How often a waiting reader looks whether it was interrupted.
    static let step = Duration.milliseconds(100)

    let volume: Volume
    let pool: FetchPool
    let room: RoomKeeper
    private let gate = Gate(openings: ChunkFetcher.openings)
    /// False after the arena had no room for a fetched chunk.
    let isKeeping = Atomic<Bool>(true)
    /// What is fetched ahead of whoever reads a directory through; the database is read under it.
    let siblings = Lock(SiblingAhead())
    /// Under whose name that is.
    let siblingReader = FileReads(number: 0)
    private let nextReader = Atomic<UInt64>(1)
    /// Pages that are under way ahead of walks.
    private let pagesAhead = Atomic<Int>(0)

    struct Chunks {
        var recent: [ChunkKey: [UInt8]] = [:]
        var order: [ChunkKey] = []
        var bytes = 0
        /// Waiting or under way.
        var running: Set<ChunkKey> = []
        var failed: [ChunkKey: FileError] = [:]
        var edges = ChunkEdges()
    }
    let chunks = Monitor(Chunks())

    init(volume: Volume, room: RoomKeeper) {
        self.volume = volume
        self.room = room
        pool = FetchPool(useful: volume.configuration.chunks.usefulConcurrency)
    }

    func stop(until deadline: ContinuousClock.Instant) {
        pool.stop(until: deadline)
    }

    /// The reads of one newly opened file.
    ///
    /// - Parameter isCached: the kernel keeps what is read.
    func newReader(isCached: Bool = true) -> FileReads {
        FileReads(
            number: nextReader.add(1, ordering: .relaxed).oldValue, isCached: isCached)
    }

    /// The file of the volume that a chunk belongs to.
    struct Home: Sendable {
        let ino: UInt64
        let segment: Segment
    }

    /// Which chunk of which map a plaintext is, and where it is kept; a foreign file's is kept in
    /// memory only.
    struct Place: Sendable {
        let home: Home?
        let map: DataMap
        let index: Int
        let layout: ChunkLayout
        var chunk: ChunkDescriptor { map.chunks[index] }
        var key: ChunkKey { ChunkKey(chunk) }
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
            let home = Home(ino: inode.ino, segment: segment)
            let places = indexes.map {
                Place(home: home, map: map, index: $0, layout: layout)
            }
            for place in places.dropFirst() { demand(place) }
            for place in places {
                let plain = try plaintext(place, patience)
                let span = layout.range(of: place.index)
                let part = span.clamped(to: inner)
                let source = plain.span.extracting(
                    Int(part.lowerBound - span.lowerBound)..<Int(part.upperBound - span.lowerBound))
                let offset = Int(segment.offset + part.lowerBound - range.lowerBound)
                copyBytes(source, to: &out, at: offset)
            }
        }
    }

    /// Fills `out` with the bytes of `range`, which lies within the file that `map` describes: one
    /// that is no file of this volume.
    func read(
        _ map: DataMap, _ layout: ChunkLayout, _ range: Range<UInt64>,
        into out: inout MutableSpan<UInt8>, _ patience: Patience
    ) throws(FileError) {
        let indexes = layout.chunks(overlapping: range)
        // A few at a time, so that what was fetched first is still there when it is its turn.
        for index in indexes {
            for next in index..<min(index + ChunkFetcher.foreignDepth, indexes.upperBound) {
                demand(Place(home: nil, map: map, index: next, layout: layout))
            }
            let place = Place(home: nil, map: map, index: index, layout: layout)
            let plain = try plaintext(place, patience)
            let span = layout.range(of: index)
            let part = span.clamped(to: range)
            let from = Int(part.lowerBound - span.lowerBound)
            copyBytes(
                plain.span.extracting(from..<from + part.count), to: &out,
                at: Int(part.lowerBound - range.lowerBound))
        }
    }

    // MARK: Maps

    /// The segment's map with one entry per chunk of the file.
    func fullMap(
        _ inode: Inode, _ segment: Segment, _ patience: Patience
    ) throws(FileError) -> (DataMap, ChunkLayout) {
        let map: DataMap
        if let known = inode.state.withLock({ $0.fullMap(of: segment) }) {
            map = known
        } else {
            map = try unpackedMap(segment.map, patience)
            inode.state.withLock { state in
                let isCurrent = state.base?.segments.contains(segment) ?? false
                if isCurrent {
                    state.fullMaps[segment.offset] = FullMap(segment: segment, map: map)
                }
            }
        }
        // A map that somebody else made may have chunks of another size than ours.
        guard map.fileSize == segment.size, let layout = try? ChunkLayout(describedBy: map) else {
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

    private enum Standing { case here, underWay, absent }

    private func standing(_ key: ChunkKey) -> Standing {
        chunks.withLock { state in
            if state.recent[key] != nil { return .here }
            return state.running.insert(key).inserted ? .absent : .underWay
        }
    }

    /// Starts a fetch that somebody waits for, or will in a moment.
    private func demand(_ place: Place) {
        let key = place.key
        switch standing(key) {
        case .here: return
        case .underWay: pool.promote(key)
        case .absent:
            if pool.demand({ self.fetch(place) }) { return }
            chunks.update { state in
                state.running.remove(key)
                state.failed[key] = .inputOutput
            }
        }
    }

    /// Starts a fetch nobody waits for yet; false if there are too many of them.
    func guess(_ place: Place, for reader: UInt64) -> Bool {
        let key = place.key
        guard standing(key) == .absent else { return true }
        if pool.guess(key, for: reader, { self.fetch(place) }) { return true }
        forget([key])
        return false
    }

    /// Chunks that were to be fetched are not: who came to wait for them asks again.
    func forget(_ keys: [ChunkKey]) {
        if keys.isEmpty { return }
        chunks.update { $0.running.subtract(keys) }
    }

    private func plaintext(_ place: Place, _ patience: Patience) throws(FileError) -> [UInt8] {
        let key = place.key
        while true {
            chunks.withLock { _ = $0.failed.removeValue(forKey: key) }
            demand(place)
            var outcome: Result<[UInt8], FileError>?
            while outcome == nil {
                if patience.isInterrupted { throw .interrupted }
                if patience.isOver {
                    volume.errors.add(
                        .store, "a chunk did not come in time", detail: key.address.hex)
                    throw .inputOutput
                }
                outcome = chunks.wait(atMost: ChunkFetcher.step) { state in
                    if let plain = state.recent[key] { return .success(plain) }
                    if let error = state.failed[key] { return .failure(error) }
                    // Fetched and pushed out again before this thread woke: ask once more.
                    return state.running.contains(key) ? nil : .failure(.wouldBlock)
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
        let key = place.key
        do throws(FileError) {
            let bytes: [UInt8]
            do throws(StoreError) {
                bytes = try fetchVerified(key.address)
            } catch {
                throw fail(error)
            }
            try gate.pass { () throws(FileError) in try unwrap(place, bytes) }
        } catch {
            chunks.update { state in
                state.running.remove(key)
                state.failed[key] = error
                // Nobody may come for it: the list stays short.
                if state.failed.count > 1024 { state.failed = [key: error] }
            }
        }
    }

    /// Decrypts a chunk and keeps it.
    private func unwrap(_ place: Place, _ bytes: [UInt8]) throws(FileError) {
        let plain: [UInt8]
        do {
            let transform = ChunkTransform(version: place.map.version, quality: .fast)
            plain = try transform.decrypt(bytes.span, index: place.index, map: place.map)
        } catch {
            volume.errors.add(
                .chunk, "a chunk does not decrypt", detail: place.chunk.address.hex)
            throw .inputOutput
        }
        remember(place.key, plain)
        install(place, plain)
    }

    /// A chunk as it is on the store, for pages and maps: fetched on the pool, waited for with
    /// patience.
    func raw(_ digest: Digest, _ patience: Patience) throws(FileError) -> [UInt8] {
        switch try stored(digest, patience) {
        case .success(let bytes): return bytes
        case .failure(let error): throw fail(error)
        }
    }

    /// As `raw`, for those to whom the store's own answer matters: nothing is logged for it.
    func stored(
        _ digest: Digest, _ patience: Patience
    ) throws(FileError) -> Result<[UInt8], StoreError> {
        try wait(for: try begin(digest), patience)
    }

    /// Begins what `wait(for:)` ends.
    func begin(_ digest: Digest) throws(FileError) -> StoredFetch {
        guard let fetch = queue(digest, whenOver: {}) else { throw .inputOutput }
        return fetch
    }

    /// Begins a fetch of a page that a walk comes to later.
    ///
    /// - Returns: nil where all walks together have as many of those under way as they may.
    func beginAhead(_ digest: Digest) -> StoredFetch? {
        let count = pagesAhead.add(1, ordering: .relaxed).newValue
        if count < PagesAhead.window,
            let fetch = queue(digest, whenOver: { self.pagesAhead.subtract(1, ordering: .relaxed) })
        {
            return fetch
        }
        pagesAhead.subtract(1, ordering: .relaxed)
        return nil
    }

    private func queue(
        _ digest: Digest, whenOver: @escaping @Sendable () -> Void
    ) -> StoredFetch? {
        let fetch = StoredFetch(digest: digest)
        let isQueued = pool.demand {
            let result = Result { () throws(StoreError) in try self.fetchVerified(digest) }
            whenOver()
            fetch.result.update { $0 = result }
        }
        return isQueued ? fetch : nil
    }

    /// What came of a fetch that was begun, waited for with patience.
    func wait(
        for fetch: StoredFetch, _ patience: Patience
    ) throws(FileError) -> Result<[UInt8], StoreError> {
        while true {
            if let result = fetch.result.wait(atMost: ChunkFetcher.step, { $0 }) { return result }
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver {
                volume.errors.add(
                    .store, "a page or map did not come in time", detail: fetch.digest.hex)
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

    private func remember(_ key: ChunkKey, _ plain: [UInt8]) {
        chunks.update { state in
            state.running.remove(key)
            guard state.recent.updateValue(plain, forKey: key) == nil else { return }
            state.order.append(key)
            state.bytes += plain.count
            state.edges.keep(key, plain)
            while state.bytes > ChunkFetcher.recentLimit, state.order.count > 1 {
                let oldest = state.order.removeFirst()
                state.bytes -= state.recent.removeValue(forKey: oldest)?.count ?? 0
            }
        }
    }
}

/// A chunk that is fetched as it is on the store.
struct StoredFetch: Sendable {
    let digest: Digest
    /// Nil until it is over.
    let result = Monitor<Result<[UInt8], StoreError>?>(nil)
}
