// SPDX-License-Identifier: Apache-2.0
//
// The network's own client against the same node: what Cairn wrote it reads, and what it wrote
// Cairn reads. Only where $CAIRN_ALEPH_SDK names a Python that has aleph-sdk-python 2.4.0: it
// brings some eighty packages along.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Foundation
import JSON
import Primitives
import Testing

private let python = ProcessInfo.processInfo.environment["CAIRN_ALEPH_SDK"]

@Suite(
    .enabled(if: python != nil, "$CAIRN_ALEPH_SDK names no Python with the network's own client"),
    .serialized)
struct SDKInteropTests {
    private static let secrets = [
        "SOL": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "ETH": "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    ]

    /// Runs the script, and gives its output.
    private func run(_ phase: String, _ work: JSONValue, _ node: NodeDouble) throws -> String {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "cairn-interop-\(UUID().uuidString).json")
        try Data(work.bytes()).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(python))
        process.arguments = [
            project.appendingPathComponent("Interop/aleph-sdk.py").path, node.url, phase, file.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(phase)")
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("the network's client reads what Cairn wrote", arguments: ["SOL", "ETH"])
    func reads(kind: String) throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let account = kind == "SOL" ? TestAccount.solana : TestAccount.ethereum
        let client = network.client
        network.nodes[0].fund(account.address, tokens: 1000)
        let post = try client.publish(
            .post(type: "note", content: ["title": "héllo", "n": .number(JSONNumber(1.5))]),
            by: account)
        _ = try client.publish(
            .aggregate(key: "users", content: JSONObject([("a", ["x": 1]), ("b", 1)])), by: account)
        _ = try client.publish(
            .aggregate(key: "users", content: JSONObject([("b", 2)])), by: account)
        let bytes = [UInt8](repeating: 3, count: 300_000)
        let store = try client.store(AlephSource(bytes), by: account) { name in
            StoreDraft(file: name, tags: ["interop"], metadata: JSONObject([("name", "a.bin")]))
        }
        let sealed = try Recipient(account.recipient).seal(Array("for your eyes".utf8))
        let kept = try client.store(
            AlephSource(sealed), plan: StorePlan(engine: .ipfs), by: account
        ) { StoreDraft(file: $0) }
        let file = try VerifiedMessage(kept.envelope).content["item_hash"] ?? .null
        _ = try run(
            "read",
            [
                "kind": .string(kind), "secret": .string(SDKInteropTests.secrets[kind] ?? ""),
                "sender": .string(account.address), "post": .string(post.hash.text),
                "store": .string(store.hash.text), "sealed": file,
                "sha256": .string(Hex.encode(SHA2.sha256(bytes))),
            ], network.nodes[0])
    }

    @Test("Cairn reads what the network's client wrote", arguments: ["SOL", "ETH"])
    func writes(kind: String) throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let account = kind == "SOL" ? TestAccount.solana : TestAccount.ethereum
        network.nodes[0].fund(account.address, tokens: 1000)
        let reader = TestAccount.numbered(4, chain: account.chain)
        let output = try run(
            "write",
            [
                "kind": .string(kind), "secret": .string(SDKInteropTests.secrets[kind] ?? ""),
                "reader": .string(String(repeating: "04", count: 32)),
            ], network.nodes[0])
        let result = try JSONValue(parsing: output)
        #expect(result["sender"]?.string == account.address)
        func message(_ name: String) throws -> VerifiedMessage {
            let hash = try #require(ItemHash(try result.text(name)))
            return try network.client.processedMessage(hash)
        }
        #expect(try message("amend").content["content"] == ["from": "sdk", "v": 2])
        #expect(try message("large").content["content"]?["text"]?.string?.count == 60_000)
        #expect(try message("forget").type == .forget)
        #expect(throws: AlephError.forgotten) { try message("post") }
        let value = try network.client.aggregate(owner: account.address, key: "sdk")
        #expect(JSONValue.object(value.value) == ["k": [1, 2]])
        let store = try network.client.newestStore(owner: account.address, ref: "sdk-file")
        #expect(store.itemHash.text == result["store"]?.string)
        let file = try #require(store.content["item_hash"]?.string.flatMap { ItemHash($0) })
        #expect(try network.client.file(file, limit: 100) == Array("stored by the sdk".utf8))
        let sealed = try result.bytes("sealed")
        #expect(try reader.open(sealed) == Array("sealed by the sdk".utf8))
    }
}
