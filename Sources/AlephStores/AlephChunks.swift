// SPDX-License-Identifier: Apache-2.0
//
// Chunks on Aleph Cloud, packed into files. A chunk that was put waits in the open pack, in memory;
// a full pack, and at `sync` any, becomes a file with its STORE message, which lists what is in it.
// These messages are the index: whoever lists the account's has all of it.
//
// A pack is: open; sealed (waiting, or busy with a thread that stores it); standing (its message is
// processed, and it is in the index).
//
// Invariants:
// - `sync` returns only after every pack with a chunk that was put before is standing.
// - A sealed pack stays until it is standing: a failed `sync` is followed by one that tries again,
//   with the same message where that may have arrived.
// - No bytes leave `get` that the digest does not name.
// - A pack is taken back only when each of its chunks is in a newer one that is standing, or was
//   deleted.
//
// Locks: `refreshing`, then `state`; nothing is asked of a node while `state` is held.

internal import Aleph
internal import AlephProtocol
internal import Cryptography
package import Primitives
package import Stores
internal import Threading

/// The network as a chunk store.
package final class AlephChunks: ListableChunkStore, StoppableStore {
    /// Sealed packs that may wait or be on their way; who would make one more stores one first.
    static let sealedLimit = 3
    /// For how long a list of all packs is good enough for `has`, and for how long a chunk that no
    /// node listed is taken for missing without another look.
    static let missingLifetime = Duration.seconds(5)
    /// Missing chunks that are remembered.
    static let missingLimit = 1024

    /// A pack on its way.
    struct Sealed {
        let id: UInt64
        let content: OpenPack
        var isBusy = false
        /// The message it was tried with.
        var signed: SignedMessage?
    }

    struct State {
        var index = PackIndex()
        var isLoaded = false
        var open = OpenPack()
        var sealed: [Sealed] = []
        var nextID: UInt64 = 0
        /// Chunks that were deleted, and lie in packs still.
        var deleted: Set<Digest> = []
        var missing: [Digest: ContinuousClock.Instant] = [:]
        /// Bytes of a full pack: what was asked for, as far as nodes take so much.
        var packSize = 0
        /// When the last list of all packs was begun that came to its end.
        var listedAt: ContinuousClock.Instant?
        /// Whether a thread tidies up: one is enough.
        var isTidying = false
    }

    let network: AlephNetwork
    let state: Monitor<State>
    let cache = PackCache()
    /// Held while nodes list packs: whoever waits looks again before it asks as well.
    private let refreshing = Monitor(false)
    private let wantedSize: Int

    /// Chunks of an account; nothing is asked yet.
    ///
    /// - Parameter packSize: bytes of a full pack, as far as nodes take so much.
    package init(_ network: AlephNetwork, packSize: Int) {
        self.network = network
        wantedSize = packSize
        state = Monitor(State())
    }

    /// Most of a call is waiting for the network.
    package var usefulConcurrency: Int { 8 }

    /// Ends what is under way.
    package func stop() {
        network.stop()
        state.wakeAll()
    }

    /// Puts a chunk into the open pack; when that is full, stores it first.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        guard bytes.count <= StoreLimits.maximumChunkSize else { throw .tooLarge }
        try loadIfNeeded()
        while true {
            let isTaken = try state.withLock { (state) throws(StoreError) -> Bool in
                if state.has(digest) {
                    state.deleted.remove(digest)
                    return true
                }
                guard !state.index.isFull else { throw .full }
                if !state.open.fits(bytes.count, size: state.packSize) {
                    guard state.sealed.count < Self.sealedLimit else { return false }
                    state.seal()
                }
                state.missing[digest] = nil
                state.deleted.remove(digest)
                state.open.append(digest, bytes)
                return true
            }
            guard isTaken else {
                try storeOne()
                continue
            }
            // A full pack goes now: what waits for `sync` is in memory only.
            if state.withLock({ state in state.sealed.contains { !$0.isBusy } }) { try storeOne() }
            return
        }
    }

    /// The chunk, verified; its pack is fetched whole.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try loadIfNeeded()
        var hasLooked = false
        while true {
            let found = state.withLock { $0.find(digest) }
            switch found {
            case .deleted: throw .missing(digest)
            case .here(let bytes): return try verified(bytes, digest)
            case .packed(let pack, let place):
                do throws(StoreError) {
                    let file = try file(of: pack)
                    let start = Int(place.offset)
                    let end = start + Int(place.size)
                    guard end <= file.count else { throw .missing(digest) }
                    return try verified(Array(file[start..<end]), digest)
                } catch .missing {
                    // Somebody else took the pack back, and has its chunks in another one.
                    guard !hasLooked else {
                        state.withLock { $0.index.remove([pack.message]) }
                        throw .missing(digest)
                    }
                }
            case .absent:
                guard !hasLooked, !isKnownMissing(digest) else { throw .missing(digest) }
            }
            hasLooked = true
            let wasAbsent = if case .absent = found { true } else { false }
            try look(for: digest, wasAbsent: wasAbsent)
        }
    }

    /// Those that are listed in a pack, or wait for one.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try loadIfNeeded()
        let known = state.withLock { state in digests.filter { state.has($0) } }
        let isFresh = state.withLock { state in
            state.listedAt.map { $0 + Self.missingLifetime > .now } ?? false
        }
        guard known.count < digests.count, !isFresh else { return Set(known) }
        // Other machines store as well.
        try refresh()
        return state.withLock { state in Set(digests.filter { state.has($0) }) }
    }

    /// Hands over each chunk.
    package func list(_ body: (Digest) -> Bool) throws(StoreError) {
        try refresh()
        let all = state.withLock { state in
            var all = Set(state.index.digests).union(state.open.digests)
            for sealed in state.sealed { all.formUnion(sealed.content.digests) }
            return all.subtracting(state.deleted)
        }
        for digest in all {
            guard body(digest) else { return }
        }
    }

    /// Forgets a chunk: at once here, and on the network with the next `sync`.
    package func delete(_ digest: Digest) throws(StoreError) {
        try loadIfNeeded()
        state.withLock { state in
            if state.has(digest) { state.deleted.insert(digest) }
        }
    }

    private func verified(_ bytes: [UInt8], _ digest: Digest) throws(StoreError) -> [UInt8] {
        let got = Digests.of(bytes, algorithm: digest.algorithm)
        guard got == digest else { throw .corrupt(wanted: digest, got: got) }
        return bytes
    }

    /// The bytes of a pack's file.
    ///
    /// - Throws: `missing` if all nodes say that there is no such file.
    func file(of pack: Pack) throws(StoreError) -> [UInt8] {
        try cache.file(pack.file) { () throws(StoreError) in
            do throws(AlephError) {
                // A node may send anything: no more is taken than the account's own list says.
                return try network.client.file(pack.file, size: pack.directory.fileSize)
            } catch .notFound {
                let any = pack.directory.entries.lazy.compactMap(\.digest).first
                throw any.map { .missing($0) } ?? .unreachable(retryAfter: nil)
            } catch {
                throw network.storeError(error)
            }
        }
    }
}

// MARK: The index

extension AlephChunks {
    private static var filter: MessageFilter {
        var filter = MessageFilter()
        filter.types = [.store]
        filter.tags = [PackDirectory.name]
        return filter
    }

    /// Lists all packs, once.
    func loadIfNeeded() throws(StoreError) {
        guard !state.withLock({ $0.isLoaded }) else { return }
        try alone { () throws(StoreError) in
            guard !state.withLock({ $0.isLoaded }) else { return }
            let limit = try network.run { client throws(AlephError) in
                try client.uploadLimits().limit(of: network.plan)
            }
            guard limit >= StoreLimits.maximumChunkSize else {
                throw .refused("its nodes take no file of the size of a chunk")
            }
            _ = try listPacks()
            state.withLock { state in
                state.packSize = min(wantedSize, limit)
                state.isLoaded = true
            }
        }
    }

    /// Lists all packs again.
    private func refresh() throws(StoreError) {
        try loadIfNeeded()
        try alone { () throws(StoreError) in _ = try listPacks() }
    }

    /// Looks whether another machine stored a chunk, or has it in another pack now.
    ///
    /// - Parameter wasAbsent: whether no pack was known to have it.
    /// - Throws: `unreachable` if it is not found, and some node did not say so.
    private func look(for digest: Digest, wasAbsent: Bool) throws(StoreError) {
        try alone { () throws(StoreError) in
            // The one before may have found it, while this one waited.
            if wasAbsent, state.withLock({ $0.isPacked(digest) }) { return }
            let isComplete = try listPacks()
            guard !state.withLock({ $0.isPacked(digest) }) else { return }
            guard isComplete else { throw .unreachable(retryAfter: nil) }
            state.withLock { state in
                if state.missing.count >= Self.missingLimit { state.missing.removeAll() }
                state.missing[digest] = .now
            }
        }
    }

    private func isKnownMissing(_ digest: Digest) -> Bool {
        state.withLock { state in
            state.missing[digest].map { $0 + Self.missingLifetime > .now } ?? false
        }
    }

    private func alone(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        _ = refreshing.wait { isBusy -> Bool? in
            if isBusy { return nil }
            isBusy = true
            return true
        }
        defer { refreshing.update { $0 = false } }
        try body()
    }

    /// - Returns: whether all nodes have listed theirs.
    private func listPacks() throws(StoreError) -> Bool {
        let start = ContinuousClock.now
        let before = state.withLock { $0.index.messages }
        var seen: Set<ItemHash> = []
        var filter = Self.filter
        filter.owners = [network.account.address]
        let isComplete = try network.survey(filter) { messages in
            let new = messages.filter { message in
                seen.insert(message.itemHash).inserted && !before.contains(message.itemHash)
            }
            let packs = new.compactMap { Pack($0) }
            state.withLock { state in
                for pack in packs { state.index.add(pack) }
            }
            return true
        }
        // What all nodes list no more was taken back by another machine.
        state.withLock { state in
            if isComplete { state.index.remove(before.subtracting(seen)) }
            state.listedAt = start
        }
        return isComplete
    }
}
