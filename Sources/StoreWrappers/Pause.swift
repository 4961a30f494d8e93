// SPDX-License-Identifier: Apache-2.0
//
// Sleep that another thread can end.

internal import Threading

/// Where a layer's threads wait.
final class Pause: Sendable {
    private let isStopped = Monitor(false)

    /// Sleeps.
    ///
    /// - Returns: false if there is no point in going on: the store was stopped.
    func sleep(_ time: Duration) -> Bool {
        if time <= .zero { return !isStopped.withLock { $0 } }
        return isStopped.wait(atMost: time) { $0 ? true : nil } == nil
    }

    /// Ends every sleep, now and from now on.
    func stop() { isStopped.update { $0 = true } }
}
