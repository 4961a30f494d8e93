// SPDX-License-Identifier: Apache-2.0
//
// A store between an engine and another that gives chunks when a test lets it.

import Foundation
import Primitives
import Stores
import Synchronization

/// Between an engine and its store: after some more chunks it gives no others, until it is told to.
final class HeldStore: ChunkStore, StoppableStore {
    private struct State {
        /// Chunks that still pass; nil for all.
        var left: Int?
        /// What those get that do not pass; nil if they wait.
        var failure: StoreError?
        /// How long each takes, one after the other.
        var pace: Duration?
        var isStopped = false
        /// Chunks that passed.
        var passed = 0
        /// Calls that wait here.
        var waiting = 0
        var mostWaiting = 0
    }
    private let inner: any ChunkStore
    private let state = Lock(State())
    private let condition = NSCondition()
    /// As an engine on a local disk sees it.
    var usefulConcurrency: Int { 1 }

    init(_ inner: any ChunkStore) { self.inner = inner }

    /// Chunks that were handed out so far.
    var passed: Int { state.withLock { $0.passed } }
    /// The most calls that waited here at once.
    var mostWaiting: Int { state.withLock { $0.mostWaiting } }
    /// Calls that wait here now.
    var waiting: Int { state.withLock { $0.waiting } }

    /// From now on so many chunks pass, and others wait, or fail.
    ///
    /// - Parameter pace: how long each takes of those that pass, one after the other.
    func pass(_ count: Int?, others failure: StoreError? = nil, pace: Duration? = nil) {
        condition.lock()
        state.withLock { state in
            state.left = count
            state.failure = failure
            state.pace = pace
        }
        condition.broadcast()
        condition.unlock()
    }

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        condition.lock()
        defer { condition.unlock() }
        while true {
            let (isFree, failure, pace) = state.withLock {
                state -> (Bool, StoreError?, Duration?) in
                if state.isStopped { return (false, .unreachable(retryAfter: nil), nil) }
                guard state.left != 0 else { return (false, state.failure, nil) }
                state.left = state.left.map { $0 - 1 }
                state.passed += 1
                return (true, nil, state.pace)
            }
            if isFree {
                // Under the condition's lock: one after the other.
                if let pace { usleep(UInt32(pace / .microseconds(1))) }
                return try inner.get(digest)
            }
            if let failure { throw failure }
            state.withLock { state in
                state.waiting += 1
                state.mostWaiting = max(state.mostWaiting, state.waiting)
            }
            condition.wait()
            state.withLock { $0.waiting -= 1 }
        }
    }

    func stop() {
        condition.lock()
        state.withLock { $0.isStopped = true }
        condition.broadcast()
        condition.unlock()
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try inner.put(digest, bytes)
    }
    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> { try inner.has(digests) }
    func sync() throws(StoreError) { try inner.sync() }
}

/// The held store of the engine that was started last.
final class Held: Sendable {
    private struct Missing: Error {}
    private let store = Lock<HeldStore?>(nil)

    func set(_ store: HeldStore) { self.store.withLock { $0 = store } }

    func get() throws -> HeldStore {
        guard let store = store.withLock({ $0 }) else { throw Missing() }
        return store
    }
}
