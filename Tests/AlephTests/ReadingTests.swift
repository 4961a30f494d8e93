// SPDX-License-Identifier: Apache-2.0
//
// What the client reads, from nodes that lag, fail and lie.

import Aleph
import AlephProtocol
import JSON
import LocalServer
import Synchronization
import Testing

struct ReadingTests {
    private let account = TestAccount.solana

    /// Has a node change every answer in which `old` stands.
    private func lie(_ node: NodeDouble, _ old: String, _ new: String) {
        node.change { settings in
            settings.intercept = { _, reply in
                var reply = reply
                let text = String(decoding: reply.body, as: UTF8.self)
                reply.body = Array(text.replacing(old, with: new).utf8)
                return reply
            }
        }
    }

    @Test("a node that lies is refused, the next is asked, and from then on the liar last")
    func liar() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let post = try network.post(["word": "truth"])
        network.spread()
        lie(network.nodes[0], "truth", "false")
        let message = try network.client.processedMessage(post.hash)
        #expect(message.content["content"]?["word"] == "truth")
        let before = network.nodes[0].questions.count
        for _ in 0..<3 { _ = try network.client.processedMessage(post.hash) }
        #expect(network.nodes[0].questions.count == before)
        network.nodes[1].stop()
        #expect(throws: AlephError.self) { try network.client.processedMessage(post.hash) }
    }

    @Test("if all nodes lie, nothing is shown")
    func liars() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let post = try network.post(["word": "truth"])
        network.spread()
        for node in network.nodes { lie(node, "truth", "false") }
        #expect(throws: AlephError.untrue(.hashMismatch(wanted: post.hash.text))) {
            try network.client.processedMessage(post.hash)
        }
    }

    @Test("another message than the one asked for, and another sender, are lies too")
    func exchanged() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let first = try network.post(1)
        let second = try network.post(2)
        let entry = try #require(
            network.nodes[0].ledger.withLock { $0.entries[second.hash.text] })
        network.nodes[0].ledger.withLock { $0.entries[first.hash.text] = entry }
        #expect(throws: AlephError.untrue(.hashMismatch(wanted: first.hash.text))) {
            try network.client.processedMessage(first.hash)
        }
        lie(network.nodes[0], account.address, TestAccount.numbered(2).address)
        #expect(throws: AlephError.self) { try network.client.processedMessage(second.hash) }
    }

    @Test("files whose bytes are others are refused, streamed or whole, and asked for elsewhere")
    func files() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let bytes = [UInt8](repeating: 7, count: 300_000)
        for name in [
            ItemHash(sha256Of: bytes), try AlephClient.name(of: AlephSource(bytes), engine: .ipfs),
        ] {
            var wrong = bytes
            wrong[299_999] = 8
            network.nodes[0].plant(wrong, as: name.text)
            network.nodes[1].plant(bytes, as: name.text)
            #expect(try network.client.file(name, limit: 1 << 20) == bytes)
            let taken = Mutex<[UInt8]>([])
            try network.client.download(name, restart: { taken.withLock { $0 = [] } }) { piece in
                taken.withLock { taken in for index in piece.indices { taken.append(piece[index]) }
                }
                return true
            }
            #expect(taken.withLock { $0 } == bytes)
            network.nodes[1].plant(wrong, as: name.text)
            #expect(throws: AlephError.untrue(.hashMismatch(wanted: name.text))) {
                try network.client.file(name, limit: 1 << 20)
            }
            #expect(throws: AlephError.tooLarge(limit: 1000)) {
                try network.client.file(name, limit: 1000)
            }
        }
        #expect(throws: AlephError.notFound) {
            try network.client.file(ItemHash(sha256Of: [9]), limit: 1000)
        }
    }

    @Test("what one node does not have yet is looked for at the others")
    func lagging() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let post = try network.post(1)
        network.spread()
        network.nodes[0].ledger.withLock { $0 = NodeLedger() }
        #expect(try network.client.processedMessage(post.hash).itemHash == post.hash)
        #expect(throws: AlephError.notFound) {
            try network.client.processedMessage(ItemHash(sha256Of: [1]))
        }
    }

    @Test("a node that is down costs one attempt, and all down are said to be")
    func down() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let post = try network.post(1)
        network.spread()
        network.nodes[0].stop()
        _ = try network.client.processedMessage(post.hash)
        #expect(network.clock.waits.isEmpty)
        network.nodes[1].stop()
        #expect(throws: AlephError.self) { try network.client.processedMessage(post.hash) }
        #expect(network.clock.waits == [.milliseconds(300)])
    }

    @Test("429 and its kin are waited for: as long as was asked, or longer each time")
    func busy() throws {
        let network = try TestNetwork(patience: AlephPatience(rounds: 4))
        defer { network.stop() }
        let post = try network.post(1)
        let failures = Mutex(0)
        func fail(_ status: Int, _ count: Int, retryAfter: String?) {
            failures.withLock { $0 = count }
            network.nodes[0].change { settings in
                settings.intercept = { _, reply in
                    let isFailing = failures.withLock { left in
                        left -= 1
                        return left >= 0
                    }
                    guard isFailing else { return reply }
                    var failure = NodeDouble.Reply.text(status, "slow down")
                    if let retryAfter { failure.headers.append(("Retry-After", retryAfter)) }
                    return failure
                }
            }
        }
        fail(429, 1, retryAfter: "7")
        _ = try network.client.processedMessage(post.hash)
        #expect(network.clock.waits == [.seconds(7)])
        fail(503, 3, retryAfter: nil)
        _ = try network.client.processedMessage(post.hash)
        #expect(
            network.clock.waits.dropFirst()
                == [.milliseconds(300), .milliseconds(600), .milliseconds(1200)])
        fail(429, 100, retryAfter: "100000")
        #expect(throws: AlephError.busy(status: 429, retryAfter: .seconds(86_400))) {
            try network.client.processedMessage(post.hash)
        }
        // Nobody is made to wait a day.
        #expect(network.clock.waits.allSatisfy { $0 <= .seconds(20) })
    }

    @Test("a connection that is cut while publishing does not publish twice")
    func cut() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let isCut = Mutex(false)
        network.nodes[0].change { settings in
            settings.intercept = { request, reply in
                guard request.method == "POST" else { return reply }
                let wasCut = isCut.withLock { cut in
                    defer { cut = true }
                    return cut
                }
                return wasCut ? reply : NodeDouble.Reply(isCut: true)
            }
        }
        let post = try network.post(1)
        #expect(try network.client.processedMessage(post.hash).itemHash == post.hash)
        let posts = network.nodes[0].questions.filter { $0.hasPrefix("POST") }
        #expect(posts.count == 1)
    }

    @Test(
        "answers that are none are typed errors",
        arguments: [
            "", "null", "[]", "{}", "{\"status\":5}", "<html>", "{\"status\":\"processed\"}", "{",
            "{\"status\":\"unheard of\"}", "{\"status\":\"processed\",\"message\":[]}",
            "{\"messages\":5}", String(repeating: "[", count: 10_000),
        ])
    func garbage(text: String) throws {
        let network = try TestNetwork(patience: AlephPatience(rounds: 1))
        defer { network.stop() }
        for status in [200, 202, 422, 500] {
            network.nodes[0].change { settings in
                settings.intercept = { _, _ in .text(status, text) }
            }
            #expect(throws: AlephError.self) {
                try network.client.message(ItemHash(sha256Of: [1]))
            }
            var pages = MessagePages(network.client, MessageFilter())
            #expect(throws: AlephError.self) { try pages.next() }
            #expect(throws: AlephError.self) { try network.post(1) }
            #expect(throws: AlephError.self) {
                try network.client.balance(of: account.address)
            }
        }
    }
}

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
