// SPDX-License-Identifier: Apache-2.0
//
// The engine: everything a filesystem operation needs, and nothing of kernel or network. Its parts:
//
//   Volume          shared state: database, arena, resident inodes
//   Committer       durability on this machine
//   ContentReader, ContentWriter     bytes of one inode
//   ChunkFetcher, DirectoryLoader    what only the store has
//   Flusher, PadKeeper, Publisher    the way to the store
//   RoomKeeper      the cache's budget
//
// Calls may come from any thread. Those that might wait for the store throw `FileError.wouldBlock`
// unless their context has patience.

import Primitives
import Blocks
import Metadata
import Namespace
import Scratchpads
import Stores
import Synchronization

/// One running volume.
package final class Engine: Sendable {
    /// The mount's root directory.
    package static let rootInode: UInt64 = 1
    /// `files/`.
    package static let filesInode: UInt64 = 2
    /// `scratchpads/`.
    package static let scratchpadsInode: UInt64 = 3
    /// Longest name of a file, in bytes.
    package static let maximumNameSize = 255

    let volume: Volume
    let committer: Committer
    let fetcher: ChunkFetcher
    let reader: ContentReader
    let writer: ContentWriter
    let loader: DirectoryLoader
    let room: RoomKeeper
    let encoder: FileEncoder
    /// Sends what files that grow have behind them.
    let early: EarlyUploader
    let flusher: Flusher
    let pads: PadKeeper
    let publisher: Publisher
    let handles = HandleTable()
    let background: BackgroundCommits
    let invalidation = Listener<Invalidation>()
    let capacity = CapacityProbe()
    /// Asks a store that is away.
    let watch: StoreWatch
    /// Finds what is public on the store.
    let resolver: PublicResolver
    /// What stands beside the volume's own trees; `public/` first.
    let trees: [any ForeignTree]

    var configuration: EngineConfiguration { volume.configuration }

    init(
        volume: Volume, head: Publisher.Head, unanswered: PadRecord?, parked: ParkedPads,
        partial: Set<UInt64>, threads: Int
    ) {
        self.volume = volume
        let committer = Committer(volume: volume)
        let room = RoomKeeper(volume: volume, committer: committer)
        let fetcher = ChunkFetcher(volume: volume, room: room)
        let reader = ContentReader(volume: volume, fetcher: fetcher)
        let encoder = FileEncoder(
            volume: volume, fetcher: fetcher, reader: reader, threads: threads)
        let early = EarlyUploader(volume: volume, encoder: encoder)
        let flusher = Flusher(
            volume: volume, committer: committer, encoder: encoder, early: early)
        let pads = PadKeeper(volume: volume, committer: committer, parked: parked)
        let publisher = Publisher(
            volume: volume, committer: committer, head: head, unanswered: unanswered,
            hasUnstored: { flusher.isExpectingFiles || pads.pendingCount > 0 },
            unstored: { flusher.pending.union(pads.pending) })
        self.committer = committer
        self.room = room
        self.fetcher = fetcher
        self.reader = reader
        self.encoder = encoder
        self.early = early
        self.flusher = flusher
        self.pads = pads
        self.publisher = publisher
        resolver = PublicResolver(volume: volume, fetcher: fetcher)
        trees = [PublicTree(resolver: resolver)] + volume.configuration.trees
        writer = ContentWriter(
            volume: volume, reader: reader, committer: committer, room: room, early: early)
        loader = DirectoryLoader(
            volume: volume, fetcher: fetcher, partial: partial,
            hardLinks: { publisher.head.withLock { $0.hardLinks } },
            afterRows: { committer.pressIfDue() })
        background = BackgroundCommits(volume: volume, committer: committer, room: room)
        watch = StoreWatch(volume: volume)
    }

    /// The store is back: what waits for it goes on, in its order.
    func hurry() {
        flusher.hurry()
        pads.hurry()
        publisher.hurry()
    }

    /// Starts the threads. `dirty` are files, `pending` pads that an earlier run left unsent.
    func startThreads(dirty: [UInt64], pending: [UInt64]) {
        let flusher = flusher
        for ino in dirty { flusher.note(ino) }
        room.start { flusher.flushNow() }
        flusher.start {}
        early.start()
        pads.start(
            PadKeeper.Hooks(
                keepConflict: { [weak self] ino, content, encoding in
                    self?.keepConflict(ino, content, encoding) ?? false
                },
                poke: {}), pending: pending)
        publisher.start(
            Publisher.Hooks(loadRest: { [weak self] in _ = self?.loader.begin($0) }))
        background.start()
        beginForeignTrees()
    }

    /// Where the host hears what the kernel must forget.
    package func setInvalidation(_ handler: @escaping @Sendable (Invalidation) -> Void) {
        invalidation.set(handler)
    }

    /// Where the host hears that the thread which calls the engine is about to read content from
    /// the disk, or to wait for a sync of it, so that another may take requests meanwhile. The
    /// handler must not wait.
    package func setWillWait(_ handler: @escaping @Sendable () -> Void) {
        volume.willWait.set(handler)
    }

    /// Where the engine learns how many requests programs have made since the mount began, so that
    /// its background stands back while there are many.
    ///
    /// - Parameter count: a number that rises with each; called from any thread. It must not wait.
    package func setRequestCount(_ count: @escaping @Sendable () -> UInt64) {
        volume.requests.count.set(count)
    }

    // MARK: Shared checks

    func requireWritable() throws(FileError) {
        if configuration.isReadOnly { throw .readOnly }
        // It could never be committed.
        if volume.cannotCommit.load(ordering: .relaxed) { throw .inputOutput }
    }

    func requireName(_ name: [UInt8]) throws(FileError) {
        if name.count > Engine.maximumNameSize { throw .nameTooLong }
        // `.` and `..`, and none at all.
        let isDots = name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }
        let isUsable = !isDots && !name.contains(0) && !name.contains(UInt8(ascii: "/"))
        if !isUsable { throw .invalid }
    }

    /// The row of a directory in which names may change, loaded.
    func requireParent(_ ino: UInt64, _ context: RequestContext) throws(FileError) -> InodeRow {
        try requireWritable()
        if !Engine.isOwn(ino) { throw .notPermitted }
        let row = try volume.row(ino)
        guard row.kind == .directory else { throw .notDirectory }
        try loader.ensureLoaded(row, context.patience)
        if row.linkCount == 0 { throw .notFound }
        return row
    }
}

/// Something the kernel has cached and must ask for again.
package enum Invalidation: Sendable, Hashable {
    /// A name.
    case entry(parent: UInt64, name: [UInt8])
    /// An inode's attributes and pages.
    case inode(UInt64)
    /// An inode's attributes; its pages are as they were.
    case attributes(UInt64)
}
