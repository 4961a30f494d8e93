// SPDX-License-Identifier: Apache-2.0
//
// What the network is told of changed names: a message for each, handed over by several threads,
// and awaited by one.

import Aleph
import AlephProtocol
import Engine
import JSON
import Namespace
import Primitives
import Threading

extension AlephMine {
    /// The type of the posts that files in `me/posts/` become.
    static let postType = "cairn-post"
    /// The first wait before what failed is tried again; it doubles.
    private static let firstWait = Duration.seconds(2)
    /// The longest such wait.
    private static let longestWait = Duration.seconds(120)
    /// How long messages that are to be taken back are gathered: one message takes back many.
    static let forgetDelay = Duration.milliseconds(500)

    /// What one name is to become.
    struct Job: Sendable {
        let own: AlephOwn
        /// Messages that are replaced, and are taken back after it.
        var older: [ItemHash] = []
        /// Those of them that are manifests of large files.
        var olderManifests: [ItemHash] = []
        /// Who has parts in use for it.
        var partsUser: UInt64?
        /// The parts of the manifest that was made of it.
        var parts: Set<ItemHash> = []
        /// Parts that were stored for it, and the messages that keep them: its name may be gone
        /// when it ends.
        var strays: [ItemHash: ItemHash] = [:]
        /// The file that its bytes are.
        var file: ItemHash?
        /// What an aggregate or a post says.
        var text: [UInt8]?
    }

    /// Tells the network of one name. On a thread of the pool.
    func publish(_ number: UInt64) {
        state.update { $0.sending += 1 }
        defer {
            state.update { state in
                state.sending -= 1
                state.long.remove(number)
            }
        }
        let found = state.withLock { state -> AlephOwn? in
            state.owns[number]?.noteSent()
            return state.owns[number]
        }
        guard let own = found else { return }
        var job = Job(own: own)
        do throws(AlephError) {
            if own.record.isGone { return try takeBack(job) }
            guard let signed = try handOver(&job) else { return finished(job, .success(nil)) }
            let handed = job
            receipts.wait(for: signed) { [weak self] outcome in
                self?.finished(handed, outcome.map { $0 })
            }
        } catch {
            finished(job, .failure(error))
        }
    }

    /// Signs the message and gives it to a node; nil if there is nothing to say.
    private func handOver(_ job: inout Job) throws(AlephError) -> SignedMessage? {
        let own = job.own
        if let signed = try resent(own) { return signed }
        switch own.record.part {
        case .files: return try store(&job)
        case .posts, .aggregates:
            guard let staged = own.staged, let bytes = staged.bytes(limit: AlephMine.textLimit)
            else { throw .sourceFailed }
            job.text = bytes
            // It was looked at when it was closed, but may have been written since.
            guard let value = try? JSONValue(parsing: bytes) else { throw .sourceFailed }
            let entry = try network(own)
            let draft: MessageDraft
            if own.record.part == .posts {
                draft =
                    own.record.target.map { .amend(original: $0, content: value) }
                    ?? .post(type: AlephMine.postType, content: value)
            } else {
                guard let wanted = value.object,
                    let key = AlephName.text(of: own.record.name, suffix: ".json")
                else { throw .sourceFailed }
                let changes = AggregateValue.changes(
                    from: own.record.base ?? JSONObject(), to: wanted)
                if changes.isEmpty { return nil }
                draft = .aggregate(key: key, content: changes)
            }
            let signed = try sign(draft, after: entry?.time)
            note(signed, own)
            try client.submitContent(signed)
            _ = try client.submit(signed.envelope)
            return signed
        }
    }

    /// The message of an earlier attempt, if a node has it or takes it again.
    private func resent(_ own: AlephOwn) throws(AlephError) -> SignedMessage? {
        // A content that travelled beside its message may be gone: that one is signed anew.
        guard let envelope = own.record.envelope, envelope.itemType == .inline,
            own.record.part != .files, let text = envelope.itemContent
        else { return nil }
        _ = try client.submit(envelope)
        return SignedMessage(envelope: envelope, content: Array(text.utf8))
    }

    func sign(
        _ draft: MessageDraft, after floor: Double?, isAlwaysInline: Bool = false
    ) throws(AlephError) -> SignedMessage {
        do throws(AlephProtocolError) {
            return try account.sign(
                draft, time: client.clock.next(after: floor), channel: client.channel,
                isAlwaysInline: isAlwaysInline)
        } catch {
            throw .invalid(error)
        }
    }

    func note(_ signed: SignedMessage, _ own: AlephOwn) {
        state.withLock { $0.owns[own.record.number]?.record.envelope = signed.envelope }
        keep(own.record.number)
    }

    /// What the network has of a name.
    func network(_ own: AlephOwn) throws(AlephError) -> AlephEntry? {
        do throws(FileError) {
            return try entry(
                own.name, own.record.target, Patience(for: AlephMine.syncTime))
        } catch {
            throw .unreachable(reason: "what the network has of it cannot be read")
        }
    }

    // MARK: Files

    private func store(_ job: inout Job) throws(AlephError) -> SignedMessage {
        let own = job.own
        let standing = try network(own)
        job.older = standing?.sources ?? []
        job.olderManifests = standing?.manifests ?? []
        let source = own.isDirty ? own.staged?.source : nil
        let file: ItemHash
        if source == nil, standing?.largeSize != nil {
            return try storeLarge(&job, nil, standing)
        }
        if let source {
            if source.size > (try client.limit(of: plan)) {
                return try storeLarge(&job, source, standing)
            }
            file = try AlephClient.name(of: source, engine: plan.engine)
        } else {
            // The bytes are there; what is said of them is another.
            guard let known = standing?.file else { throw .notFound }
            file = known
        }
        job.file = file
        var draft = StoreDraft(file: file, payment: plan.payment)
        draft.tags = own.record.tags ?? standing?.tags ?? []
        draft.metadata = metadata(own.record, standing, size: source?.size ?? standing?.statedSize)
        let signed = try sign(.store(draft), after: standing?.time, isAlwaysInline: true)
        note(signed, own)
        if let source {
            _ = try client.submit(source, as: file, signed.envelope, plan: plan, by: account)
        } else {
            _ = try client.submit(signed.envelope)
        }
        return signed
    }

    /// What is said of a file: the user's own fields, and those that show it as it was here.
    func metadata(
        _ record: AlephRecord, _ standing: AlephEntry?, size: Int?
    ) -> JSONObject {
        var fields = record.metadata ?? standing?.metadata ?? JSONObject()
        let name = AlephName.text(of: record.name) ?? record.name
        fields[AlephEntry.Field.name] = .string(name)
        fields[AlephEntry.Field.mimeType] = .string(MimeType.of(name))
        fields[AlephEntry.Field.mode] = .number(JSONNumber(Int(record.mode)))
        let seconds =
            Double(record.modified.seconds) + Double(record.modified.nanoseconds) / 1e9
        fields[AlephEntry.Field.modified] = .number(JSONNumber(seconds))
        if let size { fields[AlephEntry.Field.size] = .number(JSONNumber(size)) }
        return fields
    }

    // MARK: The end

    /// A name's message was processed, or will not be.
    func finished(_ job: Job, _ outcome: Result<VerifiedMessage?, AlephError>) {
        switch outcome {
        case .success(let message): succeeded(job, message)
        case .failure(let error): failed(job, error)
        }
        removeSent(job)
        // What was to wait for it may be due.
        wake()
    }

    private func succeeded(_ job: Job, _ message: VerifiedMessage?) {
        // The network's part first: a name never shows less than before.
        if let message { surroundings?.published(message) }
        let number = job.own.record.number
        forgetOlder(job, but: message?.itemHash)
        let end = state.update { state -> (own: AlephOwn, isDone: Bool)? in
            guard var own = state.owns[number] else { return nil }
            own.isPublishing = false
            own.told = job.own.generation
            own.attempts = 0
            own.failure = nil
            // A manifest keeps them now; what is left of other bytes goes with the record.
            if message != nil { own.strays = own.strays.filter { !job.parts.contains($0.key) } }
            own.record.envelope = nil
            let isSame =
                own.generation == job.own.generation && own.record.name == job.own.record.name
            if own.record.part == .posts, own.record.target == nil, let message {
                own.record.target = message.itemHash
            }
            if own.record.part == .aggregates, let text = job.text {
                // What comes next changes what was published now.
                own.record.base = try? JSONValue(parsing: text).object
            }
            if isSame {
                own.isDirty = false
                // Whole, for a start after a crash, though somebody may have it open.
                own.record.size = own.staged?.size
                own.published = job.file
                own.good = nil
                own.record.isRetold = false
                own.record.tags = nil
                own.record.metadata = nil
            } else if own.due == nil, own.record.isGone || isReady(own) || own.record.isRetold {
                own.due = .now + AlephMine.delay
            }
            state.owns[number] = own
            return (own, isSame)
        }
        if let message, isNobodys(job, message, end?.own) {
            var nobodys = Job(own: job.own)
            nobodys.older = [message.itemHash]
            if job.partsUser != nil { nobodys.olderManifests = nobodys.older }
            release(job)
            forgetOlder(nobodys, but: nil)
        }
        guard let end else { return }
        guard end.isDone, end.own.writers == 0 else { return keep(number) }
        settle(end.own, text: job.text, file: job.file)
    }

    /// Whether what a job published is of no name any more.
    private func isNobodys(_ job: Job, _ message: VerifiedMessage, _ end: AlephOwn?) -> Bool {
        // It has another name since: under the old one it is nobody's.
        if let end { return end.record.name != job.own.record.name }
        // Something else took its name, and is published as if this had not been. Not so an
        // aggregate: what came may hold keys that this brought, and does not tell them again.
        switch job.own.record.part {
        case .aggregates: return false
        case .files: return true
        case .posts:
            // A text that was set aside leaves its name to what was published last.
            guard let next = own(job.own.name) else { return false }
            return next.record.target != message.itemHash
                && (next.staged != nil || job.own.record.target == nil)
        }
    }

    /// Takes back what a job replaced, on a thread that may ask the network what that takes.
    private func forgetOlder(_ job: Job, but newest: ItemHash?) {
        let older = job.older.filter { $0 != newest }
        let manifests = job.olderManifests.filter { $0 != newest }
        guard !older.isEmpty else { return release(job) }
        let tell: @Sendable (AlephError?) -> Void = { [weak self] error in
            guard let error else { return }
            self?.trouble.report("an older version of a file is kept on: \(error)")
        }
        guard !manifests.isEmpty else {
            release(job)
            return forget(older, tell)
        }
        state.update { $0.forgetsSent += 1 }
        let isQueued = pool.submit { [self] in
            do throws(AlephError) {
                try forget(older, manifests: manifests, tell)
            } catch {
                tell(error)
            }
            release(job)
            state.update { $0.forgetsSent -= 1 }
        }
        if !isQueued { state.update { $0.forgetsSent -= 1 } }
    }

    /// What is left of a name that the network has.
    ///
    /// Does nothing for one that somebody opened meanwhile: who closes it does it again.
    ///
    /// - Parameters:
    ///   - text: what a post or aggregate has here.
    ///   - file: the stored file that the bytes here are; nil if that is not known.
    func settle(_ own: AlephOwn, text: [UInt8]?, file: ItemHash?) {
        guard !own.record.isGone, own.record.part != .files else {
            guard forgetOwn(own, keepsBody: file != nil, ifIdle: true) else { return }
            if let staged = own.staged, let file { surroundings?.adopt(staged.path, file) }
            if !own.record.isGone { surroundings?.changed(own.name) }
            return
        }
        // Shown as it was written, as long as nobody else changes it.
        var kept = own
        kept.staged = nil
        kept.record.body = nil
        let room = AlephMine.viewLimit - state.withLock { $0.viewBytes }
        if let text, text.count <= room { kept.view = text }
        let isNamed =
            own.record.part == .posts && own.record.target.map { "\($0).json" } != own.record.name
        if kept.view == nil && !isNamed {
            if forgetOwn(own, keepsBody: false, ifIdle: true) { surroundings?.changed(own.name) }
            return
        }
        do throws(FileError) {
            guard try insert(kept, ifIdle: true) else { return keep(own.record.number) }
            if let body = own.record.body { staging.removeBody(body) }
            if kept.view == nil { surroundings?.changed(own.name) }
        } catch {
            // The bytes stay, and are published anew by the next start: as nothing, for nothing
            // changed.
            return
        }
    }

    private func failed(_ job: Job, _ error: AlephError) {
        release(job)
        let number = job.own.record.number
        let isPassing = error.isTransient || error.isOfOneNode || error == .cancelled
        let end = state.update { state -> (isThere: Bool, strays: [ItemHash: ItemHash]) in
            var strays: [ItemHash: ItemHash] = [:]
            // Counted in the step after which nobody else knows of them.
            defer { if !strays.isEmpty { state.forgetsSent += 1 } }
            guard var own = state.owns[number] else {
                strays = job.strays
                return (false, strays)
            }
            own.isPublishing = false
            let isSame = own.generation == job.own.generation
            // A message that was refused for good is not sent again as it is.
            if !isPassing { own.record.envelope = nil }
            if isPassing || !isSame {
                var wait = AlephMine.delay
                if error != .cancelled {
                    own.attempts += 1
                    wait = AlephMine.wait(after: own.attempts)
                }
                // Who has it open to write tells when it is closed, or waits for it.
                if own.record.isGone || own.record.isRetold || isReady(own) {
                    own.due = .now + wait
                }
            } else {
                own.record.envelope = nil
                own.failure = error.isQuota ? .quotaExceeded : AlephMine.reason(error)
                own.failureText = "\(error)"
                strays = own.strays
                own.strays = [:]
            }
            state.owns[number] = own
            return (true, strays)
        }
        if end.isThere { keep(number) }
        takeBack(strays: end.strays)
        // Who ended it knows why.
        if error != .cancelled { _ = trouble.writing(error) }
    }

    /// How long what failed so often waits before it is tried again; none at first.
    static func wait(after attempts: Int) -> Duration {
        guard attempts > 0 else { return .zero }
        return min(firstWait * (1 << min(attempts - 1, 6)), longestWait)
    }

    private static func reason(_ error: AlephError) -> FileError {
        switch error {
        case .tooLarge, .invalid(.contentTooLarge): .tooLarge
        case .invalid: .invalid
        default: .inputOutput
        }
    }
}
