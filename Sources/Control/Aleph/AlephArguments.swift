// SPDX-License-Identifier: Apache-2.0
//
// What the words of `cairn aleph` mean, and small commands that are one question or one message.

package import Aleph
package import AlephProtocol
import JSON

/// How a file is to be stored, as a command says it.
package struct AlephStoring: Sendable, Equatable {
    /// The plan.
    package let plan: StorePlan

    /// - Parameters:
    ///   - isCredit: paid with credits, else by holding tokens.
    ///   - isIPFS: in IPFS, else in the network's own storage.
    ///   - isUnpaid: not paid at all.
    package init(isCredit: Bool, isIPFS: Bool, isUnpaid: Bool) {
        plan = StorePlan(
            engine: isIPFS ? .ipfs : .storage, payment: isCredit ? .credit : nil,
            isUnpaid: isUnpaid)
    }
}

/// Arguments, read.
package enum AlephArguments {
    /// A chain whose accounts can be made.
    package static func chain(_ name: String) throws(CommandFailure) -> AlephChain {
        let chain = AlephChain(name: name.uppercased())
        guard chain.scheme != nil else {
            throw CommandFailure(
                .usage, "the chain “\(name)” is not supported", advice: "use SOL or ETH")
        }
        return chain
    }

    /// The most results.
    package static func limit(_ limit: Int?) throws(CommandFailure) -> Int? {
        guard limit.map({ $0 >= 1 }) ?? true else {
            throw CommandFailure(.usage, "--limit is at least 1")
        }
        return limit
    }

    /// The form of results.
    package static func output(isJSON: Bool, isPaths: Bool) -> AlephOutput {
        isJSON ? .json : isPaths ? .paths : .table
    }

    /// The name of a message or file.
    package static func hash(_ text: String) throws(CommandFailure) -> ItemHash {
        if let hash = ItemHash(text) { return hash }
        guard ContentIdentifier(text) == nil else { throw refused(cid: text) }
        throw CommandFailure(
            .usage, "“\(text.prefix(100))” names no message and no file",
            advice: "messages and files have 64 hexadecimal digits, or a CID")
    }

    private static func refused(cid: String) -> CommandFailure {
        CommandFailure(
            .usage, "“\(cid.prefix(100))” is no CID that the network takes",
            advice: "it takes Qm… and bafy…, but not bafkrei…, the CIDs of raw blocks")
    }

    /// Seconds since 1970: a day, a moment of UTC, or the number itself.
    package static func time(_ text: String) throws(CommandFailure) -> Double {
        if let seconds = Double(text), seconds.isFinite, seconds >= 0 { return seconds }
        guard let seconds = UTCText.seconds(text) else {
            throw CommandFailure(
                .usage, "“\(text)” is no time",
                advice: "write 2026-11-21, 2026-11-21T08:30:00Z, or seconds since 1970")
        }
        return Double(seconds)
    }

    /// Texts that messages can be found by: nodes part what they are asked for at commas.
    ///
    /// - Parameter option: the one that they were given with.
    package static func values(
        _ texts: [String], of option: String
    ) throws(CommandFailure) -> [String] {
        for text in texts where text.contains(",") || text.isEmpty {
            throw CommandFailure(
                .usage, "\(option) “\(text.prefix(100))” can find nothing",
                advice: text.isEmpty
                    ? "it is empty" : "nodes part it at the comma; give \(option) several times")
        }
        return texts
    }

    /// A question for messages.
    package static func question(
        tags: [String], owners: [String], types: [String], channels: [String],
        metadata: [String], since: String?, until: String?
    ) throws(CommandFailure) -> MessageQuestion {
        var filter = MessageFilter()
        if let since { filter.since = try time(since) }
        if let until { filter.until = try time(until) }
        filter.tags = try values(tags, of: "--tag")
        filter.owners = try values(owners, of: "--owner")
        filter.channels = try values(channels, of: "--channel")
        for name in types {
            guard let type = MessageType(rawValue: name.uppercased()) else {
                throw CommandFailure(
                    .usage, "there is no type of messages “\(name)”",
                    advice: "there are POST, AGGREGATE, STORE and FORGET")
            }
            filter.types.append(type)
        }
        var question = MessageQuestion(filter)
        for text in metadata {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw CommandFailure(
                    .usage, "“\(text)” is no field with a value", advice: "write language=en")
            }
            question.metadata.append((String(parts[0]), String(parts[1])))
        }
        return question
    }

    /// An account, for people or scripts. Nothing of it is secret.
    package static func text(_ account: AlephAccount, isJSON: Bool) -> String {
        guard isJSON else {
            return """
                chain      \(account.chain.name)
                address    \(account.address)
                send to    \(account.recipient)

                """
        }
        let json: JSONValue = [
            "chain": .string(account.chain.name), "address": .string(account.address),
            "recipient": .string(account.recipient),
        ]
        return json.text() + "\n"
    }

    /// A letter in the inbox.
    package static func line(_ received: AlephLetters.Received, isJSON: Bool) -> String {
        let sender = received.message.envelope.sender
        let hash = received.message.itemHash
        guard isJSON else {
            let time = UTCText.of(Int64(received.message.time))
            let name = received.about?.name ?? "(cannot be opened)"
            // Who passes on what another sealed need not know what it says.
            let mark = received.about?.isSendersOwn == false ? "  (sealed by another)" : ""
            return "\(time)  \(sender)  \(hash)  \(received.letter.size)  \(name)\(mark)\n"
        }
        let json: JSONValue = [
            "item_hash": .string(hash.text), "sender": .string(sender),
            "time": .number(JSONNumber(received.message.time)),
            "size": .number(JSONNumber(received.letter.size)),
            "name": received.about.map { .string($0.name) } ?? .null,
            "is_senders_own": .bool(received.about?.isSendersOwn ?? false),
        ]
        return json.text() + "\n"
    }

    /// The CID of a file of this machine.
    package static func cid(
        of path: String, isVersion1: Bool
    ) throws(CommandFailure) -> String {
        var hasher = UnixFSHasher(layout: isVersion1 ? .version1 : .version0)
        guard try LocalSource.open(path).forEachPiece({ hasher.update($0) }) else {
            throw CommandFailure(.unusablePath, "“\(path)” cannot be read")
        }
        let cid = hasher.finalize().cid
        return isVersion1 ? cid.version1 : cid.version0
    }

    /// Sends a file, and gives the message's name.
    package static func send(
        _ path: String, to recipient: String, plan: AlephStoring, by speaker: AlephSpeaker
    ) throws(CommandFailure) -> String {
        let bytes = try LocalSource.read(path, limit: SealedLetter.maximumSize)
        return try AlephLetters(speaker.session, speaker.account).send(
            bytes, name: Files.lastComponent(of: path), to: recipient, plan: plan.plan
        ).text
    }

    /// Pins a file of IPFS, and gives the message's name.
    ///
    /// - Parameter waiting: is told the message's name where the network is not done at once: it
    ///   looks for the file, and that may take minutes.
    package static func pin(
        _ cid: String, isCredit: Bool, by speaker: AlephSpeaker, waiting: (String) -> Void
    ) throws(CommandFailure) -> String {
        guard let parsed = ContentIdentifier(cid), parsed.codec == .dagPB else {
            throw refused(cid: cid)
        }
        let draft = StoreDraft(file: ItemHash(parsed), payment: isCredit ? .credit : nil)
        return try speaker.session.run { client throws(AlephError) in
            let signed = try client.signStore(
                of: draft.file, draft, plan: StorePlan(payment: draft.payment), by: speaker.account)
            let hash = signed.envelope.itemHash
            if try client.submit(signed.envelope) { return hash.text }
            waiting(hash.text)
            try client.waitForProcessing(hash)
            return hash.text
        }
    }
}

/// `cairn aleph balance` and `cost`.
package struct AlephMoney: Sendable {
    private let session: AlephSession

    /// Questions about money.
    package init(_ session: AlephSession) {
        self.session = session
    }

    /// What an account has, as a node says.
    package func balance(of address: String, isJSON: Bool) throws(CommandFailure) -> String {
        let balance = try session.run { client throws(AlephError) in
            try client.balance(of: address)
        }
        guard isJSON else {
            return """
                address    \(address)
                tokens     \(Shortage.brief(balance.balance)) ALEPH
                locked     \(Shortage.brief(balance.locked)) ALEPH
                credits    \(balance.credits)

                """
        }
        let json: JSONValue = [
            "address": .string(address), "tokens": .string(balance.balance),
            "locked": .string(balance.locked), "credits": .string(balance.credits),
        ]
        return json.text() + "\n"
    }

    /// What a file, or a size, would cost.
    package func cost(
        of text: String, for account: AlephAccount
    ) throws(CommandFailure) -> String {
        let size: Int
        if !Files.exists(text), let bytes = SizeText.parse(text).flatMap({ Int(exactly: $0) }) {
            size = bytes
        } else {
            size = try LocalSource.open(text).size
        }
        func cost(_ payment: StorePayment) throws(CommandFailure) -> StoreCost {
            try session.run { client throws(AlephError) in
                try client.cost(
                    ofBytes: size, payment: payment, account: account.address,
                    chain: account.chain)
            }
        }
        let tokens = try cost(.hold)
        let credits = try cost(.credit).creditsADay.map { AlephMoney.rounded($0) } ?? "?"
        return """
            size       \(size) bytes
            to hold    \(Shortage.brief(tokens.amount)) ALEPH
            or         \(credits) credits a day

            """
    }

    /// From here on a number is shown with its exponent.
    private static let roundingLimit = 1e12

    /// To three places; a number below zero, or from `roundingLimit` on, as the node gave it.
    private static func rounded(_ amount: Double) -> String {
        guard (0..<roundingLimit).contains(amount) else { return "\(amount)" }
        let thousandths = Int((amount * 1000).rounded())
        let rest = String(thousandths % 1000)
        return "\(thousandths / 1000)."
            + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
