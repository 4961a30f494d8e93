// SPDX-License-Identifier: Apache-2.0
//
// A node of the network for tests, on 127.0.0.1: as strict as a real one, with its traps. What it
// answers is held against exchanges that were recorded from a real node (RecordedExchangeTests).

package import Aleph
import AlephProtocol
import Foundation
package import JSON
package import LocalServer
package import Synchronization

/// One node.
package final class NodeDouble: Sendable {
    /// What a node can be told to be like.
    package struct Settings: Sendable {
        package var hasIPFS = true
        /// The most bytes of a file without a message.
        package var unkeptLimit = 25 << 20
        /// The most bytes of a file with its message.
        package var storageLimit = 100 << 20
        package var ipfsLimit = 1 << 30
        /// How long `sync` waits where nothing will come: 30 s at a real node.
        package var syncWait = Duration.milliseconds(20)
        /// How many questions for its status a message stays pending.
        package var pendingLooks = 0
        /// The account whose messages give money to others.
        package var authority = ""
        /// Networks on which messages cannot be published: `ipfs`, `p2p`. One of them is a warning,
        /// both are an error.
        package var failedNetworks: [String] = []
        /// Changes answers, or gives other ones: for nodes that fail or lie.
        package var intercept: (@Sendable (LocalServer.Request, Reply) -> Reply?)?

        /// A node as they come.
        package init() {}
    }

    /// What goes back to a client.
    package struct Reply: Sendable {
        package var status = 200
        package var headers: [(String, String)] = []
        package var body: [UInt8] = []
        /// Ends the connection instead.
        package var isCut = false
        /// Promises more than the body, and says nothing after it.
        package var isHeld = false

        /// A reply of these parts.
        package init(
            status: Int = 200, headers: [(String, String)] = [], body: [UInt8] = [],
            isCut: Bool = false, isHeld: Bool = false
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.isCut = isCut
            self.isHeld = isHeld
        }

        package static func json(_ value: JSONValue, status: Int = 200) -> Reply {
            Reply(
                status: status,
                headers: [("Content-Type", "application/json; charset=utf-8")],
                body: value.bytes())
        }

        package static func text(_ status: Int, _ text: String) -> Reply {
            Reply(
                status: status, headers: [("Content-Type", "text/plain; charset=utf-8")],
                body: Array(text.utf8))
        }

        package static let notFound = Reply.text(404, "404: Not Found")
    }

    package let settings: Mutex<Settings>
    package let ledger: Mutex<NodeLedger>
    private let running = Mutex<LocalServer?>(nil)
    private let counted = Mutex(Traffic())

    /// Starts one.
    package init(_ settings: Settings = Settings()) throws {
        self.settings = Mutex(settings)
        var ledger = NodeLedger()
        ledger.authority = settings.authority
        self.ledger = Mutex(ledger)
        let server = try LocalServer { [weak self] request in
            self?.steps(request) ?? [.close]
        }
        running.withLock { $0 = server }
    }

    deinit {
        stop()
    }

    /// A node at which each account has so many credits that was given none by name; as a rule
    /// more than a test spends.
    package static func funded(credits: Double = 1e12) throws -> NodeDouble {
        let node = try NodeDouble()
        node.give(everybody: credits)
        return node
    }

    /// Ends it; further requests are refused.
    package func stop() {
        let server = running.withLock { server in
            defer { server = nil }
            return server
        }
        server?.stop()
    }

    /// Where it is.
    package var address: AlephNodeAddress {
        get throws { try AlephNodeAddress(running.withLock { $0?.url ?? "http://127.0.0.1:1" }) }
    }

    /// `http://127.0.0.1:port`.
    package var url: String { running.withLock { $0?.url ?? "" } }

    /// The address of a store on this node alone.
    package var storeURL: String { NodeDouble.storeURL([self]) }

    /// The address of a store on several nodes, without options but the one that doubles need.
    package static func storeURL(_ nodes: [NodeDouble]) -> String {
        let hosts = nodes.map { $0.url.dropFirst("http://".count) }.joined(separator: ",")
        return "aleph://\(hosts)?scheme=http"
    }

    /// What it was asked so far, as method and path.
    package var questions: [String] {
        running.withLock { $0?.requests ?? [] }.map { "\($0.method) \($0.target)" }
    }

    /// Gives an account money.
    package func fund(_ address: String, tokens: Double = 0, credits: Double = 0) {
        ledger.withLock { ledger in
            ledger.tokens[address, default: 0] += tokens
            ledger.credits[address, default: 0] += credits
        }
    }

    /// Gives each account so many credits that was given none by name.
    package func give(everybody credits: Double) {
        ledger.withLock { $0.gift = credits }
    }

    /// Has each STORE message rejected, when its file was taken already.
    ///
    /// - Parameters:
    ///   - code: the network's; nil rejects none any more.
    ///   - details: the node's words on it, by their names.
    package func rejectStores(code: Int?, details: [String: String] = [:]) {
        let fields = details.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
        ledger.withLock { ledger in
            guard let code else { return ledger.verdict = nil }
            let errors: JSONValue = [.object(JSONObject(fields))]
            // No other message's content names a file.
            ledger.verdict = { content in
                content["item_hash"] == nil ? nil : (code: code, errors: errors)
            }
        }
    }

    /// What went over the wire.
    package struct Traffic: Sendable {
        /// Requests, by method and the first three steps of the path.
        package var requests: [String: Int] = [:]
        /// Bytes of requests' bodies.
        package var bytesIn = 0
        /// Bytes of answers' bodies.
        package var bytesOut = 0
    }

    /// What went over the wire so far.
    package var traffic: Traffic { counted.withLock { $0 } }

    /// Processed messages, by their type.
    package var messageCounts: [String: Int] {
        ledger.withLock { ledger in
            Dictionary(
                ledger.processed.map { ($0.envelope.type.rawValue, 1) }, uniquingKeysWith: +)
        }
    }

    /// Processed STORE messages.
    package var storeCount: Int { ledger.withLock { $0.count(.store, .processed) } }

    /// Has this node know what another one knows.
    package func learn(from other: NodeDouble) {
        let known = other.ledger.withLock { $0 }
        ledger.withLock { $0 = known }
    }

    /// Gives the node a file, under whatever name.
    package func plant(_ bytes: [UInt8], as hash: String, size: Int? = nil) {
        ledger.withLock {
            $0.files[hash] = NodeLedger.File(bytes: bytes, size: size ?? bytes.count)
        }
    }

    /// Has the node lose all files.
    package func dropFiles() {
        ledger.withLock { $0.files = [:] }
    }

    /// Has a message counted, whether it may be or not.
    package func admit(_ entry: NodeLedger.Entry) {
        var entry = entry
        entry.status = .processed
        ledger.withLock { $0.entries[entry.envelope.itemHash.text] = entry }
    }

    package func change(_ body: (inout Settings) -> Void) {
        settings.withLock { body(&$0) }
    }

    private func steps(_ request: LocalServer.Request) -> [LocalServer.Step] {
        let settings = settings.withLock { $0 }
        var exchange = NodeExchange(request, settings)
        var reply = ledger.withLock { exchange.answer(&$0) }
        var pause: Duration?
        if exchange.waitsForEvent { pause = settings.syncWait }
        if let changed = settings.intercept?(request, reply) { reply = changed }
        let place = request.target.split(separator: "?")[0].split(separator: "/").dropFirst(2)
        // A message's own name, or an account's, makes no kind of its own.
        let kind = place.filter { $0.utf8.count < 30 }.prefix(3).joined(separator: "/")
        counted.withLock { traffic in
            traffic.requests["\(request.method) \(kind)", default: 0] += 1
            traffic.bytesIn += request.body.count
            traffic.bytesOut += reply.body.count
        }
        if reply.isCut { return [.close] }
        let headers = reply.headers + [("Accept-Ranges", "none")]
        if reply.isHeld {
            let length = [("Content-Length", "\(reply.body.count + 1)")]
            return [
                .send(LocalServer.Step.head(reply.status, headers + length)), .send(reply.body),
                .silence,
            ]
        }
        let head: LocalServer.Step
        if request.method == "HEAD" {
            head = .send(
                LocalServer.Step.head(
                    reply.status, headers + [("Content-Length", "\(reply.body.count)")]))
        } else {
            head = .answer(reply.status, headers, reply.body)
        }
        return (pause.map { [.pause($0)] } ?? []) + [head]
    }
}

/// One request to the node.
struct NodeExchange {
    let request: LocalServer.Request
    let settings: NodeDouble.Settings
    /// The path's steps, decoded.
    let path: [String]
    let query: [String: String]
    /// Whether the answer is late, for nothing came of waiting.
    var waitsForEvent = false

    init(_ request: LocalServer.Request, _ settings: NodeDouble.Settings) {
        self.request = request
        self.settings = settings
        let parts = request.target.split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: "/").map { String($0).removingPercentEncoding ?? "" }
        var query: [String: String] = [:]
        for field in parts.count == 2 ? parts[1].split(separator: "&") : [] {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? String(pair[1]).replacing("+", with: " ") : ""
            query[String(pair[0])] = value.removingPercentEncoding ?? ""
        }
        self.query = query
    }

    mutating func answer(_ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard path.count >= 3, path[0] == "api" else { return .notFound }
        let rest = Array(path.dropFirst(2))
        switch (request.method, path[1], rest[0]) {
        case ("POST", "v0", "messages") where rest.count == 1: return publish(&ledger)
        case ("POST", "v0", "storage"), ("POST", "v0", "ipfs"): return add(rest, &ledger)
        case ("POST", "v0", "price"): return estimate()
        case ("GET", "v0", "messages") where rest.count > 1 && rest[1].count == 64: fallthrough
        case ("GET", "v0", "messages") where rest.count > 1: return message(rest, &ledger)
        case ("GET", "v0", "messages.json"): return list(&ledger)
        case ("GET", _, "posts.json"): return posts(&ledger, isVersion0: path[1] == "v0")
        case ("GET", "v0", "aggregates"): return aggregates(rest, &ledger)
        case ("GET", "v0", "aggregates.json"): return aggregateList(&ledger)
        case ("GET", "v0", "addresses"): return account(rest, &ledger)
        case ("GET", "v0", "storage"), ("HEAD", "v0", "storage"): return stored(rest, &ledger)
        case ("GET", "v0", "price"): return price(rest, &ledger)
        case ("GET", "v0", "costs"): return costs(&ledger)
        case ("GET", "v0", "channels"):
            return .json(["channels": .array(ledger.channels.map { .string($0) })])
        case ("GET", "v0", "authorizations"): return authorizations(rest, &ledger)
        default: return .notFound
        }
    }
}
