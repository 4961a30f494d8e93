// SPDX-License-Identifier: Apache-2.0
//
// A message as it crosses the network. Reading one checks its form; `VerifiedMessage` checks what
// it claims.

package import JSON

/// What a message does.
package enum MessageType: String, Sendable, CaseIterable {
    /// Publishes a content, or replaces that of an earlier one.
    case post = "POST"
    /// Sets top-level keys of one of its owner's aggregates.
    case aggregate = "AGGREGATE"
    /// Keeps a file.
    case store = "STORE"
    /// Takes other messages back.
    case forget = "FORGET"
    /// Runs a program; not written by Cairn.
    case program = "PROGRAM"
    /// Runs a virtual machine; not written by Cairn.
    case instance = "INSTANCE"
    /// Runs a verifiable program; not written by Cairn.
    case verifiableProgram = "V-PROGRAM"
}

/// A signed message around its content.
///
/// Only chain, sender, type and hash are signed, and through the hash the content. Channel and
/// `time` are not: a node may change them. The clock of the system is the content's time.
package struct MessageEnvelope: Sendable, Equatable {
    /// The most characters of a content that travels inside its message.
    ///
    /// - Source: measured on a node; more is answered with 422.
    package static let maximumInlineSize = 200_000
    /// The most characters of a channel's name.
    package static let maximumChannelSize = 128

    /// The chain of the signing key.
    package let chain: AlephChain
    /// The address of the signing key.
    package let sender: String
    /// What the message does.
    package let type: MessageType
    /// The application's name for its messages; not signed.
    package let channel: String?
    /// Seconds since 1970 when it was sent, as the sender or a node says; not signed.
    package let time: JSONNumber
    /// Where the content is.
    package let itemType: ItemType
    /// The content's text, for inline messages; nil otherwise.
    package let itemContent: String?
    /// The hash of the content: the message's name.
    package let itemHash: ItemHash
    /// The signature's text; its form is the chain's.
    package let signature: String

    /// A message of these parts, unchecked.
    package init(
        chain: AlephChain, sender: String, type: MessageType, channel: String?, time: JSONNumber,
        itemType: ItemType, itemContent: String?, itemHash: ItemHash, signature: String
    ) {
        self.chain = chain
        self.sender = sender
        self.type = type
        self.channel = channel
        self.time = time
        self.itemType = itemType
        self.itemContent = itemContent
        self.itemHash = itemHash
        self.signature = signature
    }

    /// What is signed for a message of these parts.
    package static func signedBytes(
        chain: AlephChain, sender: String, type: MessageType, itemHash: ItemHash
    ) -> [UInt8] {
        Array("\(chain.name)\n\(sender)\n\(type.rawValue)\n\(itemHash.text)".utf8)
    }

    /// What the sender signed.
    package var signedBytes: [UInt8] {
        MessageEnvelope.signedBytes(chain: chain, sender: sender, type: type, itemHash: itemHash)
    }
}

extension MessageEnvelope {
    /// The message as a node has it, or lists it.
    ///
    /// Keys besides those of an envelope are not looked at: what a node adds of its own
    /// (`content`, `size`) nobody signed.
    ///
    /// - Throws: `malformed`, with the name of the first field that is not right.
    package init(_ json: JSONValue) throws(AlephProtocolError) {
        func text(_ field: String) throws(AlephProtocolError) -> String {
            guard let text = json[field]?.string else { throw .malformed(field: field) }
            return text
        }
        let chain = AlephChain(name: try text("chain"))
        guard (1...AlephChain.maximumNameSize).contains(chain.name.utf8.count) else {
            throw .malformed(field: "chain")
        }
        guard let type = MessageType(rawValue: try text("type")) else {
            throw .malformed(field: "type")
        }
        guard let itemType = ItemType(rawValue: try text("item_type")) else {
            throw .malformed(field: "item_type")
        }
        guard let itemHash = ItemHash(try text("item_hash")) else {
            throw .malformed(field: "item_hash")
        }
        let itemContent = json["item_content"]?.string
        guard (itemContent != nil) == (itemType == .inline) else {
            throw .malformed(field: "item_content")
        }
        // Lists that are still being processed have a date here instead of a number; nothing
        // depends on it, for it is not signed.
        let time = json["time"]?.number ?? JSONNumber(0)
        self.init(
            chain: chain, sender: try text("sender"), type: type,
            channel: json["channel"]?.string, time: time, itemType: itemType,
            itemContent: itemContent, itemHash: itemHash,
            signature: try text("signature"))
    }

    /// The message as it is sent to a node.
    package var json: JSONValue {
        var fields = JSONObject([
            ("chain", .string(chain.name)), ("sender", .string(sender)),
            ("type", .string(type.rawValue)),
            ("channel", channel.map { .string($0) } ?? .null), ("time", .number(time)),
            ("item_type", .string(itemType.rawValue)),
        ])
        if let itemContent { fields["item_content"] = .string(itemContent) }
        fields["item_hash"] = .string(itemHash.text)
        fields["signature"] = .string(signature)
        return .object(fields)
    }
}
