// SPDX-License-Identifier: Apache-2.0
//
// An account: a key that signs messages and opens what was sent to it.

package import Cryptography
import JSON
import Primitives

/// A key, its address, and what they do.
package struct AlephAccount: Sendable {
    /// The chain whose kind of key it is.
    package let chain: AlephChain
    /// The address, as messages have it.
    package let address: String

    private let key: Key

    private enum Key: Sendable {
        case ed25519(Ed25519KeyPair, seed: SecretBytes)
        case secp256k1(Secp256k1Key)
    }

    /// Bytes of every account's secret.
    package static let secretSize = 32

    /// The account that a secret of 32 bytes makes on a chain.
    ///
    /// - Parameters:
    ///   - secret: an Ed25519 seed, or a key of secp256k1.
    ///   - chain: Solana, Ethereum, or one that signs as they do.
    /// - Throws: `malformedKey`, `unsupportedChain`.
    package init(secret: SecretBytes, chain: AlephChain) throws(AlephProtocolError) {
        guard secret.count == AlephAccount.secretSize else { throw .malformedKey }
        switch chain.scheme {
        case .ed25519:
            let pair = Ed25519KeyPair(seed: secret)
            address = Base58.encode(pair.publicKey)
            key = .ed25519(pair, seed: secret)
        case .ethereum:
            do {
                let pair = try Secp256k1Key(secret)
                address = Ethereum.address(publicKey: pair.publicKey)
                key = .secp256k1(pair)
            } catch {
                throw .malformedKey
            }
        case nil: throw .unsupportedChain(chain.name)
        }
        self.chain = chain
    }

    /// The account that belongs to a volume, which its recovery phrase restores.
    ///
    /// - Parameters:
    ///   - seed: the volume's.
    ///   - chain: as above; each kind of key has a secret of its own.
    /// - Throws: `unsupportedChain`. That a derived secret is no key of secp256k1 has odds of 1 to
    ///   2¹²⁸, and is `malformedKey`.
    /// - Source: docs/aleph.md §1.
    package init(derivingFrom seed: SecretBytes, chain: AlephChain) throws(AlephProtocolError) {
        let label =
            switch chain.scheme {
            case .ed25519: "cairn 2026 aleph ed25519 account v1"
            case .ethereum: "cairn 2026 aleph secp256k1 account v1"
            case nil: throw .unsupportedChain(chain.name)
            }
        let secret = Blake3.deriveSecret(
            context: label, material: seed, count: AlephAccount.secretSize)
        try self.init(secret: secret, chain: chain)
    }

    /// What others need to encrypt for this account: the address where that is a key, else the
    /// public key in hex.
    package var recipient: String {
        switch key {
        case .ed25519: address
        case .secp256k1(let pair): "0x" + Hex.encode(pair.publicKey)
        }
    }

    /// The text of this account's signature of `bytes`, as a message has it.
    package func sign(_ bytes: [UInt8]) -> String {
        switch key {
        case .ed25519(let pair, _):
            let signature = Base58.encode(pair.sign(bytes.span))
            // Spaced as other clients do, so that equal messages are equal bytes.
            return "{\"publicKey\": \"\(address)\", \"signature\": \"\(signature)\"}"
        case .secp256k1(let pair):
            return "0x" + Hex.encode(Ethereum.sign(message: bytes, with: pair))
        }
    }

    /// The plaintext of what was sealed for this account; see `Recipient`.
    ///
    /// - Throws: `authenticationFailed` if it was not, or was changed since.
    package func open(_ sealed: [UInt8]) throws(CryptographyError) -> [UInt8] {
        switch key {
        case .ed25519(let pair, let seed):
            try SealedBox.open(sealed, publicKey: pair.publicKey, seed: seed)
        case .secp256k1(let pair): try ECIES.open(sealed, with: pair)
        }
    }
}

/// A message ready to be sent, and the content that must be there before it.
package struct SignedMessage: Sendable, Equatable {
    /// The message.
    package let envelope: MessageEnvelope
    /// What the message's hash names: already in the message if it is inline, else to be
    /// uploaded first.
    package let content: [UInt8]

    /// A message that was signed before.
    package init(envelope: MessageEnvelope, content: [UInt8]) {
        self.envelope = envelope
        self.content = content
    }
}

extension AlephAccount {
    /// Content of more bytes than this travels beside its message.
    ///
    /// - Source: aleph-sdk-python 2.4.0.
    package static let inlineLimit = 50_000
    /// The most bytes of a content beside its message: what can be read again here. A node takes
    /// 25 MiB without a signature.
    package static let maximumContentSize = JSONLimits.standard.size

    /// Signs what `draft` says.
    ///
    /// - Parameters:
    ///   - owner: for whom; nil is this account.
    ///   - time: seconds since 1970; see `MessageDraft.content`.
    ///   - channel: the application's name for its messages.
    ///   - isAlwaysInline: whether the content must travel inside; then up to
    ///     `MessageEnvelope.maximumInlineSize` does.
    /// - Throws: which limit is passed.
    package func sign(
        _ draft: MessageDraft, for owner: String? = nil, time: Double, channel: String?,
        isAlwaysInline: Bool = false
    ) throws(AlephProtocolError) -> SignedMessage {
        guard (channel?.unicodeScalars.count ?? 0) <= MessageEnvelope.maximumChannelSize else {
            throw .textTooLong(field: "channel", limit: MessageEnvelope.maximumChannelSize)
        }
        let content = try draft.content(owner: owner ?? address, time: time, chain: chain)
        let text = JSONValue.object(content).text(.compactASCII)
        let bytes = Array(text.utf8)
        let isInline = isAlwaysInline || bytes.count <= AlephAccount.inlineLimit
        let limit =
            isAlwaysInline ? MessageEnvelope.maximumInlineSize : AlephAccount.maximumContentSize
        guard bytes.count <= limit else {
            throw .contentTooLarge(size: bytes.count, limit: limit)
        }
        let hash = ItemHash(sha256Of: bytes)
        let signed = MessageEnvelope.signedBytes(
            chain: chain, sender: address, type: draft.type, itemHash: hash)
        return SignedMessage(
            envelope: MessageEnvelope(
                chain: chain, sender: address, type: draft.type, channel: channel,
                time: JSONNumber(time), itemType: isInline ? .inline : .storage,
                itemContent: isInline ? text : nil, itemHash: hash, signature: sign(signed)),
            content: bytes)
    }
}
