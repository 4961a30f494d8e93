// SPDX-License-Identifier: Apache-2.0
//
// What was changed in `me/` and is not, or not yet, what the network has. `AlephMine+Changes.swift`
// has what programs do to it, `AlephMine+Publishing.swift` what the network is told.
//
// Each changed name is an `Own`. It is one or more of:
//   local       its name is an editor's own, and nobody is told
//   dirty       it has bytes that the network is to have
//   retold      its tags or metadata are to be published
//   gone        it was removed; the network is told after a moment in which it may come back
//   refused     the network would not have it; it waits for a change, or the next mount
//   a view      the network has it, in another spelling than its writer's, which is shown
// Invariants:
// 1. `names` leads to exactly the `owns` that have a name.
// 2. Of an `Own`, at most one message is on its way.
// 3. What the network is to hear has a record on the disk until the network has processed it.
// 4. The record of a number on the disk is that in `owns`, and none if it is not there: both change
//    while `records` is held. It is taken before `state`, never under it.
// 5. Bytes that nobody writes and the network has are not kept: who closes last lets go of them.

import Aleph
import AlephProtocol
import Engine
import JSON
import Namespace
import Primitives
import Threading

/// A name in `me/`.
struct AlephOwnName: Hashable, Sendable {
    let part: AlephPath.Part
    let name: String
}

/// What is known of a changed name.
struct AlephOwn: Sendable {
    var record: AlephRecord
    var staged: AlephStaged?
    /// What its writer wrote of a post or aggregate that is published.
    var view: [UInt8]?
    /// A text that was closed whole and is not published yet, while somebody writes over it.
    var good: [UInt8]?
    /// Who has it open to write.
    var writers = 0
    var isDirty = false
    var isPublishing = false
    /// The body that the network is being given, or was given last.
    var sentBody: UInt64?
    /// Counts writes, so that one that came while a message was on its way is not forgotten.
    var generation: UInt64 = 0
    /// The generation that the network has: all writes up to it, if not those that came while it
    /// was being told. Nil if none of this process.
    var told: UInt64?
    /// What the network has since somebody has it open: the file that its bytes are.
    var published: ItemHash?
    /// The generation that `finish` has looked at.
    var checked: UInt64 = 0
    /// When the network is to be told.
    var due: ContinuousClock.Instant?
    var attempts = 0
    var failure: FileError?
    var failureText = ""
    /// Parts that were stored for a large file whose manifest is not published, and the messages
    /// that keep them.
    var strays: [ItemHash: ItemHash] = [:]

    var name: AlephOwnName { AlephOwnName(part: record.part, name: record.name) }
    /// Whether its bytes are on their way as nobody changes them: who is to write needs a copy. A
    /// writer who is there already, and waits for them in `fsync`, shares them with all others.
    var isHandedOver: Bool { isPublishing && writers == 0 && record.body == sentBody }
    /// Its bytes are given to the network from now on.
    mutating func noteSent() { sentBody = record.body }
    /// Whether a copy of what `other` had may take its place: nobody could have written to it, and
    /// nothing is known of it that was not known then.
    func isUnchanged(since other: AlephOwn) -> Bool {
        writers == 0 && isPublishing == other.isPublishing && generation == other.generation
            && isDirty == other.isDirty && view == other.view
            && record.encoded == other.record.encoded
    }
    /// Whether it is as it was, and nobody has it open.
    func isIdle(since other: AlephOwn) -> Bool {
        writers == 0 && !isPublishing && generation == other.generation
            && record.name == other.record.name && record.isGone == other.record.isGone
            && record.isRetold == other.record.isRetold
    }
    /// Whether nobody has it open, and the network has it as it is here.
    var isSettled: Bool {
        writers == 0 && !isDirty && !isPublishing && !record.isGone && !record.isRetold
            && failure == nil
    }
    /// Whether its bytes take a while to send.
    var isLong: Bool {
        isDirty && !record.isGone && staged.map { $0.size >= AlephMine.longSize } ?? false
    }
    /// Whether the network is to be told something.
    var isPending: Bool { isPublishing || due != nil }
    /// Whether the network does not have it as it is here. What has no bytes yet is no text.
    var isUnpublished: Bool {
        if isPending || failure != nil || record.isGone || record.isRetold { return true }
        return isDirty && (record.part == .files || staged?.size ?? 0 > 0)
    }
}

/// How `me/` reaches the network that it shows.
struct AlephMineSurroundings: Sendable {
    /// The network's own entry of a name, whole if it is a post or aggregate; nil if it has none.
    let entry: @Sendable (AlephOwnName, ItemHash?, Patience?) throws(FileError) -> AlephEntry?
    /// The bytes of a stored file, whole or in parts.
    let source: @Sendable (AlephEntry, Patience?) throws(FileError) -> AlephSource
    /// The manifests of our own that were listed.
    let manifests: @Sendable () -> [ItemHash]
    /// What a manifest's message says.
    let manifest: @Sendable (ItemHash, Patience?) throws(FileError) -> LargeFileManifest
    /// A message of ours was processed.
    let published: @Sendable (VerifiedMessage) -> Void
    /// A name shows other bytes, or none.
    let changed: @Sendable (AlephOwnName) -> Void
    /// Takes over the bytes of a file that was published.
    let adopt: @Sendable (_ path: String, ItemHash) -> Void
}

/// The changed names.
final class AlephMine: Sendable {
    /// The most names.
    static let limit = 50_000
    /// How long after its last close a file is left in peace: tags may follow it.
    static let delay = Duration.seconds(1)
    /// How long a removed name may come back as a change of what it was.
    static let removalDelay = Duration.seconds(2)
    /// The same for one that was renamed to a temporary name.
    ///
    /// - Source: as with pads, docs/ARCHITECTURE.md §2.
    static let parkingTime = Duration.seconds(30)
    /// How long `fsync` waits for the network.
    static let syncTime = Duration.seconds(120)
    /// Messages and files that are sent at once.
    static let threadCount = 12
    /// Bytes from which on a file is long to send.
    static let longSize: UInt64 = 8 << 20
    /// How many of those are sent at once, so that small ones always find a thread.
    static let longLimit = 6
    /// The most bytes of a post or aggregate: what travels beside a message.
    static let textLimit = AlephAccount.maximumContentSize
    /// The most bytes of all views.
    static let viewLimit = 16 << 20
    /// How often a name is opened anew that is let go of at that moment.
    static let openAttempts = 3
    /// How often a name is copied anew that became another meanwhile: each time somebody else got
    /// on with it.
    static let copyAttempts = 8
    /// The least time between two looks for what is due: each looks at all names.
    static let look = Duration.milliseconds(100)
    /// The most: the clock that a thread sleeps by stands still while the machine does.
    static let longestSleep = Duration.seconds(60)
    /// Names that stay on this machine, besides those of editors.
    static let rejectedSuffix = ".rejected"

    struct State {
        var owns: [UInt64: AlephOwn] = [:]
        var names: [AlephOwnName: UInt64] = [:]
        var viewBytes = 0
        var isEnded = false
        var isRunning = false
        /// Something may be due sooner than the thread that looks for it knows.
        var isWoken = false
        /// Messages to be taken back, and who waits for it.
        var forgets: [(hashes: [ItemHash], done: @Sendable (AlephError?) -> Void)] = []
        var forgetDue: ContinuousClock.Instant?
        /// Batches of them that are on their way.
        var forgetsSent = 0
        /// Messages that are being made and handed over, also for names that are gone since.
        var sending = 0
        /// Names of those of them that are long to send.
        var long: Set<UInt64> = []
        /// Parts of large files that are being stored, and taken back.
        var parts = AlephParts()
        /// Parts that were taken back, and are to be looked for once more.
        var looks: [AlephPartsLook] = []
    }

    let state = Monitor(State())
    let records = Lock<Void>(())
    let staging: AlephStaging
    let account: AlephAccount
    let client: AlephClient
    let plan: StorePlan
    let receipts: AlephReceipts
    let pool = WorkerPool("cairn-alephput", threads: AlephMine.threadCount)
    let trouble: AlephTrouble
    let patterns = PadNames(patterns: PadNames.standard + ["*" + AlephMine.rejectedSuffix, ".*"])
    private let place = Lock<AlephMineSurroundings?>(nil)

    init(
        staging: AlephStaging, account: AlephAccount, client: AlephClient, plan: StorePlan,
        _ trouble: AlephTrouble
    ) {
        self.staging = staging
        self.account = account
        self.client = client
        self.plan = plan
        self.trouble = trouble
        receipts = AlephReceipts(client)
    }

    /// Where it is; nil before the beginning.
    var surroundings: AlephMineSurroundings? { place.withLock { $0 } }

    /// Goes on with what an earlier process left.
    func begin(resumes: Bool, _ surroundings: AlephMineSurroundings) {
        place.withLock { $0 = surroundings }
        guard resumes else { return }
        do throws(SystemError) {
            for record in try staging.recover() { try resume(record) }
        } catch {
            trouble.report("what an earlier mount left to publish cannot be read: \(error)")
        }
        wake()
    }

    private func resume(_ record: AlephRecord) throws(SystemError) {
        var own = AlephOwn(record: record)
        if let body = record.body {
            guard let staged = try staging.open(body) else {
                // A name without bytes would be listed, and not be there.
                return staging.remove(record)
            }
            own.staged = staged
            own.isDirty = true
            if record.size != staged.size {
                trouble.report(
                    "a file in me/\(record.part.rawValue) was not whole when the last mount ended,"
                        + " and is kept here: save it again, or remove it")
                own.failure = .inputOutput
                own.failureText = "its writer did not finish"
            }
        }
        let isLocal = isLocal(record.name)
        if own.failure == nil, !isLocal, own.isDirty || record.isGone || record.isRetold {
            own.due = .now
        }
        let resumed = own
        state.withLock { state in
            state.owns[record.number] = resumed
            state.names[resumed.name] = record.number
        }
    }

    /// Ends it: what is not published goes on at the next start.
    func stop() {
        state.update { $0.isEnded = true }
        receipts.stop()
        pool.stop(until: .now)
    }

    /// Whether a name is an editor's own, or a file manager's.
    func isLocal(_ name: String) -> Bool { patterns.isTemporary(Array(name.utf8)) }

    /// Whether a directory takes a name.
    func takes(_ name: String, in part: AlephPath.Part) -> Bool {
        if isLocal(name) { return true }
        switch part {
        case .posts: return name.hasSuffix(".json") && name.utf8.count > 5
        case .files: return AlephName.text(of: name) != nil
        case .aggregates:
            let key = AlephName.text(of: name, suffix: ".json")
            return key.map { !$0.hasPrefix(AlephEntry.hiddenKeyStart) } ?? false
        }
    }

    // MARK: Looking

    /// A changed name; nil if the network's own counts.
    func own(_ name: AlephOwnName) -> AlephOwn? {
        state.withLock { state in state.names[name].flatMap { state.owns[$0] } }
    }

    /// The changed names of a directory, with their numbers, which only grow.
    func names(in part: AlephPath.Part) -> [(number: UInt64, own: AlephOwn)] {
        state.withLock { state in
            state.names.filter { $0.key.part == part }.compactMap { entry in
                state.owns[entry.value].map { (entry.value, $0) }
            }
        }.sorted { $0.0 < $1.0 }
    }

    /// The bytes that a changed name shows; nil where the network's count.
    func content(_ own: AlephOwn) -> (any ForeignContent)? {
        if let staged = own.staged { return AlephStagedContent(staged: staged) }
        return own.view.map { AlephText(bytes: $0, keepsCache: true) }
    }

    /// What it is, for `user.aleph.status`; nil where the network's counts.
    static func status(_ own: AlephOwn, isLocal: Bool) -> String? {
        if own.failure != nil { return "refused: \(own.failureText)" }
        if isLocal { return "local" }
        if own.isPublishing { return "publishing" }
        return own.isDirty || own.record.isRetold ? "waiting" : nil
    }

    // MARK: The thread that finds what is due

    /// Looks anew, and starts the thread that does so.
    func wake() {
        let starts = state.update { state -> Bool in
            state.isWoken = true
            guard !state.isRunning, !state.isEnded else { return false }
            state.isRunning = true
            return true
        }
        if starts {
            WorkerPool.startThread("cairn-alephdue") { [weak self] in
                while let self, self.step() {}
            }
        }
    }

    /// When to look for what is due, if nobody wakes who does.
    private static func nextLook(
        _ state: State, _ now: ContinuousClock.Instant
    ) -> ContinuousClock.Instant {
        var next = state.forgetDue ?? now + longestSleep
        for look in state.looks { next = min(next, look.due) }
        // The end of what is being published wakes for what came meanwhile.
        for own in state.owns.values where !own.isPublishing {
            if let due = own.due { next = min(next, due) }
        }
        return min(max(next, now + look), now + longestSleep)
    }

    private func step() -> Bool {
        let now = ContinuousClock.now
        let work = state.withLock {
            state -> (ready: [UInt64], forgets: Bool, looks: [AlephPartsLook])? in
            if state.isEnded { return nil }
            state.isWoken = false
            let looks = state.looks.filter { $0.due <= now }
            state.looks.removeAll { $0.due <= now }
            let due = state.owns.filter { entry in
                !entry.value.isPublishing && entry.value.due.map { $0 <= now } ?? false
            }.keys.sorted()
            var ready: [UInt64] = []
            for number in due {
                if state.owns[number]?.isLong == true {
                    // It stays due.
                    guard state.long.count < AlephMine.longLimit else { continue }
                    state.long.insert(number)
                }
                state.owns[number]?.isPublishing = true
                state.owns[number]?.noteSent()
                state.owns[number]?.due = nil
                ready.append(number)
            }
            let forgets = state.forgetDue.map { $0 <= now } ?? false
            if forgets { state.forgetDue = nil }
            return (ready, forgets, looks)
        }
        guard let work else { return false }
        for number in work.ready { pool.submit { [self] in publish(number) } }
        if work.forgets { pool.submit { [self] in publishForgets() } }
        for look in work.looks { pool.submit { [self] in keepOthers(look) } }
        return sleep(since: now)
    }

    /// Until something is due, or may be; false at the end.
    private func sleep(since last: ContinuousClock.Instant) -> Bool {
        // Who saves many files wakes for each.
        let rest = last + AlephMine.look - .now
        if state.wait(atMost: rest, { $0.isEnded ? true : nil }) != nil { return false }
        let next = state.withLock { AlephMine.nextLook($0, .now) }
        _ = state.wait(atMost: next - .now) { $0.isEnded || $0.isWoken ? true : nil }
        return true
    }
}

/// Bytes of a changed file, for who only reads.
struct AlephStagedContent: ForeignContent {
    let staged: AlephStaged
    /// Others write it.
    var keepsCache: Bool? { nil }

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        try staged.shown(at: offset, into: &out)
    }
}
