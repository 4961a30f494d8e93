// SPDX-License-Identifier: Apache-2.0
//
// The commit nobody asked for: a change is durable after a few seconds, as on any filesystem. And,
// before the first, the names nobody asked for yet.

import Blocks
import Metadata
import Primitives
import Synchronization
import Threading

/// Commits every few seconds while there is something to commit, and keeps the log short.
final class BackgroundCommits: Sendable {
    /// Bytes given back to the disk at a time.
    static let punchLimit: UInt64 = 128 << 20

    /// Bytes of chunks, made or fetched within `commitInterval`, after which freed memory is
    /// given back: their buffers are what the heap is large for. Other bytes that the process moves
    /// count as none: what they leave free is given back with the next of these, or is used again.
    static let heapInterest: UInt64 = 16 << 20

    /// Most commits in a row, each behind a copy of the log, until it has started anew.
    static let restartCommits = 4

    /// While there is much in memory, between two looks whether anybody asks for anything.
    static let lookPause: Duration = .milliseconds(25)

    private let volume: Volume
    private let committer: Committer
    private let room: RoomKeeper

    private struct State {
        var isStopping = false
        var isStopped = false
        var isPressed = false
        var isCrowdTold = false
    }
    /// Why the thread wakes before its time.
    private enum Call {
        case end, pressure, crowd
    }
    private let state = Monitor(State())

    init(volume: Volume, committer: Committer, room: RoomKeeper) {
        self.volume = volume
        self.committer = committer
        self.room = room
    }

    func start() {
        committer.whenPressed { [weak self] in self?.relieve() }
        committer.whenCrowded { [weak self] in self?.state.update { $0.isCrowdTold = true } }
        WorkerPool.startThread("cairn-commit") { self.run() }
    }

    func stop() {
        state.update { $0.isStopping = true }
        _ = state.wait { $0.isStopped ? true : nil }
    }

    /// Seals the journal, writes access times, commits or copies the log before their time; returns
    /// at once.
    func relieve() {
        state.update { $0.isPressed = true }
    }

    private func run() {
        var committed = volume.lastChange.load(ordering: .relaxed)
        var (handled, owesMemory): (UInt64, Bool) = (0, false)
        // False from a failure on until the interval has tried: not for each reader.
        var mayDrain = true
        var due = ContinuousClock.now + volume.configuration.commitInterval
        readNamesAhead(until: due, unchanged: committed)
        while true {
            let isWatching = committer.noteCrowd() && mayDrain
            let look = isWatching ? .now + BackgroundCommits.lookPause : due
            let call = state.wait(atMost: min(look, due) - .now) { state -> Call? in
                defer { (state.isPressed, state.isCrowdTold) = (false, false) }
                if state.isStopping { return .end }
                return state.isPressed ? .pressure : state.isCrowdTold ? .crowd : nil
            }
            if call == .end { break }
            if call != .pressure, .now < due {
                if isWatching { lookAtCrowd(&mayDrain) }
                continue
            }
            if call == .pressure {
                sealJournal()
                drainAccessTimes(&mayDrain)
                // A failure is in the error log, and the interval tries again.
                if volume.metadata.wantsCommit { try? committer.commit() }
                if volume.metadata.wantsCheckpoint { copyLog() }
                lengthenLog()
                // Pressure without end must not keep the commit away.
                if .now < due { continue }
            }
            due = .now + volume.configuration.commitInterval
            mayDrain = true
            let now = volume.lastChange.load(ordering: .relaxed)
            // Rows that a directory's pages brought are no change, and are to be committed too.
            let isOwed = volume.metadata.hasRecorded || volume.metadata.wantsCommit
            if now != committed || isOwed || !volume.dirty.withLock({ $0.isEmpty }) {
                // A failure is in the error log; the next interval tries again.
                // Drained first, so that what small commits journaled goes to the arena.
                sealJournal()
                try? committer.drain()
                if (try? committer.commit()) != nil { committed = now }
            }
            copyLog()
            lengthenLog()
            volume.measureDisk()
            room.askIfShort()
            volume.foreground.pause()
            // Not beside a program that syncs: it would wait behind each hole.
            volume.arena.punchFreed(
                limit: BackgroundCommits.punchLimit, while: { !volume.foreground.isBusy })
            giveBackMemory(&handled, &owesMemory)
        }
        state.update { $0.isStopped = true }
    }

    /// Reads names into memory, so that the first listings find them there: until something is
    /// changed, or a commit is due.
    private func readNamesAhead(until end: ContinuousClock.Instant, unchanged change: UInt64) {
        var place = NamesAhead()
        while !place.isAtEnd, .now < end {
            let start = ContinuousClock.now
            do throws(MetadataError) {
                place = try volume.metadata.write { (writer) throws(MetadataError) in
                    try writer.readAhead(place)
                }
            } catch {
                // A disk that does not tell is met by who asks for the name.
                return
            }
            // Half of the time is for those who wait for the same lock.
            let isWanted = state.wait(atMost: .now - start) { state -> Bool? in
                state.isStopping || state.isPressed ? true : nil
            }
            if isWanted == true || volume.lastChange.load(ordering: .relaxed) != change { return }
        }
    }

    /// Where many chunks went through since the last time, and once more when no more came: what
    /// was still in use is free by then. The milliseconds it takes are one in thousands, once in
    /// `commitInterval`.
    private func giveBackMemory(_ handled: inout UInt64, _ isOwed: inout Bool) {
        let now =
            volume.counters.bytesFlushed.load(ordering: .relaxed)
            &+ volume.counters.bytesFetched.load(ordering: .relaxed)
        let moved = now &- handled
        handled = now
        let isMuch = moved >= BackgroundCommits.heapInterest
        guard isMuch || (isOwed && moved == 0) else { return }
        isOwed = isMuch
        HeapMemory.giveBack()
    }

    /// In steps, between which others change names.
    private func drainAccessTimes(_ mayDrain: inout Bool) {
        do throws(FileError) {
            for _ in 0..<committer.steps(from: Committer.accessCrowdSize) {
                guard mayDrain, try committer.drainAccessTimes(), mayGoOn() else { return }
            }
        } catch {
            // It is in the error log.
            mayDrain = false
        }
    }

    /// Drains a crowd once nobody asks for much, and as long as nobody does; until then what was
    /// only read.
    private func lookAtCrowd(_ mayDrain: inout Bool) {
        guard volume.requests.isBusy(at: .now) == false else { return drainAccessTimes(&mayDrain) }
        do throws(FileError) {
            try committer.drainInSteps { mayGoOn() && volume.requests.isBusy(at: .now) != true }
        } catch {
            // It is in the error log.
            mayDrain = false
        }
    }

    /// Between two steps.
    private func mayGoOn() -> Bool {
        BackgroundPause.betweenSteps()
        return !isStopping
    }

    private func sealJournal() {
        // What fails here is in the error log, and stays in the journal.
        try? JournalSealing(volume: volume, committer: committer).run()
    }

    /// Copies the log, and has a long one start anew: commits what came meanwhile, before so much
    /// has come that this would take long. The first of these commits also has what was in memory,
    /// those after it what came since: less each time.
    private func copyLog() {
        // Behind a program that syncs, which would wait for the same disk; but not for long.
        volume.foreground.pause()
        guard checkpoint() else { return }
        func wantsMore() -> Bool { volume.metadata.wantsRestart && !isStopping }
        for _ in 0..<BackgroundCommits.restartCommits {
            // A failure is in the error log, and the log grows until the next time.
            guard wantsMore(), (try? committer.commit()) != nil, wantsMore(), checkpoint() else {
                return
            }
        }
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// - Returns: false after a failure, which is in the error log, and where another process was
    ///   at it.
    private func checkpoint() -> Bool {
        do throws(MetadataError) {
            return try volume.metadata.checkpoint()
        } catch {
            _ = volume.failure(error)
            return false
        }
    }

    /// In steps, between which others sync. Each step syncs, too: not at the mount, when there is
    /// much to be read and nothing to be synced.
    private func lengthenLog() {
        do throws(MetadataError) {
            while try volume.metadata.lengthenLog(),
                !state.withLock({ $0.isStopping || $0.isPressed })
            {
                volume.foreground.pause()
            }
        } catch {
            _ = volume.failure(error)
        }
    }
}
