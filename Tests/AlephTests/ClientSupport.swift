// SPDX-License-Identifier: Apache-2.0
//
// Clients of doubles, with a clock that does not wait.

import Aleph
import AlephNodeDouble
import AlephProtocol
import HTTP
import JSON
import LocalServer
import Synchronization
import Testing

/// A clock that tests move. Waiting moves it at once.
final class TestClock: Sendable {
    private let state: Mutex<(now: Double, waits: [Duration])>

    init(_ now: Double = 1_795_300_000) {
        state = Mutex((now, []))
    }

    /// All waits so far.
    var waits: [Duration] { state.withLock { $0.waits } }

    func move(by seconds: Double) {
        state.withLock { $0.now += seconds }
    }

    var time: AlephTime {
        AlephTime(
            now: { self.state.withLock { $0.now } },
            sleep: { wait in
                self.state.withLock { state in
                    state.waits.append(wait)
                    state.now += wait / .seconds(1)
                }
                return true
            })
    }
}

/// One or more doubles and a client of them.
struct TestNetwork {
    let nodes: [NodeDouble]
    let client: AlephClient
    let clock: TestClock

    init(
        _ count: Int = 1, patience: AlephPatience = AlephPatience(rounds: 2),
        settings: NodeDouble.Settings = NodeDouble.Settings()
    ) throws {
        let nodes = try (0..<count).map { _ in try NodeDouble(settings) }
        let clock = TestClock()
        let http = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
        client = AlephClient(
            nodes: try nodes.map { try $0.address }, over: AlephHTTPTransport(http),
            channel: "TEST", patience: patience, time: clock.time)
        self.nodes = nodes
        self.clock = clock
    }

    func stop() {
        for node in nodes { node.stop() }
    }

    /// Gives all nodes what the first has.
    func spread() {
        let ledger = nodes[0].ledger.withLock { $0 }
        for node in nodes.dropFirst() { node.ledger.withLock { $0 = ledger } }
    }

    func post(_ content: JSONValue, type: String = "note") throws -> SignedMessage {
        try client.publish(.post(type: type, content: content), by: TestAccount.solana)
    }

    func set(_ key: String, _ content: JSONObject, after: Double? = nil) throws -> SignedMessage {
        try client.publish(
            .aggregate(key: key, content: content), by: TestAccount.solana, after: after)
    }
}

/// The error of the network that `body` throws; nil if it throws none.
func failure(_ body: () throws -> Void) -> AlephError? {
    do {
        try body()
        return nil
    } catch {
        return error as? AlephError
    }
}

extension SignedMessage {
    var hash: ItemHash { envelope.itemHash }

    /// The message as a node takes it.
    func entry(arrival: Int) throws -> NodeLedger.Entry {
        let json = try #require(envelope.json.object)
        return try #require(NodeForm.entry(json, arrival: arrival))
    }
}
