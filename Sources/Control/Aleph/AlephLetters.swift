// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph send` and `inbox`: files that only one account can read.

package import Aleph
package import AlephProtocol

/// Sends and receives sealed files.
package struct AlephLetters: Sendable {
    private let session: AlephSession
    private let account: AlephAccount

    /// Letters of an account.
    package init(_ session: AlephSession, _ account: AlephAccount) {
        self.session = session
        self.account = account
    }

    /// A letter that came.
    package struct Received: Sendable {
        /// The message.
        package let message: VerifiedMessage
        /// The letter.
        package let letter: SealedLetter
        /// What is sealed beside it; nil if it does not open with our key.
        package let about: SealedLetter.About?
    }

    /// Sends a file.
    ///
    /// - Parameters:
    ///   - plain: its bytes.
    ///   - name: how the reader may call it.
    ///   - plan: how sealed bytes too large for a message are stored.
    /// - Returns: the message's name.
    package func send(
        _ plain: [UInt8], name: String, to recipient: String, plan: StorePlan
    ) throws(CommandFailure) -> ItemHash {
        let sealed: [UInt8]
        let letter: (SealedLetter.Body) -> SealedLetter
        do throws(AlephProtocolError) {
            let reader = try Recipient(recipient)
            (sealed, letter) = try SealedLetter.seal(
                plain, name: name, from: account.address, to: reader)
        } catch {
            throw CommandFailure(error)
        }
        return try session.run { client throws(AlephError) in
            var body = SealedLetter.Body.inline(sealed)
            if sealed.count > SealedLetter.inlineLimit {
                var file: ItemHash?
                _ = try client.store(AlephSource(sealed), plan: plan, by: account) { hash in
                    file = hash
                    return StoreDraft(file: hash, tags: [SealedLetter.postType])
                }
                if let file { body = .file(file) }
            }
            let draft = MessageDraft.post(
                type: SealedLetter.postType, content: letter(body).content)
            return try client.publish(draft, by: account).envelope.itemHash
        }
    }

    /// Hands what was sent to the account to `show`, the newest first.
    package func list(
        limit: Int?, _ show: (Received) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        var filter = MessageFilter()
        filter.types = [.post]
        filter.postTypes = [SealedLetter.postType]
        filter.tags = [SealedLetter.tag(for: account.address)]
        var question = MessageQuestion(filter)
        question.limit = limit
        _ = try question.run(session) { message throws(CommandFailure) in
            guard let received = received(message) else { return }
            try show(received)
        }
    }

    /// The bytes of one letter.
    package func open(_ hash: ItemHash) throws(CommandFailure) -> (Received, [UInt8]) {
        let message = try session.run { client throws(AlephError) in
            try client.processedMessage(hash)
        }
        guard let received = received(message), received.about != nil else {
            throw CommandFailure(
                .notOnNetwork, "“\(hash)” is no letter to the account \(account.address)")
        }
        let plain = try session.run { client throws(AlephError) in
            try open(received, over: client)
        }
        guard let plain else {
            throw CommandFailure(.damaged, "the letter “\(hash)” was changed after it was sealed")
        }
        return (received, plain)
    }

    /// The bytes of a letter that came; nil if they are not what was sealed for us.
    func open(
        _ received: Received, over client: AlephClient
    ) throws(AlephError) -> [UInt8]? {
        guard let about = received.about else { return nil }
        let sealed: [UInt8]
        switch received.letter.body {
        case .inline(let bytes): sealed = bytes
        case .file(let file):
            sealed = try client.file(
                file, limit: SealedLetter.maximumSize + SealedLetter.overheadLimit)
        }
        // Why it does not open makes no difference: it was changed, or is for somebody else.
        return try? received.letter.open(sealed, about: about, by: account)
    }

    /// What a message is as a letter to us; nil if it is none.
    func received(_ message: VerifiedMessage) -> Received? {
        guard let letter = SealedLetter(message), AlephAddress.isSame(letter.to, account.address)
        else { return nil }
        // What does not open is listed without its name: it is addressed to us all the same.
        let about = try? letter.openAbout(by: account, sender: message.envelope.sender)
        return Received(message: message, letter: letter, about: about)
    }
}
