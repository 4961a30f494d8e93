// SPDX-License-Identifier: Apache-2.0
//
// A store around a store that does everything a network does to one, from a seed.

import Foundation
package import Primitives
package import Scratchpads
package import Stores
import TestSupport

/// What goes wrong, and how often.
package struct Faults: Sendable {
    /// Of a hundred calls, so many are dropped on their way there: nothing is done.
    package var dropped = 0
    /// Are answered with "less often", and nothing is done.
    package var busy = 0
    /// Are done, and reported as failed.
    package var doneButFailed = 0
    /// Are late, by up to `longestDelay`.
    package var late = 0
    /// Of a hundred chunks that are got, so many have a byte changed, or their end cut off.
    package var wrongBytes = 0
    /// Are reported as failed, and done some calls later: a request that went astray on its way.
    package var stray = 0
    /// Of a hundred puts, so many are reported as done, and are not. No retry helps against these.
    package var lost = 0
    /// Of a hundred puts of chunks, so many are held back, and done later in another order.
    package var reordered = 0
    /// The latest a call is.
    package var longestDelay = Duration.milliseconds(2)

    package init() {}
}

/// Chunks and pads in another store, over a bad line.
package final class FaultStore: ChunkStore, PadStore {
    /// A put that is done later than it should.
    private enum Put: Sendable {
        case chunk(Digest, [UInt8])
        case pad(PadRecord)
    }

    private struct State {
        var dice: SeededGenerator
        var faults: Faults
        var held: [(Digest, [UInt8])] = []
        var strays: [Put] = []
        var lost: [Put] = []
        var counts: [String: Int] = [:]
    }

    /// The most puts that are held back at once.
    private static let heldLimit = 8
    /// The most puts that are astray at once.
    private static let strayLimit = 8
    /// Of a hundred calls, so many are overtaken by a put that was astray.
    private static let arrival = 20
    private let chunks: any ChunkStore
    private let pads: any PadStore
    private let state: Lock<State>
    /// Held while what was held back is done: nobody is told that it is, before it is.
    private let releasing = NSLock()

    package init(
        chunks: any ChunkStore, pads: any PadStore, _ faults: Faults, seed: UInt64
    ) {
        self.chunks = chunks
        self.pads = pads
        state = Lock(State(dice: SeededGenerator(seed: seed), faults: faults))
    }

    /// Changes what goes wrong.
    package func change(_ body: (inout Faults) -> Void) {
        state.withLock { body(&$0.faults) }
    }

    /// What went wrong so far, and how often.
    package var counts: [String: Int] { state.withLock { $0.counts } }

    /// Puts that were reported as done, and were not, as far as nobody made them good.
    ///
    /// - Returns: the chunks and the records, in the order they were lost.
    package func takeLost() -> (chunks: [(Digest, [UInt8])], records: [PadRecord]) {
        let lost = state.withLock { state in
            defer { state.lost = [] }
            return state.lost
        }
        var (chunks, records): ([(Digest, [UInt8])], [PadRecord]) = ([], [])
        for put in lost {
            switch put {
            case .chunk(let digest, let bytes): chunks.append((digest, bytes))
            case .pad(let record): records.append(record)
            }
        }
        return (chunks, records)
    }

    private func falls(_ name: String, _ percent: (Faults) -> Int) -> Bool {
        state.withLock { state in
            let falls = state.dice.chance(percent(state.faults))
            if falls { state.counts[name, default: 0] += 1 }
            return falls
        }
    }

    /// Makes a call, with everything that can happen to any.
    private func call<Answer>(
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        arrive()
        if falls("late", { $0.late }) {
            let part = state.withLock {
                $0.faults.longestDelay * (Double($0.dice.below(1000)) / 1000)
            }
            Thread.sleep(forTimeInterval: part / .seconds(1))
        }
        if falls("dropped", { $0.dropped }) { throw .unreachable(retryAfter: nil) }
        if falls("busy", { $0.busy }) { throw .busy(retryAfter: .milliseconds(1)) }
        let answer = try body()
        if falls("done but failed", { $0.doneButFailed }) { throw .unreachable(retryAfter: nil) }
        return answer
    }

    /// What was astray may come now; what comes of it is nobody's answer.
    private func arrive() {
        let arrived = state.withLock { state -> [Put] in
            guard !state.strays.isEmpty, state.dice.chance(FaultStore.arrival) else { return [] }
            defer { state.strays = [] }
            return state.strays.shuffled(using: &state.dice)
        }
        for put in arrived {
            switch put {
            case .chunk(let digest, let bytes): try? chunks.put(digest, bytes)
            case .pad(let record): _ = try? pads.put(record)
            }
        }
    }

    /// Throws if the put goes astray.
    private func lose(_ put: Put) throws(StoreError) {
        guard falls("stray", { $0.stray }) else { return }
        state.withLock { state in
            if state.strays.count < FaultStore.strayLimit { state.strays.append(put) }
        }
        throw .unreachable(retryAfter: nil)
    }

    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try call { () throws(StoreError) in
            try lose(.chunk(digest, bytes))
            if falls("lost", { $0.lost }) {
                state.withLock { $0.lost.append(.chunk(digest, bytes)) }
                return
            }
            if falls("reordered", { $0.reordered }) {
                let isFull = state.withLock { state in
                    state.held.append((digest, bytes))
                    return state.held.count >= FaultStore.heldLimit
                }
                if isFull { try release() }
                return
            }
            try chunks.put(digest, bytes)
        }
    }

    /// Does what was held back, in another order. What the store does not take stays held back:
    /// it was reported as done, and is in doubt until it is.
    private func release() throws(StoreError) {
        releasing.lock()
        defer { releasing.unlock() }
        var held = state.withLock { state in
            defer { state.held = [] }
            return state.held.shuffled(using: &state.dice)
        }
        do throws(StoreError) {
            while let (digest, bytes) = held.last {
                try chunks.put(digest, bytes)
                held.removeLast()
            }
        } catch {
            state.withLock { $0.held += held }
            throw error
        }
    }

    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try call { () throws(StoreError) in
            try release()
            var bytes = try chunks.get(digest)
            guard !bytes.isEmpty, falls("wrong bytes", { $0.wrongBytes }) else { return bytes }
            state.withLock { state in
                if state.dice.chance(50) {
                    bytes[state.dice.below(bytes.count)] ^= 0x40
                } else {
                    bytes.removeLast(1 + state.dice.below(bytes.count))
                }
            }
            return bytes
        }
    }

    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try call { () throws(StoreError) in
            try release()
            return try chunks.has(digests)
        }
    }

    package func sync() throws(StoreError) {
        try call { () throws(StoreError) in
            try release()
            try chunks.sync()
        }
    }

    package var usefulConcurrency: Int { chunks.usefulConcurrency }
    package var takesUnnamedChunks: Bool { chunks.takesUnnamedChunks }

    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try call { () throws(StoreError) in try pads.get(address) }
    }

    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        try call { () throws(StoreError) in
            try lose(.pad(record))
            if falls("lost", { $0.lost }) {
                state.withLock { $0.lost.append(.pad(record)) }
                return .accepted
            }
            return try pads.put(record)
        }
    }
}
