// SPDX-License-Identifier: Apache-2.0
//
// The node takes messages: what has the wrong form it refuses at once and forgets; the rest it
// keeps, and decides.

import AlephProtocol
import Foundation
package import JSON
import LocalServer

extension NodeExchange {
    private static let bodyLimit = 1 << 20

    mutating func publish(_ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard request.body.count <= NodeExchange.bodyLimit else {
            return .text(413, "Maximum request body size \(NodeExchange.bodyLimit) exceeded.")
        }
        guard let body = try? JSONValue(parsing: request.body) else {
            return .text(422, "422: Unprocessable Entity")
        }
        guard let message = body["message"]?.object else {
            let problem: JSONValue = [
                ["type": "missing", "loc": ["message"], "msg": "Field required", "input": body]
            ]
            return .text(422, problem.text())
        }
        guard let entry = NodeForm.entry(message, arrival: ledger.nextArrival()) else {
            return .text(422, "InvalidMessageFormat")
        }
        return take(entry, isSync: body["sync"]?.bool ?? false, &ledger)
    }

    mutating func take(
        _ entry: NodeLedger.Entry, isSync: Bool, _ ledger: inout NodeLedger
    ) -> NodeDouble.Reply {
        let hash = entry.envelope.itemHash.text
        // What no network took is not kept either.
        guard settings.failedNetworks.count < 2 else { return reply(nil, 500) }
        guard ledger.entries[hash] == nil else {
            // Nothing will happen to it any more, and a node waits for something to happen.
            waitsForEvent = isSync
            return reply("pending", 202)
        }
        var entry = entry
        entry.looks = settings.pendingLooks
        ledger.entries[hash] = entry
        guard isSync else { return reply("pending", 202) }
        ledger.process(hash)
        switch ledger.entries[hash]?.status {
        case .processed: return reply("processed", 200)
        case .rejected: return reply("rejected", 422)
        default:
            waitsForEvent = true
            return reply("pending", 202)
        }
    }

    private func reply(_ status: String?, _ code: Int) -> NodeDouble.Reply {
        let failed = settings.failedNetworks
        let publication = failed.isEmpty ? "success" : failed.count < 2 ? "warning" : "error"
        return .json(
            [
                "publication_status": [
                    "status": .string(publication), "failed": .array(failed.map { .string($0) }),
                ],
                "message_status": status.map { .string($0) } ?? .null,
            ], status: code)
    }
}

/// The form messages must have.
package enum NodeForm {
    private static let chains: Set<String> = [
        "SOL", "ES", "ETH", "BASE", "AVAX", "TEZOS", "DOT", "NULS2", "CSDK",
    ]
    private static let keys: [MessageType: Set<String>] = [
        .post: ["address", "time", "content", "ref", "type"],
        .aggregate: ["address", "time", "key", "content"],
        // Others are dropped, not refused.
        .forget: ["address", "time", "hashes", "aggregates", "reason"],
    ]

    /// The message; nil if it has the wrong form.
    package static func entry(_ message: JSONObject, arrival: Int) -> NodeLedger.Entry? {
        var signed = message
        if message["signature"]?.string == nil { signed["signature"] = "" }
        guard message["time"]?.double != nil,
            let envelope = try? MessageEnvelope(.object(signed)),
            chains.contains(envelope.chain.name),
            envelope.channel?.unicodeScalars.count ?? 0 <= 128
        else { return nil }
        var entry = NodeLedger.Entry(
            envelope: envelope, json: message, content: nil, arrival: arrival)
        guard envelope.itemType == .inline else {
            return envelope.itemHash.type == envelope.itemType ? entry : nil
        }
        guard let text = envelope.itemContent, text.unicodeScalars.count <= 200_000,
            ItemHash(sha256Of: Array(text.utf8)) == envelope.itemHash,
            let content = try? JSONValue(parsing: text).object,
            isContent(content, of: envelope.type)
        else { return nil }
        entry.content = content
        return entry
    }

    private static func isContent(_ content: JSONObject, of type: MessageType) -> Bool {
        guard content["address"]?.string != nil, let time = content["time"]?.double,
            (0...9_223_372_036).contains(time),
            keys[type].map({ $0.isSuperset(of: content.names) }) ?? true
        else { return false }
        switch type {
        case .post:
            let isAmend = content["type"] == "amend"
            return content["type"]?.string != nil && areTags(content["content"]?["tags"])
                && (!isAmend || content["ref"]?.string.map { !$0.isEmpty } ?? false)
        case .aggregate:
            return content["key"]?.string != nil && content["content"]?.object != nil
                && areTags(content["content"]?["tags"])
        case .store:
            guard let hash = content["item_hash"]?.string.flatMap({ ItemHash($0) }) else {
                return false
            }
            let payment = content["payment"]
            return content["item_type"]?.string == hash.type.rawValue && areTags(content["tags"])
                && (content["metadata"].map { $0.isNull || $0.object != nil } ?? true)
                && (payment == nil || payment?.isNull == true
                    || ["hold", "credit"].contains(payment?["type"]?.string))
        case .forget:
            let lists = [content["hashes"] ?? .null, content["aggregates"] ?? []]
            return (content["reason"]?.string?.count ?? 0) <= 1000
                && lists.allSatisfy { list in
                    list.array.map { values in
                        values.count <= 1000
                            && values.allSatisfy { $0.string.flatMap { ItemHash($0) } != nil }
                    } ?? false
                }
        default: return true
        }
    }

    private static func areTags(_ json: JSONValue?) -> Bool {
        guard let json, !json.isNull else { return true }
        guard let tags = json.array, tags.count <= 16 else { return false }
        return tags.allSatisfy { tag in
            tag.string.map { (1...256).contains($0.unicodeScalars.count) } ?? false
        }
    }
}
