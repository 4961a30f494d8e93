// SPDX-License-Identifier: Apache-2.0
//
// Nodes that never stand still, and never come to an end.

import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Synchronization
import TestSupport
import Testing

@testable import Aleph

/// Two nodes, the first of which sends a byte of a file now and then; on a clock of its own.
private final class DrippingTransport: AlephTransport {
    /// Between two bytes: less than what counts as standing still.
    static let pause = AlephHTTPTransport.stall - .seconds(1)
    /// Where the test gives up.
    static let byteLimit = 100_000

    let first: AlephNodeAddress
    let answers: [String: [UInt8]]
    /// How long the first node has held whoever asked.
    let held = Mutex(Duration.zero)
    let asked = Mutex<[String]>([])

    init(first: AlephNodeAddress, answers: [String: [UInt8]]) {
        self.first = first
        self.answers = answers
    }

    func send(
        _ request: AlephRequest, to node: AlephNodeAddress, sink: ((Span<UInt8>) -> Bool)?
    ) throws(AlephTransportError) -> AlephAnswer {
        asked.withLock { $0.append("\(node.url) \(request.target)") }
        guard let body = answers[request.target] else { return AlephAnswer(status: 404, body: []) }
        guard let sink else { return AlephAnswer(status: 200, body: body) }
        guard node == first else {
            guard sink(body.span) else { throw AlephTransportError(.stopped, "stopped") }
            return AlephAnswer(status: 200, body: [])
        }
        var time = Duration.zero
        for _ in 0..<Self.byteLimit {
            time += Self.pause
            if let deadline = request.deadline, time > deadline {
                held.withLock { $0 += deadline }
                throw AlephTransportError(.unreachable, "the answer did not come in time")
            }
            let byte: [UInt8] = [0]
            guard sink(byte.span) else { throw AlephTransportError(.stopped, "stopped") }
        }
        held.withLock { $0 += time }
        return AlephAnswer(status: 200, body: [])
    }
}

@Suite("Nodes that are slow for ever")
struct PaceTests {
    private func network(
        _ answers: [String: [UInt8]]
    ) throws -> (AlephClient, DrippingTransport) {
        let nodes = try ["http://127.0.0.1:1", "http://127.0.0.1:2"].map {
            try AlephNodeAddress($0)
        }
        let transport = DrippingTransport(first: nodes[0], answers: answers)
        let client = AlephClient(
            nodes: nodes, over: transport, patience: AlephPatience(rounds: 1),
            time: TestClock().time)
        return (client, transport)
    }

    @Test(
        "a file of known size that comes in drips is asked for at the next node", arguments: 0...2)
    func file(way: Int) throws {
        var dice = SeededGenerator(seed: 17)
        let size = 25 << 20
        let bytes = way == 0 ? dice.bytes(5000) : [UInt8](repeating: 7, count: size)
        let hash = ItemHash(sha256Of: bytes)
        let (client, transport) = try network(["/api/v0/storage/raw/\(hash.text)": bytes])
        for _ in 0..<2 {
            switch way {
            case 0: #expect(try client.file(hash, size: bytes.count) == bytes)
            case 1: #expect(try client.file(hash, limit: size) == bytes)
            default:
                var count = 0
                try client.download(hash, limit: size, restart: { count = 0 }) { _ in true }
                #expect(count == 0)
            }
        }
        #expect(transport.held.withLock { $0 } <= AlephPace.time(of: bytes.count))
        #expect(AlephPace.time(of: 25 << 20) == .seconds(860))
        // From then on the slow one is asked last.
        #expect(
            transport.asked.withLock { $0.filter { $0.hasPrefix("http://127.0.0.1:1") } }.count == 1
        )
    }

    @Test("a content beside its message that comes in drips is asked for at the next node")
    func content() throws {
        let text = String(repeating: "x", count: MessageEnvelope.maximumInlineSize)
        let signed = try TestAccount.solana.sign(
            .post(type: "note", content: .string(text)), time: 1_795_300_000, channel: nil)
        #expect(signed.envelope.itemType != .inline)
        let answer: JSONValue = ["status": "processed", "message": signed.envelope.json]
        let (client, transport) = try network([
            "/api/v0/messages/\(signed.hash.text)": answer.bytes(),
            "/api/v0/storage/raw/\(signed.hash.text)": signed.content,
        ])
        #expect(try client.processedMessage(signed.hash).itemHash == signed.hash)
        let most = AlephPace.time(of: AlephClient.contentLimit)
        #expect(transport.held.withLock { $0 } <= most)
    }

    @Test("a page of more messages than one was asked for is refused, and another node is asked")
    func crowdedPage() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        let post = try network.post(["n": 1])
        network.spread()
        let item: JSONValue = ["item_hash": "x"]
        let page: JSONValue = [
            "messages": .array(Array(repeating: item, count: ListPage.maximumSize + 1))
        ]
        network.nodes[0].change { settings in
            settings.intercept = { request, _ in
                request.target.contains("messages.json") ? .json(page) : nil
            }
        }
        var pages = MessagePages(network.client, MessageFilter())
        #expect(try pages.next()?.messages.map { $0.itemHash } == [post.hash])
        network.nodes[1].change {
            $0.intercept = network.nodes[0].settings.withLock { $0.intercept }
        }
        var refused = MessagePages(network.client, MessageFilter())
        let error = failure { _ = try refused.next() }
        #expect(error == .malformedAnswer("more on one page than a page has"))
    }

    @Test("a list ends where no more time is given, also between the contents of one page")
    func lateList() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        for number in 0..<5 { _ = try network.post(["n": .number(JSONNumber(number))]) }
        var looks = 0
        var pages = MessagePages(network.client, MessageFilter())
        let error = failure {
            _ = try pages.next(unless: {
                looks += 1
                return looks > 3
            })
        }
        #expect(error == .unreachable(reason: "its list did not end in time"))
        #expect(try pages.next()?.messages.count == 5)
    }
}
