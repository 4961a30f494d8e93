// SPDX-License-Identifier: Apache-2.0
//
// Tells the kernel what a pull changed. On a thread of its own: the kernel may have to wait for a
// request that one of our serving threads does, so no serving thread, and nobody who holds a
// lock of the engine, may tell it themselves.
//
// States: idle; running (from `start`); ended (from `stop`, for ever). Invariant: what was accepted
// while running is told in order, or dropped by `stop`.

import Engine
import Threading

/// A queue of what the kernel must forget.
final class KernelNotifier: Sendable {
    /// Most changes that wait to be told: some hundred bytes each.
    static let waitingLimit = 1 << 19
    /// How long a pull is held back by a full queue before a change goes untold.
    static let patience = Duration.seconds(10)

    private struct State {
        var waiting: [Invalidation] = []
        var isRunning = false
        var isEnded = false
        var droppedCount = 0
    }

    private let monitor = Monitor(State())
    private let log: @Sendable (HostLogLevel, String) -> Void

    /// - Parameter log: where a change that went untold is reported.
    init(log: @escaping @Sendable (HostLogLevel, String) -> Void) {
        self.log = log
    }

    /// Begins to tell.
    ///
    /// - Parameter tell: called on the notifier's own thread; the only one that may block on the
    ///   kernel.
    /// - Returns: false when the system has no thread to give.
    func start(_ tell: @escaping @Sendable (Invalidation) -> Void) -> Bool {
        monitor.withLock { $0.isRunning = true }
        if SystemThread.start("cairn-notify", { [self] in serve(tell) }) { return true }
        monitor.withLock { $0.isRunning = false }
        return false
    }

    /// Takes a change, to be told soon.
    ///
    /// Returns at once, but for a full queue, which holds the caller back for `patience`. A change
    /// that then still finds no room is dropped, and said so: the kernel shows old content until
    /// its timeout.
    func post(_ change: Invalidation) {
        let isTaken = monitor.wait(atMost: Self.patience) { state -> Bool? in
            if state.isEnded { return true }
            guard state.waiting.count < Self.waitingLimit else { return nil }
            state.waiting.append(change)
            return true
        }
        monitor.wakeAll()
        if isTaken == nil {
            monitor.withLock { $0.droppedCount += 1 }
            log(.error, "the kernel could not be told of a change: too many at once")
        }
    }

    /// Ends, dropping what waits: the mount is going away.
    ///
    /// - Parameter limit: how long to wait for the thread's end. It may be inside the kernel, which
    ///   may wait for a request that nobody answers any more.
    /// - Returns: whether the thread is gone. If not, it goes as soon as the kernel lets it.
    @discardableResult
    func stop(atMost limit: Duration = .seconds(2)) -> Bool {
        monitor.withLock { $0.isEnded = true }
        monitor.wakeAll()
        return monitor.wait(atMost: limit) { $0.isRunning ? nil : true } ?? false
    }

    private func serve(_ tell: (Invalidation) -> Void) {
        while true {
            let batch = monitor.wait(atMost: .seconds(60)) { state -> [Invalidation]? in
                if state.isEnded { return [] }
                guard !state.waiting.isEmpty else { return nil }
                defer { state.waiting = [] }
                return state.waiting
            }
            // Nobody had anything to say for a while.
            guard let batch else { continue }
            monitor.wakeAll()
            for change in batch {
                if monitor.withLock({ $0.isEnded }) { break }
                tell(change)
            }
            if monitor.withLock({ $0.isEnded }) {
                monitor.withLock { $0.isRunning = false }
                monitor.wakeAll()
                return
            }
        }
    }
}
