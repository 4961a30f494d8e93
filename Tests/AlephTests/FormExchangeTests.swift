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
        recorded = Dictionary(
            all.map { ($0["label"]?.string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
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
