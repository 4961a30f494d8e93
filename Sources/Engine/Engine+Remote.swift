// SPDX-License-Identifier: Apache-2.0
//
// The way to the store seen from outside: waiting for it, asking about it, and the orderly end.

import Blocks
import Glibc
import Metadata
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import Stores
import Synchronization
import Threading

/// How a wait for the store ended.
package enum RemoteSyncOutcome: Sendable, Equatable {
    /// Everything is in this revision.
    case published(revision: UInt64)
    /// It failed; the sentence says why.
    case failed(String)
    /// Time ran out; the status says what is left.
    case timedOut(EngineStatus)
}

/// Where each part of a wait for the store stood when its piece of time ran out.
private struct WaitMarks {
    var flush: Int?
    var isSendingPads = false
    var publish: Int?
    /// The foreign trees that are still to try what failed; nil where nobody asked for that.
    var retries: Set<Int>?
}

extension Engine {
    /// Rounds after which a volume that keeps changing counts as published.
    static let synchronizationRounds = 100
    /// How much longer than the interval of commits a wait for the store goes on while the local
    /// disk is full: the background gives back what the log and the cache can spare with each.
    static let localRoomTime = Duration.seconds(2)

    /// Flushes all files, sends all pads, publishes, and waits.
    ///
    /// - Parameters:
    ///   - timeout: nil waits as long as it takes.
    ///   - progress: called now and then with what is left.
    package func synchronizeRemotely(
        timeout: Duration?, progress: ((EngineStatus) -> Void)? = nil
    ) -> RemoteSyncOutcome {
        let deadline = timeout.map { WaitClock.now + $0 }
        let roomDeadline = WaitClock.now + configuration.commitInterval + Engine.localRoomTime
        var marks = WaitMarks()
        marks.retries = Set(trees.indices)
        while true {
            let slice = WaitClock.now + .milliseconds(500)
            let until = deadline.map { min($0, slice) } ?? slice
            switch flushEverything(&marks, until: progress == nil ? deadline : until) {
            case nil: return .published(revision: publisher.head.withLock { $0.revision })
            case .wouldBlock:
                if let deadline, WaitClock.now >= deadline {
                    return .timedOut(engineStatus())
                }
                progress?(engineStatus())
            case .noSpace where isShortHere(until: roomDeadline):
                background.relieve()
                usleep(Engine.localRoomStep)
            case .some(let failure):
                return .failed(failureSentence(failure))
            }
        }
    }

    /// Microseconds between two looks for room on the local disk.
    private static let localRoomStep: UInt32 = 200_000

    /// Whether it is this machine that lacks room, and may have some before the deadline.
    private func isShortHere(until deadline: WaitClock.Instant) -> Bool {
        volume.counters.storeError == nil && WaitClock.now < deadline
    }

    /// The sentence that was noted last, if any was.
    package var newestError: String? { volume.errors.newest }

    /// Whether it tells of this machine's own disk, not of a store.
    package var isNewestErrorLocal: Bool { volume.errors.isNewestLocal }

    /// Why the way to the store failed: what the store said, else what was noted last.
    func failureSentence(_ failure: FileError) -> String {
        if failure == .readOnly, let halted = publisher.halted { return halted }
        if let error = volume.counters.storeError { return error.description }
        // The store may have answered to something smaller since.
        if failure == .noSpace, let sentence = volume.counters.missingRoom { return sentence }
        return volume.errors.newest ?? "it could not be made ready for the store"
    }

    /// One pass over everything unsent. Nil when the head is complete.
    func flushEverything(until deadline: WaitClock.Instant?) -> FileError? {
        var marks = WaitMarks()
        return flushEverything(&marks, until: deadline)
    }

    /// As above, in pieces of time: a round of work may take longer than one of them.
    private func flushEverything(
        _ marks: inout WaitMarks, until deadline: WaitClock.Instant?
    ) -> FileError? {
        // Encrypting and sending need no commit, and a commit of much takes its time on the disk.
        flusher.flushNow()
        do throws(FileError) {
            try committer.commit()
        } catch {
            // Nobody waits for the flush: the files that come have their time, as ever.
            flusher.calm()
            return error
        }
        for _ in 0..<Engine.synchronizationRounds {
            if let failure = flusher.flushAll(&marks.flush, until: deadline) { return failure }
            if let failure = pads.flushAll(&marks.isSendingPads, until: deadline) { return failure }
            if let failure = publisher.publishNow(&marks.publish, until: deadline) {
                return failure
            }
            let isComplete =
                !publisher.hasChanges && flusher.pendingCount == 0 && pads.pendingCount == 0
            if isComplete {
                return flushForeignTrees(retries: &marks.retries, until: deadline)
            }
        }
        return nil
    }

    /// What the store was asked so far, if it counts: chunks, and pads where they rest elsewhere.
    var storeMetrics: StoreMetrics {
        (volume.configuration.chunks as? any MetricsReporting)?.metrics() ?? [:]
    }

    /// The volume's condition now.
    package func engineStatus() -> EngineStatus {
        var status = EngineStatus()
        let usage = volume.arena.usage()
        let counters = volume.counters
        let totals = volume.totals.value
        status.revision = publisher.head.withLock { $0.revision }
        status.halted = publisher.halted ?? ""
        status.dirtyFiles = flusher.pendingCount
        status.pendingPads = pads.pendingCount
        status.pendingForeign = pendingForeignCount
        status.hasUnpublishedChanges =
            publisher.hasChanges || status.dirtyFiles > 0 || status.pendingPads > 0
        let buffered = UInt64(max(volume.bufferedBytes.load(ordering: .relaxed), 0))
        status.dirtyBytes = usage.dirty + buffered
        status.pendingChunks = counters.pendingChunks.load(ordering: .relaxed)
        status.cacheUsed = usage.used
        status.cacheBudget = usage.budget
        status.fileCount = totals.fileCount
        // As they are now; the totals are those of the last commit.
        status.byteCount = volume.quota.used
        status.quota = volume.quota.limit ?? 0
        status.chunksStored = counters.chunksStored.load(ordering: .relaxed)
        status.bytesStored = counters.bytesStored.load(ordering: .relaxed)
        status.bytesFlushed = counters.bytesFlushed.load(ordering: .relaxed)
        status.chunksFetched = counters.chunksFetched.load(ordering: .relaxed)
        status.bytesFetched = counters.bytesFetched.load(ordering: .relaxed)
        status.storeAnsweredAt = counters.storeAnsweredAt.load(ordering: .relaxed)
        status.offlineSince = counters.offlineSince.load(ordering: .relaxed)
        status.storeFailure = counters.storeFailure
        status.storeMetrics = storeMetrics
        for numbers in status.storeMetrics.values {
            status.storeCalls += numbers.count
            status.storeFailures += numbers.failures.values.reduce(0, +)
            status.storeSentBytes += numbers.sentBytes
            status.storeReceivedBytes += numbers.receivedBytes
        }
        status.requests = volume.requests.count() ?? 0
        status.openHandles = handles.count
        // A database that does not answer shows in `errors`.
        status.conflicts =
            (try? volume.query { (reader) throws(MetadataError) in try reader.conflicts().count })
            ?? 0
        status.errors = volume.errors.count
        return status
    }

    /// The volume's condition after a commit on this machine: what that could not keep is in
    /// `uncommitted`. Waits a while for room, which the background makes if it can.
    package func statusAfterCommit() -> EngineStatus {
        let deadline = WaitClock.now + Engine.localRoomTime
        var failure: FileError?
        while true {
            failure = commitFailure()
            guard failure == .noSpace, WaitClock.now < deadline else { break }
            background.relieve()
            usleep(Engine.localRoomStep)
        }
        var status = engineStatus()
        status.uncommitted = failure.flatMap { uncommitted(after: $0) }
        return status
    }

    private func commitFailure() -> FileError? {
        do throws(FileError) {
            try committer.commit()
            return nil
        } catch {
            return error
        }
    }

    /// What a commit that failed has not kept; nil for nothing that a program has changed.
    private func uncommitted(after failure: FileError) -> UncommittedChanges? {
        let count = committer.uncommittedCount
        if count == 0 { return nil }
        let room = failure == .noSpace ? volume.counters.missingRoom : nil
        return UncommittedChanges(
            count: count, cause: room ?? volume.errors.newest ?? "the local state failed",
            isLasting: volume.cannotCommit.load(ordering: .relaxed))
    }

    /// Everything `cairn info` says of one file.
    package func describe(
        _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileDescription {
        let row = try volume.row(ino)
        let forms: [StorageForm: String] = [.inline: "inline", .pad: "pad", .none: "special"]
        var description = FileDescription(
            status: try status(of: ino, context), form: forms[row.form] ?? "blocks",
            state: state(of: row))
        switch row.kind {
        case .directory: description.form = "directory"
        case .symlink: description.form = "symlink"
        case .regular:
            if let pad = try pad(ino) {
                description.padAddress = pad.address.hex
                description.padCounter = pad.counter
                description.padEncoding = pad.encoding
            }
            let segments = try dataMaps(of: ino)
            if !segments.isEmpty { description.form = "data map" }
            for segment in segments {
                description.dataMaps.append(
                    (segment.offset, segment.size, segment.map.encodedMessagePack()))
                description.chunkAddresses += try chunkAddresses(segment, ino, context)
            }
        default: description.form = "special"
        }
        return description
    }

    private func chunkAddresses(
        _ segment: Segment, _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> [String] {
        if segment.map.child == nil { return segment.map.chunks.map { $0.address.hex } }
        guard let patience = context.patience else { throw .wouldBlock }
        let full = try volume.with(ino) { (inode) throws(FileError) in
            try fetcher.fullMap(inode, segment, patience).0
        }
        return (segment.map.chunks + full.chunks).map { $0.address.hex }
    }

    /// How long `stop` waits for calls of the store that are under way. One that does not come back
    /// is left behind: what it was about is done again at the next start.
    package static let storePatience = Duration.seconds(5)

    /// Ends the volume in order, also when a call of the store never returns.
    ///
    /// - Parameter finishing: how long to wait for the store; nil only commits on this machine.
    /// - Returns: what is left: it is durable here and goes on at the next start, but for what
    ///   `uncommitted` says, which is lost.
    package func stop(finishing: Duration?) -> EngineStatus {
        if let finishing { _ = synchronizeRemotely(timeout: finishing) }
        for tree in trees { tree.end() }
        // A thread that waits for a store that says nothing would hold everything up.
        (volume.configuration.chunks as? any StoppableStore)?.stop()
        (volume.configuration.pads as? any StoppableStore)?.stop()
        let deadline = ContinuousClock.now + Engine.storePatience
        publisher.stop(until: deadline)
        pads.stop(until: deadline)
        flusher.stop(until: deadline)
        early.stop(until: deadline)
        room.stop()
        background.stop()
        encoder.stop(until: deadline)
        loader.stop(until: deadline)
        fetcher.stop(until: deadline)
        watch.stop(until: deadline)
        volume.readsAhead.stop(until: deadline)
        var isComplete = false
        var lost: UncommittedChanges?
        do throws(FileError) {
            // What is in the journal goes to the arena: the next start has nothing to move.
            try committer.drain()
            try committer.commit()
            try volume.query { (writer) throws(MetadataError) in
                try volume.highWater.save(volume, isLast: true, writer)
            }
            try committer.commit()
            isComplete = true
        } catch {
            lost = uncommitted(after: error)
            volume.errors.add(.database, "the last commit failed")
        }
        var status = engineStatus()
        status.uncommitted = lost
        // Rows of a commit that failed may stand in part, and name slots that are not on the disk.
        do throws(MetadataError) { try volume.metadata.close(commits: isComplete) } catch {
            _ = volume.failure(error)
        }
        return status
    }
}
