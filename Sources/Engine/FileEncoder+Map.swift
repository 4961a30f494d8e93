// SPDX-License-Identifier: Apache-2.0
//
// One data map's chunks: read, hashed, encrypted and put.

import Primitives
import SelfEncryption
import Synchronization
import Threading

/// What becomes one data map.
struct MapWork: Sendable {
    let plan: ReencryptionPlan
    let snapshot: FileSnapshot
    /// Where in the file the map begins and ends.
    let run: Range<UInt64>
    /// No chunk of an older map can serve.
    let isNew: Bool
    /// Its chunks are worth all threads.
    let isParallel: Bool

    /// Where in the file chunk `index` is.
    func range(of index: Int) -> Range<UInt64> {
        let part = plan.layout.range(of: index)
        return run.lowerBound + part.lowerBound..<run.lowerBound + part.upperBound
    }
}

extension FileEncoder {
    /// Brings every chunk that is not there yet to the store; the map, not packed.
    ///
    /// A chunk's key needs the digests of the two before it, and those of the first two the last
    /// ones. So a file that was never stored is read once, each chunk encrypted as soon as the two
    /// before it are hashed, and its first two chunks once more in the end. Of one that was edited
    /// it is known only when all is hashed what stays as it was.
    func carryOut(_ work: MapWork, _ early: EarlyChunks?) throws(FileError) -> DataMap {
        let plan = work.plan
        let done = EarlyWork(early, work.snapshot, work.run, plan.layout)
        let known = SourceDigests(plan.knownSources)
        let encrypted = SharedBox([Int: Digest]())
        let isOnePass = work.isNew && early == nil
        let pending = volume.counters
        let ahead = isOnePass ? plan.layout.count : 0
        pending.pendingChunks.add(ahead, ordering: .relaxed)
        defer { pending.pendingChunks.subtract(ahead, ordering: .relaxed) }
        let toHash = plan.toHash
        try forEach(toHash.count, work.isParallel) { (position) throws(FileError) in
            let index = toHash[position]
            if let digest = done.source(of: index) { return known.note(index, digest) }
            do throws(FileError) {
                let plain = try self.read(work.snapshot, work.range(of: index))
                known.note(index, self.transform.sourceDigest(plain.span))
                guard isOnePass, index >= 2 else { return }
                if let address = try self.put(plain, index, work, known) {
                    encrypted.value.withLock { $0[index] = address }
                }
            } catch {
                known.abandon()
                throw error
            }
        }
        let sources = known.all
        let found = encrypted.value.withLock { $0 }
            .merging(done.addresses(plan.toEncrypt(sources: sources), sources)) { mine, _ in mine }
        let toEncrypt = plan.toEncrypt(sources: sources).filter { found[$0] == nil }
        encrypted.value.withLock { $0 = found }
        let left = isOnePass ? 0 : toEncrypt.count
        pending.pendingChunks.add(left, ordering: .relaxed)
        defer { pending.pendingChunks.subtract(left, ordering: .relaxed) }
        try forEach(toEncrypt.count, work.isParallel) { (position) throws(FileError) in
            let index = toEncrypt[position]
            let plain = try self.read(work.snapshot, work.range(of: index))
            if let address = try self.put(plain, index, work, known) {
                encrypted.value.withLock { $0[index] = address }
            }
        }
        return plan.map(sources: sources, encrypted: encrypted.value.withLock { $0 })
    }

    /// Encrypts and puts a chunk whose own digest is known, once those of its neighbours are.
    ///
    /// - Returns: its address; nil when another chunk's failure has ended the work.
    private func put(
        _ plain: [UInt8], _ index: Int, _ work: MapWork, _ known: SourceDigests
    ) throws(FileError) -> Digest? {
        let neighbours = work.plan.layout.neighbours(of: index)
        guard let source = known[index], let before = known[neighbours.0],
            let beforeThat = known[neighbours.1]
        else { return nil }
        return try put(plain, index: index, source: source, neighbours: (before, beforeThat))
    }
}

/// The source digests of one map's chunks, as they become known.
///
/// Who waits for a digest waits for a thread that is at it: chunks are begun in order, and none is
/// waited for but by later ones.
private final class SourceDigests: Sendable {
    private struct State {
        var digests: [Digest?]
        var isAbandoned = false
    }
    private let state: Monitor<State>

    init(_ known: [Digest?]) {
        state = Monitor(State(digests: known))
    }

    /// The digest of chunk `index`; waits until it is known. Nil when one never will be.
    subscript(index: Int) -> Digest? {
        let found = state.wait { state -> Digest?? in
            if let digest = state.digests[index] { return .some(digest) }
            return state.isAbandoned ? .some(nil) : nil
        }
        return found ?? nil
    }

    func note(_ index: Int, _ digest: Digest) {
        state.update { $0.digests[index] = digest }
    }

    /// A chunk could not be read, and nobody shall wait for it.
    func abandon() {
        state.update { $0.isAbandoned = true }
    }

    /// The digests of all chunks, which all are known by now.
    var all: [Digest] {
        state.withLock { state in
            let digests = state.digests.compactMap { $0 }
            precondition(digests.count == state.digests.count, "a chunk's digest is missing")
            return digests
        }
    }
}
