// SPDX-License-Identifier: Apache-2.0
//
// Threads of our own: plain POSIX threads, because what they run blocks.

import CFuse
import Glibc

/// Starts threads.
enum HostThread {
    /// Most characters of a thread's name.
    ///
    /// - Source: pthread_setname_np(3): 16 bytes with the end.
    static let nameLimit = 15

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new, detached thread that takes no signals.
    ///
    /// Signals of the process belong to whoever waits for them; a thread of ours must not be the
    /// one they interrupt.
    ///
    /// - Parameter name: what `ps -T` shows; cut to `nameLimit`.
    /// - Returns: false when the system has no thread to give.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let start = Start(name: String(name.prefix(nameLimit)), body: body)
        var all = sigset_t()
        var before = sigset_t()
        var thread = pthread_t()
        // SAFETY: locals of the right types. `start` is handed over with one retain, which the new
        // thread takes, or this function when there is none.
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        let argument = unsafe Unmanaged.passRetained(start)
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                unsafe cfuse_name_thread(start.name)
                start.body()
                return nil
            }, argument.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else {
            unsafe argument.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
