// SPDX-License-Identifier: Apache-2.0
//
// State that threads wait on. `Mutex` has no condition to wait for; this is the one place that
// joins the two, with POSIX threads.

import Glibc

/// A value behind a lock, with a condition that threads can wait for.
///
/// `@unchecked Sendable` because `value` is read and written only between lock and unlock.
@safe final class Monitor<Value>: @unchecked Sendable {
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(_ value: Value) {
        self.value = value
        // SAFETY: both are ours from here to `deinit`, at an address that never changes, as POSIX
        // asks. Initialising with these attributes cannot fail on Linux.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        // SAFETY: nobody else has a reference any more, so nobody waits or holds the lock.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs `body` alone. It may not call back into this monitor, nor into libfuse.
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        // SAFETY: initialised in `init`; the lock is held exactly while `body` runs.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Waits until `body` gives a value, or `timeout` has passed; then gives that, or nil.
    ///
    /// `body` runs alone, at the start and after every `wakeAll` or `wakeOne`.
    func wait<Result>(atMost timeout: Duration, _ body: (inout Value) -> Result?) -> Result? {
        let deadline = Self.moment(after: timeout)
        // SAFETY: as in `withLock`; the condition is only ever used with this mutex.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            var limit = deadline
            if unsafe pthread_cond_timedwait(condition, mutex, &limit) != 0 {
                return body(&value)
            }
        }
    }

    /// Lets one waiting thread look again.
    func wakeOne() {
        // SAFETY: initialised in `init`.
        unsafe pthread_cond_signal(condition)
    }

    /// Lets all waiting threads look again.
    func wakeAll() {
        // SAFETY: initialised in `init`.
        unsafe pthread_cond_broadcast(condition)
    }

    private static func moment(after wait: Duration) -> timespec {
        var now = timespec()
        // SAFETY: writes into a local of the right type. The monotonic clock always exists.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let (seconds, attoseconds) = wait.components
        let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
        return timespec(
            tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000,
            tv_nsec: nanoseconds % 1_000_000_000)
    }
}
