// SPDX-License-Identifier: Apache-2.0
//
// Lists of messages, and what is put together from them.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Synchronization
import Testing

struct ListTests {
    private let account = TestAccount.solana

    private func all(_ client: AlephClient, _ filter: MessageFilter, pageSize: Int = 200) throws
        -> [VerifiedMessage]
    {
        var pages = MessagePages(client, filter, pageSize: pageSize)
        var messages: [VerifiedMessage] = []
        while let page = try pages.next() {
            #expect(page.messages.count <= pageSize)
            messages += page.messages
        }
        return messages
    }

    /// Publishes straight into the node's memory.
    private func fill(_ network: TestNetwork, _ count: Int) throws {
        for index in 0..<count {
            let signed = try account.sign(
                .post(type: "note", content: ["n": .number(JSONNumber(index))]),
                time: Double(1000 + index), channel: "TEST")
            let entry = try signed.entry(arrival: index)
            network.nodes[0].ledger.withLock { ledger in
                ledger.entries[signed.hash.text] = entry
                ledger.process(signed.hash.text)
            }
        }
    }

    @Test("a list of a thousand comes by cursor, each message once and in order")
    func paging() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        try fill(network, 1050)
        var filter = MessageFilter()
        filter.isOldestFirst = true
        let times = try all(network.client, filter).map { $0.time }
        #expect(times == (0..<1050).map { Double(1000 + $0) })
        filter.isOldestFirst = false
        #expect(try all(network.client, filter, pageSize: 7).map { $0.time } == times.reversed())
        let questions = network.nodes[0].questions
        #expect(questions.allSatisfy { $0.contains("cursor=") && !$0.contains("page=") })
        filter.since = 1500
        filter.until = 1600
        #expect(try all(network.client, filter).count == 100)
    }

    @Test("a list in which one message is no longer what was signed is asked of another node")
    func oneLie() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        try fill(network, 20)
        network.spread()
        let lie: @Sendable (LocalServer.Request, NodeDouble.Reply) -> NodeDouble.Reply? = {
            var reply = $1
            let text = String(decoding: reply.body, as: UTF8.self)
            reply.body = Array(text.replacing("{\\\"n\\\":5}", with: "{\\\"n\\\":6}").utf8)
            return reply
        }
        network.nodes[0].change { $0.intercept = lie }
        #expect(try all(network.client, MessageFilter()).count == 20)
        // Where all say it, the rest of the list is shown.
        network.nodes[1].change { $0.intercept = lie }
        var pages = MessagePages(network.client, MessageFilter())
        let page = try #require(try pages.next())
        #expect(page.messages.count == 19)
        #expect(page.passedOver == 1)
        #expect(!page.messages.contains { $0.content["content"]?["n"] == 6 && $0.time == 1005 })
    }

    @Test("a node that gives the same page under ever new cursors comes to an end")
    func circle() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let listed = try (0..<3).map { index in
            try account.sign(
                .post(type: "note", content: .number(JSONNumber(index))), time: 1000, channel: nil
            ).envelope.json.bytes()
        }
        let page = Array(listed.joined(separator: [0x2C]))
        let count = Mutex(0)
        network.nodes[0].change { settings in
            settings.intercept = { _, _ in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                // A test that never ends would tell nothing.
                guard number < 50 else { return .text(404, "no more") }
                let end = "],\"next_cursor\":\"c\(number)\"}"
                return NodeDouble.Reply(
                    body: Array("{\"messages\":[".utf8) + page + Array(end.utf8))
            }
        }
        #expect(try all(network.client, MessageFilter()).count == 3)
        #expect(count.withLock { $0 } == 2)
    }

    @Test("messages of chains that cannot be checked are counted and not shown")
    func unsupported() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        try fill(network, 3)
        network.nodes[0].change { settings in
            settings.intercept = { _, reply in
                var reply = reply
                let text = String(decoding: reply.body, as: UTF8.self)
                if let range = text.firstRange(of: "\"chain\":\"SOL\"") {
                    reply.body = Array(text.replacingCharacters(in: range).utf8)
                }
                return reply
            }
        }
        var pages = MessagePages(network.client, MessageFilter())
        let page = try #require(try pages.next())
        #expect(page.messages.count == 2)
        #expect(page.passedOver == 1)
    }

    @Test("a filter with a comma, which nodes would read as two, is refused")
    func commas() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        var filter = MessageFilter()
        filter.tags = ["a,b"]
        var pages = MessagePages(network.client, filter)
        #expect(throws: AlephError.invalid(.malformed(field: "filter"))) { try pages.next() }
        #expect(network.nodes[0].questions.isEmpty)
    }

    @Test("tags, types, channels and owners narrow a list")
    func filters() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        _ = try network.post(["tags": ["a", "b/é c"]])
        _ = try network.post(["tags": ["b/é c"]], type: "other")
        _ = try network.set("k", JSONObject([("x", 1)]))
        func count(_ change: (inout MessageFilter) -> Void) throws -> Int {
            var filter = MessageFilter()
            change(&filter)
            return try all(network.client, filter).count
        }
        #expect(try count { _ in } == 3)
        #expect(try count { $0.tags = ["b/é c"] } == 2)
        #expect(try count { $0.tags = ["a", "none"] } == 1)
        #expect(try count { $0.postTypes = ["other"] } == 1)
        #expect(try count { $0.types = [.aggregate] } == 1)
        #expect(try count { $0.channels = ["TEST"] } == 3)
        #expect(try count { $0.owners = [TestAccount.ethereum.address] } == 0)
    }

    @Test("an aggregate is made of its owner's signed elements, whatever a node says of it")
    func aggregate() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let first = try network.set("users", JSONObject([("a", 1), ("b", ["x": 1])]))
        let second = try network.set("users", JSONObject([("b", ["y": 2]), ("c", 3)]))
        _ = try network.set("other", JSONObject([("a", 9)]))
        // Others cannot write into it, though a node let them.
        let stranger = TestAccount.numbered(5)
        let foreign = try stranger.sign(
            .aggregate(key: "users", content: JSONObject([("a", 666)])), for: account.address,
            time: 9_000_000_000, channel: nil)
        let entry = try foreign.entry(arrival: 99)
        network.nodes[0].ledger.withLock { ledger in
            ledger.entries[foreign.hash.text] = entry
            ledger.entries[foreign.hash.text]?.status = .processed
        }
        let value = try network.client.aggregate(owner: account.address, key: "users")
        #expect(
            JSONValue.object(value.value) == ["a": 1, "b": ["y": 2], "c": 3])
        let trusting = try network.client.aggregate(
            owner: account.address, key: "users", trusted: [stranger.address])
        #expect(trusting.value["a"] == 666)
        _ = try network.client.publish(.forget([second.hash]), by: account)
        let rest = try network.client.aggregate(owner: account.address, key: "users")
        #expect(JSONValue.object(rest.value) == ["a": 1, "b": ["x": 1]])
        #expect(rest["a"]?.source == first.hash)
        #expect(throws: AlephError.notFound) {
            try network.client.aggregate(owner: account.address, key: "none")
        }
    }

    @Test("the newest file under a name is found after any version was forgotten")
    func lostReference() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(account.address, tokens: 1000)
        let versions = try (1...3).map { number in
            try network.client.store(AlephSource([UInt8(number)]), by: account) { name in
                StoreDraft(file: name, ref: "docs/a é.txt")
            }
        }
        _ = try network.client.publish(.forget([versions[0].hash]), by: account)
        let newest = try network.client.newestStore(owner: account.address, ref: "docs/a é.txt")
        #expect(newest.itemHash == versions[2].hash)
        _ = try network.client.publish(.forget([versions[2].hash]), by: account)
        let older = try network.client.newestStore(owner: account.address, ref: "docs/a é.txt")
        #expect(older.itemHash == versions[1].hash)
        #expect(throws: AlephError.notFound) {
            try network.client.newestStore(owner: account.address, ref: "none")
        }
    }

    @Test("a feed tells of each new message once, and a time of the future hides none")
    func feed() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        _ = try network.post("before")
        var feed = MessageFeed(network.client, MessageFilter())
        #expect(try feed.poll().isEmpty)
        network.clock.move(by: 10)
        let ahead = try network.client.publish(
            .post(type: "note", content: "ahead"), by: account,
            after: network.client.time.now() + 1_000_000)
        let now = try network.post("now")
        #expect(Set(try feed.poll().map { $0.itemHash }) == [ahead.hash, now.hash])
        #expect(try feed.poll().isEmpty)
        network.clock.move(by: 5000)
        let later = try network.post("later")
        #expect(try feed.poll().map { $0.itemHash } == [later.hash])
        #expect(try feed.poll().isEmpty)
    }
}

extension String {
    /// The text with the name of a chain nobody here can check.
    fileprivate func replacingCharacters(in range: Range<String.Index>) -> String {
        self[..<range.lowerBound] + "\"chain\":\"DOT\"" + self[range.upperBound...]
    }
}
