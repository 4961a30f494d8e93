// SPDX-License-Identifier: Apache-2.0
//
// The REST interface of the network's daemon, call by call. What comes back is the daemon's word:
// whoever asks checks it.
//
// Invariant: the port is looked up again after every failure to connect, for a daemon that was
// started anew may listen elsewhere.

internal import Autonomi
internal import HTTP
internal import JSON
internal import Primitives

/// Calls of one daemon.
///
/// - Source: docs/decisions/0017-autonomi-network.md lists the calls and their bodies.
package final class AntdClient: Sendable {
    /// Most requests at once.
    static let connectionLimit = 32
    /// The most bytes of an answer that holds no chunk.
    static let answerSize = 1 << 20
    /// The most bytes of an answer with a chunk: the largest one in base64, and its frame.
    static let chunkAnswerSize = (AutonomiLimits.chunkSize + 64) / 3 * 4 + 4096
    /// How long the daemon may think about one request: it asks the network itself.
    static let timeouts = HTTPTimeouts(
        connect: .seconds(5), stall: .seconds(300), total: .seconds(600))

    private let address: AutonomiAddress
    private let client: HTTPClient
    private let portFile: String?
    private let port = Lock<UInt16?>(nil)

    /// A client for the daemon at `address`; nothing is asked yet.
    ///
    /// - Parameter portFile: where the daemon leaves its port, for an address without one.
    package init(_ address: AutonomiAddress, portFile: String?) {
        self.address = address
        self.portFile = portFile
        client = HTTPClient(
            HTTPClient.Configuration(
                userAgent: "cairn", usesEnvironmentProxy: false,
                connectionLimit: Self.connectionLimit))
    }

    // MARK: Calls

    /// What the daemon says of itself.
    package func health() throws(AntdFailure) -> AntdHealth {
        let answer = try call(.get, "/health")
        // The name goes into a volume's address, and before a person's eyes.
        guard let status = answer["status"]?.string, let network = answer["network"]?.string,
            AutonomiAddress.isName(network[...], alsoAllowed: "-_.")
        else { throw .malformed }
        return AntdHealth(
            isWell: status == "ok", network: network, version: answer["version"]?.string ?? "")
    }

    /// The bytes under an address, unchecked.
    package func chunk(_ address: String) throws(AntdFailure) -> [UInt8] {
        let answer = try call(.get, "/v1/chunks/\(address)", limit: Self.chunkAnswerSize)
        guard let text = answer["data"]?.string, let bytes = Base64.decode(text) else {
            throw .malformed
        }
        return bytes
    }

    /// Stores and pays a chunk.
    ///
    /// - Returns: its address, and what it cost; nothing where the daemon does not say.
    package func put(
        _ bytes: [UInt8]
    ) throws(AntdFailure) -> (address: String, cost: TokenAmount) {
        let answer = try call(.post, "/v1/chunks", ["data": .string(Base64.encode(bytes))])
        guard let address = answer["address"]?.string else { throw .malformed }
        return (address, TokenAmount(answer["cost"]?.string ?? "") ?? .zero)
    }

    /// What a chunk would cost, and whether it is on the network already. Nothing is paid.
    package func quote(_ bytes: [UInt8]) throws(AntdFailure) -> AntdQuote {
        let answer = try call(.post, "/v1/chunks/prepare", ["data": .string(Base64.encode(bytes))])
        guard let address = answer["address"]?.string, let isStored = answer["already_stored"]?.bool
        else { throw .malformed }
        let amount = TokenAmount(answer["total_amount"]?.string ?? "")
        guard isStored || amount != nil else { throw .malformed }
        return AntdQuote(address: address, isStored: isStored, amount: amount ?? .zero)
    }

    /// What the chain would take for storing `bytes` as a file, beside the price of its chunks, in
    /// the smallest unit of the chain's coin. Nothing is paid.
    ///
    /// The daemon pays raw chunks one by one; how it pays several is a matter of its whole files.
    package func gas(
        for bytes: [UInt8], _ mode: PaymentMode?
    ) throws(AntdFailure) -> TokenAmount {
        var fields: [(String, JSONValue)] = [("data", .string(Base64.encode(bytes)))]
        if let mode { fields.append(("payment_mode", .string(mode.rawValue))) }
        let answer = try call(.post, "/v1/data/cost", .object(JSONObject(fields)))
        guard let gas = TokenAmount(answer["estimated_gas_cost_wei"]?.string ?? "") else {
            throw .malformed
        }
        return gas
    }

    /// What the daemon's wallet has.
    package func balance() throws(AntdFailure) -> TokenAmount {
        let answer = try call(.get, "/v1/wallet/balance")
        guard let balance = TokenAmount(answer["balance"]?.string ?? "") else { throw .malformed }
        return balance
    }

    /// The pointers whose keys the daemon has.
    package func pointerKeys() throws(AntdFailure) -> [PublicAddressText] {
        let answer = try call(.get, "/v1/pointers/keys")
        guard let keys = answer["keys"]?.array, keys.count <= 10_000 else { throw .malformed }
        return keys.compactMap { $0["address"]?.string.flatMap(PublicAddressText.init) }
    }

    /// A pointer as the network has it.
    package func pointer(_ address: PublicAddressText) throws(AntdFailure) -> AntdPointer {
        try pointer(in: try call(.get, "/v1/pointers/\(address.text)"))
    }

    /// Makes a pointer that points to a chunk.
    package func makePointer(
        _ owner: PublicAddressText, to target: PublicAddressText
    ) throws(AntdFailure) -> AntdPointer {
        try change("/v1/pointers", owner, target)
    }

    /// Lets a pointer point to another chunk.
    package func updatePointer(
        _ owner: PublicAddressText, to target: PublicAddressText
    ) throws(AntdFailure) -> AntdPointer {
        try change("/v1/pointers/update", owner, target)
    }

    private func change(
        _ path: String, _ owner: PublicAddressText, _ target: PublicAddressText
    ) throws(AntdFailure) -> AntdPointer {
        let answer = try call(
            .post, path,
            ["owner": .string(owner.text), "target": .string(target.text), "kind": "chunk"])
        guard let counter = (answer["counter"]?.string).flatMap({ UInt64($0) }) else {
            throw .malformed
        }
        return AntdPointer(counter: counter, isChunk: true, target: target)
    }

    private func pointer(in answer: JSONValue) throws(AntdFailure) -> AntdPointer {
        guard let counter = (answer["counter"]?.string).flatMap({ UInt64($0) }),
            let kind = answer["kind"]?.string,
            let target = (answer["target"]?.string).flatMap(PublicAddressText.init)
        else { throw .malformed }
        return AntdPointer(counter: counter, isChunk: kind == "chunk", target: target)
    }

    // MARK: Requests

    private func call(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, limit: Int = answerSize
    ) throws(AntdFailure) -> JSONValue {
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try client.perform(
                HTTPRequest(
                    method, "http://\(address.host):\(currentPort())\(path)",
                    headers: body == nil ? [] : [HTTPHeader("Content-Type", "application/json")],
                    body: body.map { .bytes($0.bytes()) } ?? .none, sink: .collect(limit: limit),
                    timeouts: Self.timeouts))
        } catch {
            port.withLock { $0 = nil }
            throw .transport(error)
        }
        guard response.isSuccess else { throw .refused(refusal(response)) }
        do throws(JSONError) {
            return try JSONValue(
                parsing: response.body, limits: JSONLimits(size: limit, depth: 16, values: 100_000))
        } catch {
            throw .malformed
        }
    }

    private func refusal(_ response: HTTPResponse) -> AntdError {
        // A refusal whose body is not the daemon's is still a refusal.
        let body = try? JSONValue(
            parsing: response.body, limits: JSONLimits(size: Self.answerSize, depth: 16))
        return AntdError(
            status: response.status,
            code: (body?["code"]?.string).flatMap(AntdError.Code.init(rawValue:)),
            retryAfter: response.headers.retryAfter)
    }

    /// The port in the address, or the one the daemon left in its file, or the one it has when
    /// nobody says otherwise.
    private func currentPort() -> UInt16 {
        if let port = address.port { return port }
        return port.withLock { known in
            if let known { return known }
            let found = portFile.flatMap(DaemonPort.read) ?? DaemonPortFile.standardPort
            known = found
            return found
        }
    }
}

/// What the daemon says of itself.
package struct AntdHealth: Hashable, Sendable {
    /// Whether it is ready.
    package let isWell: Bool
    /// The network it is on.
    package let network: String
    /// Its version.
    package let version: String
}

/// What storing a chunk would cost.
package struct AntdQuote: Hashable, Sendable {
    /// The address that the daemon computed.
    package let address: String
    /// It is on the network, and nothing needs to be paid.
    package let isStored: Bool
    /// The price.
    package let amount: TokenAmount
}

/// A pointer's standing state.
package struct AntdPointer: Hashable, Sendable {
    /// How often it was changed.
    package let counter: UInt64
    /// Whether it points to a chunk; else to another pointer.
    package let isChunk: Bool
    /// What it points to.
    package let target: PublicAddressText
}

/// The network's limits.
package enum AutonomiLimits {
    /// The most bytes of a chunk.
    ///
    /// - Source: docs/format.md §3, the largest stored chunk of the present generation.
    package static let chunkSize = 4_194_304
}
