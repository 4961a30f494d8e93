// SPDX-License-Identifier: Apache-2.0
//
// The node tells of messages, one or many.

import AlephProtocol
import Foundation
import JSON

extension NodeExchange {
    mutating func message(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        if rest[1] == "hashes" { return hashes(ledger) }
        if rest[1] == "page" { return list(&ledger) }
        guard ItemHash(rest[1]) != nil else {
            return .text(400, "Invalid message hash: \(rest[1])")
        }
        ledger.process(rest[1])
        guard let entry = ledger.entries[rest[1]] else { return .notFound }
        if rest.count == 3, rest[2] == "content" {
            guard entry.status == .processed else {
                let status = entry.status.rawValue.uppercased()
                return .text(
                    422,
                    "Message \(rest[1]) is not processed (status: MessageStatus.\(status))")
            }
            let content = NodeShow.content(entry)
            return .json(entry.envelope.type == .post ? content["content"] ?? .null : content)
        }
        var reply = JSONObject([
            ("status", .string(entry.status.rawValue)), ("item_hash", .string(rest[1])),
            ("reception_time", "2026-11-21T01:14:52.550921Z"),
        ])
        guard rest.count == 2 else { return .json(.object(reply)) }
        switch entry.status {
        case .processed, .removing, .removed: reply["message"] = NodeShow.processed(entry)
        case .pending: reply["messages"] = [NodeShow.pending(entry)]
        case .rejected:
            reply["message"] = NodeShow.rejected(entry)
            reply["error_code"] = .number(JSONNumber(entry.code))
            reply["details"] = entry.details
        case .forgotten:
            reply["message"] = NodeShow.forgotten(entry)
            reply["forgotten_by"] = .array(entry.forgottenBy.map { .string($0) })
        }
        return .json(.object(reply))
    }

    private func hashes(_ ledger: NodeLedger) -> NodeDouble.Reply {
        let size = Int(query["pagination"] ?? "") ?? 20
        let all = ledger.entries.values.sorted { NodeShow.precedes($0, $1) }
        return .json([
            "hashes": .array(all.prefix(size).map { .string($0.envelope.itemHash.text) }),
            "pagination_item": "hashes", "pagination_page": 1,
            "pagination_per_page": .number(JSONNumber(size)),
            "pagination_total": .number(JSONNumber(all.count)),
        ])
    }

    mutating func list(_ ledger: inout NodeLedger) -> NodeDouble.Reply {
        if let problem = problem(["hashes", "contentHashes", "contentKeys"]) { return problem }
        for hash in ledger.entries.keys { ledger.process(hash) }
        let isForgotten = query["msgStatuses"] == "forgotten"
        // What is soon removed, for want of money, is listed until it is.
        let states =
            query["msgStatuses"] == nil ? ["processed", "removing"] : values("msgStatuses")
        let found = ledger.entries.values.filter { entry in
            states.contains(entry.status.rawValue) && fits(entry)
        }
        let format = query["contentFormat"] ?? "full"
        return page(Array(found), item: "messages") { entry in
            isForgotten ? NodeShow.forgottenInList(entry) : NodeShow.listed(entry, format)
        }
    }

    /// One page, by number or by cursor.
    private func page(
        _ entries: [NodeLedger.Entry], item: String, show: (NodeLedger.Entry) -> JSONValue
    ) -> NodeDouble.Reply {
        let isOldestFirst = query["sortOrder"] == "1"
        let sorted = entries.sorted { left, right in
            isOldestFirst ? NodeShow.precedes(right, left) : NodeShow.precedes(left, right)
        }
        let size = Int(query["pagination"] ?? "") ?? 20
        if let cursor = query["cursor"] {
            let start =
                cursor.isEmpty
                ? 0
                : sorted.firstIndex { $0.envelope.itemHash.text == cursor }.map { $0 + 1 }
                    ?? sorted.count
            let shown = sorted.dropFirst(start).prefix(min(size, 200))
            var reply = JSONObject([
                (item, .array(shown.map(show))),
                ("pagination_per_page", .number(JSONNumber(size))),
            ])
            reply["next_cursor"] =
                shown.count == size
                ? shown.last.map { .string($0.envelope.itemHash.text) } ?? .null : .null
            return .json(.object(reply))
        }
        let number = path.contains("page") ? 1 : Int(query["page"] ?? "") ?? 1
        let shown = size == 0 ? sorted[...] : sorted.dropFirst((number - 1) * size).prefix(size)
        // What a node says of totals behind the end is not true.
        let total = number > 1 && shown.isEmpty ? (number - 1) * size : sorted.count
        return .json([
            (item): .array(shown.map(show)), "pagination_item": .string(item),
            "pagination_page": .number(JSONNumber(number)),
            "pagination_per_page": .number(JSONNumber(size)),
            "pagination_total": .number(JSONNumber(total)),
        ])
    }

    private func problem(_ hashLists: [String]) -> NodeDouble.Reply? {
        func reply(_ name: String, _ text: String, _ type: String) -> NodeDouble.Reply {
            let problem: JSONValue = [
                [
                    "type": .string(type), "loc": [.string(name)],
                    "msg": .string(text), "input": .string(query[name] ?? ""),
                ]
            ]
            return .text(422, problem.text())
        }
        for (name, least) in [("pagination", 0), ("page", 1)] {
            if let text = query[name], Int(text) ?? -1 < least {
                return reply(
                    name, "Input should be greater than or equal to \(least)",
                    "greater_than_equal")
            }
        }
        for name in hashLists {
            for value in values(name) where ItemHash(value) == nil {
                return reply(
                    name, "Value error, Could not determine hash type: '\(value)'", "value_error")
            }
        }
        return nil
    }

    private func values(_ name: String) -> [String] {
        (query[name] ?? "").split(separator: ",").map(String.init)
    }

    private func fits(_ entry: NodeLedger.Entry) -> Bool {
        func fits(_ name: String, _ found: [String]) -> Bool {
            let wanted = values(name)
            return query[name] == nil || wanted.contains { found.contains($0) }
        }
        let envelope = entry.envelope
        let content = entry.content
        let tags =
            envelope.type == .store ? content?["tags"] : content?["content"]?["tags"]
        let time = envelope.time.double
        return fits("hashes", [envelope.itemHash.text]) && fits("addresses", [envelope.sender])
            && fits("owners", [entry.owner])
            && fits("refs", [content?["ref"]?.string].compactMap { $0 })
            && fits("channels", [envelope.channel].compactMap { $0 })
            && fits("chains", [envelope.chain.name])
            && fits("tags", (tags?.array ?? []).compactMap { $0.string })
            && fits(
                "contentTypes",
                envelope.type == .post ? [content?["type"]?.string].compactMap { $0 } : [])
            && fits("contentHashes", [content?["item_hash"]?.string].compactMap { $0 })
            && fits("msgTypes", [envelope.type.rawValue])
            && time >= (query["startDate"].flatMap { Double($0) } ?? 0)
            && time < (query["endDate"].flatMap { Double($0) } ?? .infinity)
    }

    mutating func posts(
        _ ledger: inout NodeLedger, isVersion0: Bool
    ) -> NodeDouble.Reply {
        if let problem = problem(["hashes"]) { return problem }
        for hash in ledger.entries.keys { ledger.process(hash) }
        let posts = ledger.processed.filter { $0.envelope.type == .post }
        let amends = posts.filter { $0.content?["type"] == "amend" }
        let found = posts.filter { $0.content?["type"] != "amend" }.compactMap { post in
            let hash = post.envelope.itemHash.text
            let last =
                amends.filter { $0.content?["ref"]?.string == hash }
                .max { $0.time < $1.time } ?? post
            let tags = (last.content?["content"]?["tags"]?.array ?? []).compactMap { $0.string }
            let wanted = values("tags")
            let isWanted =
                (query["hashes"] == nil || values("hashes").contains(hash))
                && (query["addresses"] == nil || values("addresses").contains(post.owner))
                && (query["types"] == nil
                    || values("types").contains(post.content?["type"]?.string ?? ""))
                && (query["tags"] == nil || wanted.contains { tags.contains($0) })
            return isWanted ? NodeShow.Post(first: post, last: last) : nil
        }
        let shown = Dictionary(
            found.map { ($0.first.envelope.itemHash.text, $0) }, uniquingKeysWith: { $1 })
        return page(found.map { $0.first }, item: "posts") { entry in
            shown[entry.envelope.itemHash.text].map { $0.json(isVersion0: isVersion0) } ?? .null
        }
    }
}
