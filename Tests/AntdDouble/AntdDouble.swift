// SPDX-License-Identifier: Apache-2.0
//
// The network's daemon as a test has it: the REST interface of docs/decisions/0017, strict about
// what it is sent, with a wallet that runs dry and a network in memory. It refuses what the daemon
// would refuse: bodies with unknown fields, addresses of the wrong form, chunks that are too large,
// writes without a wallet, and what cannot be paid.

import Cryptography
import Foundation
import JSON
import LocalServer
import Primitives
import Synchronization

/// A daemon for one test.
package final class AntdDouble: Sendable {
    /// What a test can look at and change.
    package struct State: Sendable {
        package var network = "test-network"
        /// Chunks by address.
        package var chunks: [String: [UInt8]] = [:]
        /// Pointers by the address of their key.
        package var pointers: [String: Pointer] = [:]
        /// Keys that the daemon holds; nil if it knows nothing of pointers.
        package var keys: [String]? = []
        /// Attos in the wallet; nil if there is no wallet.
        package var balance: UInt64? = 1_000_000_000
        package var chunkPrice: UInt64 = 10
        package var pointerPrice: UInt64 = 3
        /// Attos that were paid.
        package var paid: UInt64 = 0
        /// Chunks that were paid for, each time.
        package var paidChunks: [String] = []
        /// What the next requests get instead of an answer, in turn.
        package var faults: [Fault] = []
        /// Says of a chunk that is there that it is, instead of taking it for nothing.
        package var refusesStanding = false
        /// What others do in between; each once.
        package var interventions: [Intervention] = []
        /// The chunk that a put claims to have stored is another.
        package var liesAboutAddresses = false
    }

    /// What somebody else does right before or after a request is served.
    package struct Intervention: Sendable {
        let target: String
        let isBefore: Bool
        let body: @Sendable (inout State) -> Void

        /// Something that is done before a request for `target`, as its path is written.
        package static func before(
            _ target: String, _ body: @escaping @Sendable (inout State) -> Void
        ) -> Intervention {
            Intervention(target: target, isBefore: true, body: body)
        }

        /// Something that is done after such a request.
        package static func after(
            _ target: String, _ body: @escaping @Sendable (inout State) -> Void
        ) -> Intervention {
            Intervention(target: target, isBefore: false, body: body)
        }
    }

    /// A pointer's state.
    package struct Pointer: Sendable {
        package var counter: UInt64
        package var kind: String
        package var target: String
    }

    /// What goes wrong once.
    package enum Fault: Sendable {
        /// A refusal with a code.
        case refuse(Int, String, retryAfter: Int? = nil)
        /// The connection ends without an answer, before or after the work was done.
        case hangUp(afterDoing: Bool)
        /// Something answers that is not the daemon.
        case nonsense
    }

    /// The most bytes of a chunk.
    package static let chunkSize = 4_194_304

    private let server: LocalServer
    private let state: SharedState

    private final class SharedState: Sendable {
        let value = Mutex(State())
    }

    /// Starts the daemon.
    package init(port: UInt16 = 0, _ prepare: (inout State) -> Void = { _ in }) throws {
        let state = SharedState()
        state.value.withLock { prepare(&$0) }
        self.state = state
        server = try LocalServer(port: port) { request in
            state.value.withLock { $0.steps(for: request) }
        }
    }

    package var port: UInt16 { server.port }

    /// The requests so far, as `METHOD PATH`.
    package var requests: [String] { server.requests.map { "\($0.method) \($0.target)" } }

    /// Looks at or changes what the daemon has.
    package func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        state.value.withLock { body(&$0) }
    }

    /// Ends it, with all connections.
    package func stop() {
        server.stop()
    }
}

/// A refusal.
struct Refusal: Error {
    let status: Int
    let code: String
    var retryAfter: Int?
}

extension AntdDouble.State {
    fileprivate mutating func steps(for request: LocalServer.Request) -> [LocalServer.Step] {
        let fault = faults.isEmpty ? nil : faults.removeFirst()
        switch fault {
        case .nonsense: return [.answer(200, [], Array("<html>hello</html>".utf8))]
        case .hangUp(afterDoing: false): return [.close]
        case .refuse(let status, let code, let retryAfter):
            return [answer(Refusal(status: status, code: code, retryAfter: retryAfter))]
        default: break
        }
        intervene(request.target, isBefore: true)
        defer { intervene(request.target, isBefore: false) }
        let result: LocalServer.Step
        do {
            result = answer(200, try reply(to: request))
        } catch let refusal as Refusal {
            result = answer(refusal)
        } catch {
            result = answer(Refusal(status: 500, code: "INTERNAL"))
        }
        if case .hangUp = fault { return [.close] }
        return [result]
    }

    private mutating func intervene(_ target: String, isBefore: Bool) {
        let index = interventions.firstIndex { $0.target == target && $0.isBefore == isBefore }
        guard let index else { return }
        interventions.remove(at: index).body(&self)
    }

    private func answer(_ refusal: Refusal) -> LocalServer.Step {
        var headers = [("Content-Type", "application/json"), ("x-request-id", "1")]
        if let retryAfter = refusal.retryAfter { headers.append(("Retry-After", "\(retryAfter)")) }
        let body: JSONValue = ["error": "no", "code": .string(refusal.code)]
        return .answer(refusal.status, headers, body.bytes())
    }

    private func answer(_ status: Int, _ body: JSONValue) -> LocalServer.Step {
        .answer(
            status, [("Content-Type", "application/json"), ("x-request-id", "1")], body.bytes())
    }

    private mutating func reply(to request: LocalServer.Request) throws -> JSONValue {
        let path = request.target.split(separator: "/", omittingEmptySubsequences: false)
            .dropFirst().map(String.init)
        switch (request.method, path.first, path.count) {
        case ("GET", "health", 1):
            return [
                "status": "ok", "network": .string(network), "version": "0.16.0",
                "evm_network": "anvil", "uptime_seconds": 5, "build_commit": "x",
                "payment_token_address": "0x0", "payment_vault_address": "0x0",
            ]
        case (_, "v1", 2...):
            switch path[1] {
            case "chunks": return try chunks(request, Array(path.dropFirst(2)))
            case "data" where path == ["v1", "data", "cost"] && request.method == "POST":
                return try cost(request)
            case "wallet": return try wallet(request, Array(path.dropFirst(2)))
            case "pointers": return try pointers(request, Array(path.dropFirst(2)))
            default: break
            }
        default: break
        }
        throw Refusal(status: 404, code: "NOT_FOUND")
    }

    // MARK: Chunks

    private mutating func chunks(
        _ request: LocalServer.Request, _ path: [String]
    ) throws -> JSONValue {
        if request.method == "GET", path.count == 1 {
            guard let bytes = chunks[try address(path[0])] else {
                throw Refusal(status: 404, code: "NOT_FOUND")
            }
            return ["data": .string(Base64.encode(bytes))]
        }
        guard request.method == "POST" else { throw Refusal(status: 405, code: "BAD_REQUEST") }
        let body = try body(request, ["data"])
        guard let text = body["data"]?.string, let bytes = Base64.decode(text) else {
            throw Refusal(status: 400, code: "BAD_REQUEST")
        }
        guard bytes.count <= AntdDouble.chunkSize else {
            throw Refusal(status: 413, code: "TOO_LARGE")
        }
        let address = Digests.of(bytes).hex
        switch path {
        case []: return try put(bytes, address)
        case ["prepare"]:
            if chunks[address] != nil {
                return ["address": .string(address), "already_stored": true]
            }
            return [
                "address": .string(address), "already_stored": false, "upload_id": "u1",
                "payment_type": "wave_batch", "payments": [],
                "total_amount": .string("\(chunkPrice)"), "payment_vault_address": "0x0",
                "payment_token_address": "0x0", "rpc_url": "http://127.0.0.1",
            ]
        default: throw Refusal(status: 404, code: "NOT_FOUND")
        }
    }

    private mutating func put(_ bytes: [UInt8], _ address: String) throws -> JSONValue {
        guard balance != nil else { throw Refusal(status: 503, code: "SERVICE_UNAVAILABLE") }
        let shown = liesAboutAddresses ? String(address.reversed()) : address
        if chunks[address] != nil {
            if refusesStanding { throw Refusal(status: 409, code: "ALREADY_EXISTS") }
            return ["cost": "0", "address": .string(shown)]
        }
        try pay(chunkPrice)
        chunks[address] = bytes
        paidChunks.append(address)
        return ["cost": .string("\(chunkPrice)"), "address": .string(shown)]
    }

    private mutating func pay(_ amount: UInt64) throws {
        guard let balance else { throw Refusal(status: 503, code: "SERVICE_UNAVAILABLE") }
        guard balance >= amount else { throw Refusal(status: 402, code: "PAYMENT_REQUIRED") }
        self.balance = balance - amount
        paid += amount
    }

    private func cost(_ request: LocalServer.Request) throws -> JSONValue {
        let body = try body(request, ["data", "payment_mode"])
        let mode = body["payment_mode"]?.string ?? "auto"
        guard let text = body["data"]?.string, let bytes = Base64.decode(text), bytes.count >= 3,
            ["auto", "merkle", "single"].contains(mode)
        else { throw Refusal(status: 400, code: "BAD_REQUEST") }
        return [
            "cost": .string("\(3 * chunkPrice)"), "file_size": .number(JSONNumber(bytes.count)),
            "chunk_count": 3, "estimated_gas_cost_wei": mode == "merkle" ? "7" : "21",
            "payment_mode": .string(mode),
        ]
    }

    // MARK: Wallet

    private func wallet(_ request: LocalServer.Request, _ path: [String]) throws -> JSONValue {
        guard let balance else { throw Refusal(status: 503, code: "SERVICE_UNAVAILABLE") }
        switch (request.method, path) {
        case ("GET", ["address"]): return ["address": "0x0"]
        case ("GET", ["balance"]):
            return ["balance": .string("\(balance)"), "gas_balance": "1"]
        default: throw Refusal(status: 404, code: "NOT_FOUND")
        }
    }

    // MARK: Pointers

    private mutating func pointers(
        _ request: LocalServer.Request, _ path: [String]
    ) throws -> JSONValue {
        guard let keys else { throw Refusal(status: 404, code: "NOT_FOUND") }
        if request.method == "GET" {
            if path == ["keys"] {
                return ["keys": .array(keys.map { ["address": .string($0)] })]
            }
            guard path.count == 1, let pointer = pointers[try address(path[0])] else {
                throw Refusal(status: 404, code: "NOT_FOUND")
            }
            return [
                "address": .string(path[0]), "owner": .string(path[0]),
                "counter": .string("\(pointer.counter)"), "kind": .string(pointer.kind),
                "kind_tag": pointer.kind == "chunk" ? 0 : 1, "target": .string(pointer.target),
                "state_id": .string(path[0]), "is_final": false,
            ]
        }
        let body = try body(request, ["owner", "target", "kind"])
        let owner = try address(body["owner"]?.string ?? "")
        let target = try address(body["target"]?.string ?? "")
        guard let kind = body["kind"]?.string, ["chunk", "pointer"].contains(kind) else {
            throw Refusal(status: 400, code: "BAD_REQUEST")
        }
        guard keys.contains(owner) else { throw Refusal(status: 404, code: "NOT_FOUND") }
        var next = AntdDouble.Pointer(counter: 0, kind: kind, target: target)
        switch path {
        case []:
            if pointers[owner] != nil { throw Refusal(status: 409, code: "ALREADY_EXISTS") }
        case ["update"]:
            guard let standing = pointers[owner] else {
                throw Refusal(status: 404, code: "NOT_FOUND")
            }
            next.counter = standing.counter + 1
        default: throw Refusal(status: 404, code: "NOT_FOUND")
        }
        try pay(pointerPrice)
        pointers[owner] = next
        return [
            "address": .string(owner), "state_id": .string(owner),
            "counter": .string("\(next.counter)"),
        ]
    }

    // MARK: Forms

    private func body(
        _ request: LocalServer.Request, _ fields: Set<String>
    ) throws -> JSONValue {
        guard request.header("content-type")?.hasPrefix("application/json") == true else {
            throw Refusal(status: 415, code: "BAD_REQUEST")
        }
        guard let body = try? JSONValue(parsing: request.body, limits: JSONLimits(size: 100 << 20)),
            let object = body.object, Set(object.names).isSubset(of: fields)
        else { throw Refusal(status: 400, code: "BAD_REQUEST") }
        return body
    }

    private func address(_ text: String) throws -> String {
        guard text.utf8.count == 64, Digest(hex: text)?.hex == text else {
            throw Refusal(status: 400, code: "BAD_REQUEST")
        }
        return text
    }
}
