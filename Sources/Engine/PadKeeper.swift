// SPDX-License-Identifier: Apache-2.0
//
// Scratchpads: who has which identity, and the way of a saved pad to the store.
//
// Invariants:
// 1. (docs/ARCHITECTURE.md §6.4) A pad's counter never goes down here, and no counter is ever
//    sealed over two contents: the sealed record is committed with its counter before it is put,
//    and put again as it is until the store has answered. Nothing is sealed over a record without
//    an answer, so what a page says of a pad is on the store.
// 2. One save is one bump: a pad is sealed some time after its last close, and only if its content
//    or encoding differ from what was sealed last.
// 3. A conflict loses nobody's bytes (docs/ARCHITECTURE.md §6.6): what stands on the store is kept
//    under a second name before ours goes over it.

import Cryptography
import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import Threading

/// Gives pads their identities, seals them and sends them.
final class PadKeeper: Sendable {
    /// Most bytes of a pad's content: a record is at most 4 MiB whole.
    static let maximumContentSize = WriteCapability.maximumPlaintextSize
    /// A pad that stays open is sealed when nobody has written for this long.
    static let openIdle = Duration.seconds(5)
    /// How often who waits for all pads looks, and what has failed to be expired is tried again.
    static let tick = Duration.milliseconds(100)
    /// The longest that due pads and expired identities are not looked for: the clock that a thread
    /// sleeps by stands still while the machine does.
    static let longestSleep = Duration.seconds(60)
    /// Pads sent at once.
    static let threads = 4

    let volume: Volume
    let committer: Committer
    private let pool = WorkerPool("cairn-padput", threads: PadKeeper.threads)
    let names = PadNames()
    let parked: Lock<ParkedPads>
    /// Pads from elsewhere that are coming in: each by one command at a time.
    let arriving = Lock<Set<PadAddress>>([])

    /// What the keeper needs from the engine above it.
    struct Hooks: Sendable {
        /// Keeps the store's bytes under a second name beside the pad; false if it could not.
        let keepConflict: @Sendable (_ ino: UInt64, _ content: [UInt8], _ encoding: UInt64) -> Bool
        /// Something publishable changed.
        let poke: @Sendable () -> Void
    }
    let hooks = Lock<Hooks?>(nil)

    private struct Work {
        var due: [UInt64: ContinuousClock.Instant] = [:]
        var sending: Set<UInt64> = []
        var backoffs: [UInt64: Backoff] = [:]
        var lastFailure: FileError?
        /// Being sent when somebody began to wait: a failure may be of what is over.
        var disregarded: Set<UInt64> = []
        /// When the thread looks next for what is due. Who sets it earlier wakes that.
        var nextLook = ContinuousClock.now
        var isStopping = false
        var isStopped = false

        /// Whether the thread is to be woken for a moment.
        mutating func brings(_ moment: ContinuousClock.Instant) -> Bool {
            guard moment < nextLook else { return false }
            nextLook = moment
            return true
        }
    }
    /// Taken before `parked`, never under it.
    private let work = Monitor(Work())

    init(volume: Volume, committer: Committer, parked: ParkedPads) {
        self.volume = volume
        self.committer = committer
        self.parked = Lock(parked)
    }

    /// Starts the thread, and sends again what a crash left unsent.
    func start(_ hooks: Hooks, pending: [UInt64]) {
        self.hooks.withLock { $0 = hooks }
        for ino in pending { note(ino, after: .zero) }
        WorkerPool.startThread("cairn-pads") { self.run() }
    }

    func stop(until deadline: ContinuousClock.Instant) {
        work.update { $0.isStopping = true }
        _ = work.wait(atMost: deadline - .now) { $0.isStopped ? true : nil }
        pool.stop(until: deadline)
    }

    /// The pad changed, or was closed: seal it after the delay, counted from now.
    func note(_ ino: UInt64, after delay: Duration) {
        let moment = ContinuousClock.now + delay
        let isFirst = work.withLock { state in
            state.due[ino] = moment
            return state.brings(moment)
        }
        if isFirst { work.wakeAll() }
    }

    /// An identity was parked, whose time ends.
    func noteParked() {
        if work.withLock({ $0.brings(.now + ParkedPads.lifetime) }) { work.wakeAll() }
    }

    /// The file is no pad any more.
    func forget(_ ino: UInt64) {
        work.withLock { state in
            state.due[ino] = nil
            state.backoffs[ino] = nil
        }
    }

    /// Pads whose newest content the store has not acknowledged.
    var pendingCount: Int { work.withLock { $0.due.count + $0.sending.count } }

    /// The same pads by their numbers.
    var pending: Set<UInt64> { work.withLock { $0.sending.union($0.due.keys) } }

    /// True while the pad waits or is being sent.
    func isPending(_ ino: UInt64) -> Bool {
        work.withLock { $0.due[ino] != nil || $0.sending.contains(ino) }
    }

    /// Sends everything that is unsent now.
    ///
    /// - Parameter isWaiting: false at first; true when the time ran out and the next call goes on.
    /// - Returns: nil when all is acknowledged; else why not. `wouldBlock` when the time ran out.
    func flushAll(
        _ isWaiting: inout Bool, until deadline: WaitClock.Instant?
    ) -> FileError? {
        if !isWaiting {
            work.update { state in
                for ino in state.due.keys { state.due[ino] = .now }
                _ = state.brings(.now)
                state.lastFailure = nil
                state.disregarded = state.sending
            }
        }
        isWaiting = true
        while true {
            let outcome = work.wait(atMost: PadKeeper.tick) { state -> FileError?? in
                if state.due.isEmpty && state.sending.isEmpty { return .some(nil) }
                if state.sending.isEmpty, let failure = state.lastFailure { return .some(failure) }
                return nil
            }
            if let outcome {
                isWaiting = false
                return outcome
            }
            if let deadline, WaitClock.now >= deadline { return .wouldBlock }
        }
    }

    /// What failed may be tried again at once.
    func hurry() {
        work.update { state in
            for ino in state.backoffs.keys where state.due[ino] != nil { state.due[ino] = .now }
            _ = state.brings(.now)
        }
    }

    // MARK: Sealing and sending

    private func run() {
        while true {
            let due = work.withLock { state -> [UInt64]? in
                if state.isStopping { return nil }
                let now = ContinuousClock.now
                let due = state.due.filter { $0.value <= now && !state.sending.contains($0.key) }
                for ino in due.keys {
                    state.due[ino] = nil
                    state.sending.insert(ino)
                }
                return Array(due.keys)
            }
            guard let due else { break }
            expireParked(at: .now)
            if !due.isEmpty { send(due) }
            sleep()
        }
        work.update { $0.isStopped = true }
    }

    /// Until a pad is due, or the time of a parked identity is over.
    private func sleep() {
        let planned = work.withLock { state -> ContinuousClock.Instant in
            let now = ContinuousClock.now
            // Under this lock: who parks one now tells of it after this.
            let expires = parked.withLock { $0.entries.map(\.expires).min() }
            var next = now + PadKeeper.longestSleep
            // One that is over already could not be given back: there was no room for it.
            if let expires { next = min(next, max(expires, now + PadKeeper.tick)) }
            // Those that are being sent come when the store has answered.
            for (ino, moment) in state.due where !state.sending.contains(ino) {
                next = min(next, moment)
            }
            state.nextLook = next
            return next
        }
        _ = work.wait(atMost: planned - .now) { state in
            state.isStopping || state.nextLook < planned ? true : nil
        }
    }

    private func send(_ inodes: [UInt64]) {
        var sealed: [(UInt64, PadRecord)] = []
        for ino in inodes {
            do throws(FileError) {
                if let record = try seal(ino) {
                    sealed.append((ino, record))
                } else {
                    finish(ino, nil)
                }
            } catch {
                finish(ino, error)
            }
        }
        if sealed.isEmpty { return }
        do throws(FileError) {
            // The counters are durable before the first record leaves this machine.
            try committer.commit(isWhole: false)
        } catch {
            for (ino, _) in sealed { finish(ino, error) }
            return
        }
        for (ino, record) in sealed {
            let isQueued = pool.submit { self.put(ino, record) }
            if !isQueued { finish(ino, .interrupted) }
        }
    }

    /// The record to send; nil when the store has this content already.
    private func seal(_ ino: UInt64) throws(FileError) -> PadRecord? {
        guard let inode = try volume.pinIfPresent(ino) else { return nil }
        defer { volume.table.unpin(inode) }
        return try volume.change(inode) { (state) throws(FileError) -> PadRecord? in
            try load(&state)
            guard !state.isDeleted, state.row.linkCount > 0, var pad = state.pad else { return nil }
            // What was written since is sealed when the store has answered for this one.
            if let pending = pad.pendingRecord { return try decode(pending) }
            if try volume.unfetchedPad(&state) != nil { return nil }
            try volume.loadInline(&state)
            let content = state.inline ?? []
            let digest = PadDigest.of(content, encoding: pad.encoding)
            if pad.publishedDigest == digest {
                state.isPadUnsealed = false
                return nil
            }
            let capability = try volume.capability(of: pad)
            let record: PadRecord
            do throws(ScratchpadError) {
                record = try capability.seal(
                    content.span, encoding: pad.encoding,
                    counter: try CounterRule.next(after: pad.counter))
            } catch .counterExhausted {
                volume.errors.add(
                    .pad, "a pad's counter is at its end: copy it to another name",
                    detail: pad.address.hex)
                throw .inputOutput
            } catch {
                volume.errors.add(.pad, "a pad could not be sealed", detail: "\(error)")
                throw .inputOutput
            }
            state.isPadUnsealed = false
            pad.counter = record.counter
            pad.publishedDigest = digest
            pad.pendingRecord = record.encoded()
            state.pad = pad
            state.isPadDirty = true
            state.isRowDirty = true
            return record
        }
    }

    private func decode(_ bytes: [UInt8]) throws(FileError) -> PadRecord {
        do {
            return try PadRecord(decoding: bytes)
        } catch {
            volume.errors.add(.pad, "a pending record is malformed: the state folder is damaged")
            throw .inputOutput
        }
    }

    private func put(_ ino: UInt64, _ record: PadRecord) {
        do throws(StoreError) {
            let outcome = try volume.configuration.pads.put(record)
            volume.counters.storeAnswered()
            switch outcome {
            case .accepted: finish(ino, acknowledge(ino, record))
            case .standing(let other): finish(ino, meet(other, ino, record))
            }
        } catch {
            finish(ino, volume.reportStore(error))
        }
    }

    func acknowledge(_ ino: UInt64, _ record: PadRecord) -> FileError? {
        do throws(FileError) {
            let isNewer = try volume.with(ino) { (inode) throws(FileError) in
                try volume.change(inode) { (state) throws(FileError) -> Bool in
                    try load(&state)
                    // The file may have another identity by now.
                    guard var pad = state.pad, pad.address == record.address,
                        pad.counter == record.counter
                    else { return state.isPadUnsealed }
                    pad.pendingRecord = nil
                    state.pad = pad
                    state.isPadDirty = true
                    state.isRowDirty = true
                    // Compared, not remembered: the inode may have left memory since it was written
                    // to, or have been written to before a crash.
                    try volume.loadInline(&state)
                    let digest = PadDigest.of(
                        state.inline ?? [], encoding: pad.encoding)
                    return digest != pad.publishedDigest
                }
            }
            if isNewer { note(ino, after: .zero) }
        } catch {
            // Deleted meanwhile: there is nothing left to acknowledge.
            return error == .stale ? nil : error
        }
        hooks.withLock { $0 }?.poke()
        return nil
    }

    private func finish(_ ino: UInt64, _ failure: FileError?) {
        work.update { state in
            state.sending.remove(ino)
            let isDisregarded = state.disregarded.remove(ino) != nil
            defer {
                if let moment = state.due[ino] { _ = state.brings(moment) }
            }
            guard let failure else {
                state.backoffs[ino] = nil
                return
            }
            if isDisregarded {
                state.due[ino] = .now
                return
            }
            state.backoffs[ino, default: Backoff()].fail(at: .now)
            state.lastFailure = failure
            if state.due[ino] == nil { state.due[ino] = state.backoffs[ino]?.retryAt }
        }
    }
}
