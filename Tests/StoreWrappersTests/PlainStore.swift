// SPDX-License-Identifier: Apache-2.0
//
// A store in memory that fails when it is told to, and counts.

import Cryptography
import Foundation
import Primitives
import Scratchpads
import Stores
import Synchronization

/// Chunks and pads in dictionaries.
final class PlainStore: ListableChunkStore, PadStore {
    private struct State {
        var chunks: [Digest: [UInt8]] = [:]
        var pads: [PadAddress: PadRecord] = [:]
        var failure: StoreError?
        var delay = Duration.zero
        var calls = 0
        var running = 0
        var mostRunning = 0
    }
    private let state = Mutex(State())

    /// What every call throws from now on; nil for nothing. Counts calls anew.
    func fail(_ error: StoreError?) {
        state.withLock {
            $0.failure = error
            $0.calls = 0
        }
    }

    /// How long every call takes from now on.
    func delay(_ time: Duration) { state.withLock { $0.delay = time } }

    func damage(_ digest: Digest) { state.withLock { $0.chunks[digest]?[0] ^= 1 } }

    var callCount: Int { state.withLock { $0.calls } }
    var count: Int { state.withLock { $0.chunks.count } }
    var mostAtOnce: Int { state.withLock { $0.mostRunning } }

    private func call<Answer>(
        _ body: (inout State) throws(StoreError) -> sending Answer
    ) throws(StoreError) -> Answer {
        let delay = state.withLock { state in
            state.calls += 1
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            return state.delay
        }
        defer { state.withLock { $0.running -= 1 } }
        if delay > .zero { Thread.sleep(forTimeInterval: delay / .seconds(1)) }
        return try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            return try body(&state)
        }
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try call { $0.chunks[digest] = bytes }
    }

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try call { state throws(StoreError) in
            guard let bytes = state.chunks[digest] else { throw .missing(digest) }
            let got = Digests.of(bytes, algorithm: digest.algorithm)
            guard got == digest else { throw .corrupt(wanted: digest, got: got) }
            return bytes
        }
    }

    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try call { state in Set(digests.filter { state.chunks[$0] != nil }) }
    }

    func sync() throws(StoreError) { try call { _ in } }

    func list(_ body: (Digest) -> Bool) throws(StoreError) {
        for digest in try call({ Array($0.chunks.keys) }) {
            guard body(digest) else { return }
        }
    }

    func delete(_ digest: Digest) throws(StoreError) { try call { $0.chunks[digest] = nil } }

    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try call { $0.pads[address] }
    }

    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        try call { state in
            if let standing = state.pads[record.address] {
                if standing == record { return .accepted }
                guard CounterRule.accepts(standing: standing, offered: record) else {
                    return .standing(standing)
                }
            }
            state.pads[record.address] = record
            return .accepted
        }
    }
}
