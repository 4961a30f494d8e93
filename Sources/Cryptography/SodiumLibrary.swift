// SPDX-License-Identifier: Apache-2.0
//
// The one place that starts libsodium.

internal import CSodium

/// libsodium, started.
enum SodiumLibrary {
    private static let isStarted = sodium_init() >= 0

    /// Starts the library on the first call; every use of it comes after one.
    ///
    /// It fails only if the system gives no randomness at all, with which nothing of Cairn can
    /// work, so that is a trap.
    static func start() {
        precondition(isStarted, "libsodium could not be started")
    }
}
