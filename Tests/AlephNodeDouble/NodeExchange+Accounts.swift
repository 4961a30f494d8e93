// SPDX-License-Identifier: Apache-2.0
//
// The node tells of accounts: their aggregates, files and money.

import AlephProtocol
import JSON
import LocalServer

extension NodeExchange {
    mutating func aggregates(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard rest.count == 2, rest[1].hasSuffix(".json") else { return .notFound }
        for hash in ledger.entries.keys { ledger.process(hash) }
        let owner = String(rest[1].dropLast(5))
        let wanted = query["keys"].map { $0.split(separator: ",").map(String.init) }
        let found = ledger.aggregates(of: owner).filter { wanted?.contains($0.key) ?? true }
        guard !found.isEmpty else { return .text(404, "No aggregate found for this address") }
        if query["value_only"] == "true", let keys = wanted, keys.count == 1 {
            return .json(.object(found[keys[0]]?.value ?? JSONObject()))
        }
        var info = JSONObject()
        for (key, value) in found where query["with_info"] == "true" {
            let times = value.entries.sorted { $0.time < $1.time }
            let hash = times.last?.envelope.itemHash.text ?? ""
            info[key] = [
                "created": "2026-11-21T01:17:13.914891+00:00",
                "last_updated": "2026-11-21T01:17:14.981960+00:00",
                "original_item_hash": .string(hash), "last_update_item_hash": .string(hash),
            ]
        }
        let data = found.sorted { $0.key < $1.key }.map {
            ($0.key, JSONValue.object($0.value.value))
        }
        return .json([
            "address": .string(owner), "data": .object(JSONObject(data)), "info": .object(info),
        ])
    }

    mutating func aggregateList(_ ledger: inout NodeLedger) -> NodeDouble.Reply {
        let owners = (query["addresses"] ?? "").split(separator: ",").map(String.init)
        let keys = query["keys"].map { $0.split(separator: ",").map(String.init) }
        let all = owners.flatMap { owner in
            ledger.aggregates(of: owner).filter { keys?.contains($0.key) ?? true }
                .map { key, value -> JSONValue in
                    [
                        "address": .string(owner), "key": .string(key),
                        "content": .object(value.value),
                        "created": "2026-11-21T01:17:13.914891+00:00",
                        "last_updated": "2026-11-21T01:17:14.981960+00:00",
                    ]
                }
        }
        return .json([
            "aggregates": .array(all), "pagination_per_page": 5, "pagination_page": 1,
            "pagination_total": .number(JSONNumber(all.count)), "pagination_item": "aggregates",
        ])
    }

    mutating func account(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        if rest.count == 2, rest[1] == "stats.json" { return statistics(ledger) }
        guard rest.count == 3 else { return .notFound }
        switch rest[2] {
        case "balance":
            let tokens = ledger.tokens[rest[1]] ?? 0
            return .json([
                "address": .string(rest[1]), "balance": .number(JSONNumber(tokens)),
                "details": tokens > 0 ? ["SOL": .number(JSONNumber(tokens))] : [:],
                "locked_amount": .number(JSONNumber(ledger.locked(rest[1]))),
                "credit_balance": .number(JSONNumber(Int(ledger.credits[rest[1]] ?? ledger.gift))),
                "credit_balance_details": .null,
            ])
        case "files": return files(rest[1], ledger)
        default: return .notFound
        }
    }

    private func files(_ owner: String, _ ledger: NodeLedger) -> NodeDouble.Reply {
        let stores = ledger.processed.filter { $0.envelope.type == .store && $0.owner == owner }
        guard !stores.isEmpty else { return .notFound }
        let sizes = stores.map { ledger.files[$0.content?["item_hash"]?.string ?? ""]?.size ?? 0 }
        let size = Int(query["pagination"] ?? "") ?? 100
        let rows = zip(stores, sizes).reversed().prefix(size).map { entry, bytes -> JSONValue in
            [
                "file_hash": entry.content?["item_hash"] ?? .null,
                "size": .number(JSONNumber(bytes)), "type": "file",
                "created": "2026-11-21T01:17:00.220700Z",
                "item_hash": .string(entry.envelope.itemHash.text),
            ]
        }
        return .json([
            "address": .string(owner), "total_size": .number(JSONNumber(sizes.reduce(0, +))),
            "files": .array(Array(rows)), "pagination_page": 1,
            "pagination_total": .number(JSONNumber(stores.count)),
            "pagination_per_page": .number(JSONNumber(size)),
        ])
    }

    private func statistics(_ ledger: NodeLedger) -> NodeDouble.Reply {
        var data = JSONObject()
        for sender in Set(ledger.processed.map { $0.envelope.sender }).sorted() {
            let own = ledger.processed.filter { $0.envelope.sender == sender }
            func count(_ type: MessageType) -> JSONValue {
                .number(JSONNumber(own.filter { $0.envelope.type == type }.count))
            }
            data[sender] = [
                "messages": .number(JSONNumber(own.count)), "aggregate": count(.aggregate),
                "forget": count(.forget), "instance": 0, "post": count(.post), "program": 0,
                "store": count(.store),
            ]
        }
        return .json(["data": .object(data)])
    }

    func authorizations(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        let owner = String((rest.last ?? "").dropLast(5))
        var granted = JSONObject()
        let leaves = ledger.aggregates(of: owner)["security"]?.value["authorizations"]?.array ?? []
        for leave in leaves {
            guard var fields = leave.object, let name = fields["address"]?.string else { continue }
            fields["address"] = nil
            granted[name] = .array((granted[name]?.array ?? []) + [.object(fields)])
        }
        return .json([
            "authorizations": .object(granted), "pagination_page": 1, "pagination_per_page": 20,
            "pagination_total": .number(JSONNumber(granted.count)),
            "pagination_item": "authorizations", "address": .string(owner),
        ])
    }

    func estimate() -> NodeDouble.Reply {
        guard let body = try? JSONValue(parsing: request.body),
            let message = body["message"]?.object,
            let entry = NodeForm.entry(message, arrival: 0), let content = entry.content
        else { return .text(422, "InvalidMessageFormat") }
        let size = (content["estimated_size_mib"]?.double ?? 0) * 1_048_576
        return NodeExchange.price(
            Int(size), isCredit: NodePrice.isCredit(content), owner: entry.owner)
    }

    func price(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard rest.count == 2, let entry = ledger.entries[rest[1]], entry.status == .processed,
            let file = ledger.files[entry.content?["item_hash"]?.string ?? ""]
        else { return .notFound }
        return NodeExchange.price(file.size, isCredit: entry.isCredit, owner: entry.owner)
    }

    private static func price(_ size: Int, isCredit: Bool, owner: String) -> NodeDouble.Reply {
        let cost = NodePrice.cost(of: size, isCredit: isCredit)
        let credit = NodePrice.cost(of: size, isCredit: true)
        return .json([
            "charged_address": .string(owner), "cost": .string(NodePrice.text(cost)),
            "detail": [
                [
                    "cost_credit": .string(NodePrice.text(credit)),
                    "cost_hold": .string(
                        NodePrice.text(NodePrice.cost(of: size, isCredit: false))),
                    "cost_stream": "0.000000000000000000", "name": "STORAGE",
                    "size_mib": .number(JSONNumber(Double(size) / 1_048_576)), "type": "STORAGE",
                ]
            ],
            "payment_type": isCredit ? "credit" : "hold",
            "required_tokens": .number(JSONNumber(cost)),
        ])
    }

    func costs(_ ledger: inout NodeLedger) -> NodeDouble.Reply {
        let owner = query["address"] ?? ""
        let paid = ledger.processed.filter { $0.isCredit && $0.owner == owner }
        return .json([
            "summary": [
                "total_consumed_credits": 0,
                "total_cost_hold": .string(NodePrice.text(ledger.locked(owner))),
                "total_cost_stream": "0.000000000000000000",
                "total_cost_credit": .string(NodePrice.text(paid.reduce(0) { $0 + $1.cost })),
                "resource_count": .number(JSONNumber(paid.count)),
            ],
            "filters": [
                "address": .string(owner), "item_hash": .null, "payment_type": "credit",
            ],
            "resources": .null, "pagination_page": .null, "pagination_total": .null,
            "pagination_per_page": .null, "pagination_item": .null,
        ])
    }
}
