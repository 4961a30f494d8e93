// SPDX-License-Identifier: Apache-2.0
//
// A store in memory that can be made to fail in every way a store fails, and that remembers what
// was asked of it. Each engine gets a connection of its own: cutting it is how an engine "dies".

import Cryptography
import Foundation
import Primitives
import Scratchpads
import Stores
import Synchronization

/// What a store does to one thing it keeps.
enum Fault: Sendable {
    /// It says that it has no such thing.
    case missing
    /// It notices by itself that its bytes are damaged.
    case noticed
    /// It hands out bytes with one bit turned, and does not notice.
    case flipped
    /// It hands out half of the bytes, and does not notice.
    case truncated
    /// It hands out the bytes of another chunk, and does not notice.
    case swapped(Digest)
}

/// A request that reached the store and changed it.
enum StoreRequest: Sendable {
    case chunk(Digest, [UInt8])
    /// What was put before is durable from here on.
    case sync
    case pad(PadRecord)
    case delete(Digest)
}

/// The shared part: what is kept, and what goes wrong.
final class TestStore: Sendable {
    struct State: Sendable {
        var chunks: [Digest: [UInt8]] = [:]
        /// Chunks put since the last sync: a power cut at the store may lose them.
        var unsynced: Set<Digest> = []
        var pads: [PadAddress: PadRecord] = [:]
        /// Every digest in the order it was put, again and again.
        var puts: [Digest] = []
        /// Every pad record in the order it was accepted.
        var accepted: [PadRecord] = []
        /// Every request that changed something, in order, where somebody wants to know.
        var isRecording = false
        var requests: [StoreRequest] = []
        var chunkFaults: [Digest: Fault] = [:]
        /// What `get` of a pad gives instead: a record, or damage for nil.
        var padFaults: [PadAddress: PadRecord?] = [:]
        /// All calls that change something fail so.
        var putFailure: StoreError?
        /// All that makes durable fails so.
        var syncFailure: StoreError?
        /// Puts of pads fail so, but for the named one.
        var padFailure: StoreError?
        var padFailureSpares: PadAddress?
        /// Calls that change something, or make it durable, that were made so far.
        var changeCount = 0
        /// From the call of this number on they fail so; nil for never.
        var refusal: (from: Int, error: StoreError)?
        /// All calls that read fail so.
        var getFailure: StoreError?
        /// Puts of pads succeed, and their answer is lost on the way.
        var losesPadAnswers = false
        /// Called with each pad record before it is accepted.
        var witness: (@Sendable (PadRecord, State) -> Void)?

        /// Counts a call that changes something; throws if it is one that is refused.
        mutating func enterChange() throws(StoreError) {
            changeCount += 1
            if let refusal, changeCount >= refusal.from { throw refusal.error }
            if let putFailure { throw putFailure }
        }

        mutating func record(_ request: StoreRequest) {
            if isRecording { requests.append(request) }
        }
    }

    let state = Lock(State())
    /// What its connections say of themselves.
    let takesUnnamedChunks: Bool
    private let gate = NSCondition()
    private let isHanging = Lock(false)
    /// Calls that wait at the gate now.
    let waiting = Atomic<Int>(0)

    init(takesUnnamedChunks: Bool = true) {
        self.takesUnnamedChunks = takesUnnamedChunks
    }

    /// From now on every call waits; or all go on.
    func hang(_ isOn: Bool) {
        gate.lock()
        isHanging.withLock { $0 = isOn }
        gate.broadcast()
        gate.unlock()
    }

    func passGate() {
        gate.lock()
        waiting.add(1, ordering: .relaxed)
        while isHanging.withLock({ $0 }) { gate.wait() }
        waiting.subtract(1, ordering: .relaxed)
        gate.unlock()
    }

    /// Every failure ends.
    func heal() {
        state.withLock { state in
            state.chunkFaults = [:]
            state.padFaults = [:]
            state.putFailure = nil
            state.refusal = nil
            state.syncFailure = nil
            state.padFailure = nil
            state.padFailureSpares = nil
            state.getFailure = nil
            state.losesPadAnswers = false
        }
        hang(false)
    }

    /// Writing fails with this until `heal`.
    func refuseWrites(_ error: StoreError) {
        state.withLock { $0.putFailure = error }
    }

    /// The first so many calls that change something are done, and all later ones fail with this
    /// until `heal`.
    func refuseWrites(_ error: StoreError, after count: Int) {
        state.withLock { $0.refusal = (from: $0.changeCount + count + 1, error) }
    }

    /// Everything fails with this until `heal`.
    func refuseAll(_ error: StoreError) {
        state.withLock { state in
            state.putFailure = error
            state.getFailure = error
        }
    }

    /// Looks at or changes what the store holds and does.
    func change<R: Sendable>(_ body: (inout State) throws -> R) rethrows -> R {
        try state.withLock { state in try body(&state) }
    }

    var putCount: Int { state.withLock { $0.puts.count } }
    /// A copy that shares no memory with what the store goes on changing.
    var pads: [PadAddress: PadRecord] {
        state.withLock { Dictionary(uniqueKeysWithValues: $0.pads.lazy.map { ($0, $1) }) }
    }
}

/// One engine's way to the store.
final class StoreConnection: ListableChunkStore, PadStore {
    let store: TestStore
    private let isCut = Atomic<Bool>(false)

    init(_ store: TestStore) {
        self.store = store
    }

    var takesUnnamedChunks: Bool { store.takesUnnamedChunks }

    /// Nothing passes from here on.
    func cut() {
        isCut.store(true, ordering: .releasing)
    }

    private func enter() throws(StoreError) {
        store.passGate()
        if isCut.load(ordering: .acquiring) { throw .unreachable(retryAfter: nil) }
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try enter()
        if bytes.count > StoreLimits.maximumChunkSize { throw .tooLarge }
        try store.state.withLock { (state) throws(StoreError) in
            try state.enterChange()
            state.puts.append(digest)
            if state.chunks[digest] == nil { state.unsynced.insert(digest) }
            state.chunks[digest] = bytes
            state.record(.chunk(digest, bytes))
        }
    }

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try enter()
        return try store.state.withLock { (state) throws(StoreError) in
            if let failure = state.getFailure { throw failure }
            guard let bytes = state.chunks[digest] else { throw .missing(digest) }
            switch state.chunkFaults[digest] {
            case nil: return bytes
            case .missing: throw .missing(digest)
            case .noticed:
                throw .corrupt(
                    wanted: digest, got: Digests.of(bytes + [0], algorithm: digest.algorithm))
            case .flipped:
                var damaged = bytes
                damaged[damaged.count / 2] ^= 0x10
                return damaged
            case .truncated: return Array(bytes[..<(bytes.count / 2)])
            case .swapped(let other): return state.chunks[other] ?? []
            }
        }
    }

    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try enter()
        return store.state.withLock { state in Set(digests.filter { state.chunks[$0] != nil }) }
    }

    func sync() throws(StoreError) {
        try enter()
        try store.state.withLock { (state) throws(StoreError) in
            if let failure = state.syncFailure { throw failure }
            try state.enterChange()
            state.unsynced = []
            state.record(.sync)
        }
    }

    func list(_ body: (Digest) -> Bool) throws(StoreError) {
        try enter()
        let digests = try store.state.withLock { (state) throws(StoreError) -> [Digest] in
            if let failure = state.getFailure { throw failure }
            return Array(state.chunks.keys)
        }
        for digest in digests {
            guard body(digest) else { return }
        }
    }

    func delete(_ digest: Digest) throws(StoreError) {
        try enter()
        try store.state.withLock { (state) throws(StoreError) in
            try state.enterChange()
            state.chunks[digest] = nil
            state.unsynced.remove(digest)
            state.record(.delete(digest))
        }
    }

    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try enter()
        return try store.state.withLock { (state) throws(StoreError) in
            if let failure = state.getFailure { throw failure }
            if let fault = state.padFaults[address] {
                guard let record = fault else { throw .corruptPad(address) }
                return record
            }
            return state.pads[address]
        }
    }

    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        try enter()
        do { try record.verify() } catch { throw .refused("not signed by its owner") }
        return try store.state.withLock { (state) throws(StoreError) in
            try state.enterChange()
            if let failure = state.padFailure, record.address != state.padFailureSpares {
                throw failure
            }
            if let standing = state.pads[record.address] {
                if standing == record { return .accepted }
                if !CounterRule.accepts(standing: standing, offered: record) {
                    return .standing(standing)
                }
            }
            state.witness?(record, state)
            state.pads[record.address] = record
            state.accepted.append(record)
            state.record(.pad(record))
            if state.losesPadAnswers { throw .unreachable(retryAfter: nil) }
            return .accepted
        }
    }
}
