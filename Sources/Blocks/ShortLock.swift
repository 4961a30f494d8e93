// SPDX-License-Identifier: Apache-2.0
//
// Taking a `Mutex` that is only ever held for moments, from more threads than there are cores.

internal import Glibc
internal import Synchronization

extension Mutex where Value: ~Copyable {
    /// As `withLock`, for locks that nobody holds over a system call.
    ///
    /// `Mutex` on Linux is a priority-inheritance futex: once a thread sleeps on it, each unlock
    /// hands it to a sleeper that must be woken first, and all the others go to sleep behind it.
    /// With eight threads on four cores that made random reads ten times slower than with four. So
    /// a busy lock is tried again, yielding in between, before this thread sleeps on it.
    func withShortLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        for _ in 0..<shortLockAttempts {
            if let result = try withLockIfAvailable(body) { return result }
            sched_yield()
        }
        return try withLock(body)
    }
}

/// How often a busy lock is tried before the thread sleeps: about a millisecond.
private let shortLockAttempts = 1000
