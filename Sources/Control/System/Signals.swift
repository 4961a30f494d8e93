// SPDX-License-Identifier: Apache-2.0
//
// Signals, taken by one thread.

import Glibc
import Threading

/// Blocks signals in every thread and takes them on one, by sigwait.
package enum Signals {
    /// What ends a daemon: SIGTERM, SIGINT.
    package static let ending = [SIGTERM, SIGINT]

    /// What a process falls over by. Swift's runtime takes them to write registers and what they
    /// point to into the log, which may be a key or a name, while the mount hangs.
    private static let fatal = [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    /// Blocks the ending signals for this thread and all it starts; ignores SIGHUP, and SIGPIPE and
    /// SIGXFSZ, for the call that failed says so itself; lets those that tell of a fault end the
    /// process at once.
    ///
    /// To be called before the first thread is started.
    package static func takeOver() {
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        for number in fatal { signal(number, SIG_DFL) }
        var set = endingSet()
        // SAFETY: `set` is ours and initialised.
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `body` with each ending signal, on a thread of its own, for ever.
    package static func watch(_ body: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        let isStarted = SystemThread.start("cairn-signals") {
            var set = endingSet()
            while true {
                var number: Int32 = 0
                // SAFETY: both are ours; sigwait writes the signal's number.
                if unsafe sigwait(&set, &number) == 0 { body(number) }
            }
        }
        guard isStarted else { throw SystemError.noThread }
    }

    private static func endingSet() -> sigset_t {
        var set = sigset_t()
        // SAFETY: `set` is ours; the calls initialise it.
        _ = unsafe sigemptyset(&set)
        for number in ending {
            _ = unsafe sigaddset(&set, number)
        }
        return set
    }
}
