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
import Testing

/// One recorded exchange.
private struct Exchange {
    let number: Int
    let json: JSONValue

    var label: String { json["label"]?.string ?? "" }
    var method: String? { json["method"]?.string }
    var status: Int { json["status"]?.int ?? 0 }
    var body: String { json["body"]?.string ?? "" }
    var request: JSONValue? { json["request_json"] }
    var kind: String? { json["request_kind"]?.string }
    var batch: Int { json["batch"]?.int ?? 0 }

    /// The path and query; some were noted down with the node's address.
    var target: String {
        let path = json["path"]?.string ?? ""
        guard let api = path.range(of: "/api/") else { return path }
        return String(path[api.lowerBound...])
    }

    var isJSON: Bool {
        json["headers"]?["Content-Type"]?.string?.hasPrefix("application/json") ?? false
    }
}

struct RecordedExchangeTests {
    /// Exchanges that cannot be asked again, and why.
    private enum Gap {
        /// Bodies that were cut in the recording, or were never JSON: large texts, broken ones.
        static let bodies: Set<Int> = [
            12, 131, 132, 135, 142, 143, 144, 145, 146, 220, 221, 222, 238, 239,
        ]
        /// A websocket, which this version does not use.
        static let websocket: Set<Int> = [174, 175]
        /// About messages whose own recording lacks them: they came inside forms.
        static let unseen: Set<Int> = [
            60, 61, 66, 68, 72, 73, 74, 183, 190, 191, 198, 199, 201, 229, 233, 234, 235,
        ]
    }

    private let exchanges: [Exchange]

    init() throws {
        let all = try #require(try VectorFile.read("http_transcripts")["transcripts"]?.array)
        exchanges = all.enumerated().map { Exchange(number: $0, json: $1) }
        #expect(exchanges.count == 256)
    }

    /// Files that were uploaded in forms: planted under their names, with bytes of our own.
    private func plant(_ exchange: Exchange, into node: NodeDouble) throws {
        let body = try JSONValue(parsing: exchange.body)
        let hash = try body.text("hash")
        let later = exchanges[(exchange.number + 1)...].first { later in
            later.target.hasSuffix("raw/\(hash)") && later.method == "GET"
        }
        let bytes = later.map { Array($0.body.utf8) } ?? Array("planted".utf8)
        let size: Int? = exchange.label.contains("30MiB") ? 30 << 20 : nil
        node.plant(bytes, as: hash, size: body["size"]?.int ?? size)
    }

    @Test("the double answers as the real node did")
    func replay() throws {
        var settings = NodeDouble.Settings()
        settings.authority = TestAccount.ethereum.address
        let node = try NodeDouble(settings)
        defer { node.stop() }
        let client = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
        defer { client.stop() }
        var count = 0
        for exchange in exchanges {
            node.change { $0.hasIPFS = exchange.batch >= 4 }
            if Gap.bodies.contains(exchange.number) || Gap.websocket.contains(exchange.number)
                || Gap.unseen.contains(exchange.number)
            {
                continue
            }
            if exchange.kind == "multipart" || exchange.kind == "raw" {
                if exchange.status == 200 { try plant(exchange, into: node) }
                continue
            }
            var request = HTTPRequest(
                HTTPMethod(rawValue: exchange.method ?? "GET") ?? .get,
                node.url + exchange.target, sink: .collect(limit: 1 << 24))
            if let json = exchange.request, !json.isNull {
                request.headers = [HTTPHeader("Content-Type", "application/json")]
                request.body = .bytes(json.bytes())
            }
            let response = try client.perform(request)
            let text = String(decoding: response.body, as: UTF8.self)
            let place = "\(exchange.number) \(exchange.label)"
            #expect(response.status == exchange.status, "\(place): \(text.prefix(300))")
            compare(text, to: exchange, place: place)
            count += 1
        }
        // The rest are forms and gaps.
        #expect(count == 182, "\(count)")
    }

    private func compare(_ text: String, to exchange: Exchange, place: String) {
        if exchange.isJSON, exchange.method != "HEAD" {
            // Long bodies were cut in the recording.
            guard let wanted = try? JSONValue(parsing: exchange.body) else { return }
            guard let got = try? JSONValue(parsing: text) else {
                Issue.record("\(place): not JSON")
                return
            }
            let difference = Shape.difference(got, wanted, at: "")
            #expect(difference == nil, "\(place): \(difference ?? "")")
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

/// Comparing the shape of JSON, and those values that do not depend on the moment.
private enum Shape {
    /// Fields whose values must be equal.
    static let exact: Set<String> = [
        "status", "message_status", "publication_status", "item_hash", "error_code", "sender",
        "chain",
        "type", "item_type", "item_content", "channel", "content", "data", "file_hash", "owner",
        "ref", "original_item_hash", "forgotten_by", "credit_balance", "account_balance", "key",
        "address", "errors", "authorizations", "original_type", "payment_type",
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
