// SPDX-License-Identifier: Apache-2.0
//
// `me/inbox/`: what others sealed for the account, opened. Plaintext is in memory only.

import Aleph
import AlephProtocol
import Engine
import Namespace
import Primitives

/// Letters that were seen. Pure.
///
/// Invariant: `bytes` is the size of all `texts`, at most `byteLimit`.
struct AlephLetterShelf: Sendable {
    /// The most bytes of opened letters that are kept.
    static let byteLimit = 16 << 20
    /// The most letters that are known; the rest is not listed.
    static let limit = 20_000

    /// The inbox as far as it was read; nil if it was not.
    var listing: AlephListing?
    var letters: [ItemHash: Letter] = [:]
    private var texts: [ItemHash: [UInt8]] = [:]
    private var bytes = 0

    /// What is shown of a letter. Its sealed bytes, up to 128 KiB of them in the message, are asked
    /// for when it is opened.
    struct Letter: Sendable {
        let size: Int
        let time: Double
        let sender: String

        init(_ received: AlephLetters.Received) {
            size = received.letter.size
            time = received.message.time
            sender = received.message.envelope.sender
        }
    }

    init() {}

    /// An opened letter that is kept.
    func text(_ hash: ItemHash) -> [UInt8]? { texts[hash] }

    /// Keeps an opened letter if it has room, in place of all others if need be.
    mutating func keep(_ text: [UInt8], of hash: ItemHash) {
        guard text.count <= AlephLetterShelf.byteLimit, texts[hash] == nil else { return }
        if bytes + text.count > AlephLetterShelf.byteLimit {
            texts = [:]
            bytes = 0
        }
        texts[hash] = text
        bytes += text.count
    }
}

extension AlephMount {
    private var post: AlephLetters { AlephLetters(session, account) }

    /// The inbox, which begins to be read if it was not.
    func inbox() -> AlephListing {
        if let known = letters.withLock({ $0.listing }), !known.hasFailed { return known }
        watch.watch(.letters(own))
        let listing = AlephListing()
        let standing = letters.withLock { shelf -> AlephListing? in
            if let known = shelf.listing, !known.hasFailed { return known }
            shelf.listing = listing
            return nil
        }
        if let standing { return standing }
        jobs.list { [self] in
            do throws(AlephError) {
                var pages = MessagePages(session.client, AlephInterest.letters(own).filter)
                while let page = try pages.next() {
                    for message in page.messages { putLetter(message) }
                }
                listing.finish(nil)
            } catch {
                listing.finish(error)
            }
        }
        return listing
    }

    /// The letter of a name in the inbox; nil if there is none.
    ///
    /// - Throws: `inputOutput` where nobody can tell: names are made of what is in letters, and no
    ///   node has a search for that.
    func letterPlace(_ name: String, _ patience: Patience?) throws(FileError) -> AlephPlace? {
        let inbox = inbox()
        let letter = try inbox.entry(name, patience, trouble)?.message.map { AlephPlace.letter($0) }
        guard letter == nil, inbox.isCut else { return letter }
        trouble.report(
            "a name in the inbox is not among the \(AlephLetterShelf.limit) that are shown, and"
                + " cannot be looked up: `cairn aleph inbox` has all letters")
        throw .inputOutput
    }

    /// Lays a letter into the inbox, if it is one that opens.
    func putLetter(_ message: VerifiedMessage) {
        guard let received = post.received(message), let about = received.about else { return }
        let start = String(message.itemHash.text.prefix(8)) + "-"
        let named = start + AlephName.name(for: about.name)
        let name = named.utf8.count <= AlephName.maximumSize ? named : String(start.dropLast())
        let (listing, hasRoom) = letters.withLock { shelf -> (AlephListing?, Bool) in
            let isKnown = shelf.letters[message.itemHash] != nil
            guard isKnown || shelf.letters.count < AlephLetterShelf.limit else {
                return (shelf.listing, false)
            }
            shelf.letters[message.itemHash] = AlephLetterShelf.Letter(received)
            return (shelf.listing, true)
        }
        if !hasRoom, let listing { return noteCutInbox(listing) }
        guard let listing, listing.known(name) == nil else { return }
        guard listing.put(AlephEntry(letter: message, name: name)) else {
            return noteCutInbox(listing)
        }
        let inbox = nodes.withLock { nodes in
            nodes.number("me", in: AlephNodes.root).flatMap { nodes.number("inbox", in: $0) }
        }
        if let inbox { trouble.listener?.nameChanged(inbox, Array(name.utf8)) }
    }

    /// There is a letter for which the inbox has no room; it is said once.
    private func noteCutInbox(_ listing: AlephListing) {
        listing.noteCut()
        guard listing.isNewlyCut() else { return }
        trouble.report(
            "the inbox has more than \(AlephLetterShelf.limit) letters: what has no room is not"
                + " shown, and opens with `cairn aleph inbox`")
    }

    func letterStatus(
        _ hash: ItemHash, _ patience: Patience?
    ) throws(FileError) -> ForeignStatus {
        guard let letter = letters.withLock({ $0.letters[hash] }) else { throw .stale }
        return ForeignStatus(
            isDirectory: false, size: UInt64(letter.size),
            modified: Timestamp(seconds: Int64(letter.time), nanoseconds: 0), mode: 0o400)
    }

    /// An opened letter.
    func letter(
        _ hash: ItemHash, _ patience: Patience?
    ) throws(FileError) -> any ForeignContent {
        let (letter, kept) = letters.withLock { ($0.letters[hash], $0.text(hash)) }
        guard let letter else { throw .stale }
        let text: [UInt8]
        if let kept {
            text = kept
        } else {
            let (post, client) = (post, session.client)
            let opened = try jobs.ask(.letter(hash), patience) { () throws(AlephError) in
                let message = try client.processedMessage(hash)
                return try post.received(message).flatMap { (received) throws(AlephError) in
                    try post.open(received, over: client)
                }
            }
            guard let opened else {
                trouble.report("a letter was changed after it was sealed")
                throw .inputOutput
            }
            text = opened
            letters.withLock { $0.keep(text, of: hash) }
        }
        // Its size is told in clear, and by its sender.
        return AlephText(bytes: text, keepsCache: text.count == letter.size ? true : nil)
    }
}
