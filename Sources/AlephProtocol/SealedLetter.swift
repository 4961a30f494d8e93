// SPDX-License-Identifier: Apache-2.0
//
// A file sent to one account: what is in the post that carries it, and what only its reader sees.

package import Cryptography
package import JSON
import Primitives

/// A post with bytes that only one account can read.
///
/// The bytes are sealed as other clients of the network seal them, so that who has the key opens
/// them with any of these. Beside them, sealed too, is what our own reader shows: the name, and
/// who sealed it. Everybody sees sender, reader, time and size.
///
/// - Source: docs/aleph.md §2.
package struct SealedLetter: Sendable, Equatable {
    /// The type of these posts.
    package static let postType = "cairn-letter"
    /// The most sealed bytes that a post carries itself; more are a file of their own.
    package static let inlineLimit = 96 << 10
    /// The most bytes of a letter.
    package static let maximumSize = 100 << 20
    /// The most bytes of a name.
    package static let maximumNameSize = 255

    /// Where the sealed bytes are.
    package enum Body: Sendable, Equatable {
        /// In the post.
        case inline([UInt8])
        /// In a stored file.
        case file(ItemHash)
    }

    /// The reader's address.
    package let to: String
    /// The sealed bytes.
    package let body: Body
    /// Name and sender, sealed.
    package let about: [UInt8]
    /// Bytes of the plaintext.
    package let size: Int

    /// The tag by which a reader finds its letters.
    package static func tag(for address: String) -> String { "to:" + address }

    /// Seals bytes for somebody.
    ///
    /// - Parameters:
    ///   - plain: at most `maximumSize`.
    ///   - name: how the reader may call it; at most `maximumNameSize` bytes.
    ///   - sender: the address that will sign the post.
    /// - Returns: a function that makes the post once it is known where the sealed bytes are, and
    ///   these bytes.
    /// - Throws: `contentTooLarge`, `textTooLong`, `malformedRecipient`.
    package static func seal(
        _ plain: [UInt8], name: String, from sender: String, to recipient: Recipient
    ) throws(AlephProtocolError) -> (sealed: [UInt8], letter: (Body) -> SealedLetter) {
        guard plain.count <= maximumSize else {
            throw .contentTooLarge(size: plain.count, limit: maximumSize)
        }
        guard name.utf8.count <= maximumNameSize else {
            throw .textTooLong(field: "name", limit: maximumNameSize)
        }
        do {
            let sealed = try recipient.seal(plain)
            let about: JSONValue = [
                "name": .string(name), "from": .string(sender),
                "sha256": .string(Hex.encode(SHA2.sha256(sealed))),
            ]
            let sealedAbout = try recipient.seal(about.bytes())
            return (
                sealed,
                { body in
                    SealedLetter(
                        to: recipient.address, body: body, about: sealedAbout, size: plain.count)
                }
            )
        } catch {
            throw .malformedRecipient
        }
    }

    /// The post's content.
    package var content: JSONValue {
        var fields = JSONObject([
            ("v", 1), ("to", .string(to)), ("size", .number(JSONNumber(size))),
            ("about", .string(Base64.encode(about))),
        ])
        switch body {
        case .inline(let bytes): fields["data"] = .string(Base64.encode(bytes))
        case .file(let hash): fields["file"] = .string(hash.text)
        }
        fields["tags"] = [.string(SealedLetter.postType), .string(SealedLetter.tag(for: to))]
        return .object(fields)
    }

    /// The letter that a message carries; nil if it is none.
    package init?(_ message: VerifiedMessage) {
        guard message.type == .post, message.content["type"]?.string == SealedLetter.postType,
            let content = message.content["content"], content["v"] == 1,
            let to = content["to"]?.string, let size = content["size"]?.int, size >= 0,
            let about = content["about"]?.string.flatMap({ Base64.decode($0) })
        else { return nil }
        if let data = content["data"]?.string.flatMap({ Base64.decode($0) }) {
            body = .inline(data)
        } else if let file = content["file"]?.string.flatMap({ ItemHash($0) }) {
            body = .file(file)
        } else {
            return nil
        }
        self.to = to
        self.about = about
        self.size = size
    }

    private init(to: String, body: Body, about: [UInt8], size: Int) {
        self.to = to
        self.body = body
        self.about = about
        self.size = size
    }
}

extension SealedLetter {
    /// What only the reader sees of a letter, besides its bytes.
    package struct About: Sendable, Equatable {
        /// The name the sender gave it: somebody else's words, and no path.
        package let name: String
        /// Whether the one who sealed it is the one who signed the post. Otherwise somebody sends
        /// on what another sealed, and may not know what it says.
        package let isSendersOwn: Bool
        fileprivate let digest: String
    }

    /// Opens what is beside the bytes.
    ///
    /// - Parameter sender: who signed the post.
    /// - Throws: `authenticationFailed` if it was sealed for somebody else, or by nobody we know.
    package func openAbout(
        by account: AlephAccount, sender: String
    ) throws(CryptographyError) -> About {
        let bytes = try account.open(about)
        let limits = JSONLimits(size: 4096, depth: 2, values: 16)
        // Whatever does not parse was not sealed by this code.
        guard let json = try? JSONValue(parsing: bytes, limits: limits),
            let name = json["name"]?.string, let from = json["from"]?.string,
            let digest = json["sha256"]?.string
        else { throw .authenticationFailed }
        return About(
            name: SealedLetter.safeName(name), isSendersOwn: AlephAddress.isSame(from, sender),
            digest: digest)
    }

    /// Opens the bytes.
    ///
    /// - Parameters:
    ///   - sealed: from the post, or from the file it names.
    ///   - about: what `openAbout` gave; the bytes must be those it speaks of.
    package func open(
        _ sealed: [UInt8], about: About, by account: AlephAccount
    ) throws(CryptographyError) -> [UInt8] {
        guard Hex.encode(SHA2.sha256(sealed)) == about.digest else { throw .authenticationFailed }
        return try account.open(sealed)
    }

    /// The last part of a name, without what would be a path, hidden, or a trick of a terminal.
    static func safeName(_ name: String) -> String {
        let last = name.split(separator: "/").last.map(String.init) ?? ""
        let scalars = last.unicodeScalars.prefix(maximumNameSize).map { scalar in
            scalar.properties.generalCategory == .control
                || scalar.properties.generalCategory == .format ? "_" : Character(scalar)
        }
        let text = String(scalars)
        return text.isEmpty || text.hasPrefix(".") ? "_" + text : text
    }
}

extension SealedLetter {
    /// More than sealing ever adds to the size.
    package static let overheadLimit = 1024
}
