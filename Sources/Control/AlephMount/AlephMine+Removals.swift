// SPDX-License-Identifier: Apache-2.0
//
// Messages that are taken back, many at once, and the waiting of those who want to know.

import Aleph
import AlephProtocol
import Engine
import JSON
import Namespace
import Primitives
import Threading

extension AlephMine {
    /// Takes back what the network has of a name that is gone.
    func takeBack(_ job: Job) throws(AlephError) {
        var sources: [ItemHash] = []
        let standing = try network(job.own)
        let tree = AlephTree(client, own: account.address)
        switch standing?.path {
        case .aggregate(let owner, let key)?:
            sources = try tree.elements(of: owner, key: key).flatMap { $0.sources }
        case .post?:
            // All that ever replaced it, of which what is kept here has the last.
            if let path = standing?.path { sources = try tree.file(path).sources }
        default: sources = standing?.sources ?? []
        }
        guard !sources.isEmpty else { return finished(job, .success(nil)) }
        try forget(sources, manifests: standing?.manifests ?? []) { [weak self] error in
            self?.finished(job, error.map { .failure($0) } ?? .success(nil))
        }
    }

    /// Takes messages back, together with others.
    func forget(_ hashes: [ItemHash], _ done: @escaping @Sendable (AlephError?) -> Void) {
        state.update { state in
            state.forgets.append((hashes, done))
            if state.forgetDue == nil { state.forgetDue = .now + AlephMine.forgetDelay }
        }
        wake()
    }

    /// Sends what was gathered. On a thread of the pool.
    func publishForgets() {
        let limit = MessageDraft.maximumTargetCount
        while true {
            let batch = state.withLock {
                state -> [(hashes: [ItemHash], done: @Sendable (AlephError?) -> Void)] in
                var count = 0
                let batch = state.forgets.prefix { item in
                    count += item.hashes.count
                    return count <= limit
                }
                state.forgets.removeFirst(batch.count)
                var taken = Array(batch)
                // One alone that is too long goes in several.
                if taken.isEmpty, !state.forgets.isEmpty { taken = [state.forgets.removeFirst()] }
                if !taken.isEmpty { state.forgetsSent += 1 }
                return taken
            }
            if batch.isEmpty { return }
            let hashes = batch.flatMap { $0.hashes }
            let tell: @Sendable (AlephError?) -> Void = { [weak self] error in
                for item in batch { item.done(error) }
                self?.state.update { $0.forgetsSent -= 1 }
            }
            sendForgets(hashes[...], tell)
        }
    }

    private func sendForgets(
        _ hashes: ArraySlice<ItemHash>, _ done: @escaping @Sendable (AlephError?) -> Void
    ) {
        let now = Array(hashes.prefix(MessageDraft.maximumTargetCount))
        let rest = hashes.dropFirst(now.count)
        if now.isEmpty { return done(nil) }
        do throws(AlephError) {
            let signed = try sign(.forget(now), after: nil)
            try client.submitContent(signed)
            _ = try client.submit(signed.envelope)
            receipts.wait(for: signed) { [weak self] outcome in
                switch outcome {
                case .success(let message):
                    self?.surroundings?.published(message)
                    guard !rest.isEmpty, let self else { return done(nil) }
                    pool.submit { [self] in sendForgets(rest, done) }
                case .failure(.rejected(let rejection)) where rejection.isForgottenAlready:
                    guard let self else { return done(.rejected(rejection)) }
                    pool.submit { [self] in sendLeft(now, rest, rejection, done) }
                case .failure(let error): done(error)
                }
            }
        } catch {
            done(error)
        }
    }

    /// Takes back what is left of messages of which somebody else took some back already, so that
    /// the network took none of the others back.
    ///
    /// Only what a node says is gone is so. A node that rejects it may just not have it yet: the
    /// rejection stands then, for what was believed to be gone would stay public.
    private func sendLeft(
        _ hashes: [ItemHash], _ rest: ArraySlice<ItemHash>, _ rejection: Rejection,
        _ done: @escaping @Sendable (AlephError?) -> Void
    ) {
        do throws(AlephError) {
            var left: [ItemHash] = []
            for start in stride(from: 0, to: hashes.count, by: AlephClient.receiptLimit) {
                let some = hashes[start...].prefix(AlephClient.receiptLimit)
                let standing = try client.processed(among: Array(some))
                for hash in some {
                    if !standing.contains(hash),
                        try client.isGone(hash, isUnknownGone: rejection.isForgotten)
                    {
                        continue
                    }
                    left.append(hash)
                }
            }
            // One that none of them is gone of would be rejected for ever.
            guard left.count < hashes.count else { return done(.rejected(rejection)) }
            try noteGone(Set(hashes).subtracting(left))
            sendForgets(left + rest, done)
        } catch {
            done(error)
        }
    }

    /// Has messages shown no more that somebody else took back: of the message that did it nobody
    /// may have heard here yet, so that one like it is made, and sent nowhere.
    private func noteGone(_ hashes: Set<ItemHash>) throws(AlephError) {
        let signed = try sign(.forget(Array(hashes)), after: nil)
        do throws(AlephProtocolError) {
            surroundings?.published(
                try VerifiedMessage(signed.envelope, content: signed.content))
        } catch {
            throw .untrue(error)
        }
    }

    // MARK: Waiting

    /// Returns when the network has what was written to a name.
    func synchronize(_ name: AlephOwnName, _ patience: Patience?) throws(FileError) {
        guard let own = own(name), !isLocal(name.name) else { return }
        guard own.isDirty || own.record.isRetold || own.isPending else { return }
        guard let patience else { throw .wouldBlock }
        let number = own.record.number
        try finish(number)
        if own.record.part != .files, own.staged?.size == 0, own.isDirty { return }
        state.update { state in
            state.owns[number]?.failure = nil
            if state.owns[number]?.isPublishing == false { state.owns[number]?.due = .now }
        }
        wake()
        let generation = state.withLock { $0.owns[number]?.generation } ?? 0
        let end = WaitClock.now + AlephMine.syncTime
        while true {
            var isDue = false
            let result = state.wait(atMost: AlephJobs.look) { state -> FileError?? in
                guard let own = state.owns[number] else { return .some(nil) }
                if let failure = own.failure { return .some(failure) }
                if let told = own.told, told >= generation, !own.record.isRetold {
                    return .some(nil)
                }
                if own.isDirty || own.record.isRetold || own.isPublishing {
                    // What failed, or was written since, is due at its close: who waits here may
                    // be the one who has it open.
                    if !own.isPublishing, own.due == nil {
                        state.owns[number]?.due = .now + AlephMine.wait(after: own.attempts)
                        isDue = true
                    }
                    return nil
                }
                return .some(nil)
            }
            if isDue { wake() }
            if let result {
                if let failure = result { throw failure }
                return
            }
            if patience.isInterrupted { throw .interrupted }
            if WaitClock.now >= end {
                trouble.report("the network has not processed a file yet; it goes on")
                throw .inputOutput
            }
        }
    }

    /// Names that the network does not have as they are here, or would not have.
    var pendingCount: Int {
        state.withLock { state in
            state.owns.values.count { $0.isUnpublished && !isLocal($0.record.name) }
        }
    }

    /// Has what waits go out now.
    ///
    /// - Parameter retrying: also what failed, what was refused for want of money, and what the
    ///   network would not take back, for it may not have had it yet.
    private func hurry(retrying: Bool) {
        state.update { state in
            for (number, own) in state.owns {
                let isRetried =
                    own.failure == .quotaExceeded || own.failure != nil && own.record.isGone
                if retrying, isRetried, !own.isPublishing {
                    var again = own
                    again.failure = nil
                    // Who has it open to write tells when it is closed.
                    guard own.record.isGone || own.record.isRetold || isReady(again) else {
                        continue
                    }
                    again.failureText = ""
                    again.attempts = 0
                    again.due = .now
                    state.owns[number] = again
                } else if own.due != nil, retrying || own.attempts == 0 {
                    state.owns[number]?.due = .now
                }
            }
            if state.forgetDue != nil { state.forgetDue = .now }
        }
    }

    /// Waits for all names; nil when nothing is left to be told. Of what the network would not have
    /// the sentence is noted again, for it is why, whatever else was noted since.
    ///
    /// - Parameter retrying: as `hurry`; only the first of several waits for one request, for each
    ///   may cost an upload.
    func flushAll(
        retrying: Bool = false, until deadline: WaitClock.Instant?
    ) -> FileError? {
        hurry(retrying: retrying)
        wake()
        while true {
            let result = state.wait(atMost: AlephJobs.look) { state -> AlephOwn?? in
                if state.isEnded { return .some(nil) }
                if state.owns.values.contains(where: { $0.isPending }) { return nil }
                if state.sending > 0 { return nil }
                let isForgetting = state.forgetDue != nil || state.forgetsSent > 0
                if isForgetting || !state.forgets.isEmpty { return nil }
                let refused = state.owns.filter { $0.value.failure != nil }
                return .some(refused.min { $0.key < $1.key }?.value)
            }
            if let result {
                if let text = result?.failureText, !text.isEmpty { trouble.report(text) }
                return result?.failure
            }
            if let deadline, WaitClock.now >= deadline { return .wouldBlock }
        }
    }
}
