// SPDX-License-Identifier: Apache-2.0
//
// A bounded queue between threads whose reader can wait with a time limit.
//
// Invariants: the pipe holds exactly one byte for each value in `values`; `values` never holds more
// than `capacity`, which is far below what a pipe takes, so that a send never blocks.

import Glibc
import Synchronization
import Threading

/// A queue of values from any thread to one that waits for them.
package final class Mailbox<Value: Sendable>: Sendable {
    /// The most values that wait; a sender of more is told so.
    package static var capacity: Int { 256 }

    private let values = Mutex<[Value]>([])
    private let reading: Descriptor
    private let writing: Descriptor

    /// Makes an empty one.
    package init() throws(SystemError) {
        let ends = try Pipe()
        reading = ends.reading
        writing = ends.writing
    }

    /// Adds a value, unless `capacity` wait already.
    ///
    /// - Returns: false when the value was not taken.
    @discardableResult
    package func send(_ value: Value) -> Bool {
        values.withLock { waiting in
            guard waiting.count < Self.capacity else { return false }
            waiting.append(value)
            let byte: [UInt8] = [1]
            do {
                try writing.writeAll(byte.span)
                return true
            } catch {
                // A pipe with room that we hold both ends of does not fail; if it did, nobody would
                // wake for the value, so it is not taken.
                waiting.removeLast()
                return false
            }
        }
    }

    /// Takes the oldest value, waiting up to `wait`; nil waits for ever.
    package func receive(within wait: Duration?) -> Value? {
        let deadline = wait.map { WaitClock.now + $0 }
        while true {
            let rest = deadline.map { $0 - WaitClock.now } ?? .seconds(3600)
            if reading.isReadable(within: max(.zero, rest)), let value = take() { return value }
            if let deadline, WaitClock.now >= deadline { return nil }
        }
    }

    private func take() -> Value? {
        values.withLock { waiting in
            guard !waiting.isEmpty else { return nil }
            var byte: [UInt8] = [0]
            var span = byte.mutableSpan
            do {
                _ = try reading.read(into: &span)
            } catch {
                // As in `send`: it cannot fail, and a byte too many only wakes the reader once
                // more.
            }
            return waiting.removeFirst()
        }
    }
}

/// The two ends of a pipe; neither is inherited by programs we start.
struct Pipe: ~Copyable {
    let reading: Descriptor
    let writing: Descriptor

    init() throws(SystemError) {
        var ends: [Int32] = [0, 0]
        // SAFETY: pipe(2) writes two numbers into the array, which is ours.
        guard unsafe pipe(&ends) == 0 else { throw SystemError.last("pipe") }
        reading = Descriptor(owning: ends[0])
        writing = Descriptor(owning: ends[1])
        // F_SETFD of an open descriptor has no way to fail.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    }
}
