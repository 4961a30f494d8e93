// SPDX-License-Identifier: Apache-2.0
//
// What libfuse says. It has one log for the whole process, so this is the one place with state that
// is not a session's.

import CFuse
import Synchronization

/// libfuse's messages.
enum FuseLog {
    private struct State {
        var isInstalled = false
        var recent: [String] = []
    }

    /// Most messages kept for an error's text.
    private static let limit = 8

    private static let state = Mutex(State())

    /// Makes libfuse's messages come here instead of to standard error.
    static func install() {
        let isFirst = state.withLock { state in
            defer { state.isInstalled = true }
            return !state.isInstalled
        }
        guard isFirst else { return }
        // SAFETY: a function without a context, for the life of the process; the message ends with a
        // zero and is copied.
        unsafe cfuse_set_log { _, message in
            let text = unsafe String(cString: message)
            FuseLog.state.withLock { state in
                state.recent.append(text)
                if state.recent.count > FuseLog.limit { state.recent.removeFirst() }
            }
        }
    }

    /// What libfuse has said since the last call, as one line; `otherwise` when it said nothing.
    static func take(otherwise: String) -> String {
        let messages = state.withLock { state in
            defer { state.recent = [] }
            return state.recent
        }
        let text = messages.joined().split(whereSeparator: \.isNewline).joined(separator: "; ")
        return text.isEmpty ? otherwise : text
    }
}
