// SPDX-License-Identifier: Apache-2.0
//
// Threads that may wait: for the store, or for the disk. They are made when there is work and end
// when there is none for a while. The lane knows nothing of FUSE.
//
// A job is, in this order: waiting, running, finished; or waiting, given up, finished. Invariants:
// 1. A job that `submit` accepted is finished exactly once: by `run`, or by `giveUp`.
// 2. Never more than `threadLimit` jobs run, and never more than `waitingLimit` jobs or
//    `byteLimit` of their bytes wait.
// 3. A job whose caller was interrupted is given up without waiting for its turn: one more thread
//    than the limit may be made for that, and does nothing else.
// 4. `drain` returns when no job is left, and none is accepted after it began.

import Synchronization
import Threading

/// Something that may wait.
protocol LaneJob: AnyObject, Sendable {
    /// Bytes it holds while it waits.
    var byteCount: Int { get }
    /// True once its caller does not want to wait any more.
    var isInterrupted: Bool { get }
    /// Does it, taking as long as it takes.
    func run()
    /// Ends it without doing it.
    func giveUp()
    /// Makes `run` end soon, or `isInterrupted` true.
    func interrupt()
}

/// The limits of one lane.
struct LaneLimits: Sendable {
    /// Most jobs at once.
    var threadLimit: Int
    /// Most jobs that wait for a thread.
    var waitingLimit: Int
    /// Most bytes that those hold.
    var byteLimit: Int
    /// How long a thread without work stays.
    var idleTime: Duration

    /// For what waits for the store: a thread for each fetch that is worth having at once.
    static let store = LaneLimits(
        threadLimit: 64, waitingLimit: 1024, byteLimit: 128 << 20, idleTime: .seconds(10))
    /// For what waits for the local disk, where one commit answers all who wait.
    static let disk = LaneLimits(
        threadLimit: 32, waitingLimit: 1024, byteLimit: 0, idleTime: .seconds(10))
    /// For what waits for the kernel, which works through one file's pages on each thread.
    static let kernel = LaneLimits(
        threadLimit: 16, waitingLimit: 1024, byteLimit: 0, idleTime: .seconds(10))
}

/// A bounded pool of threads that may wait.
final class SlowLane: Sendable {
    private struct State {
        var waiting: [any LaneJob] = []
        var waitingBytes = 0
        var givenUp: [any LaneJob] = []
        var running: [ObjectIdentifier: any LaneJob] = [:]
        var threadCount = 0
        var idleCount = 0
        var isClosed = false

        var isEmpty: Bool { waiting.isEmpty && givenUp.isEmpty && running.isEmpty }
    }

    private enum Task {
        case run(any LaneJob)
        case giveUp(any LaneJob)
        case end
    }

    private let name: String
    private let limits: LaneLimits
    private let makeThread: @Sendable (String, @escaping @Sendable () -> Void) -> Bool
    private let monitor = Monitor(State())

    /// - Parameters:
    ///   - name: for the threads.
    ///   - limits: never passed.
    ///   - makeThread: starts a thread with a name; false if the system has none to give.
    init(
        name: String, limits: LaneLimits,
        makeThread: @escaping @Sendable (String, @escaping @Sendable () -> Void) -> Bool = {
            SystemThread.start($0, $1)
        }
    ) {
        self.name = name
        self.limits = limits
        self.makeThread = makeThread
    }

    /// Takes a job.
    ///
    /// - Parameter limit: jobs, running and waiting, that are too many for this one.
    /// - Returns: false when the lane is full, closed, or the system has no thread for it; then
    ///   the job is untouched.
    func submit(_ job: any LaneJob, ifFewerThan limit: Int = .max) -> Bool {
        let (isAccepted, needsThread) = monitor.withLock { state -> (Bool, Bool) in
            guard !state.isClosed, hasRoom(for: job, state),
                state.running.count + state.waiting.count < limit
            else { return (false, false) }
            if job.isInterrupted {
                state.givenUp.append(job)
            } else {
                state.waiting.append(job)
                state.waitingBytes += job.byteCount
            }
            return (true, reserveThread(&state))
        }
        guard isAccepted else { return false }
        if !needsThread {
            monitor.wakeOne()
        } else if !startThread() {
            return !withdraw(job)
        }
        return true
    }

    /// Gives a job up that waits, because its caller was interrupted. Nothing happens to one that
    /// runs: `interrupt` has told it.
    func interrupted(_ job: any LaneJob) {
        let needsThread = monitor.withLock { state -> Bool in
            guard remove(job, &state) else { return false }
            state.givenUp.append(job)
            return reserveThread(&state)
        }
        // Without a thread to spare the job is still given up by the next one that is free.
        if !needsThread || !startThread() { monitor.wakeOne() }
    }

    /// Accepts nothing more, interrupts everything, and waits until all of it has finished.
    ///
    /// - Parameter limit: how long it waits; nil for ever.
    /// - Returns: whether all of it has.
    @discardableResult
    func drain(atMost limit: Duration? = nil) -> Bool {
        let jobs = monitor.withLock { state -> [any LaneJob] in
            state.isClosed = true
            return state.waiting + state.running.values
        }
        for job in jobs { job.interrupt() }
        monitor.wakeAll()
        while true {
            let isOver = monitor.wait(atMost: limit ?? .seconds(1)) {
                $0.isEmpty && $0.threadCount == 0 ? true : nil
            }
            if isOver != nil || limit != nil { return isOver ?? false }
        }
    }

    /// Jobs that run or wait, for the status.
    var load: (running: Int, waiting: Int) {
        monitor.withLock { ($0.running.count, $0.waiting.count) }
    }

    private func hasRoom(for job: any LaneJob, _ state: State) -> Bool {
        // A job that a thread can take at once does not count as waiting.
        if state.waiting.count == 0 && state.running.count < limits.threadLimit { return true }
        return state.waiting.count < limits.waitingLimit
            && state.waitingBytes + job.byteCount <= limits.byteLimit
    }

    /// Counts a new thread if the work at hand needs one.
    private func reserveThread(_ state: inout State) -> Bool {
        let limit = limits.threadLimit + (state.givenUp.isEmpty ? 0 : 1)
        guard state.idleCount < state.waiting.count + state.givenUp.count,
            state.threadCount < limit
        else { return false }
        state.threadCount += 1
        return true
    }

    private func startThread() -> Bool {
        if makeThread(name, { [self] in serve() }) { return true }
        monitor.withLock { $0.threadCount -= 1 }
        monitor.wakeAll()
        return false
    }

    /// After a thread could not be made: takes the job back, unless another thread has it or will.
    private func withdraw(_ job: any LaneJob) -> Bool {
        monitor.withLock { state in
            guard state.threadCount == 0 else { return false }
            if remove(job, &state) { return true }
            // Its caller was interrupted before it came, or meanwhile.
            guard let index = state.givenUp.firstIndex(where: { $0 === job }) else { return false }
            state.givenUp.remove(at: index)
            return true
        }
    }

    private func remove(_ job: any LaneJob, _ state: inout State) -> Bool {
        guard let index = state.waiting.firstIndex(where: { $0 === job }) else { return false }
        state.waiting.remove(at: index)
        state.waitingBytes -= job.byteCount
        return true
    }

    /// A thread's life.
    private func serve() {
        while true {
            switch nextTask() {
            case .run(let job):
                job.run()
                monitor.withLock { state in
                    state.running[ObjectIdentifier(job)] = nil
                }
            case .giveUp(let job):
                job.giveUp()
            case .end:
                monitor.wakeAll()
                return
            }
        }
    }

    private func nextTask() -> Task {
        monitor.withLock { $0.idleCount += 1 }
        let task = monitor.wait(atMost: limits.idleTime) { takeTask(&$0) }
        if let task { return task }
        return monitor.withLock { state in
            // Work may have come between the end of the wait and here.
            if let task = takeTask(&state) { return task }
            return end(&state)
        }
    }

    /// What an idle thread should do; nil to go on waiting.
    private func takeTask(_ state: inout State) -> Task? {
        if let job = state.givenUp.popLast() {
            state.idleCount -= 1
            return .giveUp(job)
        }
        // The thread that was made beyond the limit ends when nothing is left to give up.
        if state.threadCount > limits.threadLimit { return end(&state) }
        if !state.waiting.isEmpty {
            let job = state.waiting.removeFirst()
            state.waitingBytes -= job.byteCount
            state.idleCount -= 1
            guard !job.isInterrupted else { return .giveUp(job) }
            state.running[ObjectIdentifier(job)] = job
            return .run(job)
        }
        return state.isClosed ? end(&state) : nil
    }

    private func end(_ state: inout State) -> Task {
        state.idleCount -= 1
        state.threadCount -= 1
        return .end
    }
}
