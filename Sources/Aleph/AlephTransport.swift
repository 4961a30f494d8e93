// SPDX-License-Identifier: Apache-2.0
//
// One request to a node and its answer, apart from how it gets there. Tests bring their own.

/// Bytes that can be read more than once: a file that is hashed first and sent after.
package struct AlephSource: Sendable {
    /// How many bytes there are.
    package let size: Int
    /// Gives the bytes from an offset on, at least one and at most as many as asked for; nil if
    /// they cannot be read.
    package let read: @Sendable (_ offset: Int, _ limit: Int) -> [UInt8]?

    /// Bytes that are somewhere else.
    package init(size: Int, read: @escaping @Sendable (_ offset: Int, _ limit: Int) -> [UInt8]?) {
        self.size = size
        self.read = read
    }

    /// Bytes in memory.
    package init(_ bytes: [UInt8]) {
        size = bytes.count
        read = { offset, limit in Array(bytes[offset..<min(offset + limit, bytes.count)]) }
    }

    /// Some of the bytes, as a source of their own.
    ///
    /// - Parameters:
    ///   - start: where they begin.
    ///   - size: how many; all of them are there.
    package func piece(at start: Int, size: Int) -> AlephSource {
        AlephSource(size: size) { place, count in read(start + place, min(count, size - place)) }
    }

    /// Hands all bytes to `body`, a piece at a time; false if they could not be read.
    package func forEachPiece(_ body: (Span<UInt8>) -> Void) -> Bool {
        var offset = 0
        while offset < size {
            guard let piece = read(offset, AlephSource.pieceSize), !piece.isEmpty else {
                return false
            }
            body(piece.span)
            offset += piece.count
        }
        return true
    }

    /// Bytes that are read at once.
    private static let pieceSize = 1 << 20
}

/// What is asked of a node.
package struct AlephRequest: Sendable {
    /// What to do.
    package enum Method: String, Sendable {
        /// Give.
        case get = "GET"
        /// Take.
        case post = "POST"
    }

    /// What goes with it.
    package enum Body: Sendable {
        /// Nothing.
        case none
        /// JSON.
        case json([UInt8])
        /// A form, as multipart/form-data.
        case form(MultipartForm)
    }

    /// What to do.
    package var method: Method
    /// The path from the node's root with its query, percent-encoded.
    package var target: String
    /// What goes with it.
    package var body: Body
    /// The most bytes of an answer.
    package var answerLimit: Int
    /// How long the whole may take; nil where only standing still ends it.
    package var deadline: Duration?

    /// The most bytes of an answer in JSON.
    package static let jsonLimit = 16 << 20

    /// A request of these parts.
    package init(
        _ method: Method, _ target: String, body: Body = .none,
        answerLimit: Int = AlephRequest.jsonLimit, deadline: Duration? = .seconds(60)
    ) {
        self.method = method
        self.target = target
        self.body = body
        self.answerLimit = answerLimit
        self.deadline = deadline
    }
}

/// What a node, or a proxy before it, answered.
package struct AlephAnswer: Sendable {
    /// The status of HTTP.
    package let status: Int
    /// The body; empty where a sink took it.
    package let body: [UInt8]
    /// How long to leave it alone, if it said so.
    package let retryAfter: Duration?

    /// An answer of these parts.
    package init(status: Int, body: [UInt8], retryAfter: Duration? = nil) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
    }
}

/// Why no answer came. The text is a fixed sentence.
package struct AlephTransportError: Error, Equatable, Sendable {
    /// What went wrong.
    package enum Cause: Equatable, Sendable {
        /// The node was not reached, or the connection broke.
        case unreachable
        /// The answer is larger than `answerLimit`.
        case tooLarge
        /// Somebody here ended it, or the source could not be read.
        case stopped
    }

    /// What went wrong.
    package let cause: Cause
    /// One sentence for a person.
    package let reason: String

    /// An error of these parts.
    package init(_ cause: Cause, _ reason: String) {
        self.cause = cause
        self.reason = reason
    }
}

/// How requests reach a node.
///
/// Calls block, from any thread, and several at once.
package protocol AlephTransport: Sendable {
    /// Sends a request and gives the answer, whatever its status.
    ///
    /// - Parameter sink: takes the body of an answer of status 200, in pieces, instead of
    ///   `AlephAnswer.body`; false from it ends the request. Other bodies are collected.
    func send(
        _ request: AlephRequest, to node: AlephNodeAddress,
        sink: ((Span<UInt8>) -> Bool)?
    ) throws(AlephTransportError) -> AlephAnswer
}
