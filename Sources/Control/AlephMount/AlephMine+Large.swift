// SPDX-License-Identifier: Apache-2.0
//
// Files in `me/files/` that are larger than a node takes: stored in parts, and taken back with
// them.

import Aleph
import AlephProtocol
import Engine
import JSON
import Primitives
import Threading

/// Parts that were taken back, and are to be kept on if somebody has them.
struct AlephPartsLook: Sendable {
    /// The most that wait to be looked for again.
    static let limit = 1000
    /// How often it is tried: for about an hour.
    static let attemptLimit = 32

    let parts: Set<ItemHash>
    /// Manifests that count no more.
    let leaving: Set<ItemHash>
    /// How often it failed.
    private(set) var attempts = 0
    private(set) var due = ContinuousClock.now

    init(parts: Set<ItemHash>, leaving: Set<ItemHash>) {
        self.parts = parts
        self.leaving = leaving
    }

    /// The next attempt after this one failed; nil if it was the last.
    var next: AlephPartsLook? {
        guard attempts + 1 < AlephPartsLook.attemptLimit else { return nil }
        var next = self
        next.attempts += 1
        next.due = .now + AlephMine.wait(after: next.attempts)
        return next
    }
}

extension AlephMine {
    /// Time between two attempts at what follows a manifest, each of which waits by itself too.
    private static let insistPause = Duration.seconds(1)

    /// Stores a file in parts, and hands over its manifest.
    ///
    /// Takes as long as its bytes take; parts that arrived before it was interrupted are not sent
    /// again. Ends with `cancelled` after the part under way when the name has other bytes, or none
    /// any more.
    ///
    /// - Parameter source: nil if only what is said of the file is another.
    func storeLarge(
        _ job: inout Job, _ source: AlephSource?, _ standing: AlephEntry?
    ) throws(AlephError) -> SignedMessage {
        let (own, record) = (job.own, job.own.record)
        let tags = record.tags ?? standing?.tags ?? []
        // What nodes refuse in the manifest is refused before a part is paid.
        do throws(AlephProtocolError) {
            try MessageDraft.check(tags: [LargeFileManifest.tag] + tags)
        } catch {
            throw .invalid(error)
        }
        let user = staging.number()
        job.partsUser = user
        let strays = Lock(own.strays)
        defer { job.strays = strays.withLock { $0 } }
        let manifest: LargeFileManifest
        var stored: StoredParts?
        var large = LargeFilePlan(name: manifestName(record), plan: plan)
        large.isKept = { [self] part in state.withLock { $0.parts.use(part, by: user) } }
        large.stored = { [self] part, message in
            strays.withLock { $0[part] = message }
            state.withLock { $0.owns[record.number]?.strays[part] = message }
        }
        large.isWanted = { [self] in isWanted(own) }
        if let source {
            let parts = try client.storeParts(of: source, large, by: account)
            manifest = parts.manifest
            stored = parts
        } else {
            manifest = try self.manifest(standing?.message)
            state.withLock { state in
                for part in manifest.parts { _ = state.parts.use(part, by: user) }
            }
        }
        job.parts = Set(manifest.parts)
        let draft = MessageDraft.post(
            type: LargeFileManifest.postType,
            content: manifest.content(
                tags: tags, metadata: metadata(record, standing, size: manifest.size)))
        guard isWanted(own) else { throw .cancelled }
        let signed = try sign(draft, after: standing?.time)
        note(signed, own)
        try client.submitContent(signed)
        _ = try client.submit(signed.envelope)
        guard let source, var stored else { return signed }
        do throws(AlephError) {
            try insist(own) { () throws(AlephError) in
                try client.waitForProcessing(signed.envelope.itemHash)
            }
        } catch .notFound {
            throw .unreachable(reason: "the node lost the message")
        }
        // What is not wanted any more is taken back as a whole.
        try insist(own) { () throws(AlephError) in
            try client.restoreParts(&stored, of: source, large, by: account)
        }
        return signed
    }

    /// Does what follows a manifest, and again for as long as no node answers or is done with it:
    /// who began anew would publish another manifest.
    ///
    /// Ends without it once its name has other bytes, or none any more.
    private func insist(
        _ own: AlephOwn, _ body: () throws(AlephError) -> Void
    ) throws(AlephError) {
        while isWanted(own) {
            do throws(AlephError) {
                return try body()
            } catch {
                if error == .cancelled, !isWanted(own) { return }
                guard error.isTransient else { throw error }
            }
            guard client.time.sleep(AlephMine.insistPause) else { throw .cancelled }
        }
    }

    /// Whether what is being sent is what its name still has.
    private func isWanted(_ own: AlephOwn) -> Bool {
        state.withLock { state in
            guard !state.isEnded, let now = state.owns[own.record.number] else { return false }
            return now.generation == own.generation && now.record.name == own.record.name
        }
    }

    /// The name that a manifest has; nil for one that it cannot have, which is in its metadata.
    private func manifestName(_ record: AlephRecord) -> String? {
        let name = AlephName.text(of: record.name) ?? record.name
        return LargeFileManifest.isName(name) ? name : nil
    }

    private func manifest(_ hash: ItemHash?) throws(AlephError) -> LargeFileManifest {
        guard let hash, let surroundings else { throw .notFound }
        do throws(FileError) {
            return try surroundings.manifest(hash, Patience(for: AlephMine.syncTime))
        } catch .notFound {
            throw .notFound
        } catch {
            throw .unreachable(reason: "a large file's list of parts cannot be read")
        }
    }

    /// The parts that a job relied on are others' to take back again.
    func release(_ job: Job) {
        if let user = job.partsUser { state.update { $0.parts.release(user) } }
    }

    /// Takes parts back of which nobody will publish a manifest, but for those that others have.
    ///
    /// The caller has counted it in `forgetsSent`, in the step that made them strays. What cannot
    /// be taken back now is said, and stays: it is found by its tag.
    ///
    /// - Parameter strays: with the messages that keep them; nothing is done, and nothing was
    ///   counted, for none.
    func takeBack(strays: [ItemHash: ItemHash]) {
        if strays.isEmpty { return }
        let isQueued = pool.submit { [self] in
            defer { state.update { $0.forgetsSent -= 1 } }
            let tell: @Sendable (AlephError?) -> Void = { [weak self] error in
                guard let error else { return }
                self?.trouble.report("parts of a file that was given up are kept on: \(error)")
            }
            do throws(AlephError) {
                let free = try retire(Set(strays.keys), leaving: [])
                forget(free.compactMap { strays[$0] }, parts: free, leaving: [], tell)
            } catch {
                tell(error)
            }
        }
        if !isQueued { state.update { $0.forgetsSent -= 1 } }
    }

    // MARK: Taking back

    /// Takes manifests back with the parts that no other file has, and other messages with them.
    ///
    /// Asks the network: on a thread that may wait.
    func forget(
        _ hashes: [ItemHash], manifests: [ItemHash],
        _ done: @escaping @Sendable (AlephError?) -> Void
    ) throws(AlephError) {
        guard !manifests.isEmpty else { return forget(hashes, done) }
        var wanted: Set<ItemHash> = []
        for hash in manifests {
            if let parts = try parts(of: hash) {
                wanted.formUnion(parts)
            } else {
                trouble.report("a large file's list of parts cannot be read: they are kept on")
            }
        }
        // Before they are set aside: who stores one anew from then on signs later than this.
        let time = client.clock.next()
        let parts = try retire(wanted, leaving: manifests)
        let messages: [ItemHash]
        do throws(AlephError) {
            messages = try client.messages(keeping: parts, of: account.address, before: time)
        } catch {
            state.update { $0.parts.retired(parts) }
            throw error
        }
        // The manifests last: who is interrupted finds by them what is left.
        forget(messages + hashes, parts: parts, leaving: manifests, done)
    }

    /// Takes messages back that keep parts which were set aside, and then looks who else has these.
    ///
    /// - Parameter leaving: manifests that count no more.
    private func forget(
        _ messages: [ItemHash], parts: Set<ItemHash>, leaving manifests: [ItemHash],
        _ done: @escaping @Sendable (AlephError?) -> Void
    ) {
        // Who waits for all to be taken back waits for the look, too.
        state.update { $0.forgetsSent += 1 }
        forget(messages) { [weak self] error in
            guard let self else { return done(error) }
            let end: @Sendable () -> Void = { [self] in
                state.update { state in
                    state.parts.retired(parts)
                    state.forgetsSent -= 1
                }
                done(error)
            }
            if error != nil || parts.isEmpty { return end() }
            let isQueued = pool.submit { [self] in
                keepOthers(AlephPartsLook(parts: parts, leaving: Set(manifests)))
                end()
            }
            if !isQueued { end() }
        }
    }

    /// Keeps parts on that were just taken back, and that a manifest names which was published
    /// meanwhile: by a command beside this mount, or on another machine.
    ///
    /// Where no node tells, it is tried again while this is mounted: the bytes are there for a day.
    func keepOthers(_ look: AlephPartsLook) {
        do throws(AlephError) {
            let listed = try client.manifests(of: account.address)
            var named: Set<ItemHash> = []
            for (hash, others) in listed.parts where !look.leaving.contains(hash) {
                named.formUnion(others)
            }
            try client.keepParts(look.parts.intersection(named), plan: plan, by: account)
        } catch {
            if error == .cancelled { return }
            let isAgain = state.withLock { state in
                guard let next = look.next, state.looks.count < AlephPartsLook.limit else {
                    return false
                }
                state.looks.append(next)
                return true
            }
            if isAgain, look.attempts > 0 { return wake() }
            trouble.report(
                "parts were taken back, and whether another file that was stored meanwhile has"
                    + " them cannot be seen to"
                    + (isAgain ? " yet; it is tried again" : "; storing that again mends it")
                    + ": \(error)")
            wake()
        }
    }

    /// Sets parts aside to be taken back, but for those that another manifest of the account names,
    /// or that somebody here is storing.
    ///
    /// They are set aside first and looked for then: who publishes a manifest between the two has
    /// stored its parts anew.
    ///
    /// - Parameter leaving: manifests that count no more.
    /// - Returns: those that may be taken back, until the caller says `retired`.
    private func retire(
        _ parts: Set<ItemHash>, leaving: [ItemHash]
    ) throws(AlephError) -> Set<ItemHash> {
        let free = state.update { $0.parts.retire(parts) }
        do throws(AlephError) {
            let named = try named(among: free, leaving: leaving)
            state.update { $0.parts.retired(named) }
            return free.subtracting(named)
        } catch {
            state.update { $0.parts.retired(free) }
            throw error
        }
    }

    /// Those of `parts` that a manifest of the account names; all of them if there is one that
    /// nobody can read.
    private func named(
        among parts: Set<ItemHash>, leaving: [ItemHash]
    ) throws(AlephError) -> Set<ItemHash> {
        guard !parts.isEmpty else { return [] }
        let listed = try client.manifests(of: account.address)
        var named: Set<ItemHash> = []
        for (hash, parts) in listed.parts where !leaving.contains(hash) { named.formUnion(parts) }
        var isSure = listed.uncheckedCount == 0
        // What a node leaves out of its list may have been listed here before.
        for hash in surroundings?.manifests() ?? []
        where listed.parts[hash] == nil && !leaving.contains(hash) {
            if let parts = try self.parts(of: hash) {
                named.formUnion(parts)
            } else {
                isSure = false
            }
        }
        guard isSure else {
            trouble.report(
                "one of the account's large files has a list of parts that cannot be checked: no"
                    + " parts are taken back, and they cost on")
            return parts
        }
        return parts.intersection(named)
    }

    /// The parts that a manifest names, none if it is gone; nil if nobody can read it.
    ///
    /// - Throws: what may pass.
    private func parts(of manifest: ItemHash) throws(AlephError) -> Set<ItemHash>? {
        do throws(AlephError) {
            return LargeFileManifests.parts(of: try client.processedMessage(manifest))
        } catch .notFound, .forgotten, .rejected {
            return []
        } catch {
            if error.isTransient || error == .cancelled { throw error }
            return nil
        }
    }
}
