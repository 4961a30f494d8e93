// SPDX-License-Identifier: Apache-2.0
//
// Threads of our own, and signals taken by one of them.

import Glibc

/// Starts threads.
enum Threads {
    /// Runs `body` on a new thread that nobody joins.
    static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        // SAFETY: retained here, released by the thread that takes the value out.
        let parcel = unsafe Unmanaged.passRetained(Parcel(body))
        var thread = pthread_t()
        // SAFETY: the thread's only argument is the retained parcel, which it alone opens.
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // SAFETY: `argument` is the parcel retained by `start`; this is its one release.
                let parcel = unsafe Unmanaged<Parcel>.fromOpaque(argument).takeRetainedValue()
                parcel.body()
                return nil
            }, parcel.toOpaque())
        guard result == 0 else {
            unsafe parcel.release()
            throw SystemError("pthread_create", code: result)
        }
        pthread_detach(thread)
    }

    private final class Parcel {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// Blocks signals in every thread and takes them on one, by sigwait.
package enum Signals {
    /// What ends a daemon: SIGTERM, SIGINT.
    package static let ending = [SIGTERM, SIGINT]

    /// Blocks the ending signals for this thread and all it starts; ignores SIGHUP and SIGPIPE.
    ///
    /// To be called before the first thread is started.
    package static func takeOver() {
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        var set = endingSet()
        // SAFETY: `set` is ours and initialised.
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `body` with each ending signal, on a thread of its own, for ever.
    package static func watch(_ body: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        try Threads.start {
            var set = endingSet()
            while true {
                var number: Int32 = 0
                // SAFETY: both are ours; sigwait writes the signal's number.
                if unsafe sigwait(&set, &number) == 0 { body(number) }
            }
        }
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
