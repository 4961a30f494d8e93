// SPDX-License-Identifier: Apache-2.0
//
// The forms in which the node shows a message: each list and each state has its own.

import AlephProtocol
import JSON

/// A message as the node shows it.
enum NodeShow {
    /// A post and its last replacement, which may be itself.
    struct Post {
        let first: NodeLedger.Entry
        let last: NodeLedger.Entry
    }

    /// The newest first.
    static func precedes(_ left: NodeLedger.Entry, _ right: NodeLedger.Entry) -> Bool {
        let (first, second) = (left.envelope.time.double, right.envelope.time.double)
        return first != second
            ? first > second : left.envelope.itemHash.text > right.envelope.itemHash.text
    }

    /// The content, with what is missing as null.
    static func content(_ entry: NodeLedger.Entry) -> JSONValue {
        guard var content = entry.content else { return .null }
        switch entry.envelope.type {
        case .post: if content["ref"] == nil { content["ref"] = .null }
        case .store:
            let known = [
                "address", "time", "item_type", "item_hash", "size", "content_type", "ref", "tags",
                "metadata", "payment",
            ]
            content = JSONObject(known.map { ($0, content[$0] ?? .null) })
        default: break
        }
        return .object(content)
    }

    private static func envelope(_ entry: NodeLedger.Entry) -> JSONObject {
        let envelope = entry.envelope
        return JSONObject([
            ("sender", .string(envelope.sender)), ("chain", .string(envelope.chain.name)),
            ("signature", entry.json["signature"] ?? .null),
            ("type", .string(envelope.type.rawValue)),
            ("item_content", envelope.itemContent.map { .string($0) } ?? .null),
            ("item_type", .string(envelope.itemType.rawValue)),
            ("item_hash", .string(envelope.itemHash.text)), ("time", .number(envelope.time)),
            ("channel", envelope.channel.map { .string($0) } ?? .null),
        ])
    }

    static func processed(_ entry: NodeLedger.Entry) -> JSONValue {
        var json = envelope(entry)
        json["content"] = content(entry)
        json["confirmed"] = false
        json["confirmations"] = []
        return .object(json)
    }

    static func pending(_ entry: NodeLedger.Entry) -> JSONValue {
        var json = envelope(entry)
        json["time"] = "2026-11-21T01:17:13.782434Z"
        json["content"] = entry.content.map { .object($0) } ?? .null
        json["reception_time"] = "2026-11-21T01:17:13.798429Z"
        return .object(json)
    }

    static func rejected(_ entry: NodeLedger.Entry) -> JSONValue {
        var json = envelope(entry)
        json["content"] = entry.content.map { .object($0) } ?? .null
        json["origin"] = "p2p"
        return .object(json)
    }

    static func forgotten(_ entry: NodeLedger.Entry) -> JSONValue {
        var json = envelope(entry)
        json["item_content"] = nil
        json["owner"] = .string(entry.owner)
        json["payment_type"] = "hold"
        json["size"] = .null
        json["forgotten_at"] = .number(JSONNumber(entry.forgottenAt ?? 0))
        return .object(json)
    }

    static func forgottenInList(_ entry: NodeLedger.Entry) -> JSONValue {
        guard case .object(var json) = forgotten(entry) else { return .null }
        json["status"] = "forgotten"
        json["forgotten_by"] = .array(entry.forgottenBy.map { .string($0) })
        return .object(json)
    }

    static func listed(_ entry: NodeLedger.Entry, _ format: String) -> JSONValue {
        var json = envelope(entry)
        json["confirmed"] = false
        json["confirmations"] = []
        json["size"] = .number(JSONNumber(entry.envelope.itemContent?.utf8.count ?? 0))
        switch format {
        case "none": break
        case "headers":
            let names = ["address", "type", "key", "ref", "item_hash"]
            json["content"] = .object(
                JSONObject(
                    names.compactMap { name in
                        entry.content?[name].map { (name, $0) }
                    }))
        default: json["content"] = entry.content.map { .object($0) } ?? .null
        }
        return .object(json)
    }
}

extension NodeShow.Post {
    func json(isVersion0: Bool) -> JSONValue {
        var json = JSONObject([
            ("item_hash", .string(last.envelope.itemHash.text)),
            ("content", last.content?["content"] ?? .null),
            ("original_item_hash", .string(first.envelope.itemHash.text)),
            ("original_type", first.content?["type"] ?? .null),
            ("address", .string(first.owner)), ("ref", first.content?["ref"] ?? .null),
            ("channel", first.envelope.channel.map { .string($0) } ?? .null),
        ])
        guard isVersion0 else {
            json["created"] = "2026-11-21T01:18:18.462356+00:00"
            json["last_updated"] = "2026-11-21T01:18:19.867840+00:00"
            return .object(json)
        }
        guard case .object(let envelope) = NodeShow.listed(last, "none") else { return .null }
        for field in envelope.fields { json[field.name] = field.value }
        json["type"] = last.content?["type"] ?? .null
        json["hash"] = .string(first.envelope.itemHash.text)
        json["original_signature"] = first.json["signature"] ?? .null
        return .object(json)
    }
}
