// SPDX-License-Identifier: Apache-2.0
//
// The node takes files and gives them back, whole.

import AlephProtocol
import Foundation
import JSON
import LocalServer

extension NodeExchange {
    mutating func add(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        let isIPFS = rest[0] == "ipfs"
        switch rest.count > 1 ? rest[1] : "" {
        case "add_json":
            guard !isIPFS || settings.hasIPFS else { return NodeExchange.trouble }
            return addJSON(isIPFS: isIPFS, &ledger)
        case "add_file":
            guard !isIPFS || settings.hasIPFS else {
                return .text(403, "403: IPFS is disabled on this node")
            }
            return addFile(isIPFS: isIPFS, &ledger)
        default: return .notFound
        }
    }

    private static let trouble = NodeDouble.Reply.text(
        500, "500 Internal Server Error\n\nServer got itself in trouble")

    private func addJSON(isIPFS: Bool, _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard request.body.count <= settings.unkeptLimit else { return tooLarge() }
        guard let value = try? JSONValue(parsing: request.body) else { return NodeExchange.trouble }
        let bytes = value.bytes(.canonical)
        let hash = NodeExchange.name(bytes, isIPFS: isIPFS)
        ledger.files[hash] = NodeLedger.File(bytes: bytes, size: bytes.count)
        return .json(["status": "success", "hash": .string(hash)])
    }

    private mutating func addFile(
        isIPFS: Bool, _ ledger: inout NodeLedger
    ) -> NodeDouble.Reply {
        let type = request.header("content-type") ?? ""
        guard type.hasPrefix("multipart/form-data") else {
            guard !isIPFS else { return .text(400, "400: Bad Request") }
            return keep(request.body, isIPFS: false, name: nil, &ledger)
        }
        let parts = FormReader.parts(request.body, contentType: type)
        let metadata = parts["metadata"]
        let limit =
            metadata == nil
            ? settings.unkeptLimit : isIPFS ? settings.ipfsLimit : settings.storageLimit
        guard let file = parts["file"] else {
            return .text(400, "400: File should be sent as FormData or Raw Upload")
        }
        guard file.count <= limit else { return tooLarge(limit) }
        guard let metadata else { return keep(file, isIPFS: isIPFS, name: "file", &ledger) }
        return keepWithMessage(file, metadata, isIPFS: isIPFS, &ledger)
    }

    private func tooLarge(_ limit: Int? = nil) -> NodeDouble.Reply {
        .text(413, "Maximum request body size \(limit ?? settings.unkeptLimit) exceeded.")
    }

    private func keep(
        _ bytes: [UInt8], isIPFS: Bool, name: String?, _ ledger: inout NodeLedger
    ) -> NodeDouble.Reply {
        guard bytes.count <= settings.unkeptLimit else { return tooLarge() }
        let hash = NodeExchange.name(bytes, isIPFS: isIPFS)
        ledger.files[hash] = NodeLedger.File(bytes: bytes, size: bytes.count)
        var reply: JSONObject = JSONObject([("status", "success"), ("hash", .string(hash))])
        if isIPFS {
            reply["name"] = .string(name ?? "")
            reply["size"] = .number(JSONNumber(bytes.count))
        }
        return .json(.object(reply))
    }

    private mutating func keepWithMessage(
        _ bytes: [UInt8], _ metadata: [UInt8], isIPFS: Bool, _ ledger: inout NodeLedger
    ) -> NodeDouble.Reply {
        guard let json = try? JSONValue(parsing: metadata), let message = json["message"]?.object,
            let entry = NodeForm.entry(message, arrival: ledger.nextArrival()),
            let content = entry.content, entry.envelope.type == .store
        else {
            return .text(422, "422: Could not decode metadata: \(problems(of: metadata))")
        }
        guard (try? entry.envelope.verifySignature()) != nil else {
            return .text(403, "403: Forbidden")
        }
        let wanted = isIPFS ? "ipfs" : "storage"
        let type = content["item_type"]?.string ?? ""
        guard type == wanted else {
            return .text(
                422, "422: Expected item_type=\(wanted) in STORE message, got ItemType.\(type)")
        }
        let hash = NodeExchange.name(bytes, isIPFS: isIPFS)
        let claimed = content["item_hash"]?.string ?? ""
        guard hash == claimed else {
            return .text(422, "422: File hash does not match (\(hash) != \(claimed))")
        }
        let isShort =
            ledger.shortage(content, owner: entry.owner, size: bytes.count, isUnkept: false) != nil
        guard !isShort else { return .text(402, "402: Payment Required") }
        ledger.files[hash] = NodeLedger.File(bytes: bytes, size: bytes.count)
        let taken = take(entry, isSync: json["sync"]?.bool ?? false, &ledger)
        var reply = keep(bytes, isIPFS: isIPFS, name: "file", &ledger)
        if reply.status == 413 {
            reply = .json(["status": "success", "hash": .string(hash)])
        }
        reply.status = taken.status
        return reply
    }

    /// What a validator finds in a form's message.
    private func problems(of metadata: [UInt8]) -> String {
        let message = (try? JSONValue(parsing: metadata))?["message"] ?? .null
        guard message.object != nil, message["item_hash"] == nil else { return "[]" }
        let reason = "Could not determine item hash"
        let problem: JSONValue = [
            "type": "value_error", "loc": ["message"], "msg": .string("Value error, " + reason),
            "input": message, "ctx": ["error": .string(reason)],
            "url": "https://errors.pydantic.dev/2.13/v/value_error",
        ]
        return JSONValue.array([problem]).text()
    }

    private static func name(_ bytes: [UInt8], isIPFS: Bool) -> String {
        guard isIPFS else { return ItemHash(sha256Of: bytes).text }
        var hasher = UnixFSHasher()
        hasher.update(bytes.span)
        return hasher.finalize().cid.version0
    }

    mutating func stored(_ rest: [String], _ ledger: inout NodeLedger) -> NodeDouble.Reply {
        guard rest.count >= 2 else { return .notFound }
        switch rest[1] {
        case "limits.json":
            return .json([
                "storage": [
                    "max_file_size": .number(JSONNumber(settings.storageLimit)),
                    "max_unauthenticated_upload_file_size": .number(
                        JSONNumber(settings.unkeptLimit)),
                ],
                "ipfs": [
                    "max_upload_file_size": .number(JSONNumber(settings.ipfsLimit)),
                    "max_unauthenticated_upload_file_size": .number(
                        JSONNumber(settings.unkeptLimit)),
                ],
            ])
        case "raw" where rest.count == 3:
            return withFile(rest[2], ledger) { _, file in
                NodeDouble.Reply(
                    headers: [("Content-Type", "application/octet-stream")], body: file.bytes)
            }
        case "metadata" where rest.count == 3:
            return withFile(rest[2], ledger) { hash, file in
                .json([
                    "file_hash": .string(hash), "type": "file",
                    "size": .number(JSONNumber(file.size)),
                    "download_url": .string("/api/v0/storage/raw/\(hash)"),
                ])
            }
        case "count" where rest.count == 3:
            let pins = ledger.processed.filter { $0.content?["item_hash"]?.string == rest[2] }.count
            return .json(.number(JSONNumber(pins + (ledger.files[rest[2]] == nil ? 0 : 1))))
        case "by-message-hash" where rest.count == 3:
            return reference(rest[2], to: rest[2], ledger)
                ?? .text(404, "No file found for message \(rest[2])")
        case "by-ref" where rest.count == 3: return byHash(rest[2], ledger)
        case "by-ref" where rest.count == 4:
            // One encoded step; a slash in the open makes another path.
            let key = rest[2] + "/" + rest[3]
            guard request.target.split(separator: "/").count == 6 else { return .notFound }
            return ledger.references[key].flatMap { reference($0, to: rest[3], ledger) }
                ?? .text(404, "No file found for tag \(key)")
        default:
            guard rest.count == 2 else { return .notFound }
            return withFile(rest[1], ledger) { hash, file in
                let base64 = Data(file.bytes).base64EncodedString() + "\n"
                return .json([
                    "status": "success", "hash": .string(hash), "engine": "storage",
                    "content": .string(base64),
                ])
            }
        }
    }

    private func withFile(
        _ hash: String, _ ledger: NodeLedger,
        _ body: (String, NodeLedger.File) -> NodeDouble.Reply
    ) -> NodeDouble.Reply {
        guard ItemHash(hash) != nil else { return .text(400, "Invalid hash") }
        guard let file = ledger.files[hash] else { return .text(404, "Not found") }
        return body(hash, file)
    }

    /// The newest version of the STORE a hash names: of those that refer to it, the one with the
    /// greatest time.
    private func byHash(_ hash: String, _ ledger: NodeLedger) -> NodeDouble.Reply {
        let versions = ledger.processed.filter { $0.content?["ref"]?.string == hash }
        let newest = versions.max { $0.time < $1.time }?.envelope.itemHash.text ?? hash
        return reference(newest, to: hash, ledger) ?? .text(404, "No file found for tag \(hash)")
    }

    private func reference(
        _ hash: String, to ref: String, _ ledger: NodeLedger
    ) -> NodeDouble.Reply? {
        guard let entry = ledger.entries[hash], entry.status == .processed,
            let name = entry.content?["item_hash"]?.string, let file = ledger.files[name]
        else { return nil }
        return .json([
            "ref": .string(ref), "owner": .string(entry.owner), "file_hash": .string(name),
            "download_url": .string("/api/v0/storage/raw/\(name)"),
            "size": .number(JSONNumber(file.size)),
        ])
    }
}

/// Takes forms apart.
enum FormReader {
    /// The parts, by their fields' names.
    static func parts(_ body: [UInt8], contentType: String) -> [String: [UInt8]] {
        guard let mark = contentType.range(of: "boundary=") else { return [:] }
        let boundary = contentType[mark.upperBound...].trimmingCharacters(
            in: CharacterSet(charactersIn: "\" "))
        let data = Data(body)
        let separator = Data("--\(boundary)".utf8)
        var parts: [String: [UInt8]] = [:]
        var place = data.range(of: separator)
        while let start = place?.upperBound {
            let next = data.range(of: separator, in: start..<data.endIndex)
            guard let end = next?.lowerBound,
                let gap = data.range(of: Data("\r\n\r\n".utf8), in: start..<end)
            else { break }
            let head = String(decoding: data[start..<gap.lowerBound], as: UTF8.self)
            if let name = head.firstMatch(of: /[; ]name="([^"]*)"/)?.output.1, end >= 2 {
                parts[String(name)] = [UInt8](data[gap.upperBound..<max(end - 2, gap.upperBound)])
            }
            place = next
        }
        return parts
    }
}
