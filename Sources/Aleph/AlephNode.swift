// SPDX-License-Identifier: Apache-2.0
//
// One node's interface: a request for each thing it does, and what its statuses mean. Whatever
// comes back here is as the node said; `AlephClient` believes nothing of it that can be checked.

package import AlephProtocol
internal import JSON

/// Talks to one node.
package struct AlephNode: Sendable {
    /// Where it is.
    package let address: AlephNodeAddress
    private let transport: any AlephTransport

    /// The node at an address.
    package init(_ address: AlephNodeAddress, over transport: any AlephTransport) {
        self.address = address
        self.transport = transport
    }

    /// Sends a request; any status but success is thrown.
    func send(
        _ request: AlephRequest, sink: ((Span<UInt8>) -> Bool)? = nil
    ) throws(AlephError) -> AlephAnswer {
        let answer = try sendForAnyStatus(request, sink: sink)
        guard answer.status == 200 || answer.status == 202 else { throw AlephNode.error(answer) }
        return answer
    }

    func sendForAnyStatus(
        _ request: AlephRequest, sink: ((Span<UInt8>) -> Bool)? = nil
    ) throws(AlephError) -> AlephAnswer {
        do {
            return try transport.send(request, to: address, sink: sink)
        } catch {
            switch error.cause {
            case .unreachable: throw .unreachable(reason: error.reason)
            case .tooLarge: throw .tooLarge(limit: request.answerLimit)
            case .stopped: throw .cancelled
            }
        }
    }

    /// Asks for JSON.
    func json(_ target: AlephTarget) throws(AlephError) -> JSONValue {
        try AlephNode.json(send(AlephRequest(.get, target.text)).body)
    }

    static func json(_ body: [UInt8]) throws(AlephError) -> JSONValue {
        do {
            return try JSONValue(parsing: body)
        } catch {
            throw .malformedAnswer(error.description)
        }
    }

    /// What a status means where nothing better is known.
    static func error(_ answer: AlephAnswer) -> AlephError {
        let reason = reason(answer.body)
        switch answer.status {
        case 402: return .paymentRequired(Shortage())
        case 404: return .notFound
        case 413: return .tooLarge(limit: sizeLimit(reason))
        case 429, 502, 503, 504:
            return .busy(status: answer.status, retryAfter: answer.retryAfter)
        case 200..<300: return .malformedAnswer("status \(answer.status)")
        default: return .refused(status: answer.status, reason: reason)
        }
    }

    /// The first words of a body that is a text.
    static func reason(_ body: [UInt8]) -> String {
        guard let text = String(validating: body.prefix(4096), as: UTF8.self) else { return "" }
        // Pages that a proxy has for browsers say nothing in their first lines.
        guard !text.hasPrefix("<") else { return "" }
        return OneLine.text(text, limit: Rejection.maximumDetailSize)
    }

    /// Reads "Maximum request body size 26214400 exceeded."
    private static func sizeLimit(_ reason: String) -> Int? {
        reason.split(separator: " ").compactMap { Int($0) }.first
    }
}

// MARK: Publishing

extension AlephNode {
    /// What a node says on taking a message.
    package enum Publication: Equatable, Sendable {
        /// It is done with it.
        case processed
        /// It will look at it.
        case pending
        /// It will not have it; `message(_:)` says why.
        case rejected
    }

    /// Hands over a message.
    ///
    /// Always without `sync`: a node that is told to wait does so for 30 seconds where it has
    /// processed, rejected or forgotten the message before, and then says nothing of it.
    ///
    /// - Throws: `refused` with 422 if the message's form is wrong: then it is not kept at all.
    package func publish(_ envelope: MessageEnvelope) throws(AlephError) -> Publication {
        let body: JSONValue = ["sync": false, "message": envelope.json]
        let answer = try sendForAnyStatus(
            AlephRequest(.post, "/api/v0/messages", body: .json(body.bytes())))
        // Rejected messages and malformed ones have one status; only the first come with JSON.
        // Of failures inside the node, that no network took it is the one that comes with JSON too.
        guard [200, 202, 422, 500].contains(answer.status),
            let json = try? JSONValue(parsing: answer.body),  // Not JSON: an error's own words.
            json["publication_status"]?["status"]?.string != nil
        else { throw AlephNode.error(answer) }
        if json["publication_status"]?["status"] == "error" {
            throw .unreachable(reason: "the node could not pass the message on")
        }
        switch json["message_status"]?.string {
        case "processed": return .processed
        case "pending": return .pending
        case "rejected": return .rejected
        default: throw .malformedAnswer("no message status")
        }
    }

    /// Hands over a file and the STORE message that keeps it, in one request.
    ///
    /// The node checks the message, the file's hash and the account's balance before it keeps
    /// anything. It does not say what became of the message.
    ///
    /// - Throws: `paymentRequired`, without numbers, for the node gives none here; `tooLarge`;
    ///   `refused` with 403 for a wrong signature, with 422 for a wrong hash.
    package func upload(
        _ file: AlephSource, with envelope: MessageEnvelope, to engine: ItemType
    ) throws(AlephError) {
        let metadata: JSONValue = ["message": envelope.json, "sync": false]
        let form = MultipartForm(metadata: metadata.bytes(), file: file)
        try add(form, to: engine, wanted: nil)
    }

    /// Hands over a file that nobody keeps yet: it is gone after a day unless a message names it.
    ///
    /// - Parameter hash: what the file's name must be.
    /// - Throws: `untrue` if the node says another.
    package func uploadUnkept(
        _ file: AlephSource, as hash: ItemHash
    ) throws(AlephError) {
        try add(MultipartForm(metadata: nil, file: file), to: hash.type, wanted: hash)
    }

    private func add(
        _ form: MultipartForm, to engine: ItemType, wanted: ItemHash?
    ) throws(AlephError) {
        let target = engine == .ipfs ? "/api/v0/ipfs/add_file" : "/api/v0/storage/add_file"
        // Only standing still ends an upload: how long it takes nobody knows.
        let answer = try send(
            AlephRequest(.post, target, body: .form(form), answerLimit: 1 << 20, deadline: nil))
        let json = try AlephNode.json(answer.body)
        guard json["status"] == "success", let text = json["hash"]?.string else {
            throw .malformedAnswer("no hash of the file")
        }
        if let wanted, text != wanted.text {
            throw .untrue(.hashMismatch(wanted: wanted.text))
        }
    }
}

// MARK: Limits

/// The sizes a node takes, in bytes.
package struct UploadLimits: Equatable, Sendable {
    /// A file with its STORE message, in the network's storage.
    package var storage: Int
    /// A file with its STORE message, in IPFS.
    package var ipfs: Int
    /// A file without a message, in either.
    package var unkept: Int

    /// What nodes take that were not told otherwise.
    ///
    /// - Source: pyaleph b09db708.
    package static let standard = UploadLimits(
        storage: 100 << 20, ipfs: 1 << 30, unkept: 25 << 20)

    /// The most bytes of a file that is stored by a plan.
    package func limit(of plan: StorePlan) -> Int {
        if plan.isUnpaid { return unkept }
        return plan.engine == .ipfs ? ipfs : storage
    }
}

extension AlephNode {
    /// The sizes it takes; the standard ones if it does not say.
    package func uploadLimits() throws(AlephError) -> UploadLimits {
        let json: JSONValue
        do {
            json = try self.json(AlephTarget("/api/v0/storage/limits.json"))
        } catch .notFound {
            return .standard
        }
        func size(_ engine: String, _ name: String, _ standard: Int) -> Int {
            let value = json[engine]?[name]?.int ?? standard
            return value > 0 ? value : standard
        }
        let standard = UploadLimits.standard
        let name = "max_unauthenticated_upload_file_size"
        return UploadLimits(
            storage: size("storage", "max_file_size", standard.storage),
            ipfs: size("ipfs", "max_upload_file_size", standard.ipfs),
            unkept: min(
                size("storage", name, standard.unkept), size("ipfs", name, standard.unkept)))
    }
}
