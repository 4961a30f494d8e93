// SPDX-License-Identifier: Apache-2.0
//
// A lock for state that more threads want than there are cores, and that may be held over a system
// call. docs/decisions/0009 has the measurements that made it.

public import Glibc

/// State that one thread at a time may touch.
///
/// The standard library's `Mutex` is a priority-inheritance futex on Linux: a thread that finds it
/// taken spins for long, and once one sleeps, each unlock hands the lock to a sleeper that must be
/// woken first. Eight threads writing to one file spent 44 % of their time in it. This one spins
/// briefly, then sleeps, and whoever runs may take it.
///
/// Its methods are compiled into their callers, and its state is behind a pointer: as a generic
/// function of another module, with the check of exclusive access that the mutex has made already,
/// a call took some 300 instructions, and a new file takes dozens of them.
@usableFromInline
@safe package final class Lock<State: ~Copyable>: @unchecked Sendable {
    // @unchecked because: `state` is touched only between lock and unlock of `mutex`.
    @usableFromInline let state: UnsafeMutablePointer<State>
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// A free lock over `initial`.
    @inlinable
    package init(_ initial: consuming sending State) {
        // SAFETY: owned by this object alone, initialised here, freed in deinit.
        unsafe state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        // SAFETY: as above.
        unsafe state.initialize(to: initial)
        unsafe mutex = LockMutex.make()
    }

    @inlinable
    deinit {
        // SAFETY: nobody can hold the lock of an object without references; both are freed once.
        unsafe LockMutex.free(mutex)
        // SAFETY: as above.
        unsafe state.deinitialize(count: 1)
        // SAFETY: as above.
        unsafe state.deallocate()
    }

    /// Runs `body` with the lock held. Not recursive: taking it again inside never returns.
    @inlinable @inline(__always)
    package func withLock<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        acquire()
        defer { release() }
        // SAFETY: the lock is held, so nobody else has the state.
        return try unsafe body(&state.pointee)
    }

    // MARK: Many at once

    /// Takes the lock until `release()`. For whoever must hold as many locks as it finds things;
    /// all others use `withLock`.
    @inlinable @inline(__always)
    package func acquire() {
        // SAFETY: the mutex lives as long as self.
        unsafe pthread_mutex_lock(mutex)
    }

    /// Gives back what this thread took with `acquire()`.
    @inlinable @inline(__always)
    package func release() {
        // SAFETY: the mutex lives as long as self and is held by this thread.
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Runs `body` between this thread's `acquire()` and `release()`; anywhere else it is a race.
    @inlinable @inline(__always)
    package func withAcquired<R, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        // SAFETY: the caller holds the lock, so nobody else has the state.
        try unsafe body(&state.pointee)
    }
}

/// The mutex of a `Lock`, whatever it locks.
@usableFromInline
package enum LockMutex {
    /// An adaptive mutex: a few tries before sleeping.
    @usableFromInline
    package static func make() -> UnsafeMutablePointer<pthread_mutex_t> {
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        var attribute = pthread_mutexattr_t()
        // SAFETY: the attribute is a local, initialised here and destroyed below.
        unsafe pthread_mutexattr_init(&attribute)
        // SAFETY: as above.
        unsafe pthread_mutexattr_settype(&attribute, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        // SAFETY: the memory is ours and not yet initialised.
        unsafe pthread_mutex_init(mutex, &attribute)
        // SAFETY: as above.
        unsafe pthread_mutexattr_destroy(&attribute)
        return unsafe mutex
    }

    /// Frees what `make` gave, and nobody holds.
    @usableFromInline
    package static func free(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) {
        // SAFETY: it is initialised, and not held.
        unsafe pthread_mutex_destroy(mutex)
        // SAFETY: allocated in `make`, freed once.
        unsafe mutex.deallocate()
    }
}
