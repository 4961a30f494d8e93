// SPDX-License-Identifier: Apache-2.0
//
// Packs are merged, thinned out and taken back, after a `sync` has what it came for. Whatever fails
// here is done by a later `sync`, from what stands by then.
//
// Invariants:
// - A pack is taken back only after every node has said of the packs that have its chunks that they
//   are processed: what one node says so of may be a pack that nobody else has. Until then nothing
//   more is merged.
// - Of several packs with a chunk the newest has it, by an order that all machines have alike, so
//   that two that tidy up at once never take back the last one.

internal import Aleph
internal import AlephProtocol
internal import Primitives
internal import Stores
internal import Threading

extension AlephChunks {
    /// Does what is worth doing about the packs that stand.
    func tidyUp() {
        let isFirst = state.withLock { state in
            defer { state.isTidying = true }
            return !state.isTidying
        }
        guard isFirst else { return }
        defer { state.withLock { $0.isTidying = false } }
        do throws(AlephError) {
            try thinOut()
            let plan = state.withLock { state in
                RepackPlan(state.index.packs.values, packSize: state.packSize)
            }
            try takeBack(plan.dead)
            try merge(plan.merge)
        } catch {
            // The chunks are safe without it, and nobody waits for it: the next `sync` plans anew.
            return
        }
    }

    /// Writes the lists of packs anew of which chunks were deleted.
    private func thinOut() throws(AlephError) {
        let (deleted, packs) = state.withLock { state -> (Set<Digest>, [Pack]) in
            var messages: Set<ItemHash> = []
            for digest in state.deleted {
                if let found = state.index.find(digest) { messages.insert(found.pack.message) }
            }
            return (
                state.deleted, messages.compactMap { state.index.standing($0)?.pack }
            )
        }
        for pack in packs {
            // What another pack has, that one keeps: also where it was written by a try before.
            let rest = state.withLock { state in
                pack.directory.without { digest in
                    deleted.contains(digest)
                        || state.index.find(digest)?.pack.message != pack.message
                }
            }
            if rest.entries.contains(where: { $0.digest != nil }) {
                let signed = try network.client.signStore(
                    of: pack.file, rest.draft(pack.file), plan: network.plan,
                    by: network.account, after: pack.time)
                try network.client.publish(signed.envelope)
                let thinned = try self.pack(signed, rest)
                state.withLock { $0.index.add(thinned) }
            }
            try takeBack([pack.message])
        }
        // Older copies of a chunk are dead with it, and go with their packs.
        state.withLock { state in
            state.deleted = state.deleted.filter { state.isPacked($0) }
        }
    }

    /// Makes one pack of several.
    private func merge(_ messages: [ItemHash]) throws(AlephError) {
        guard !messages.isEmpty else { return }
        var content = OpenPack()
        var newest = 0.0
        for message in messages {
            let (pack, live) = state.withLock { state in
                (state.index.standing(message)?.pack, state.index.live(message))
            }
            guard let pack else { return }
            let file: [UInt8]
            do {
                file = try self.file(of: pack)
            } catch {
                return
            }
            newest = max(newest, pack.time)
            for (digest, place) in live {
                let end = Int(place.offset) + Int(place.size)
                guard end <= file.count else { return }
                content.append(digest, Array(file[Int(place.offset)..<end]))
            }
        }
        guard !content.isEmpty else { return }
        let source = AlephSource(content.bytes)
        let signed = try sign(content.directory, source, after: newest)
        try network.client.deliver(
            source, with: signed, plan: network.plan, by: network.account)
        let merged = try pack(signed, content.directory)
        cache.insert(merged.file, content.bytes)
        state.withLock { $0.index.add(merged) }
        try takeBack(messages)
    }

    /// Has the network forget packs, and forgets them here.
    ///
    /// - Throws: `stillPending` if a node does not have what stands in their place: they stay.
    private func takeBack(_ messages: [ItemHash]) throws(AlephError) {
        var rest = messages[...]
        while !rest.isEmpty {
            let some = Array(rest.prefix(MessageDraft.maximumTargetCount))
            rest = rest.dropFirst(some.count)
            let heirs = state.withLock { state in
                some.reduce(into: Set()) { $0.formUnion(state.index.heirs(of: $1)) }
            }
            for heir in heirs { try network.requireEverywhere(heir) }
            do throws(AlephError) {
                try forget(some)
            } catch .rejected(let rejection) where rejection.isForgottenAlready {
                // Another machine was faster with one of them, and none of the others is gone.
                if some.count > 1 {
                    for message in some { try takeBack([message]) }
                }
            }
            state.withLock { $0.index.remove(Set(some)) }
        }
    }

    private func forget(_ messages: [ItemHash]) throws(AlephError) {
        _ = try network.client.publish(
            .forget(messages, reason: "packed anew"), by: network.account)
    }
}
