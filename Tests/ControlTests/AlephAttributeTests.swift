// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes below `aleph/`, without a mount.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Engine
import JSON
import Primitives
import Testing

@testable import Control

extension Shown {
    fileprivate func attribute(_ name: String, _ path: String) throws -> String? {
        try tree.attribute("user.aleph.\(name)", of: try resolve(path), patience)
    }

    fileprivate func names(ofAttributes path: String) throws -> [String] {
        try tree.attributeNames(of: try resolve(path)).sorted()
    }
}

@Suite("attributes in aleph/")
struct AlephAttributeTests {
    private let all = ["item_hash", "sender", "status", "time"].map { "user.aleph.\($0)" }

    @Test("an aggregate of anybody has the name, time and state of its newest element")
    func aggregate() throws {
        let shown = try Shown()
        let client = shown.tree.session.client
        let other = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 6, count: 32)), chain: .solana)
        for (account, path) in [(shown.account, "me"), (other, "accounts/\(other.address)")] {
            let first = try client.publish(
                .aggregate(key: "k", content: JSONObject([("a", 1)])), by: account)
            let second = try client.publish(
                .aggregate(key: "k", content: JSONObject([("b", 2)])), by: account)
            #expect(first.envelope.itemHash != second.envelope.itemHash)
            let file = "\(path)/aggregates/k.json"
            // Before anybody asked for its text, and after it.
            #expect(try shown.names(ofAttributes: file) == all)
            #expect(try shown.attribute("item_hash", file) == second.envelope.itemHash.text)
            #expect(try shown.attribute("status", file) == "processed")
            #expect(try shown.attribute("sender", file) == account.address)
            #expect(try shown.attribute("confirmations", file) == "0")
            #expect(try shown.names(ofAttributes: file) == all)
        }
    }

    @Test(
        "a text that was saved has its attributes when the network has it, and its state before",
        arguments: ["aggregates", "posts"])
    func saved(part: String) throws {
        let shown = try Shown()
        let directory = try shown.resolve("me/\(part)")
        let name = Array("k.json".utf8)
        _ = try shown.tree.create(name, in: directory, mode: 0o600, shown.patience)
        let path = "me/\(part)/k.json"
        let file = try shown.tree.openForWriting(
            try shown.resolve(path), truncates: true, shown.patience)
        try file.write(at: 0, Array(#"{"a":1}"#.utf8).span)
        try file.finish()
        #expect(try shown.names(ofAttributes: path) == ["user.aleph.status"])
        #expect(try shown.attribute("status", path) == "waiting")
        file.close()
        #expect(shown.tree.mine.flushAll(until: nil) == nil)
        #expect(try shown.names(ofAttributes: path) == all)
        #expect(try shown.attribute("status", path) == "processed")
        let hash = try #require(try shown.attribute("item_hash", path).flatMap { ItemHash($0) })
        let message = try shown.tree.session.client.processedMessage(hash)
        #expect(message.content["content"]?["a"] == 1)
        #expect(try shown.names(ofAttributes: path) == all)
    }
}
