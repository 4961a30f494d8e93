// SPDX-License-Identifier: Apache-2.0
//
// What came in forms when the exchanges were recorded: each refusal of an upload, with the words of
// the recording.

import Aleph
import AlephNodeDouble
import AlephProtocol
import HTTP
import JSON
import Primitives
import Testing

struct FormExchangeTests {
    private let recorded: [String: JSONValue]

    init() throws {
        let all = try #require(try VectorFile.read("http_transcripts")["transcripts"]?.array)
        // Of several with one label the last: those before are of an account without money.
        recorded = Dictionary(
            all.map { ($0["label"]?.string ?? "", $0) },
            uniquingKeysWith: { first, last in
                first["status"] == 402 ? first : last["status"] == 404 ? first : last
            })
    }

    private func store(
        _ bytes: [UInt8], engine: ItemType = .storage, hash: String? = nil,
        payment: StorePayment? = nil, time: Double = 1
    ) throws -> MessageEnvelope {
        let name = try #require(ItemHash(hash ?? ItemHash(sha256Of: bytes).text))
        return try TestAccount.solana.sign(
            .store(StoreDraft(file: name, payment: payment)), time: time, channel: "T"
        ).envelope
    }

    /// Uploads a form, and gives status and body.
    private func upload(
        _ bytes: [UInt8], metadata: JSONValue?, engine: String = "storage", to node: NodeDouble
    ) throws -> (Int, String) {
        let form = MultipartForm(metadata: metadata?.bytes(), file: AlephSource(bytes))
        let transport = AlephHTTPTransport(HTTPClient(HTTPClient.Configuration(userAgent: "test")))
        let answer = try transport.send(
            AlephRequest(.post, "/api/v0/\(engine)/add_file", body: .form(form)),
            to: node.address, sink: nil)
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private func expect(_ got: (Int, String), isLike label: String) throws {
        let exchange = try #require(recorded[label])
        #expect(got.0 == exchange["status"]?.int, "\(label): \(got.1)")
        let body = try exchange.text("body")
        if let json = try? JSONValue(parsing: body).object {
            #expect(try JSONValue(parsing: got.1).object?.names == json.names, "\(label)")
            return
        }
        // Hashes and sizes differ: the words before them do not.
        let words = body.prefix { $0 != "(" && $0 != "[" && !("1"..."9").contains($0) }
        let own = got.1.prefix { $0 != "(" && $0 != "[" && !("1"..."9").contains($0) }
        #expect(own == words, "\(label)")
    }

    @Test("uploads are refused with the recorded words")
    func refusals() throws {
        var settings = NodeDouble.Settings()
        settings.unkeptLimit = 1000
        settings.storageLimit = 4000
        let node = try NodeDouble(settings)
        defer { node.stop() }
        let bytes = Array("hello aleph fuse\n".utf8)
        let big = [UInt8](repeating: 1, count: 1001)
        func message(_ envelope: MessageEnvelope) -> JSONValue {
            ["message": envelope.json, "sync": true]
        }

        try expect(
            upload(bytes, metadata: message(store(bytes)), to: node), isLike: "auth upload ref v1")
        try expect(
            upload(bytes, metadata: message(store(bytes, payment: .credit)), to: node),
            isLike: "auth 1MiB credit no balance")
        node.fund(TestAccount.solana.address, tokens: 1000, credits: 1_000_000)
        let wrong = String(repeating: "a", count: 64)
        try expect(
            upload(bytes, metadata: message(store(bytes, hash: wrong)), to: node),
            isLike: "auth hash mismatch")
        var forged = try #require(try store(bytes).json.object)
        forged["sender"] = .string(TestAccount.numbered(4).address)
        try expect(
            upload(bytes, metadata: ["message": .object(forged)], to: node), isLike: "auth bad sig")
        try expect(
            upload(bytes, metadata: ["message": ["x": 1]], to: node), isLike: "auth bad metadata")
        try expect(upload(big, metadata: nil, to: node), isLike: "add_file 26MiB unauth")
        try expect(
            upload(
                [UInt8](repeating: 1, count: 4001),
                metadata: message(store([UInt8](repeating: 1, count: 4001))), to: node),
            isLike: "auth 100MiB+1")
        try expect(
            upload(bytes, metadata: message(store(bytes)), engine: "ipfs", to: node),
            isLike: "ipfs auth item_type=storage")
        let version1 = "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y"
        try expect(
            upload(
                bytes, metadata: message(store(bytes, hash: version1)), engine: "ipfs", to: node),
            isLike: "ipfs auth CIDv1 (mismatch)")
        node.change { $0.hasIPFS = false }
        try expect(
            upload(bytes, metadata: nil, engine: "ipfs", to: node),
            isLike: "ipfs add_file (ipfs off)")
    }

    /// Sends a body as it is, and gives status and body.
    private func post(
        _ target: String, _ body: [UInt8], type: String = "application/json", to node: NodeDouble
    ) throws -> (Int, String) {
        let client = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
        let response = try client.perform(
            HTTPRequest(
                .post, node.url + target, headers: [HTTPHeader("Content-Type", type)],
                body: .bytes(body), sink: .collect(limit: 1 << 20)))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("bodies that were cut in the recording are answered with its words")
    func bodies() throws {
        var settings = NodeDouble.Settings()
        settings.unkeptLimit = 300_000
        let node = try NodeDouble(settings)
        defer { node.stop() }
        let messages = "/api/v0/messages"
        let addJSON = "/api/v0/storage/add_json"
        func message(_ size: Int) throws -> [UInt8] {
            let text = String(repeating: "x", count: size)
            let content =
                #"{"address":"\#(TestAccount.solana.address)","time":1.5,"type":"n","#
                + #""content":"\#(text)"}"#
            let hash = ItemHash(sha256Of: Array(content.utf8))
            let signed = MessageEnvelope.signedBytes(
                chain: .solana, sender: TestAccount.solana.address, type: .post, itemHash: hash)
            let envelope = MessageEnvelope(
                chain: .solana, sender: TestAccount.solana.address, type: .post, channel: "T",
                time: JSONNumber(1), itemType: .inline, itemContent: content, itemHash: hash,
                signature: TestAccount.solana.sign(signed))
            let body: JSONValue = ["sync": true, "message": envelope.json]
            return body.bytes()
        }
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) + 1)
        try expect(post(messages, Array("not json".utf8), to: node), isLike: "not json")
        try expect(post(messages, long, to: node), isLike: "body >1MiB")
        try expect(post(messages, message(200_001), to: node), isLike: "inline >200k")
        try expect(post(messages, message(199_000), to: node), isLike: "inline 199k ok")
        try expect(post(addJSON, long, to: node), isLike: "add_json >25MiB")
        try expect(post(addJSON, Array("{".utf8), to: node), isLike: "add_json bad json")
        let large: JSONValue = ["d": .string(String(repeating: "y", count: 250_000))]
        try expect(post(addJSON, large.bytes(), to: node), isLike: "add_json 250k")
        try expect(
            post("/api/v0/storage/add_file", long, type: "application/octet-stream", to: node),
            isLike: "add_file 26MiB raw unauth")
        try expect(
            post(
                "/api/v0/storage/add_file", Array("--b--\r\n".utf8),
                type: "multipart/form-data; boundary=b", to: node), isLike: "multipart no file")
    }

    @Test("names of files behave as at the real node: the newest, until any version is forgotten")
    func references() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let node = network.nodes[0]
        node.fund(TestAccount.solana.address, tokens: 1000)
        let address = TestAccount.solana.address
        func status(_ target: String) throws -> (Int, String) {
            let client = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
            let response = try client.perform(
                HTTPRequest(.get, node.url + target, sink: .collect(limit: 1 << 20)))
            return (response.status, String(decoding: response.body, as: UTF8.self))
        }
        func store(_ byte: UInt8, ref: String?) throws -> SignedMessage {
            try network.client.store(AlephSource([byte]), by: TestAccount.solana) { name in
                StoreDraft(file: name, ref: ref)
            }
        }
        let first = try store(1, ref: "my/path.txt")
        _ = try store(2, ref: "my/path.txt")
        let named = "/api/v0/storage/by-ref/\(address)/my%2Fpath.txt"
        let got = try status(named)
        try expect(got, isLike: "by-ref addr/ref enc")
        let second = ItemHash(sha256Of: [2])
        #expect(try JSONValue(parsing: got.1).text("file_hash") == second.text)
        _ = try network.client.publish(.forget([first.hash]), by: TestAccount.solana)
        let lost = try status(named)
        #expect(lost.0 == 404)
        #expect(lost.1 == "No file found for tag \(address)/my/path.txt")

        let base = try store(3, ref: nil)
        let update = try store(4, ref: base.hash.text)
        let byHash = "/api/v0/storage/by-ref/\(base.hash)"
        #expect(
            try JSONValue(parsing: status(byHash).1).text("file_hash")
                == ItemHash(sha256Of: [4]).text)
        guard
            case .rejected(let rejection)? = failure({ _ = try store(5, ref: update.hash.text) })
        else {
            Issue.record("a reference to a reference was taken")
            return
        }
        #expect(rejection.code == 201)
        _ = try network.client.publish(.forget([update.hash]), by: TestAccount.solana)
        #expect(
            try JSONValue(parsing: status(byHash).1).text("file_hash")
                == ItemHash(sha256Of: [3]).text)
    }

    @Test("uploads are taken with the recorded words, and exactly at their limits")
    func taken() throws {
        var settings = NodeDouble.Settings()
        settings.unkeptLimit = 1000
        settings.storageLimit = 4000
        let node = try NodeDouble(settings)
        defer { node.stop() }
        node.fund(TestAccount.solana.address, tokens: 1000, credits: 1_000_000)
        for (size, label) in [
            (1000, "add_file multipart unauth"), (0, "add_file empty"),
        ] {
            let got = try upload([UInt8](repeating: 2, count: size), metadata: nil, to: node)
            try expect(got, isLike: label)
            #expect(try JSONValue(parsing: got.1).text("hash").utf8.count == 64)
        }
        for (payment, label, time) in [
            (StorePayment.hold, "auth 1MiB hold paid", 1.0),
            (.credit, "auth exactly 100MiB", 2.0),
        ] {
            let bytes = [UInt8](repeating: 3, count: 4000)
            let envelope = try store(bytes, payment: payment, time: time)
            let got = try upload(
                bytes, metadata: ["message": envelope.json, "sync": true], to: node)
            try expect(got, isLike: label)
        }
        let cid = try upload(
            Array("ipfs file small\n".utf8), metadata: nil, engine: "ipfs", to: node)
        let wanted = try #require(recorded["ipfs add_file unauth"]).text("body")
        #expect(
            try JSONValue(parsing: cid.1).text("hash") == JSONValue(parsing: wanted).text("hash"))
    }
}
