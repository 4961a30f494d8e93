// SPDX-License-Identifier: Apache-2.0
//
// The sentences behind an EIO: what `.cairn/errors` shows. No names, no keys, no content.

import Primitives
import Namespace
import Synchronization

/// A bounded list of failures, newest last.
final class ErrorLog: Sendable {
    /// Lines kept; older ones are dropped and counted.
    static let limit = 500

    /// Which part failed.
    enum Part: String, Sendable {
        case store, database, arena, page, pad, root, chunk, conflict
    }

    private struct Lines {
        var lines: [String] = []
        var count = 0
        var last: (text: String, repeats: Int)?
    }

    private let state = Lock(Lines())

    /// Adds one line. A sentence repeated at once is counted, not listed again.
    func add(_ part: Part, _ sentence: String, detail: String = "") {
        let text =
            detail.isEmpty
            ? "\(part.rawValue): \(sentence)" : "\(part.rawValue): \(sentence): \(detail)"
        state.withLock { log in
            log.count += 1
            if let last = log.last, last.text == text, !log.lines.isEmpty {
                log.last = (text, last.repeats + 1)
                log.lines[log.lines.count - 1] =
                    "\(Timestamp.now().seconds) \(text) (\(last.repeats + 1) times)"
                return
            }
            log.last = (text, 1)
            log.lines.append("\(Timestamp.now().seconds) \(text)")
            if log.lines.count > ErrorLog.limit { log.lines.removeFirst() }
        }
    }

    /// All lines, oldest first, each ended by a newline. Seconds since 1970 stand first.
    var text: String { state.withLock { $0.lines.map { $0 + "\n" }.joined() } }

    /// How many were added since the start.
    var count: Int { state.withLock { $0.count } }
}

/// Counts that `status` and `metrics` show.
final class Counters: Sendable {
    let chunksStored = Atomic<UInt64>(0)
    let bytesStored = Atomic<UInt64>(0)
    let chunksFetched = Atomic<UInt64>(0)
    let bytesFetched = Atomic<UInt64>(0)
    let pendingChunks = Atomic<Int>(0)
    let storeAnsweredAt = Atomic<Int64>(0)
    private let failure = Lock("")

    /// The store answered just now.
    func storeAnswered() {
        storeAnsweredAt.store(Timestamp.now().seconds, ordering: .relaxed)
        failure.withLock { if !$0.isEmpty { $0 = "" } }
    }

    /// The store failed just now.
    func storeFailed(_ sentence: String) {
        failure.withLock { $0 = sentence }
    }

    /// Sentence of the last failure; empty after an answer.
    var storeFailure: String { failure.withLock { $0 } }
}
