// SPDX-License-Identifier: Apache-2.0
//
// Threads that may block: on a store, on a disk, on long encryption. Those that serve the kernel
// never do; they hand the work over.

internal import Synchronization

/// A fixed number of threads that run jobs in the order they came.
package final class WorkerPool: Sendable {
    /// Most jobs that wait at once; `submit` blocks beyond it.
    package static let queueLimit = 4096
    /// Stack of each thread, in bytes: brotli and OpenSSL keep their state on
    /// the heap.
    package static let stackSize = 1 << 20

    /// Starts a thread that its owner cannot do without. Traps when the system has none to give: it
    /// has no room for a mount either.
    package static func startThread(
        _ name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void
    ) {
        let isStarted = SystemThread.start(
            name, stackSize: stackSize, niceness: niceness, body)
        precondition(isStarted, "the system refused a thread")
    }

    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var isStopping = false
        var running = 0
        var threads = 0
        var count: Int { jobs.count - head }

        mutating func pop() -> (@Sendable () -> Void)? {
            guard head < jobs.count else { return nil }
            let job = jobs[head]
            head += 1
            if head == jobs.count {
                jobs.removeAll(keepingCapacity: head <= 256)
                head = 0
            }
            return job
        }
    }

    private let queue: Monitor<Queue>
    /// How many jobs run at once.
    package let threadCount: Int

    /// - Parameters:
    ///   - name: of the threads, as `ps -T` shows it.
    ///   - threads: how many jobs run at once; at least 1.
    ///   - niceness: added to the threads' nice value, so that background work yields to the
    ///     user's.
    package init(_ name: String, threads: Int, niceness: Int32 = 0) {
        precondition(threads >= 1, "a pool without threads runs nothing")
        threadCount = threads
        queue = Monitor(Queue())
        for _ in 0..<threads {
            let queue = queue
            queue.update { $0.threads += 1 }
            WorkerPool.startThread(name, niceness: niceness) { WorkerPool.work(queue) }
        }
    }

    private static func work(_ queue: Monitor<Queue>) {
        while true {
            let job = queue.wait { state -> (@Sendable () -> Void)?? in
                if let job = state.pop() {
                    state.running += 1
                    return .some(job)
                }
                return state.isStopping ? .some(nil) : nil
            }
            guard let job = job ?? nil else { break }
            job()
            queue.update { $0.running -= 1 }
        }
        queue.update { $0.threads -= 1 }
    }

    /// Queues one job; waits while the queue is at its limit. False after `stop`: the job will not
    /// run.
    @discardableResult
    package func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let accepted = queue.wait { state -> Bool? in
            if state.isStopping { return false }
            return state.count < WorkerPool.queueLimit ? true : nil
        }
        guard accepted == true else { return false }
        return queue.update { state in
            if state.isStopping { return false }
            state.jobs.append(job)
            return true
        }
    }

    /// Runs `body` for every index below `count`, on the pool, and returns when all are done.
    ///
    /// The first error is thrown; indexes not begun by then are left out.
    ///
    /// - Parameter before: called by each of the threads before it takes an index, so that none
    ///   waits where the thread does. It is given the thread's number, from 0 on, and what tells
    ///   whether there is still something to take.
    package func forEach<Failure: Error>(
        count: Int, before: @escaping @Sendable (Int, () -> Bool) -> Void = { _, _ in },
        _ body: @escaping @Sendable (Int) throws(Failure) -> Void
    ) throws(Failure) {
        if count == 0 { return }
        let progress = Monitor(Progress<Failure>(left: min(count, threadCount)))
        let next = Atomic<Int>(0)
        let counter = Shared(next)
        for thread in 0..<min(count, threadCount) {
            let isQueued = submit {
                let isLeft = {
                    counter.value.load(ordering: .relaxed) < count
                        && progress.withLock { $0.failure == nil }
                }
                while isLeft() {
                    before(thread, isLeft)
                    guard isLeft() else { break }
                    let index = counter.value.add(1, ordering: .relaxed).oldValue
                    if index >= count { break }
                    do throws(Failure) {
                        try body(index)
                    } catch {
                        progress.update { $0.failure = $0.failure ?? error }
                    }
                }
                progress.update { $0.left -= 1 }
            }
            if !isQueued { progress.update { $0.left -= 1 } }
        }
        let failure = progress.wait { $0.left == 0 ? .some($0.failure) : nil }
        if let failure, let error = failure { throw error }
        precondition(
            counter.value.load(ordering: .relaxed) >= count, "a stopped pool was given work")
    }

    private struct Progress<Failure: Error> {
        var left: Int
        var failure: Failure?
    }

    private final class Shared: Sendable {
        let value: Atomic<Int>
        init(_ value: consuming Atomic<Int>) { self.value = value }
    }

    /// Lets running and queued jobs end, then ends the threads.
    ///
    /// - Parameter deadline: when nobody waits for them any more; nil for never.
    /// - Returns: false if some still run, which then end when their jobs do.
    @discardableResult
    package func stop(until deadline: ContinuousClock.Instant? = nil) -> Bool {
        queue.update { $0.isStopping = true }
        let limit = deadline.map { $0 - .now }
        return queue.wait(atMost: limit) { $0.threads == 0 ? true : nil } ?? false
    }
}
