// SPDX-License-Identifier: Apache-2.0
//
// Uploads that wait for each other at a node: who sends one after the other never gets there, on
// the fastest machine, and who sends them together does on the slowest.
//
// Invariants:
// - Nobody waits once `count` have met, or once somebody waited in vain.

import Foundation
import LocalServer

/// Holds the first uploads to a node until so many are under way at once.
package final class UploadMeeting: @unchecked Sendable {
    /// How long the first waits for the last: no test that fails should take longer.
    private static let limit = TimeInterval(120)

    private let count: Int
    // Sendable because all that follows is used with the condition's lock held.
    private let condition = NSCondition()
    private var present = 0
    private var hasMet = false
    private var isOver = false
    private var isToldToWait = false

    /// Lets the uploads to a node meet from now on.
    ///
    /// - Parameter count: how many must be under way at once.
    package init(of count: Int, at node: NodeDouble) {
        self.count = count
        node.change { settings in
            settings.intercept = { [self] request, _ in
                note(request)
                return nil
            }
        }
    }

    /// Whether so many uploads were under way at once.
    package var isMet: Bool { condition.withLock { hasMet } }

    /// Whether a message came with the wish that the node wait for what becomes of it.
    package var wasToldToWait: Bool { condition.withLock { isToldToWait } }

    private func note(_ request: LocalServer.Request) {
        let isUpload = request.method == "POST" && request.target.contains("/add_file")
        // In the body of a message, and in a field of an upload: both are written without blanks.
        let asks = String(decoding: request.body, as: UTF8.self).contains("\"sync\":true")
        condition.withLock {
            if asks { isToldToWait = true }
            guard isUpload, !isOver else { return }
            present += 1
            if present >= count {
                hasMet = true
                isOver = true
                condition.broadcast()
            }
            let end = Date(timeIntervalSinceNow: Self.limit)
            while !isOver, condition.wait(until: end) {}
            isOver = true
            present -= 1
        }
    }
}
