// SPDX-License-Identifier: Apache-2.0
//
// What can go wrong with the network, with the numbers a node gave.

package import AlephProtocol

/// Why the network did not do what was asked.
package enum AlephError: Error, Equatable, Sendable {
    /// No answer came.
    case unreachable(reason: String)
    /// A node or a proxy before it has too much to do: 429, 502, 503, 504.
    case busy(status: Int, retryAfter: Duration?)
    /// There is no such message, file or aggregate.
    case notFound
    /// The message was taken back by its owner.
    case forgotten
    /// A node refused the message for good.
    case rejected(Rejection)
    /// The account cannot pay; see `Shortage`.
    case paymentRequired(Shortage)
    /// The file or message is larger than the node takes.
    case tooLarge(limit: Int?)
    /// A node refused a request. The reason is the node's, one line.
    case refused(status: Int, reason: String)
    /// An answer was none of those the protocol has. The reason is a fixed sentence.
    case malformedAnswer(String)
    /// What came is not what its hash or signature says: the node, or who stands before it, lies.
    case untrue(AlephProtocolError)
    /// What was to be sent is no message that nodes take.
    case invalid(AlephProtocolError)
    /// The network took the message, and did not finish with it in time.
    case stillPending(ItemHash)
    /// The bytes to be stored could not be read.
    case sourceFailed
    /// Somebody here ended it.
    case cancelled
}

/// What an account lacks to pay for a file, as far as the node said.
///
/// Amounts are decimal texts: no binary number holds them all.
package struct Shortage: Equatable, Sendable {
    /// What is paid with.
    package enum Unit: String, Sendable {
        /// Tokens that must be held.
        case aleph = "ALEPH"
        /// Credits that must be there for a day.
        case credits
    }

    /// What is paid with; nil if the node did not say.
    package var unit: Unit?
    /// What the account has.
    package var available: String?
    /// What it must have.
    package var required: String?

    /// A shortage of these numbers.
    package init(unit: Unit? = nil, available: String? = nil, required: String? = nil) {
        self.unit = unit
        self.available = available
        self.required = required
    }

    /// How much is missing; nil unless both numbers are known.
    package var missing: Double? {
        guard let available = available.flatMap({ Double($0) }),
            let required = required.flatMap({ Double($0) })
        else { return nil }
        return max(required - available, 0)
    }
}

extension Shortage: CustomStringConvertible {
    /// What is lacking, with its numbers.
    package var description: String {
        let unit = unit.map { " " + $0.rawValue } ?? ""
        let (available, required) = (available.map(Shortage.brief), required.map(Shortage.brief))
        switch (available, required) {
        case (let available?, let required?):
            let short = missing.map { " (short by \(Shortage.text($0)))" } ?? ""
            return "it has \(available)\(unit) and needs \(required)\(unit)\(short)"
        case (nil, let required?): return "it needs \(required)\(unit)"
        case (let available?, nil): return "it has \(available)\(unit)"
        case (nil, nil): return "the node gave no numbers"
        }
    }

    /// From here on a number is shown with its exponent.
    private static let textLimit = 1e15

    /// A node's number for a person: what has more than nine places is cut to them, upwards.
    ///
    /// - Parameter amount: a number's text; any other is given back as it is.
    package static func brief(_ amount: String) -> String {
        let places = amount.split(separator: ".", omittingEmptySubsequences: false)
        guard places.count == 2, places[1].utf8.count > 9, let number = Double(amount) else {
            return amount
        }
        return text(number)
    }

    /// A number without an exponent, to nine places; one below zero, or from `textLimit` on, as it
    /// comes, for nodes can say any.
    package static func text(_ amount: Double) -> String {
        guard (0..<textLimit).contains(amount) else { return "\(amount)" }
        let billionths = (amount * 1e9).rounded(.up)
        let whole = Int(billionths / 1e9)
        let rest = String(Int(billionths - Double(whole) * 1e9))
        let padded = String(repeating: "0", count: max(9 - rest.count, 0)) + rest
        let digits = padded.reversed().drop { $0 == "0" }.reversed()
        return digits.isEmpty ? "\(whole)" : "\(whole)." + String(digits)
    }
}

extension AlephError {
    /// Whether the same may succeed later without anybody doing anything.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .busy, .stillPending: true
        case .refused(let status, _): status >= 500
        default: false
        }
    }

    /// Whether another node may do better.
    package var isOfOneNode: Bool {
        switch self {
        case .untrue, .malformedAnswer: true
        default: isTransient
        }
    }

    /// Whether it is for want of money: what a filesystem calls a quota.
    package var isQuota: Bool {
        switch self {
        case .paymentRequired: true
        case .rejected(let rejection): rejection.isQuota
        default: false
        }
    }
}

extension AlephError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .unreachable(let reason): "the node did not answer: \(reason)"
        case .busy(let status, _): "the node has too much to do (HTTP \(status))"
        case .notFound: "the network has no such thing"
        case .forgotten: "the message was taken back by its owner"
        case .rejected(let rejection): "the network rejected the message: \(rejection)"
        case .paymentRequired(let shortage):
            "the account cannot pay for this: \(shortage)"
        case .tooLarge(let limit?): "the node takes at most \(limit) bytes"
        case .tooLarge(nil): "the node does not take anything this large"
        case .refused(let status, let reason):
            "the node refused (HTTP \(status))" + (reason.isEmpty ? "" : ": \(reason)")
        case .malformedAnswer(let reason): "the node's answer cannot be understood: \(reason)"
        case .untrue(let error): "the node's answer is not true: \(error)"
        case .invalid(let error): error.description
        case .stillPending(let hash):
            "the network has the message \(hash) and is not done with it yet"
        case .sourceFailed: "the bytes to be stored could not be read"
        case .cancelled: "it was cancelled"
        }
    }
}
