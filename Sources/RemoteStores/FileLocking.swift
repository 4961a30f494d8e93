// SPDX-License-Identifier: Apache-2.0
//
// `flock` with patience: what keeps other processes of this machine, and of others that share a
// folder, from changing the same thing at once.

internal import Glibc

/// Locks an open file for this process alone.
///
/// The kernel's own waiting cannot be given an end, so it is tried again and again.
///
/// - Parameters:
///   - patience: how long somebody else is waited for.
///   - pause: between two attempts, in microseconds.
/// - Throws: EWOULDBLOCK when patience is at its end; what else `flock` says, at once.
func lockExclusively(
    _ descriptor: Int32, patience: Duration, pause: useconds_t
) throws(SystemError) {
    let deadline = ContinuousClock.now + patience
    while true {
        do throws(SystemError) {
            _ = try retrying { flock(descriptor, LOCK_EX | LOCK_NB) }
            return
        } catch {
            guard error.code == EWOULDBLOCK, ContinuousClock.now < deadline else { throw error }
        }
        _ = usleep(pause)
    }
}
