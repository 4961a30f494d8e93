// SPDX-License-Identifier: Apache-2.0
//
// What the daemon says when it does not do what it was asked.

package import HTTP

/// The daemon's refusal.
package struct AntdError: Error, Hashable, Sendable {
    /// The daemon's own words for its reasons.
    package enum Code: String, Hashable, Sendable {
        case notFound = "NOT_FOUND"
        case alreadyExists = "ALREADY_EXISTS"
        case conflict = "CONFLICT"
        case pointerFinal = "POINTER_FINAL"
        case pointerForked = "POINTER_FORKED"
        case badRequest = "BAD_REQUEST"
        case paymentRequired = "PAYMENT_REQUIRED"
        case networkError = "NETWORK_ERROR"
        case partialUpload = "PARTIAL_UPLOAD"
        case tooLarge = "TOO_LARGE"
        case timeout = "TIMEOUT"
        case serviceUnavailable = "SERVICE_UNAVAILABLE"
    }

    /// The status of its answer.
    package let status: Int
    /// Its reason, if it gave one that is known.
    package let code: Code?
    /// How long it asks to be left alone.
    package let retryAfter: Duration?

    /// Names them.
    package init(status: Int, code: Code?, retryAfter: Duration? = nil) {
        self.status = status
        self.code = code
        self.retryAfter = retryAfter
    }

    /// There is no such thing on the network, or no such part of the daemon.
    package var isMissing: Bool { status == 404 }
    /// What was to be stored is there.
    package var isStanding: Bool { status == 409 && (code == .alreadyExists || code == nil) }
    /// The wallet has too little.
    package var wantsPayment: Bool { status == 402 }
    /// It is larger than the network takes.
    package var isTooLarge: Bool { status == 413 }
    /// The daemon cannot do it now; for writes, perhaps because it has no wallet.
    package var isUnavailable: Bool { status == 503 }
    /// Whether the daemon may have paid before it said so: not where it refuses the request itself.
    package var mayBePaid: Bool {
        !(400...499).contains(status) || status == 408 || status == 409
    }
    /// Whether the same request may be answered later without anybody doing anything.
    package var isTransient: Bool {
        status == 408 || status == 429 || (500...599).contains(status) && status != 501
    }
}

/// Why a call of the daemon gave nothing.
package enum AntdFailure: Error, Hashable, Sendable {
    /// There was no answer.
    case transport(HTTPError)
    /// The daemon answered, and refused.
    case refused(AntdError)
    /// An answer came that is not the daemon's.
    case malformed
}
