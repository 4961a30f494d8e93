// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: what happened to the daemon, for the person who looks after it.
//
// Invariants: no file name, key or phrase is ever written; both files together never hold more than
// 2 × `fileSize` and one line.

import Glibc
import Synchronization

/// How much a line matters.
package enum EventLevel: String, Sendable {
    case note
    case warning
    case error
}

/// A log of bounded size: `log`, and the older half as `log.1`.
package final class EventLog: Sendable {
    /// Bytes of a file that is full.
    static let fileSize: UInt64 = 512 * 1024
    /// Most bytes of one message; the rest is cut off.
    static let messageSize = 1000

    private struct State: ~Copyable {
        var file: Descriptor?
        var size: UInt64
    }

    /// Nil for a log that goes to standard error.
    private let path: String?
    /// True for the process whose standard error is this log, so that a trap's words land here too.
    private let takesStandardError: Bool
    private let state: Mutex<State>

    /// A log on standard error, for a daemon in the foreground.
    package init() {
        path = nil
        takesStandardError = false
        state = Mutex(State(file: nil, size: 0))
    }

    /// A log at `path`, appended to.
    ///
    /// - Parameter takesStandardError: what this process writes to standard error goes there too.
    package init(path: String, takesStandardError: Bool) throws(CommandFailure) {
        self.path = path
        self.takesStandardError = takesStandardError
        do {
            state = Mutex(try Self.open(path, takesStandardError))
        } catch {
            throw CommandFailure(.failure, "the log “\(path)” cannot be written", error)
        }
    }

    /// Adds one line: time, process, level, message.
    package func write(_ level: EventLevel, _ message: String) {
        let flat = message.prefix(Self.messageSize).map { $0.isNewline ? " " : $0 }
        let line =
            "\(UTCText.of(Int64(time(nil)))) \(getpid()) \(level.rawValue): \(String(flat))\n"
        guard path != nil else { return Output.note("cairn: \(String(flat))\n") }
        state.withLock { state in
            do {
                try turn(&state)
                try state.file?.writeAll(Array(line.utf8).span)
                state.size += UInt64(line.utf8.count)
            } catch {
                // A full disk must not stop the daemon, and there is nowhere else to say it.
            }
        }
    }

    private func turn(_ state: inout State) throws(SystemError) {
        guard let path, state.size >= Self.fileSize else { return }
        try Files.rename(path, to: path + ".1")
        state = try Self.open(path, takesStandardError)
    }

    private static func open(
        _ path: String, _ takesStandardError: Bool
    ) throws(SystemError) -> State {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
        let file = try Descriptor.open(path, flags, mode: 0o600)
        if takesStandardError, dup2(file.number, STDERR_FILENO) < 0 {
            throw SystemError.last("dup2")
        }
        let size = try FileFacts.of(file).size
        return State(file: file, size: size)
    }
}
