// SPDX-License-Identifier: Apache-2.0
//
// Waiting for what happens by itself, and for processes to be gone.

import Foundation

/// How much slower than usual everything is: under a sanitizer, some ten times.
package enum Slowness {
    /// `$CAIRN_SLOWNESS`, which `make tsan` and `make asan` set; else 1. At most 100.
    package static let factor: Int = {
        let named = ProcessInfo.processInfo.environment["CAIRN_SLOWNESS"].flatMap { Int($0) }
        return min(max(named ?? 1, 1), 100)
    }()
}

extension Duration {
    /// So long a time, where everything is as slow as `Slowness` says: for limits that something
    /// has to keep, not for waits that are the test's own.
    package var scaled: Duration { self * Slowness.factor }
}

/// Waits until something is so, or the time is over.
///
/// - Parameters:
///   - limit: the most that is waited, on a machine of the usual speed.
///   - isSo: asked a hundred times a second, and once more when the time is over.
/// - Returns: whether it is so at the end.
package func eventually(
    within limit: Duration = .seconds(10), _ isSo: () throws -> Bool
) rethrows -> Bool {
    let end = ContinuousClock.now + limit.scaled
    while ContinuousClock.now < end {
        if try isSo() { return true }
        usleep(10_000)
    }
    return try isSo()
}

/// Whether a process runs.
///
/// A signal reaches it also when it has ended and its parent, which the first process of a small
/// machine becomes, has not asked how: that one is gone.
package func isRunning(_ process: Int32) -> Bool {
    // A process that has ended has no file.
    guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
        return false
    }
    // The name stands in brackets, and may have brackets: the state is behind the last.
    let state = line.split(separator: ")").last?.first { $0 != " " }
    return state != "Z" && state != "X"
}
