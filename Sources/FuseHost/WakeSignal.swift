// SPDX-License-Identifier: Apache-2.0
//
// The one signal that is ours: it interrupts libfuse's wait for the end, and does nothing else.

import Glibc

/// A real-time signal that is sent to the thread of a session's loop.
enum WakeSignal {
    /// Its number: one that neither programs nor the C library use by custom.
    static let number = __libc_current_sigrtmin() + 9

    /// Lets it interrupt the calling thread, without any other effect.
    static func install() {
        // SAFETY: locals of the right types; the handler touches nothing. Without SA_RESTART a wait
        // ends when the signal comes.
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        unsafe sigaction(number, &action, nil)
        var own = sigset_t()
        unsafe sigemptyset(&own)
        unsafe sigaddset(&own, number)
        unsafe pthread_sigmask(SIG_UNBLOCK, &own, nil)
    }
}
