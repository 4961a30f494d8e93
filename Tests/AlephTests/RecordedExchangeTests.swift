// SPDX-License-Identifier: Apache-2.0
//
// The double against 256 exchanges recorded from a real node: the same status, the same words of
// refusal, and JSON of the same shape. What a recording lacks to be asked again (the bytes of
// files, and what depends on messages that came with them) is listed, and tested apart.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Foundation
import HTTP
import JSON
import Primitives
import Synchronization
import Testing

struct RecordedExchangeTests {
    /// Exchanges that are not asked again, and why.
    private enum Gap {
        /// Two frames of a websocket: this version asks instead of listening, because the
        /// system's libcurl is built without websockets, so that the double has none.
        static let websocket: Set<Int> = [174, 175]
    }

    private let exchanges: [RecordedExchange]

    init() throws {
        exchanges = try RecordedExchange.all()
        #expect(exchanges.count == 256)
    }

    @Test("the double answers as the real node did")
    func replay() throws {
        var settings = NodeDouble.Settings()
        settings.authority = TestAccount.ethereum.address
        let node = try NodeDouble(settings)
        defer { node.stop() }
        node.ledger.withLock { $0.keepsForgottenFiles = true }
        var replay = Replay(exchanges: exchanges, node: node)
        defer { replay.client.stop() }
        var count = 0
        for exchange in exchanges where !Gap.websocket.contains(exchange.number) {
            node.change { settings in
                settings.hasIPFS = exchange.batch >= 4
                settings.failedNetworks = exchange.body.contains("\"warning\"") ? ["ipfs"] : []
            }
            let (status, text) = try replay.ask(exchange)
            let place = "\(exchange.number) \(exchange.label)"
            #expect(status == exchange.status, "\(place): \(text.prefix(300))")
            compare(text, to: exchange, names: replay.names, place: place)
            count += 1
        }
        #expect(count == 254, "\(count)")
    }

    private func compare(
        _ text: String, to exchange: RecordedExchange, names: [String: String], place: String
    ) {
        if exchange.isJSON, exchange.method != "HEAD" {
            // Long bodies were cut in the recording.
            guard let wanted = try? JSONValue(parsing: exchange.body) else { return }
            guard let got = try? JSONValue(parsing: text) else {
                Issue.record("\(place): not JSON")
                return
            }
            guard let difference = Shape.difference(got, wanted, at: "") else { return }
            // It may be about something that stands for what was recorded.
            let renamed = try? JSONValue(parsing: names.replacing(in: exchange.body))
            let stays = renamed.flatMap { Shape.difference(got, $0, at: "") }
            #expect(renamed != nil && renamed != wanted && stays == nil, "\(place): \(difference)")
        } else if exchange.body.hasPrefix("[{\"type\"") {
            // A validator's list of problems: what kind, and where.
            let got = try? JSONValue(parsing: text).array?.first
            let wanted = try? JSONValue(parsing: exchange.body).array?.first
            #expect(got?["type"] == wanted?["type"], "\(place)")
            #expect(got?["msg"] == wanted?["msg"], "\(place)")
        } else if !exchange.body.hasPrefix("<") {
            #expect(text == exchange.body, "\(place)")
        }
    }
}

/// Asks one exchange after the other.
private struct Replay {
    let exchanges: [RecordedExchange]
    let node: NodeDouble
    let client = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
    /// What stands for the messages and files of the recording that were made anew.
    private(set) var names: [String: String] = [:]

    init(exchanges: [RecordedExchange], node: NodeDouble) {
        self.exchanges = exchanges
        self.node = node
    }

    /// Asks, and gives status and body.
    mutating func ask(_ exchange: RecordedExchange) throws -> (Int, String) {
        let rebuilt = try exchange.rebuilt(exchanges) ?? exchange.signedAgain(names)
        var request = HTTPRequest(
            HTTPMethod(rawValue: exchange.method ?? "GET") ?? .get,
            node.url + names.replacing(in: exchange.target), sink: .collect(limit: 1 << 28))
        if let rebuilt {
            request.headers = [HTTPHeader("Content-Type", rebuilt.contentType)]
            request.body = .bytes(rebuilt.bytes)
        } else if let json = exchange.request {
            request.headers = [HTTPHeader("Content-Type", "application/json")]
            request.body = .bytes(json.bytes())
        }
        let response = try client.perform(request)
        let text = String(decoding: response.body, as: UTF8.self)
        if let message = rebuilt?.message, let name = exchange.messageName(exchanges) {
            names[name] = message.itemHash.text
        }
        if RecordedExchange.standIns.contains(exchange.number), response.status == 200 {
            standIn(exchange, text)
        }
        return (response.status, text)
    }

    /// Has our file stand for the one that was recorded, for those as well who sign over its name.
    private mutating func standIn(_ exchange: RecordedExchange, _ answer: String) {
        guard let body = try? JSONValue(parsing: exchange.body),
            let hash = body["hash"]?.string,
            let own = try? JSONValue(parsing: answer)["hash"]?.string
        else { return }
        names[hash] = own
        node.plant(Array("planted".utf8), as: hash, size: body["size"]?.int)
    }
}

/// Comparing the shape of JSON, and those values that do not depend on the moment.
private enum Shape {
    /// Fields whose values must be equal.
    static let exact: Set<String> = [
        "status", "message_status", "publication_status", "item_hash", "error_code", "sender",
        "chain",
        "type", "item_type", "item_content", "channel", "content", "data", "file_hash", "owner",
        "ref", "original_item_hash", "forgotten_by", "credit_balance", "account_balance", "key",
        "address", "errors", "authorizations", "original_type", "payment_type", "hash",
    ]
    /// Fields that tell of the moment, or of messages the recording lacks.
    static let loose: Set<String> = [
        "messages", "files", "hashes", "aggregates", "posts", "channels", "resources",
        "next_cursor", "pagination_total", "total_size", "required_balance", "details", "size",
    ]
    /// Objects whose names are addresses or keys that depend on what came before.
    static let open: Set<String> = ["data", "info", "details", "summary"]

    /// The first place where the two differ; nil if nowhere.
    static func difference(_ got: JSONValue, _ wanted: JSONValue, at path: String) -> String? {
        switch (got, wanted) {
        case (.object(let left), .object(let right)):
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            if !open.contains(name), left.names.sorted() != right.names.sorted() {
                return "\(path): \(left.names.sorted()) instead of \(right.names.sorted())"
            }
            for field in right.fields {
                guard let value = left[field.name] else { continue }
                if let found = difference(value, field.value, at: "\(path)/\(field.name)") {
                    return found
                }
            }
            return nil
        case (.array(let left), .array(let right)):
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            if !loose.contains(name), left.count != right.count {
                return "\(path): \(left.count) instead of \(right.count)"
            }
            guard let first = left.first, let other = right.first else { return nil }
            // Of long lists the shape of an item is compared.
            return shapeOnly(first, other, at: "\(path)/0")
        default:
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            if exact.contains(name), !loose.contains(name), !isSame(got, wanted) {
                return "\(path): \(got.text().prefix(200)) instead of \(wanted.text().prefix(200))"
            }
            return kind(got) == kind(wanted) || got.isNull || wanted.isNull
                ? nil : "\(path): \(kind(got)) instead of \(kind(wanted))"
        }
    }

    private static func shapeOnly(
        _ got: JSONValue, _ wanted: JSONValue, at path: String
    ) -> String? {
        guard let left = got.object, let right = wanted.object else {
            return kind(got) == kind(wanted) ? nil : "\(path): another kind"
        }
        let names = [left, right].map { $0.names.filter { $0 != "content" }.sorted() }
        return names[0] == names[1] ? nil : "\(path): \(names[0]) instead of \(names[1])"
    }

    private static func isSame(_ got: JSONValue, _ wanted: JSONValue) -> Bool {
        if let left = got.number, let right = wanted.number { return left.isSameValue(as: right) }
        return got == wanted
    }

    private static func kind(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
