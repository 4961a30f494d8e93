// SPDX-License-Identifier: Apache-2.0
//
// Two stores with the same content.
//
// Invariants:
// - What is acknowledged is acknowledged by both: writing needs both, reading needs one.
// - No chunk is handed over that was not verified, whichever store gave it.
// - A pad's record with the highest counter of both is the one that stands.

internal import Cryptography
package import Primitives
package import Scratchpads
package import Stores

/// Chunks and pads in two stores, either of which can be lost.
///
/// Chunks are read from the store that has answered faster of late, and from the other one if it
/// does not have them, has others, or does not answer; what one lacks is given to it from the
/// other. Any number of threads may call it at once.
package final class MirrorStore: ChunkStore, PadStore, StoppableStore, MetricsReporting {
    /// One of the two.
    private struct Side: Sendable {
        let chunks: any ChunkStore
        let pads: any PadStore
    }

    private let sides: [Side]
    /// How long each took for a chunk, of late; the first one is asked first until that is known.
    private let times = Lock<[Duration]>([.zero, .milliseconds(1)])

    /// A mirror of two stores, each with its chunks and its pads.
    package init(
        _ first: (chunks: any ChunkStore, pads: any PadStore),
        _ second: (chunks: any ChunkStore, pads: any PadStore)
    ) {
        sides = [
            Side(chunks: first.chunks, pads: first.pads),
            Side(chunks: second.chunks, pads: second.pads),
        ]
    }

    /// Keeps a chunk in both.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        for side in sides { try side.chunks.put(digest, bytes) }
    }

    /// A chunk from the nearest that has it.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        let near = times.withLock { $0[1] < $0[0] ? 1 : 0 }
        do throws(StoreError) {
            return try verified(digest, from: near)
        } catch {
            let bytes: [UInt8]
            do throws(StoreError) {
                bytes = try verified(digest, from: 1 - near)
            } catch let other {
                // Of two reasons, the one that may pass is the better one to go on with.
                throw other.isTransient ? other : error
            }
            switch error {
            case .missing, .corrupt:
                // The reader has what it came for; the next one that misses it tries again.
                try? sides[near].chunks.put(digest, bytes)
            default: break
            }
            return bytes
        }
    }

    /// Those of the chunks that both have.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        let first = try sides[0].chunks.has(digests)
        return try sides[1].chunks.has(digests.filter(first.contains))
    }

    /// That of the one that waits more.
    package var usefulConcurrency: Int { sides.map(\.chunks.usefulConcurrency).max() ?? 1 }

    /// If neither minds.
    package var takesUnnamedChunks: Bool { sides.allSatisfy(\.chunks.takesUnnamedChunks) }

    /// Makes both durable.
    package func sync() throws(StoreError) {
        for side in sides { try side.chunks.sync() }
    }

    /// Stops both.
    package func stop() {
        for side in sides {
            (side.chunks as? any StoppableStore)?.stop()
            (side.pads as? any StoppableStore)?.stop()
        }
    }

    /// The numbers of both together.
    package func metrics() -> StoreMetrics {
        var sum = StoreMetrics()
        for side in sides {
            guard let counting = side.chunks as? any MetricsReporting else { continue }
            for (operation, numbers) in counting.metrics() {
                sum[operation, default: OperationMetrics()].add(numbers)
            }
        }
        return sum
    }

    private func verified(_ digest: Digest, from index: Int) throws(StoreError) -> [UInt8] {
        let start = ContinuousClock.now
        defer {
            let time = ContinuousClock.now - start
            // Seven parts of what was, one of what is: one slow answer changes nothing.
            times.withLock { $0[index] = ($0[index] * 7 + time) / 8 }
        }
        let bytes = try sides[index].chunks.get(digest)
        let got = Digests.of(bytes, algorithm: digest.algorithm)
        guard got == digest else { throw .corrupt(wanted: digest, got: got) }
        return bytes
    }

    /// The record with the higher counter of both; the other one is brought up to it.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        let found = sides.map { side in
            Result { () throws(StoreError) in try side.pads.get(address) }
        }
        switch (found[0], found[1]) {
        case (.failure(let error), .failure(let other)):
            throw other.isTransient ? other : error
        case (.success(let record), .failure(let error)):
            return try alone(record, other: 1, error)
        case (.failure(let error), .success(let record)):
            return try alone(record, other: 0, error)
        case (.success(let first), .success(let second)):
            guard first != second else { return first }
            if let second, CounterRule.accepts(standing: first, offered: second) {
                bring(second, to: 0)
                return second
            }
            if let first { bring(first, to: 1) }
            return first
        }
    }

    /// What one store has while the other cannot tell.
    ///
    /// - Parameter record: nil tells nothing then: the other one may have it.
    private func alone(
        _ record: PadRecord?, other index: Int, _ error: StoreError
    ) throws(StoreError) -> PadRecord? {
        guard let record else { throw error }
        if case .corruptPad = error { bring(record, to: index) }
        return record
    }

    private func bring(_ record: PadRecord, to index: Int) {
        // Only a repair: a store that refuses it now is asked again by the next reader.
        _ = try? sides[index].pads.put(record)
    }

    /// Offers a record to both. It stands when both accepted it; if one has another that is not
    /// older, that one is what stands, and the caller's next counter brings both together again.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        var highest: PadRecord?
        for side in sides {
            guard case .standing(let other) = try side.pads.put(record) else { continue }
            if highest.map({ $0.counter < other.counter }) ?? true { highest = other }
        }
        return highest.map { .standing($0) } ?? .accepted
    }
}

extension MirrorStore: ListableChunkStore {
    /// Hands over each digest that one of both has.
    package func list(_ body: (Digest) -> Bool) throws(StoreError) {
        var seen: Set<Digest> = []
        var goesOn = true
        for side in sides where goesOn {
            guard let listable = side.chunks as? any ListableChunkStore else {
                throw .refused("one of the mirrored stores cannot list what it has")
            }
            try listable.list { digest in
                guard seen.insert(digest).inserted else { return true }
                goesOn = body(digest)
                return goesOn
            }
        }
    }

    /// Lets both forget a chunk.
    package func delete(_ digest: Digest) throws(StoreError) {
        for side in sides {
            guard let listable = side.chunks as? any ListableChunkStore else {
                throw .refused("one of the mirrored stores cannot forget what it has")
            }
            try listable.delete(digest)
        }
    }
}
