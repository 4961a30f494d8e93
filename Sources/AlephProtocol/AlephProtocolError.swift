// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a message, before or after it crossed the network.

/// Why something is no message, or none the network would take.
package enum AlephProtocolError: Error, Equatable, Sendable {
    /// A field is missing or has the wrong type; the text names the field.
    case malformed(field: String)
    /// The content's text is no JSON object.
    case contentNotJSON
    /// The bytes are not those the hash names.
    case hashMismatch(wanted: String)
    /// The signature is not the sender's under this message.
    case badSignature
    /// This version cannot check the signatures of the chain.
    case unsupportedChain(String)
    /// The content is larger than a message may carry.
    case contentTooLarge(size: Int, limit: Int)
    /// There are more tags than a message may have.
    case tooManyTags(count: Int, limit: Int)
    /// A tag is empty, or longer than a tag may be.
    case badTag(size: Int, limit: Int)
    /// More messages are named than one may forget.
    case tooManyTargets(count: Int, limit: Int)
    /// A text is longer than its field may be.
    case textTooLong(field: String, limit: Int)
    /// A time lies outside what the network takes.
    case timeOutOfRange
    /// The key has no form that is known, or is damaged.
    case malformedKey
    /// The recipient is neither an address of Solana nor a public key of Ethereum.
    case malformedRecipient
}

extension AlephProtocolError: CustomStringConvertible {
    /// One sentence for a person; it never quotes content.
    package var description: String {
        switch self {
        case .malformed(let field): "the message's \(field) is missing or wrong"
        case .contentNotJSON: "the message's content is not a JSON object"
        case .hashMismatch(let wanted): "the bytes are not those that \(wanted) names"
        case .badSignature: "the signature is not that of the message's sender"
        case .unsupportedChain(let chain): "signatures of the chain \(chain) cannot be checked"
        case .contentTooLarge(let size, let limit):
            "the content has \(size) bytes, and a message carries at most \(limit)"
        case .tooManyTags(let count, let limit):
            "there are \(count) tags, and a message has at most \(limit)"
        case .badTag(let size, let limit):
            "a tag has \(size) characters; it must have 1 to \(limit)"
        case .tooManyTargets(let count, let limit):
            "\(count) messages are named, and one message forgets at most \(limit)"
        case .textTooLong(let field, let limit):
            "the \(field) is longer than \(limit) characters"
        case .timeOutOfRange: "the time is outside what the network takes"
        case .malformedKey: "the key has no known form, or is damaged"
        case .malformedRecipient:
            "a recipient is a Solana address, or the public key of an Ethereum account in hex"
        }
    }
}
