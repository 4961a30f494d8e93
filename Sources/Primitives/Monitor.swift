// SPDX-License-Identifier: Apache-2.0
//
// A lock with a condition to wait for. `Lock` has none, and threads do wait: for a commit that
// somebody else leads, for a chunk that somebody else fetches, for a connection, for work.

internal import Glibc

/// State behind a lock, and a way to sleep until it changes.
///
/// Every change is announced to every waiter: each wait is on a state of its own, so there is
/// hardly anybody to wake in vain.
@safe package final class Monitor<State>: @unchecked Sendable {
    // @unchecked because: `state` is touched only between lock and unlock of `mutex`.
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// A free lock over `initial`.
    package init(_ initial: sending State) {
        state = initial
        // SAFETY: both are owned by this object alone, initialised here, and freed in deinit.
        unsafe mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        // SAFETY: as above.
        unsafe condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        // SAFETY: as above; the attribute lives on this stack frame only.
        unsafe pthread_mutex_init(mutex, nil)
        var attribute = pthread_condattr_t()
        // SAFETY: as above.
        unsafe pthread_condattr_init(&attribute)
        // SAFETY: as above. The monotonic clock: a clock jump must not end or stretch a wait.
        unsafe pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC)
        // SAFETY: as above.
        unsafe pthread_cond_init(condition, &attribute)
        // SAFETY: as above.
        unsafe pthread_condattr_destroy(&attribute)
    }

    deinit {
        // SAFETY: nobody can hold or wait for a lock of an object without references.
        unsafe pthread_cond_destroy(condition)
        // SAFETY: as above.
        unsafe pthread_mutex_destroy(mutex)
        // SAFETY: allocated in init, freed once.
        unsafe condition.deallocate()
        // SAFETY: allocated in init, freed once.
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the lock held and wakes all who wait.
    package func update<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        lock()
        defer {
            // SAFETY: the condition lives as long as self.
            unsafe pthread_cond_broadcast(condition)
            unlock()
        }
        return try body(&state)
    }

    /// Runs `body` with the lock held and wakes nobody; `body` must change nothing that is waited
    /// for.
    package func look<R>(_ body: (inout State) -> R) -> R {
        lock()
        defer { unlock() }
        return body(&state)
    }

    /// Sleeps until `body` gives something, asking it after every update, and at the latest after
    /// `step`.
    ///
    /// - Returns: what `body` gave; nil when `timeout` has passed.
    package func wait<R>(atMost timeout: Duration? = nil, _ body: (inout State) -> R?) -> R? {
        let end = timeout.map { ContinuousClock.now + $0 }
        lock()
        defer { unlock() }
        while true {
            if let result = body(&state) { return result }
            guard let end else {
                // SAFETY: the lock is held by this thread.
                unsafe pthread_cond_wait(condition, mutex)
                continue
            }
            let left = end - ContinuousClock.now
            if left <= .zero { return nil }
            sleepHoldingLock(atMost: left)
        }
    }

    private func sleepHoldingLock(atMost left: Duration) {
        var deadline = timespec()
        // SAFETY: `deadline` is a local of the right type.
        unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = left.components
        let nanoseconds = Int64(deadline.tv_nsec) + attoseconds / 1_000_000_000
        deadline.tv_sec += Int(seconds + nanoseconds / 1_000_000_000)
        deadline.tv_nsec = Int(nanoseconds % 1_000_000_000)
        // SAFETY: the lock is held by this thread; `deadline` is read during the call only.
        unsafe pthread_cond_timedwait(condition, mutex, &deadline)
    }

    private func lock() {
        // SAFETY: the mutex lives as long as self.
        unsafe pthread_mutex_lock(mutex)
    }

    private func unlock() {
        // SAFETY: the mutex lives as long as self and is held by this thread.
        unsafe pthread_mutex_unlock(mutex)
    }
}
