// SPDX-License-Identifier: Apache-2.0
//
// Why nodes reject messages that are well-formed.

internal import JSON

/// A node's reason to reject a message, with its numbers.
package struct Rejection: Equatable, Sendable {
    /// The protocol's number for it.
    package let code: Int
    /// What is lacking, where it is money.
    package let shortage: Shortage?
    /// The node's own words, at most `maximumDetailSize` characters; nil where it has none.
    package let detail: String?

    /// The most characters that are kept of a node's words.
    package static let maximumDetailSize = 200

    /// A rejection of these parts.
    package init(code: Int, shortage: Shortage? = nil, detail: String? = nil) {
        self.code = code
        self.shortage = shortage
        self.detail = detail.map { OneLine.text($0, limit: Rejection.maximumDetailSize) }
    }

    /// What a node says of a rejected message.
    init(_ json: JSONValue) {
        let code = json["error_code"]?.int ?? -1
        let first = json["details"]?["errors"]?.array?.first
        func number(_ name: String) -> String? {
            first?[name]?.string ?? first?[name]?.number?.text
        }
        let shortage: Shortage? =
            switch code {
            case 5:
                Shortage(
                    unit: .aleph, available: number("account_balance"),
                    required: number("required_balance"))
            case 6:
                Shortage(
                    unit: .credits, available: number("account_credits"),
                    required: number("required_credits"))
            default: nil
            }
        self.init(code: code, shortage: shortage, detail: first?.string)
    }

    /// Whether something of what was to be forgotten is gone, or not there yet.
    ///
    /// - Source: codes of pyaleph: 501 is not there, 504 is forgotten already.
    package var isForgottenAlready: Bool { code == 501 || code == 504 }

    /// Whether the node knows that something of it was forgotten before, and does not just lack it.
    package var isForgotten: Bool { code == 504 }

    /// Whether the account lacks money, or the way to pay is not taken any more.
    package var isQuota: Bool { [5, 6, 202].contains(code) }

    /// - Source: `ErrorCode` of pyaleph.
    private var sentence: String {
        switch code {
        case -1: "an error inside the node"
        case 0: "its form is wrong"
        case 1: "its signature is wrong"
        case 2: "the sender may not speak for the owner"
        case 3: "its content is not to be had"
        case 4: "the file it names is not to be had"
        case 5: "the account does not hold enough tokens"
        case 6: "the account does not have enough credits"
        case 100: "it replaces a post and does not say which"
        case 101: "the post it replaces is not there"
        case 102: "it replaces a replacement; only the first post can be replaced"
        case 200: "the file it refers to is not there"
        case 201: "the file it refers to refers to another itself"
        case 202: "files must be paid for with credits now"
        case 300..<400: "it is about a program that cannot run"
        case 500: "it forgets nothing"
        case 501: "what it forgets is not there"
        case 502: "what forgets cannot be forgotten"
        case 503: "what it forgets is used by a program"
        case 504: "what it forgets is forgotten already"
        default: "for a reason this version does not know"
        }
    }
}

extension Rejection: CustomStringConvertible {
    /// One sentence with the numbers.
    package var description: String {
        var text = "\(sentence) (code \(code))"
        if let shortage { text += ": \(shortage)" }
        if let detail { text += ": \(detail)" }
        return text
    }
}

/// Foreign words in a sentence of ours.
enum OneLine {
    /// The words without line breaks and control characters, cut at `limit` characters.
    static func text(_ text: String, limit: Int) -> String {
        let scalars = text.unicodeScalars.prefix(limit).map { scalar in
            scalar.properties.generalCategory == .control ? " " : Character(scalar)
        }
        return String(scalars)
    }
}
