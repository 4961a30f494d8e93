// SPDX-License-Identifier: Apache-2.0
//
// Threads of our own: plain POSIX threads, because what they run blocks.

internal import CLinux
internal import Glibc

/// Starts threads.
package enum SystemThread {
    /// Most bytes of a thread's name.
    ///
    /// - Source: prctl(2), PR_SET_NAME: 16 bytes with the end.
    package static let nameLimit = 15

    /// The longest turn there is, in nanoseconds: who wakes up with a shorter one, which all have
    /// by default, need not wait until it is over. Work in the background runs in such turns.
    ///
    /// - Source: Linux 6.12, kernel/sched/fair.c, PREEMPT_SHORT; sched_setattr(2).
    private static let longTurn: UInt64 = 100_000_000

    /// Runs `body` on a new, detached thread that takes no signals.
    ///
    /// Signals of the process belong to whoever waits for them; a thread of ours must not be the
    /// one they interrupt.
    ///
    /// - Parameters:
    ///   - name: what `ps -T` shows: ASCII, cut to `nameLimit`.
    ///   - stackSize: in bytes, a multiple of the page size; nil for the system's own.
    ///   - niceness: added to the thread's nice value, so that background work yields to the
    ///     user's. A system that refuses it only costs politeness.
    /// - Returns: false when the system has no thread to give; `body` is then not run.
    package static func start(
        _ name: String, stackSize: Int? = nil, niceness: Int32 = 0,
        _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        // SAFETY: owned by this call alone, initialised here, destroyed and freed below. In memory
        // of its own, because its initialiser belongs to whichever C module has the type first.
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        unsafe pthread_attr_init(attributes)
        defer {
            unsafe pthread_attr_destroy(attributes)
            unsafe attributes.deallocate()
        }
        unsafe pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
        if let stackSize {
            let isValid = unsafe pthread_attr_setstacksize(attributes, stackSize) == 0
            precondition(isValid, "no stack is that small")
        }
        var (all, before) = (sigset_t(), sigset_t())
        var thread = pthread_t()
        let start = Start(name: String(name.prefix(nameLimit)), niceness: niceness, body: body)
        // SAFETY: locals of the right types. `start` is handed over with one retain, which the new
        // thread takes, or this function when there is none.
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        let argument = unsafe Unmanaged.passRetained(start)
        let result = unsafe pthread_create(&thread, attributes, run, argument.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        if result != 0 { unsafe argument.release() }
        return result == 0
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? =
        { argument in
            // SAFETY: the argument is what `start` gave; this balances its passRetained.
            guard let argument = unsafe argument else { return nil }
            let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            // SAFETY: the name lives through the call, which copies it.
            _ = unsafe cairn_name_thread(start.name)
            // Whoever started it may be held to one processor, and low, as threads that serve are.
            cairn_reset_scheduling()
            if start.niceness != 0 {
                // On Linux the "process" 0 of setpriority is the calling thread.
                _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, start.niceness)
                _ = cairn_set_turn(SystemThread.longTurn)
            }
            start.body()
            return nil
        }

    private final class Start: Sendable {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }
}
