// SPDX-License-Identifier: Apache-2.0
//
// Waiting for what happens by itself, and for processes to be gone.

import Foundation

/// Waits until something is so, or the time is over.
///
/// - Parameters:
///   - limit: the most that is waited.
///   - isSo: asked a hundred times a second, and once more when the time is over.
/// - Returns: whether it is so at the end.
package func eventually(
    within limit: Duration = .seconds(10), _ isSo: () throws -> Bool
) rethrows -> Bool {
    let end = ContinuousClock.now + limit
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
