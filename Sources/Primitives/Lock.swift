// SPDX-License-Identifier: Apache-2.0
//
// A lock for state that more threads want than there are cores, and that may be held over a system
// call. docs/decisions/0009 has the measurements that made it.

internal import Glibc

/// State that one thread at a time may touch.
///
/// The standard library's `Mutex` is a priority-inheritance futex on Linux: a thread that finds it
/// taken spins for long, and once one sleeps, each unlock hands the lock to a sleeper that must be
/// woken first. Eight threads writing to one file spent 44 % of their time in it. This one spins
/// briefly, then sleeps, and whoever runs may take it.
@safe package final class Lock<State: ~Copyable>: @unchecked Sendable {
    // @unchecked because: `content` is touched only between lock and unlock of `mutex`.
    private var content: Content
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// The state, and a byte beside it. Swift gives a property without a size, such as that of
    /// `Lock<Void>`, the address of the object itself, and the thread sanitizer would take changing
    /// it under the lock, and reading the object's class outside, for a race.
    private struct Content: ~Copyable {
        var state: State
        let weight: UInt8 = 0
    }

    /// A free lock over `initial`.
    package init(_ initial: consuming sending State) {
        content = Content(state: initial)
        // SAFETY: owned by this object alone, initialised here, freed in deinit.
        unsafe mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        var attribute = pthread_mutexattr_t()
        // SAFETY: the attribute is a local, initialised here and destroyed below.
        unsafe pthread_mutexattr_init(&attribute)
        // SAFETY: as above. Adaptive: a few tries before sleeping.
        unsafe pthread_mutexattr_settype(&attribute, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        // SAFETY: the memory is ours and not yet initialised.
        unsafe pthread_mutex_init(mutex, &attribute)
        // SAFETY: as above.
        unsafe pthread_mutexattr_destroy(&attribute)
    }

    deinit {
        // SAFETY: nobody can hold the lock of an object without references.
        unsafe pthread_mutex_destroy(mutex)
        // SAFETY: allocated in init, freed once.
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the lock held. Not recursive: taking it again inside never returns.
    @inline(__always)
    package func withLock<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        acquire()
        defer { release() }
        return try body(&content.state)
    }

    // MARK: Many at once

    /// Takes the lock until `release()`. For whoever must hold as many locks as it finds things;
    /// all others use `withLock`.
    @inline(__always)
    package func acquire() {
        // SAFETY: the mutex lives as long as self.
        unsafe pthread_mutex_lock(mutex)
    }

    /// Gives back what this thread took with `acquire()`.
    @inline(__always)
    package func release() {
        // SAFETY: the mutex lives as long as self and is held by this thread.
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Runs `body` between this thread's `acquire()` and `release()`; anywhere else it is a race.
    package func withAcquired<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        try body(&content.state)
    }
}
