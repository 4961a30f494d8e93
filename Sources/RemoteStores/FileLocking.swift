// SPDX-License-Identifier: Apache-2.0
//
// `flock` with patience: what keeps other processes of this machine, and of others that share a
// folder, from changing the same thing at once.

internal import Glibc
internal import Threading

/// Locks an open file for this process alone.
///
/// The kernel's own waiting cannot be given an end, so it is tried again and again.
///
/// - Parameters:
///   - patience: how long somebody else is waited for.
///   - pause: between two attempts, in microseconds.
///   - clock: what `patience` is measured by. The default stands still in a suspend, during which
///     nobody can let go of the lock; tests bring clocks of their own.
/// - Throws: EWOULDBLOCK when patience is at its end; what else `flock` says, at once.
func lockExclusively<Measure: Clock>(
    _ descriptor: Int32, patience: Duration, pause: useconds_t, by clock: Measure = WaitClock()
) throws(SystemError) where Measure.Duration == Duration {
    let isLocked = try polled(within: patience, every: pause, by: clock) { () throws(SystemError) in
        do throws(SystemError) {
            _ = try retrying { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            return false
        }
    }
    guard isLocked else { throw SystemError(code: EWOULDBLOCK) }
}
