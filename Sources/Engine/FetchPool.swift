// SPDX-License-Identifier: Apache-2.0
//
// The threads that ask the store, and the gate before what costs memory.

import Primitives
import Threading

/// Runs fetches in the order of a `FetchQueue`.
final class FetchPool: Sendable {
    /// Fewest threads: a local disk is quick, but several files are read at once.
    static let fewest = 8
    /// Most threads: each holds a chunk in memory.
    static let most = 16
    /// Threads that no guess may take.
    static let reserved = 2

    typealias Job = @Sendable () -> Void
    private typealias Queue = FetchQueue<ChunkKey, Job>

    private struct State {
        var queue: Queue
        var threads = 0
        var isStopping = false
    }
    private let state: Monitor<State>
    /// How many fetches run at once.
    let threadCount: Int

    /// - Parameter useful: how many calls at once the store makes use of.
    init(useful: Int) {
        let threads = max(FetchPool.fewest, min(useful, FetchPool.most))
        threadCount = threads
        let limits = Queue.Limits(
            threads: threads, ahead: threads - FetchPool.reserved)
        state = Monitor(State(queue: Queue(limits: limits)))
        for _ in 0..<threads {
            let state = state
            state.update { $0.threads += 1 }
            WorkerPool.startThread("cairn-fetch") { FetchPool.work(state) }
        }
    }

    private static func work(_ state: Monitor<State>) {
        while true {
            let turn = state.wait { state -> Queue.Turn?? in
                if let turn = state.queue.next() { return .some(turn) }
                return state.isStopping ? .some(nil) : nil
            }
            guard let turn = turn ?? nil else { break }
            turn.job()
            state.update { $0.queue.end(isAhead: turn.isAhead) }
        }
        state.update { $0.threads -= 1 }
    }

    /// Queues a fetch that somebody waits for; waits while the queue is full. False after `stop`.
    func demand(_ job: @escaping Job) -> Bool {
        let isQueued = state.wait { state -> Bool? in
            if state.isStopping { return false }
            return state.queue.demand(job) ? true : nil
        }
        state.wakeAll()
        return isQueued == true
    }

    /// Queues a fetch ahead of a reader; false if it will not run.
    func guess(_ key: ChunkKey, for reader: UInt64, _ job: @escaping Job) -> Bool {
        let isQueued = state.withLock { !$0.isStopping && $0.queue.guess(key, for: reader, job) }
        if isQueued { state.wakeAll() }
        return isQueued
    }

    /// Moves a fetch up that waits ahead, because somebody waits for it now.
    func promote(_ key: ChunkKey) {
        state.update { $0.queue.promote(key) }
    }

    /// Drops what waits for one reader; gives the chunks that are not fetched. Every file that is
    /// closed comes here, and a thread has nothing to do because less is to be done: none is woken.
    func cancel(_ reader: UInt64) -> [ChunkKey] {
        state.withLock { $0.queue.cancel(reader) }
    }

    /// Lets running and demanded fetches end, drops the others, then ends the threads.
    ///
    /// - Parameter deadline: when nobody waits for them any more.
    func stop(until deadline: ContinuousClock.Instant) {
        state.update { state in
            state.isStopping = true
            state.queue.dropGuesses()
        }
        _ = state.wait(atMost: deadline - .now) { $0.threads == 0 ? true : nil }
    }
}

/// Lets so many threads at once through a piece of work.
final class Gate: Sendable {
    private let free: Monitor<Int>

    /// - Parameter openings: threads at once; at least 1.
    init(openings: Int) {
        precondition(openings >= 1, "a gate that nobody passes")
        free = Monitor(openings)
    }

    /// Runs `body` when there is an opening.
    func pass<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        _ = free.wait { free -> Bool? in
            guard free > 0 else { return nil }
            free -= 1
            return true
        }
        defer {
            free.withLock { $0 += 1 }
            free.wakeOne()
        }
        return try body()
    }
}
