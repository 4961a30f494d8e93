// SPDX-License-Identifier: Apache-2.0
//
// What the client reads, from nodes that lag, fail and lie.

import Aleph
import AlephNodeDouble
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
