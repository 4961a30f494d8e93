// SPDX-License-Identifier: Apache-2.0
//
// A message whose hash and signature were checked. Nothing else of what a node says may be shown
// as somebody's.
//
// Invariant: of each value of this type the content is the one the hash names, and the signature
// the sender's.

import Cryptography
package import JSON
import Primitives

/// A message of which content and sender are certain.
///
/// What stays uncertain is whether the sender may speak for the owner that the content names: the
/// network asks the owner's own messages. See `isOwnersOwn`.
package struct VerifiedMessage: Sendable, Equatable {
    /// The message.
    package let envelope: MessageEnvelope
    /// The content, as it was signed.
    package let content: JSONObject
    /// The account the message belongs to.
    package let owner: String
    /// The content's time, in seconds since 1970: what decides among messages.
    package let time: Double
    /// Bytes of the content as it was signed: what bounds how many messages are held at once.
    package let contentSize: Int

    /// The name of the message.
    package var itemHash: ItemHash { envelope.itemHash }
    /// What the message does.
    package var type: MessageType { envelope.type }

    /// Whether the owner signed it. Others need the owner's leave, which only nodes check.
    package var isOwnersOwn: Bool { AlephAddress.isSame(envelope.sender, owner) }

    /// Checks an inline message.
    ///
    /// - Throws: `hashMismatch`, `badSignature`, `unsupportedChain`, `contentNotJSON`,
    ///   `malformed`.
    package init(_ envelope: MessageEnvelope) throws(AlephProtocolError) {
        guard envelope.itemType == .inline, let text = envelope.itemContent else {
            throw .malformed(field: "item_content")
        }
        try self.init(envelope, content: Array(text.utf8))
    }

    /// Checks a message whose content came as bytes.
    ///
    /// - Parameter content: what `item_hash` names.
    /// - Throws: as `init(_:)`.
    package init(
        _ envelope: MessageEnvelope, content: [UInt8]
    ) throws(AlephProtocolError) {
        guard envelope.itemHash.names(content, as: envelope.itemType) else {
            throw .hashMismatch(wanted: envelope.itemHash.text)
        }
        try envelope.verifySignature()
        let fields: JSONObject
        do {
            guard let object = try JSONValue(parsing: content).object else {
                throw AlephProtocolError.contentNotJSON
            }
            fields = object
        } catch {
            throw .contentNotJSON
        }
        guard let owner = fields["address"]?.string else { throw .malformed(field: "address") }
        guard let time = fields["time"]?.double, (0...MessageDraft.maximumTime).contains(time)
        else { throw .malformed(field: "time") }
        self.envelope = envelope
        self.content = fields
        self.owner = owner
        self.time = time
        contentSize = content.count
    }
}

extension ItemHash {
    /// Whether this names these bytes.
    ///
    /// - Parameter type: where the bytes were; inline ones are named as those in storage.
    package func names(_ bytes: [UInt8], as type: ItemType) -> Bool {
        switch type {
        case .inline, .storage: self == ItemHash(sha256Of: bytes)
        case .ipfs: ContentIdentifier(text).map { $0.isFile(bytes) } ?? false
        }
    }
}

extension MessageEnvelope {
    /// Checks that the sender signed this.
    ///
    /// - Throws: `badSignature`; `unsupportedChain` if nobody here can tell.
    package func verifySignature() throws(AlephProtocolError) {
        switch chain.scheme {
        case .ed25519: guard isSignedByEd25519 else { throw .badSignature }
        case .ethereum: guard isSignedByEthereum else { throw .badSignature }
        case nil: throw .unsupportedChain(chain.name)
        }
    }

    private var isSignedByEd25519: Bool {
        let limits = JSONLimits(size: 4096, depth: 2, values: 16)
        // Whatever does not parse is no signature.
        guard let fields = try? JSONValue(parsing: signature, limits: limits).object,
            fields["version"].map({ $0.int == 1 || $0.isNull }) ?? true,
            let key = fields["publicKey"]?.string, key.utf8.elementsEqual(sender.utf8),
            let publicKey = Base58.decode(key),
            let bytes = fields["signature"]?.string.flatMap({ Base58.decode($0) })
        else { return false }
        return Ed25519.isValid(
            signature: bytes, message: signedBytes.span, publicKey: publicKey)
    }

    private var isSignedByEthereum: Bool {
        let digits = signature.hasPrefix("0x") ? String(signature.dropFirst(2)) : signature
        guard digits.utf8.count == 2 * Secp256k1.signatureSize, let bytes = Hex.decode(digits),
            let signer = Ethereum.signer(ofMessage: signedBytes, signature: bytes)
        else { return false }
        return AlephAddress.isSame(signer, sender)
    }
}
