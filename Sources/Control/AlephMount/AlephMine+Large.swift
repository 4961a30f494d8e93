// SPDX-License-Identifier: Apache-2.0
//
// Files in `me/files/` that are larger than a node takes: stored in parts, and taken back with
// them.

import Aleph
import AlephProtocol
import Engine
import JSON
import Threading

extension AlephMine {
    /// Stores a file in parts, and hands over its manifest.
    ///
    /// Takes as long as its bytes take; parts that arrived before it was interrupted are not sent
    /// again.
    ///
    /// - Parameter source: nil if only what is said of the file is another.
    func storeLarge(
        _ job: inout Job, _ source: AlephSource?, _ standing: AlephEntry?
    ) throws(AlephError) -> SignedMessage {
        let record = job.own.record
        let user = staging.number()
        job.partsUser = user
        let isKept: @Sendable (ItemHash) -> Bool = { [self] part in
            state.withLock { $0.parts.use(part, by: user) }
        }
        let manifest: LargeFileManifest
        do throws(AlephError) {
            if let source {
                var large = LargeFilePlan(name: manifestName(record), plan: plan)
                large.isKept = isKept
                large.stored = { [self] part, message in
                    state.withLock { $0.owns[record.number]?.strays[part] = message }
                }
                manifest = try client.storeParts(of: source, large, by: account)
            } else {
                manifest = try self.manifest(standing?.message)
                for part in manifest.parts { _ = isKept(part) }
            }
            let draft = MessageDraft.post(
                type: LargeFileManifest.postType,
                content: manifest.content(
                    tags: record.tags ?? standing?.tags ?? [],
                    metadata: metadata(record, standing, size: manifest.size)))
            let signed = try sign(draft, after: standing?.time)
            note(signed, job.own)
            try client.submitContent(signed)
            _ = try client.submit(signed.envelope)
            return signed
        } catch {
            release(job)
            throw error
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
    /// What cannot be taken back now is said, and stays: it is found by its tag.
    func takeBackStrays(of own: AlephOwn) {
        let strays = own.strays
        if strays.isEmpty { return }
        state.update { $0.forgetsSent += 1 }
        let isQueued = pool.submit { [self] in
            defer { state.update { $0.forgetsSent -= 1 } }
            let tell: @Sendable (AlephError?) -> Void = { [weak self] error in
                guard let error else { return }
                self?.trouble.report("parts of a file that was given up are kept on: \(error)")
            }
            do throws(AlephError) {
                var parts = Set(strays.keys)
                for manifest in try client.manifests(of: account.address).values {
                    parts.subtract(manifest.parts)
                }
                let wanted = parts
                let free = state.update { $0.parts.retire(wanted) }
                forget(free.compactMap { strays[$0] }) { [weak self] error in
                    self?.state.update { $0.parts.retired(free) }
                    tell(error)
                }
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
        let parts = try retire(manifests)
        let messages: [ItemHash]
        do throws(AlephError) {
            messages = try client.messages(keeping: parts, of: account.address)
        } catch {
            state.update { $0.parts.retired(parts) }
            throw error
        }
        // The manifests last: who is interrupted finds by them what is left.
        forget(messages + hashes) { [weak self] error in
            self?.state.update { $0.parts.retired(parts) }
            done(error)
        }
    }

    /// The parts of these manifests that no other of the account's has.
    private func retire(_ manifests: [ItemHash]) throws(AlephError) -> Set<ItemHash> {
        var all = try client.manifests(of: account.address)
        // What a node leaves out of its list may have been listed here before.
        for hash in surroundings?.manifests() ?? [] where all[hash] == nil {
            do throws(AlephError) {
                all[hash] = try manifest(hash)
            } catch .notFound {
                continue
            }
        }
        var parts: Set<ItemHash> = []
        for hash in manifests { parts.formUnion(all[hash]?.parts ?? []) }
        for (hash, manifest) in all where !manifests.contains(hash) {
            parts.subtract(manifest.parts)
        }
        let wanted = parts
        return state.update { $0.parts.retire(wanted) }
    }
}
