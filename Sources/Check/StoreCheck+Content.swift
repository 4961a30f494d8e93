// SPDX-License-Identifier: Apache-2.0
//
// Data maps, chunks and pads: whether the store has them, and what this machine can put back.

import Compression
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import Stores
import Threading

/// What is known of one file's chunks so far.
final class FileTally {
    /// How the file is called.
    enum Owner {
        case path([UInt8])
        /// By several names, which are not known yet.
        case links(UInt64)
    }

    let owner: Owner
    let ino: UInt64
    var total: UInt64 = 0
    var missing: UInt64 = 0
    var damaged: UInt64 = 0
    /// Of those, chunks that this machine can make anew, or has.
    var restorable: UInt64 = 0
    /// All its chunks have been handed over.
    var isWalked = false

    init(_ owner: Owner, ino: UInt64) {
        self.owner = owner
        self.ino = ino
    }
}

/// One chunk to be looked for.
struct ChunkUse {
    let tally: FileTally
    let published: PublishedSegment
    let map: DataMap
    let index: Int
}

extension StoreCheck {
    /// What the store has under a chunk's name.
    private enum Condition: Sendable { case sound, missing, damaged }

    // MARK: Maps

    func check(_ segments: [Segment], of tally: FileTally) throws(CheckError) {
        tallies.append(tally)
        for segment in segments {
            let published = PublishedSegment(ino: tally.ino, segment: segment)
            guard let map = try fullMap(published, tally) else { continue }
            for index in map.chunks.indices {
                batch.append(
                    ChunkUse(tally: tally, published: published, map: map, index: index))
                if batch.count >= CheckLimits.chunkBatch { try flush() }
            }
            tally.total += UInt64(map.chunks.count)
        }
        tally.isWalked = true
        if tallies.count >= CheckLimits.chunkBatch { try flush() }
    }

    /// The map of the segment's own chunks; nil, and said so, when it is lost.
    private func fullMap(
        _ published: PublishedSegment, _ tally: FileTally
    ) throws(CheckError) -> DataMap? {
        let lost: Loss
        switch try unpacked(published.segment) {
        case .success(let map): return map
        case .failure(let loss): lost = loss.loss
        }
        guard let local else {
            say(tally, .dataMap(lost), options.usesLocalState ? .lost : .unmounted)
            return nil
        }
        guard let chunks = local.mapChunks(published) else {
            say(tally, .dataMap(lost), .lost)
            return nil
        }
        guard options.repairs else {
            say(tally, .dataMap(lost), .repairable)
            return nil
        }
        for chunk in chunks { try put(chunk) }
        say(tally, .dataMap(lost), .repaired)
        guard case .success(let map) = try unpacked(published.segment) else { return nil }
        return map
    }

    private struct LostMap: Error { let loss: Loss }

    private func unpacked(_ segment: Segment) throws(CheckError) -> Result<DataMap, LostMap> {
        do {
            let map = try unpack(segment.map) { digest throws(StoreError) in try fetch(digest) }
            guard map.fileSize == segment.size, (try? ChunkLayout(describedBy: map)) != nil else {
                return .failure(LostMap(loss: .damaged))
            }
            return .success(map)
        } catch let error as StoreError {
            return .failure(LostMap(loss: try loss(error)))
        } catch {
            return .failure(LostMap(loss: .damaged))
        }
    }

    // MARK: Chunks

    /// Looks for the chunks of the batch, and says what was found of the files that are done.
    func flush() throws(CheckError) {
        let uses = batch
        batch = []
        let conditions = try options.readsChunks ? read(uses) : ask(uses)
        meter.add(UInt64(uses.count))
        for (use, condition) in zip(uses, conditions) where condition != .sound {
            if condition == .missing { use.tally.missing += 1 } else { use.tally.damaged += 1 }
            if try restore(use) { use.tally.restorable += 1 }
        }
        let done = tallies.filter { $0.isWalked }
        tallies.removeAll { $0.isWalked }
        for tally in done where tally.missing + tally.damaged > 0 {
            let remedy: Remedy =
                if !options.usesLocalState {
                    .unmounted
                } else if tally.restorable < tally.missing + tally.damaged {
                    .lost
                } else if options.repairs { .repaired } else { .repairable }
            say(
                tally,
                .chunks(missing: tally.missing, damaged: tally.damaged, total: tally.total),
                remedy)
        }
    }

    /// Whether the store has something under each name.
    private func ask(_ uses: [ChunkUse]) throws(CheckError) -> [Condition] {
        let digests = uses.map { $0.map.chunks[$0.index].address }
        let step = max(1, CheckLimits.chunkBatch / CheckLimits.storeThreads)
        let starts = Array(stride(from: 0, to: digests.count, by: step))
        let found = Lock<Set<Digest>>([])
        let chunks = stores.chunks
        try store { () throws(StoreError) in
            try pool.forEach(count: starts.count) { (part) throws(StoreError) in
                let start = starts[part]
                let there = try chunks.has(
                    Array(digests[start..<min(start + step, digests.count)]))
                found.withLock { $0.formUnion(there) }
            }
        }
        let there = found.withLock { $0 }
        return digests.map { there.contains($0) ? .sound : .missing }
    }

    /// Whether the store has the right bytes under each name, and whether they decrypt.
    private func read(_ uses: [ChunkUse]) throws(CheckError) -> [Condition] {
        let wanted = uses.map { ($0.map, $0.index) }
        let conditions = Lock([Condition](repeating: .sound, count: uses.count))
        let chunks = stores.chunks
        try store { () throws(StoreError) in
            try pool.forEach(count: wanted.count) { (position) throws(StoreError) in
                let (map, index) = wanted[position]
                let condition: Condition
                do throws(StoreError) {
                    let bytes = try chunks.get(map.chunks[index].address)
                    let transform = ChunkTransform(version: map.version, quality: .fast)
                    // Bytes with the right digest that do not decrypt: the map is not theirs.
                    let plain = try? transform.decrypt(bytes.span, index: index, map: map)
                    condition = plain == nil ? .damaged : .sound
                } catch {
                    switch error {
                    case .missing: condition = .missing
                    case .corrupt: condition = .damaged
                    default: throw error
                    }
                }
                conditions.withLock { $0[position] = condition }
            }
        }
        return conditions.withLock { $0 }
    }

    /// Puts a chunk back, or looks whether that could be done.
    private func restore(_ use: ChunkUse) throws(CheckError) -> Bool {
        guard let local else { return false }
        guard options.repairs else {
            return local.plain(use.published, use.map, use.index) != nil
        }
        guard let chunk = local.chunk(use.published, use.map, use.index) else { return false }
        try put(chunk)
        return true
    }

    private func put(_ chunk: EncryptedChunk) throws(CheckError) {
        try store { () throws(StoreError) in try stores.chunks.put(chunk.address, chunk.bytes) }
        isUnsynced = true
    }

    // MARK: Pads

    /// The pads of one leaf, asked for together.
    func check(
        _ pads: [(place: Finding.Place, entry: Entry, reference: PadReference)]
    ) throws(CheckError) {
        if pads.isEmpty { return }
        let problems = Lock([Problem?](repeating: nil, count: pads.count))
        let references = pads.map { $0.reference }
        let (store, keys) = (stores.pads, target.keys)
        try self.store { () throws(StoreError) in
            try pool.forEach(count: references.count) { (position) throws(StoreError) in
                let problem = try Self.problem(references[position], store, keys)
                problems.withLock { $0[position] = problem }
            }
        }
        meter.add(UInt64(pads.count))
        for (pad, problem) in zip(pads, problems.withLock { $0 }) {
            guard let problem else { continue }
            report.found(Finding(pad.place, problem, resealing(pad.entry.ino, pad.reference)))
        }
    }

    private static func problem(
        _ reference: PadReference, _ store: any PadStore, _ keys: VolumeKeys
    ) throws(StoreError) -> Problem? {
        let record: PadRecord?
        do throws(StoreError) {
            record = try store.get(reference.address)
        } catch {
            guard case .corruptPad = error else { throw error }
            return .pad(.damaged)
        }
        guard let record else { return .pad(.missing) }
        // A record that does not open is damaged, whatever it says besides.
        guard let capability = keys.pad(identity: reference.identity, at: reference.address),
            (try? capability.open(record)) != nil
        else { return .pad(.damaged) }
        return record.counter < reference.counter
            ? .padRollback(offered: record.counter, known: reference.counter) : nil
    }

    /// Plans to seal a pad anew, and says whether that can be done.
    private func resealing(_ ino: UInt64, _ reference: PadReference) -> Remedy {
        guard planned == .repairable else { return planned }
        // What somebody else signed cannot be made here.
        let capability = target.keys.pad(identity: reference.identity, at: reference.address)
        guard local?.canReseal(ino) == true, capability?.isWritable == true else { return .lost }
        if options.repairs, !plan.isFull { plan.pads[ino] = reference.counter }
        return .repairable
    }
}
