// SPDX-License-Identifier: Apache-2.0
//
// Publishes: changed pages, then the root pad with its counter one higher.
//
// Invariants (docs/ARCHITECTURE.md §6.1, 6.4):
// 1. The root is put only after `ChunkStore.sync` acknowledged every page and every chunk the pages
//    name.
// 2. A sealed root is committed here before it is put, and put again as it is until the store has
//    answered, after a crash too: no counter is ever signed over two roots, and an answer that was
//    lost on its way is not taken for another machine's publication.
// 3. A head whose change number passes a change that is not stored yet is saved together with the
//    number of its inode: the next start knows what to store, also where no block is dirty.
// 4. A directory, or the hard-link table, of which this machine has not all names is never made
//    anew: nothing is published until the rest is here.

import Compression
import Cryptography
import Metadata
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import Stores
import Synchronization
import Threading

/// Publishes on its own thread, some time after the last change.
final class Publisher: Sendable {
    /// How often changes are looked for.
    static let tick = Duration.milliseconds(250)
    /// Changed inodes read at a time.
    static let rowBatch = 4096
    /// Pages stored at once.
    static let threads = 4

    let volume: Volume
    let committer: Committer
    private let pool = WorkerPool("cairn-pageput", threads: Publisher.threads)
    /// Whether files wait for their chunks, and will have them: a publication waits a while then.
    private let hasUnstored: @Sendable () -> Bool
    /// Those files and pads: a publication passes their changes without having their bytes.
    private let unstored: @Sendable () -> Set<UInt64>

    /// What is published; the head this machine knows.
    struct Head: Sendable, Equatable {
        var revision: UInt64
        /// Change number up to which the head is complete.
        var change: UInt64
        var hardLinks: PageReference?
        var revisionLog: PageReference?
    }
    let head: Lock<Head>
    /// The root that was sealed last, if the store has not answered for it.
    let unanswered: Lock<PadRecord?>
    /// The newest page of the log of revisions, as the head names it.
    let log = Lock(RevisionLog())

    private struct Work {
        var isUrgent = false
        var isStopping = false
        var isStopped = false
        /// Rounds begun and ended, for those who wait.
        var begun = 0
        var ended = 0
        var backoff = Backoff()
        var lastFailure: FileError?
        /// Why nothing more is published; nil while it is.
        var halted: String?
    }
    private let work = Monitor(Work())

    /// What the publisher needs from the engine above it.
    struct Hooks: Sendable {
        /// Begins to bring the rest of a directory, or of the hard-link table; does not wait for
        /// the store.
        let loadRest: @Sendable (UInt64) -> Void
    }
    private let hooks = Lock<Hooks?>(nil)

    init(
        volume: Volume, committer: Committer, head: Head, unanswered: PadRecord?,
        hasUnstored: @escaping @Sendable () -> Bool,
        unstored: @escaping @Sendable () -> Set<UInt64>
    ) {
        self.volume = volume
        self.committer = committer
        self.head = Lock(head)
        self.unanswered = Lock(unanswered)
        self.hasUnstored = hasUnstored
        self.unstored = unstored
    }

    func start(_ hooks: Hooks) {
        self.hooks.withLock { $0 = hooks }
        WorkerPool.startThread("cairn-publish") { self.run() }
    }

    /// What failed may be tried again at once.
    func hurry() {
        work.update { $0.backoff.hurry() }
    }

    func stop(until deadline: ContinuousClock.Instant) {
        work.update { $0.isStopping = true }
        _ = work.wait(atMost: deadline - .now) { $0.isStopped ? true : nil }
        pool.stop(until: deadline)
    }

    /// Another machine's newer head was found: nothing is published over it.
    func halt(at counter: UInt64) {
        let known = head.withLock { $0.revision }
        let reason =
            "another machine has published revision \(counter), this one knows \(known)"
        volume.errors.add(
            .root,
            reason + ": nothing more is published from here; copy out what was not published and "
                + "recover the volume in a new state folder")
        work.update { $0.halted = reason }
    }

    /// Why nothing more is published from here; nil while it is.
    var halted: String? { work.withLock { $0.halted } }

    /// True while something is newer than the head, and for a volume that has none yet.
    var hasChanges: Bool {
        let (revision, change) = head.withLock { ($0.revision, $0.change) }
        return revision == 0 || volume.lastChange.load(ordering: .relaxed) > change
            || !volume.dirty.withLock { $0.isEmpty }
    }

    /// Publishes now if there is anything to publish, and waits for the end.
    ///
    /// - Returns: nil when the head is complete; else why not. `wouldBlock` when the time ran out.
    func publishNow(until deadline: WaitClock.Instant?) -> FileError? {
        var mark: Int?
        return publishNow(&mark, until: deadline)
    }

    /// As above, in pieces of time.
    ///
    /// - Parameter mark: nil at first; when the time ran out, where the next call goes on waiting.
    func publishNow(_ mark: inout Int?, until deadline: WaitClock.Instant?) -> FileError? {
        let start =
            mark
            ?? work.update { state -> Int in
                state.isUrgent = true
                state.backoff.hurry()
                // A round that runs now may have met what is over: the next one counts.
                return state.begun
            }
        mark = start
        while true {
            let outcome = work.wait(atMost: Publisher.tick) { state -> FileError?? in
                state.ended > start ? .some(state.lastFailure) : nil
            }
            if let outcome {
                mark = nil
                return outcome
            }
            if let deadline, WaitClock.now >= deadline { return .wouldBlock }
        }
    }

    private func run() {
        var activity: (change: UInt64, dirty: Int) = (0, 0)
        var lastActive = ContinuousClock.now
        var firstChange: ContinuousClock.Instant?
        while true {
            let isUrgent = work.wait(atMost: Publisher.tick) { state -> Bool? in
                guard state.isStopping || state.isUrgent else { return nil }
                defer { state.isUrgent = false }
                if state.isUrgent { state.begun += 1 }
                return state.isUrgent
            }
            if work.withLock({ $0.isStopping }) { break }
            let now = ContinuousClock.now
            let seen = (
                volume.lastChange.load(ordering: .relaxed), volume.dirty.withLock { $0.count }
            )
            if seen != activity {
                activity = seen
                lastActive = now
            }
            if !hasChanges {
                firstChange = nil
                if isUrgent == true { settle(nil) }
                continue
            }
            let since = firstChange ?? now
            firstChange = since
            let isQuiet =
                now - lastActive >= volume.configuration.publishDelay && !hasUnstored()
            let isOverdue = now - since >= volume.configuration.publishCeiling
            guard isUrgent == true || isQuiet || isOverdue else { continue }
            if isUrgent != true {
                if work.withLock({ $0.backoff.isWaiting(at: now) }) { continue }
                work.update { $0.begun += 1 }
            }
            do throws(FileError) {
                try round()
                firstChange = nil
                settle(nil)
            } catch {
                settle(error)
            }
        }
        work.update { $0.isStopped = true }
    }

    private func settle(_ failure: FileError?) {
        work.update { state in
            state.ended += 1
            state.lastFailure = failure
            if failure == nil { state.backoff.succeed() } else { state.backoff.fail(at: .now) }
        }
    }

    // MARK: One publication

    private func round() throws(FileError) {
        if volume.configuration.isReadOnly || halted != nil { throw .readOnly }
        try settleUnanswered()
        try committer.drain()
        // Every change up to this number is in the commit that follows, and so in the snapshot.
        let change = volume.lastChange.load(ordering: .sequentiallyConsistent)
        try committer.commit()
        let before = head.withLock { $0 }
        let snapshot: MetadataSnapshot
        do {
            snapshot = try volume.metadata.snapshot()
        } catch {
            throw volume.failure(error)
        }
        defer { snapshot.close() }
        do {
            let changed = try changedNames(snapshot, after: before.change, upTo: change)
            guard let changed else {
                // What was committed is of this machine only: cached blocks, counters.
                head.withLock { $0.change = change }
                return
            }
            var writer = PageWriter(volume: volume, snapshot: snapshot, pool: pool)
            try writer.rebuild(changed)
            var log = try revisionLog(before)
            let (record, next) = try sealRoot(&writer, &log, before, change)
            try volume.configuration.chunks.sync()
            try put(record, before)
            try remember(writer, next)
            self.log.withLock { $0 = log }
        } catch let error as FileError {
            throw error
        } catch let error as StoreError {
            throw volume.reportStore(error)
        } catch let error as MetadataError {
            throw volume.failure(error)
        } catch PageWriter.Failure.store(let error) {
            throw volume.reportStore(error)
        } catch PageWriter.Failure.partial(let directory) {
            volume.errors.add(
                .page,
                "of something that was changed this machine has not all names: nothing is "
                    + "published until the rest has come from the store")
            hooks.withLock { $0 }?.loadRest(directory)
            throw FileError.inputOutput
        } catch PageWriter.Failure.tooDeep {
            volume.errors.add(
                .tree,
                "directories lie more than \(TreeDepths.limit) levels deep: nothing is published "
                    + "until they do not")
            throw FileError.inputOutput
        } catch {
            volume.errors.add(.page, "a revision could not be made", detail: "\(error)")
            throw .inputOutput
        }
    }

    /// Which names of which directories may differ from what is published; nil when nothing does.
    private func changedNames(
        _ snapshot: MetadataSnapshot, after: UInt64, upTo change: UInt64
    ) throws(MetadataError) -> [UInt64: Set<[UInt8]>]? {
        var changed: [UInt64: Set<[UInt8]>] = [:]
        var cursor = after
        var isTopChanged = head.withLock { $0.revision == 0 }
        while true {
            let rows = try snapshot.changedInodes(after: cursor, limit: Publisher.rowBatch)
            for row in rows where row.linkCount > 0 && row.ino >= Volume.firstOrdinaryInode {
                if row.isHardLinked {
                    changed[Volume.hardLinkDirectory, default: []].insert(
                        Entry.hardLinkName(of: row.ino))
                } else if let name = try snapshot.name(parent: row.parent, cookie: row.cookie) {
                    changed[row.parent, default: []].insert(name)
                }
            }
            if rows.contains(where: { $0.ino < Volume.firstOrdinaryInode }) { isTopChanged = true }
            guard let last = rows.last, rows.count == Publisher.rowBatch else { break }
            cursor = last.change
        }
        let touched = try snapshot.touchedNames(upTo: change)
        // Names that the last revision left out are marked still; they alone are no change.
        let isTouched = try touched.count > snapshot.touchedNames(upTo: after).count
        if changed.isEmpty && !isTouched && !isTopChanged { return nil }
        for one in touched { changed[one.directory, default: []].insert(one.name) }
        return changed
    }

    private func sealRoot(
        _ writer: inout PageWriter, _ log: inout RevisionLog, _ before: Head, _ change: UInt64
    ) throws -> (PadRecord, Head) {
        guard let files = try writer.topEntry(Engine.filesInode, name: "files"),
            let pads = try writer.topEntry(Engine.scratchpadsInode, name: "scratchpads")
        else {
            volume.errors.add(.database, "a top directory is missing: the state folder is damaged")
            throw FileError.inputOutput
        }
        let keys = volume.configuration.keys
        let now = Timestamp.now()
        var next = before
        next.revision += 1
        next.change = change
        if let table = writer.rebuilt[Volume.hardLinkDirectory] { next.hardLinks = table.root }
        let page = try log.append(
            RevisionRecord(
                revision: next.revision, published: now,
                device: volume.configuration.deviceName, files: files, scratchpads: pads,
                hardLinks: next.hardLinks), secret: keys.pageSecret)
        try writer.store(page)
        next.revisionLog = page.reference
        let root = Root(
            volumeID: keys.volumeID, revision: next.revision, files: files, scratchpads: pads,
            hardLinks: next.hardLinks, totals: volume.totals.value,
            nextInode: volume.inodeHighWater, device: volume.configuration.deviceName,
            published: now, revisionLog: next.revisionLog,
            compression: volume.configuration.compression == .autonomi ? 1 : 0,
            maximumChunkSize: UInt32(FileEncoder.version.maximumChunkSize))
        let encoded = try root.encoded()
        let record = try keys.rootPad.seal(
            encoded.span, encoding: Publisher.rootEncoding, counter: next.revision)
        return (record, next)
    }

    /// Tells a root pad from others; the digits of "root" on a telephone.
    ///
    /// - Source: docs/format.md, "Root pad".
    static let rootEncoding: UInt64 = 7668

    /// The root is on the store: what was built is the published state from now on.
    private func remember(_ pages: PageWriter, _ next: Head) throws(FileError) {
        // Looked at now: whatever changed before the snapshot and is not stored yet is among them.
        let waiting = unstored()
        try volume.query { (writer) throws(MetadataError) in
            for (directory, pages) in pages.rebuilt {
                let isThere = try writer.inode(directory) != nil
                if !isThere && directory != Volume.hardLinkDirectory { continue }
                try writer.setPage(directory, pages.root)
                try writer.replaceLeaves(directory, pages.leaves)
            }
            try writer.clearTouched(upTo: next.change)
            for name in pages.unlinked {
                try writer.touch(name.directory, name.name, next.change)
            }
            try HeadStorage.save(next, writer)
            try HeadStorage.saveUnstored(waiting, writer)
            try writer.setValue("pending-root", nil)
        }
        head.withLock { $0 = next }
        unanswered.withLock { $0 = nil }
        try committer.commit()
    }
}
