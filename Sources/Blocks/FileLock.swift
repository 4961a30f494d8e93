// SPDX-License-Identifier: Apache-2.0
//
// The exclusive lock of an open file, for the arena and the state folder.

internal import Glibc

/// How the operating system's file locks are taken here.
enum FileLock {
    /// Tries before a file is taken for locked, and the wait between them: half a second in all.
    private static let attempts = 50
    private static let pauseMicroseconds: UInt32 = 10_000

    /// Locks the file open as `descriptor` for itself alone; 0, or the errno: EWOULDBLOCK when
    /// somebody else has it.
    ///
    /// Waits a little: when this process starts another program, the child holds all open files
    /// between its fork and its exec, also one that was just let go here.
    static func take(_ descriptor: Int32) -> Int32 {
        for attempt in 1... {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return 0 }
            let code = errno
            switch code {
            case EINTR: continue
            case EWOULDBLOCK where attempt < attempts: usleep(pauseMicroseconds)
            default: return code
            }
        }
        return EWOULDBLOCK
    }
}
