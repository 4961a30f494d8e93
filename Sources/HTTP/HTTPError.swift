// SPDX-License-Identifier: Apache-2.0
//
// Why there is no answer.

/// Why a request got no answer.
package struct HTTPError: Error, Hashable, Sendable {
    /// What went wrong.
    package enum Cause: Hashable, Sendable {
        /// The request cannot be sent as it is; the text says why.
        case invalidRequest(String)
        /// No address was found for the server's name, or the proxy's.
        case unresolved
        /// There is such a machine, and nobody listens.
        case refused
        /// The machine, or the proxy, cannot be reached.
        case unreachable
        /// The server's certificate is not to be trusted, or the file of certificates cannot be
        /// used. The text is the library's.
        case untrusted(String)
        /// No secure connection came about.
        case handshake(String)
        /// It took longer than `HTTPTimeouts` allows.
        case timedOut(Phase)
        /// The connection ended before the answer did.
        case brokenOff
        /// What came is not HTTP.
        case garbled
        /// The answer's body is larger than the sink's limit, or its header than `HTTPLimits`.
        case tooLarge(limit: Int)
        /// Another thread cancelled it, or stopped the client.
        case cancelled
        /// The request's own source or sink gave it up.
        case stopped
    }

    /// What took too long.
    package enum Phase: Hashable, Sendable {
        /// All connections were in use.
        case waiting
        /// The connection did not come about.
        case connecting
        /// No byte went or came.
        case stalled
        /// The whole.
        case total
    }

    /// What went wrong.
    package let cause: Cause
    /// Whether the server may have got the request, and done it. False only when it cannot have.
    package let mayBeDone: Bool

    /// Names the two.
    package init(_ cause: Cause, mayBeDone: Bool = false) {
        self.cause = cause
        self.mayBeDone = mayBeDone
    }

    /// Whether the same request may be answered later without anybody doing anything.
    package var isTransient: Bool {
        switch cause {
        case .unresolved, .refused, .unreachable, .handshake, .timedOut, .brokenOff, .garbled: true
        case .invalidRequest, .untrusted, .tooLarge, .cancelled, .stopped: false
        }
    }
}

extension HTTPError: CustomStringConvertible {
    /// One sentence for a person, without the address.
    package var description: String {
        switch cause {
        case .invalidRequest(let reason): "the request cannot be sent: \(reason)"
        case .unresolved: "no address was found for the server's name"
        case .refused: "nobody listens at the server's address"
        case .unreachable: "the server cannot be reached"
        case .untrusted(let reason): "the server's certificate is not trusted: \(reason)"
        case .handshake(let reason): "no secure connection to the server: \(reason)"
        case .timedOut(.waiting): "all connections stayed in use for too long"
        case .timedOut(.connecting): "the server was not reached in time"
        case .timedOut(.stalled): "the connection stood still for too long"
        case .timedOut(.total): "the answer did not come in time"
        case .brokenOff: "the connection broke off"
        case .garbled: "the answer is not HTTP"
        case .tooLarge(let limit): "the answer is larger than \(limit) bytes"
        case .cancelled: "the request was cancelled"
        case .stopped: "the request was given up"
        }
    }
}
