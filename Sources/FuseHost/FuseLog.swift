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
        var log: (@Sendable (HostLogLevel, String) -> Void)?
    }

    /// Most messages kept for an error's text.
    private static let limit = 8

    private static let state = Mutex(State())

    /// The last of libfuse's levels, which are those of syslog(3), that is an error.
    private static let lastError: Int32 = 3
    /// The last that is a warning.
    private static let lastWarning: Int32 = 4

    /// Makes libfuse's messages come here instead of to standard error.
    ///
    /// - Parameter log: where they go on to; of several sessions, the last one's.
    static func install(_ log: @escaping @Sendable (HostLogLevel, String) -> Void) {
        let isFirst = state.withLock { state in
            defer { state.isInstalled = true }
            state.log = log
            return !state.isInstalled
        }
        guard isFirst else { return }
        // SAFETY: a function without a context, for the life of the process; the message ends
        // with a zero and is copied.
        unsafe cfuse_set_log { level, message in
            unsafe FuseLog.add(level, String(cString: message))
        }
    }

    private static func add(_ number: Int32, _ text: String) {
        let level: HostLogLevel =
            number <= lastError ? .error : number <= lastWarning ? .warning : .debug
        let log = state.withLock { state in
            if level != .debug {
                state.recent.append(text)
                if state.recent.count > limit { state.recent.removeFirst() }
            }
            return state.log
        }
        log?(level, "libfuse: " + text.prefix { !$0.isNewline })
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
