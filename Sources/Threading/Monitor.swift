// SPDX-License-Identifier: Apache-2.0
//
// A lock with a condition to wait for. `Lock` has none, and threads do wait: for a commit that
// somebody else leads, for a chunk that somebody else fetches, for work.

internal import Glibc

/// State behind a lock, and a way to sleep until it changes.
@safe package final class Monitor<State>: @unchecked Sendable {
    // @unchecked because: `state` is touched only between lock and unlock of `mutex`.
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// A free lock over `initial`, with nobody waiting.
    package init(_ initial: sending State) {
        state = initial
        // SAFETY: both are owned by this object alone, at an address that never changes, as POSIX
        // asks; initialised here, freed in deinit. With these attributes nothing here can fail.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attribute = pthread_condattr_t()
        unsafe pthread_condattr_init(&attribute)
        // The monotonic clock: a clock jump must not end or stretch a wait.
        unsafe pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attribute)
        unsafe pthread_condattr_destroy(&attribute)
    }

    deinit {
        // SAFETY: nobody can hold or wait for a lock of an object without references.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the lock held, and wakes nobody.
    ///
    /// For looking, and for changes that nobody waits for or that `wakeOne` or `wakeAll` announces.
    /// Not recursive: `body` may not call this monitor again.
    package func withLock<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        lock()
        defer { unlock() }
        return try body(&state)
    }

    /// Runs `body` with the lock held, as `withLock` does, and wakes all who wait.
    package func update<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        lock()
        defer {
            wakeAll()
            unlock()
        }
        return try body(&state)
    }

    /// Sleeps until `body` gives something, asking it at once and after every wake-up.
    ///
    /// - Parameter timeout: the longest sleep; nil for no limit.
    /// - Returns: what `body` gave; nil when `timeout` has passed.
    package func wait<R>(atMost timeout: Duration? = nil, _ body: (inout State) -> R?) -> R? {
        let end = timeout.map(Self.moment)
        lock()
        defer { unlock() }
        while true {
            if let result = body(&state) { return result }
            guard var end else {
                // SAFETY: the lock is held by this thread.
                unsafe pthread_cond_wait(condition, mutex)
                continue
            }
            // SAFETY: as above; `end` is read during the call only.
            if unsafe pthread_cond_timedwait(condition, mutex, &end) != 0 { return body(&state) }
        }
    }

    /// Lets one waiting thread look again.
    package func wakeOne() {
        // SAFETY: the condition lives as long as self.
        unsafe pthread_cond_signal(condition)
    }

    /// Lets all waiting threads look again.
    package func wakeAll() {
        // SAFETY: the condition lives as long as self.
        unsafe pthread_cond_broadcast(condition)
    }

    private static func moment(after wait: Duration) -> timespec {
        var now = timespec()
        // SAFETY: writes into a local of the right type. The monotonic clock always exists.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let (seconds, attoseconds) = max(wait, .zero).components
        let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
        return timespec(
            tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000,
            tv_nsec: nanoseconds % 1_000_000_000)
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
