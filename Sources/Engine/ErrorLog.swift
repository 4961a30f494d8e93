// SPDX-License-Identifier: Apache-2.0
//
// The sentences behind an EIO: what `.cairn/errors` shows. No names, no keys, no content.

import Primitives
import Namespace
import Stores
import Synchronization

/// A bounded list of failures, newest last.
final class ErrorLog: Sendable {
    /// Lines kept; older ones are dropped and counted.
    static let limit = 500

    /// Which part failed.
    enum Part: String, Sendable {
        case store, database, arena, page, pad, root, chunk, conflict, tree
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

    /// The newest sentence, without its time and part.
    var newest: String? {
        state.withLock { log in
            guard let text = log.last?.text else { return nil }
            guard let colon = text.firstIndex(of: ":") else { return text }
            return String(text[text.index(after: colon)...].drop { $0 == " " })
        }
    }

    /// Whether the newest is of the database or the blocks of this machine.
    var isNewestLocal: Bool {
        state.withLock { log in
            guard let text = log.last?.text else { return false }
            return [Part.database, .arena].contains { text.hasPrefix($0.rawValue + ":") }
        }
    }

    /// How many were added since the start.
    var count: Int { state.withLock { $0.count } }
}

/// Counts that `status` and `metrics` show.
final class Counters: Sendable {
    let chunksStored = Atomic<UInt64>(0)
    let bytesStored = Atomic<UInt64>(0)
    /// Bytes of files whose chunks were handed to the store.
    let bytesFlushed = Atomic<UInt64>(0)
    let chunksFetched = Atomic<UInt64>(0)
    let bytesFetched = Atomic<UInt64>(0)
    let pendingChunks = Atomic<Int>(0)
    let storeAnsweredAt = Atomic<Int64>(0)
    /// Seconds since 1970 of the first call that found the store away; 0 while it is there.
    let offlineSince = Atomic<Int64>(0)
    private let failure = Lock<StoreError?>(nil)
    private let roomFailure = Lock<String?>(nil)
    private let lastFlush = Lock<FileError?>(nil)

    /// There was no room just now: where, and what to do.
    func roomFailed(_ sentence: String) {
        roomFailure.withLock { $0 = sentence }
    }

    /// Where there was no room the last time that there was none.
    var missingRoom: String? { roomFailure.withLock { $0 } }

    /// A round of flushes ended: with what it failed, or nil.
    func flushEnded(_ failure: FileError?) {
        lastFlush.withLock { $0 = failure }
    }

    /// What the last round of flushes failed with; nil after one that did not fail.
    var flushFailure: FileError? { lastFlush.withLock { $0 } }

    /// The store answered just now.
    func storeAnswered() {
        storeAnsweredAt.store(Timestamp.now().seconds, ordering: .relaxed)
        offlineSince.store(0, ordering: .relaxed)
        failure.withLock { $0 = nil }
    }

    /// The store failed just now.
    func storeFailed(_ error: StoreError) {
        if error.isAbsence {
            // The first one counts: how long it has been away.
            _ = offlineSince.compareExchange(
                expected: 0, desired: Timestamp.now().seconds, ordering: .relaxed)
        }
        failure.withLock { $0 = error }
    }

    /// The last failure; nil after an answer.
    var storeError: StoreError? { failure.withLock { $0 } }

    /// Sentence of the last failure; empty after an answer.
    var storeFailure: String { storeError?.description ?? "" }
}
