// SPDX-License-Identifier: Apache-2.0
//
// What a node tells: messages, files, aggregates, money.

package import AlephProtocol
package import JSON

/// Where a message is in its life, as one node sees it.
package enum MessageState: Sendable, Equatable {
    /// It counts. Whoever shows it verifies it first.
    case processed(MessageEnvelope, confirmations: Int)
    /// The node has not looked at it yet, or tries again.
    case pending
    /// The node will not have it.
    case rejected(Rejection)
    /// Its owner took it back.
    case forgotten
    /// Nobody pays for it any more: its file goes, or is gone.
    case removed

    /// The word for it.
    package var name: String {
        switch self {
        case .processed: "processed"
        case .pending: "pending"
        case .rejected: "rejected"
        case .forgotten: "forgotten"
        case .removed: "removed"
        }
    }
}

extension AlephNode {
    /// A message and its state. Unknown ones are `notFound`; every other state is an answer, for a
    /// node says 200 to all of them.
    package func message(_ hash: ItemHash) throws(AlephError) -> MessageState {
        let json = try self.json(AlephTarget("/api/v0/messages").step(hash.text))
        guard let status = json["status"]?.string else {
            throw .malformedAnswer("no status of the message")
        }
        switch status {
        case "pending": return .pending
        case "rejected": return .rejected(Rejection(json))
        case "forgotten": return .forgotten
        case "removed": return .removed
        // Still there for a day, and listed: shown until it is gone.
        case "processed", "removing":
            guard let message = json["message"] else { throw .malformedAnswer("no message") }
            do throws(AlephProtocolError) {
                let envelope = try MessageEnvelope(message)
                guard envelope.itemHash == hash else {
                    throw AlephProtocolError.hashMismatch(wanted: hash.text)
                }
                let confirmations = message["confirmations"]?.array?.count ?? 0
                return .processed(envelope, confirmations: confirmations)
            } catch {
                throw .untrue(error)
            }
        default: throw .malformedAnswer("an unknown status of the message")
        }
    }

    /// The state of a message without the message; `processed` stands for `removing` too.
    func statusName(of hash: ItemHash) throws(AlephError) -> String {
        let target = AlephTarget("/api/v0/messages").step(hash.text).step("status")
        guard let status = try json(target)["status"]?.string else {
            throw .malformedAnswer("no status of the message")
        }
        return status
    }

    /// One page of messages that fit a filter.
    ///
    /// Pages are followed by their cursor: totals are cached and wrong. Contents are not asked
    /// for beside the signed text, which is the only one that counts.
    package func messages(
        _ filter: MessageFilter, cursor: String, pageSize: Int
    ) throws(AlephError) -> ListPage {
        let target = try filter.target(AlephTarget("/api/v0/messages.json"))
            .with("contentFormat", "none")
            .with("pagination", String(pageSize)).with("cursor", cursor)
        return try ListPage(json(target), items: "messages")
    }

    /// One page of posts as their replacements have left them: what the node says they are.
    package func posts(
        _ filter: MessageFilter, cursor: String, pageSize: Int
    ) throws(AlephError) -> ListPage {
        let target = try filter.postTarget(AlephTarget("/api/v1/posts.json"))
            .with("pagination", String(pageSize)).with("cursor", cursor)
        return try ListPage(json(target), items: "posts")
    }

    /// An owner's aggregates as the node has merged them, by key. Nobody signed this answer:
    /// `AlephClient.aggregate` makes it from what was signed.
    package func mergedAggregates(
        owner: String, keys: [String] = []
    ) throws(AlephError) -> JSONObject {
        let target = AlephTarget("/api/v0/aggregates").step(owner, suffix: ".json")
            .with("keys", list: try MessageFilter.checked(keys))
        guard let data = try json(target)["data"]?.object else {
            throw .malformedAnswer("no data of the aggregate")
        }
        return data
    }

    /// Bytes of a file, as the node knows them.
    package func fileSize(_ hash: ItemHash) throws(AlephError) -> Int {
        let target = AlephTarget("/api/v0/storage/metadata").step(hash.text)
        guard let size = try json(target)["size"]?.int, size >= 0 else {
            throw .malformedAnswer("no size of the file")
        }
        return size
    }

    /// A file's bytes, whole: nodes send no part of one.
    ///
    /// - Parameters:
    ///   - size: the most bytes that are of use, which say how long it may take; nil if nobody
    ///     knows: then only standing still ends it.
    ///   - sink: takes the bytes, unchecked; false ends it with `cancelled`.
    package func download(
        _ hash: ItemHash, size: Int?, into sink: @escaping (Span<UInt8>) -> Bool
    ) throws(AlephError) {
        let target = AlephTarget("/api/v0/storage/raw").step(hash.text)
        let request = AlephRequest(
            .get, target.text, answerLimit: .max, deadline: size.map(AlephPace.time))
        _ = try send(request, sink: sink)
    }

    /// What an account has.
    package func balance(of address: String) throws(AlephError) -> AccountBalance {
        let json = try self.json(AlephTarget("/api/v0/addresses").step(address).step("balance"))
        guard let balance = json["balance"]?.number else {
            throw .malformedAnswer("no balance")
        }
        return AccountBalance(
            balance: balance.text, locked: json["locked_amount"]?.number?.text ?? "0",
            credits: json["credit_balance"]?.number?.text ?? "0")
    }

    /// What a file of a size would cost.
    ///
    /// - Parameter file: its name if it has one already; prices depend on the size alone.
    package func cost(
        ofBytes size: Int, payment: StorePayment, file: ItemHash, account: String,
        chain: AlephChain, time: Double
    ) throws(AlephError) -> StoreCost {
        let content: JSONObject
        do {
            let draft = StoreDraft(file: file, payment: payment)
            var fields = try MessageDraft.store(draft).content(
                owner: account, time: time, chain: chain)
            fields["estimated_size_mib"] = .number(JSONNumber(max((size + 1_048_575) >> 20, 1)))
            content = fields
        } catch {
            throw .invalid(error)
        }
        let text = JSONValue.object(content).text(.compactASCII)
        let hash = ItemHash(sha256Of: Array(text.utf8))
        let message: JSONValue = [
            "message": [
                "chain": .string(chain.name), "sender": .string(account), "type": "STORE",
                "channel": .null, "time": .number(JSONNumber(time)), "item_type": "inline",
                "item_content": .string(text), "item_hash": .string(hash.text), "signature": .null,
            ]
        ]
        let request = AlephRequest(
            .post, "/api/v0/price/estimate", body: .json(message.bytes()))
        let json = try AlephNode.json(send(request).body)
        guard let cost = json["cost"]?.string ?? json["cost"]?.number?.text else {
            throw .malformedAnswer("no cost")
        }
        // Of credits the node names what a second costs.
        return StoreCost(payment: payment, amount: cost)
    }
}

/// What an account has, in decimal texts.
package struct AccountBalance: Sendable, Equatable {
    /// Tokens it holds.
    package let balance: String
    /// Tokens that keep what it stores.
    package let locked: String
    /// Credits it has.
    package let credits: String
}

/// What a file costs.
package struct StoreCost: Sendable, Equatable {
    /// How it is paid.
    package let payment: StorePayment
    /// Tokens to hold; or credits for one second.
    package let amount: String

    /// The credits of a day; nil for tokens.
    package var creditsADay: Double? {
        payment == .credit ? Double(amount).map { $0 * 86_400 } : nil
    }
}
