// SPDX-License-Identifier: Apache-2.0
//
// One recorded exchange, and what was sent where the recording has the answer alone: forms, and
// bodies that were cut. Most of their bytes are known, for the hash in the answer names them; the
// others have bytes of our own in their place (`standIns`). What is asked later about a message
// that was made anew is asked about ours.

import AlephProtocol
import Foundation
import HTTP
import JSON
import Primitives
import Testing

/// One recorded exchange.
struct RecordedExchange {
    let number: Int
    let json: JSONValue

    var label: String { json["label"]?.string ?? "" }
    var method: String? { json["method"]?.string }
    var status: Int { json["status"]?.int ?? 0 }
    var body: String { json["body"]?.string ?? "" }
    var batch: Int { json["batch"]?.int ?? 0 }

    /// The path and query; some were noted down with the node's address.
    var target: String {
        let path = json["path"]?.string ?? ""
        guard let api = path.range(of: "/api/") else { return path }
        return String(path[api.lowerBound...])
    }

    var isJSON: Bool {
        json["headers"]?["Content-Type"]?.string?.hasPrefix("application/json")
            // Some were noted down without headers.
            ?? body.hasPrefix("{\"")
    }

    /// The body of the request as it was recorded; nil for none.
    var request: JSONValue? {
        json["request_json"].flatMap { $0.object == nil ? nil : $0 }
    }

    static func all() throws -> [RecordedExchange] {
        let all = try #require(try VectorFile.read("http_transcripts")["transcripts"]?.array)
        return all.enumerated().map { RecordedExchange(number: $0, json: $1) }
    }

    /// Whose bytes nobody knows any more.
    static let standIns: Set<Int> = [
        1, 41, 44, 47, 131, 132, 145, 146, 189, 190, 195, 196, 197, 231, 232, 238, 240, 242, 244,
        249, 251, 252,
    ]
}

/// The body of a request that was made anew.
struct RebuiltBody {
    var contentType = "application/json"
    var bytes: [UInt8]
    /// The message in it, where it stands for one that later exchanges name.
    var message: MessageEnvelope?

    /// A form with a file, and with the message that keeps it.
    static func form(_ file: [UInt8]?, metadata: JSONValue? = nil) -> RebuiltBody {
        var body: [UInt8] = []
        func part(_ head: String, _ bytes: [UInt8]) {
            body += Array("--edge\r\nContent-Disposition: form-data; \(head)\r\n\r\n".utf8)
            body += bytes + Array("\r\n".utf8)
        }
        if let metadata {
            part("name=\"metadata\"\r\nContent-Type: application/json", metadata.bytes())
        }
        if let file { part("name=\"file\"; filename=\"f.bin\"", file) }
        body += Array("--edge--\r\n".utf8)
        return RebuiltBody(contentType: "multipart/form-data; boundary=edge", bytes: body)
    }

    /// A message to be published.
    static func message(_ envelope: MessageEnvelope) -> RebuiltBody {
        let body: JSONValue = ["sync": true, "message": envelope.json]
        return RebuiltBody(bytes: body.bytes(), message: envelope)
    }
}

extension RecordedExchange {
    private static let mebibyte = 1 << 20

    private func filled(_ count: Int, _ byte: UInt8) -> [UInt8] {
        [UInt8](repeating: byte, count: count)
    }

    /// A form whose message keeps its file.
    private func kept(
        _ bytes: [UInt8], isIPFS: Bool = false, named hash: String? = nil, ref: String? = nil,
        payment: StorePayment? = nil
    ) throws -> RebuiltBody {
        let own = isIPFS ? CIDOf.bytes(bytes) : ItemHash(sha256Of: bytes).text
        let name = try #require(ItemHash(hash ?? own))
        let envelope = try TestAccount.solana.sign(
            .store(StoreDraft(file: name, ref: ref, payment: payment)),
            time: Double(1_795_223_000 + number), channel: "FUSETEST"
        ).envelope
        var body = RebuiltBody.form(
            bytes, metadata: ["message": envelope.json, "sync": true])
        body.message = envelope
        return body
    }

    /// What was sent; nil where the recording has it, or nothing was.
    func rebuilt(_ all: [RecordedExchange]) throws -> RebuiltBody? {
        try upload(all) ?? messageOrBody(all)
    }

    private func upload(_ all: [RecordedExchange]) throws -> RebuiltBody? {
        let mebibyte = Self.mebibyte
        let small = Array("a file of 27 bytes, so far".utf8)
        switch number {
        case 0: return .form(Array("hello aleph fuse\n".utf8))
        case 1, 41, 44, 47, 249, 251, 252: return .form(Array("stand-in \(number)\n".utf8))
        case 11: return .form(filled(26 * mebibyte, 0))
        case 15, 240, 242, 244: return .form(Array("stand-in \(number)\n".utf8))
        case 24, 28: return try kept(Array("version 1\n".utf8), ref: "my/path.txt")
        case 26: return try kept(Array("version 2 longer\n".utf8), ref: "my/path.txt")
        case 31: return try kept(filled(30 * mebibyte, 1))
        case 32: return try kept(filled(mebibyte, 2))
        case 33: return try kept(filled(mebibyte, 2), payment: .credit)
        case 34: return try kept(filled(mebibyte, 2), named: String(repeating: "a", count: 64))
        case 35:
            let body = try kept(filled(mebibyte, 2))
            var forged = try #require(body.message?.json.object)
            forged["sender"] = .string(TestAccount.numbered(4).address)
            return .form(filled(mebibyte, 2), metadata: ["message": .object(forged)])
        case 36: return .form(filled(mebibyte, 2), metadata: ["message": ["x": 1], "sync": true])
        case 58: return try kept(filled(mebibyte, 2))
        case 59: return try kept(filled(30 * mebibyte, 1), payment: .credit)
        case 63: return try kept(filled(100 * mebibyte + 1, 3))
        case 64: return try kept(filled(100 * mebibyte, 3), payment: .credit)
        case 65: return try recordedForm(Array("version 1\n".utf8), all, position: 1)
        case 67: return try recordedForm(Array("version 2 longer\n".utf8), all, position: 0)
        case 162: return .form(Array("to be forgotten\n".utf8))
        case 177: return .form(Array("ipfs file small\n".utf8))
        case 182: return try kept(threeMebibytes, isIPFS: true)
        case 185:
            let name = "bafybeieybf3rjofigdtabgxnc3k5n4nkb76ft3omredejeckm6i5krw7m4"
            return try kept(threeMebibytes, isIPFS: true, named: name)
        case 186: return try kept(threeMebibytes)
        case 195, 196, 197: return try kept(small + [UInt8(number)], ref: "rf/a b#é.txt")
        case 223: return .form(nil)
        case 224: return .form([])
        case 231, 232: return try kept(small + [UInt8(number)], ref: "old-forget")
        default: return nil
        }
    }

    private var threeMebibytes: [UInt8] { (0..<3 * Self.mebibyte).map { UInt8($0 & 0xFF) } }

    /// A form with a message that a later answer shows as it was signed.
    private func recordedForm(
        _ bytes: [UInt8], _ all: [RecordedExchange], position: Int
    ) throws -> RebuiltBody {
        let list = try JSONValue(parsing: all[229].body)["messages"]?.array
        let envelope = try MessageEnvelope(try #require(list)[position])
        return .form(bytes, metadata: ["message": envelope.json, "sync": true])
    }

    private func messageOrBody(_ all: [RecordedExchange]) throws -> RebuiltBody? {
        let account = TestAccount.solana
        let octets = "application/octet-stream"
        switch number {
        case 12:
            return RebuiltBody(contentType: octets, bytes: filled(26 * Self.mebibyte, 0))
        case 131: return try .message(note(characters: 200_001))
        case 132: return try .message(note(characters: 199_000))
        case 135: return RebuiltBody(bytes: Array("not json".utf8))
        case 142:
            let content: JSONValue = [
                "address": .string(account.address), "time": try contentTime(all[144]),
                "type": "note", "content": ["d": .string(String(repeating: "y", count: 250_000))],
            ]
            return RebuiltBody(bytes: content.bytes())
        case 145: return .form(beside(146, size: 60_000))
        case 146: return try .message(besideMessage(145, .storage))
        case 189: return .form(beside(190, size: 210_115))
        case 190: return try .message(besideMessage(189, .ipfs))
        case 220: return RebuiltBody(bytes: filled(Self.mebibyte + 1, UInt8(ascii: "x")))
        case 221: return RebuiltBody(bytes: filled(26 * Self.mebibyte, UInt8(ascii: "1")))
        case 222: return RebuiltBody(bytes: Array("{".utf8))
        case 238:
            let file = try JSONValue(parsing: all[232].body).text("hash")
            let content =
                #"{"address":"\#(account.address)","time":1795224424.4,"item_type":"storage","#
                + #""item_hash":"\#(file)","mime_type":"text/plain","metadata":{"k":""#
                + String(repeating: "v", count: 50_000) + "\"}}"
            return try .message(signed(content, .store))
        default: return nil
        }
    }

    /// The time that an answer shows, of which the recording has the beginning.
    private func contentTime(_ exchange: RecordedExchange) throws -> JSONValue {
        let text = try #require(
            exchange.body.firstMatch(of: /"content":\{"address":"[^"]*","time":([0-9.]+)/))
        return try JSONValue(parsing: String(text.output.1))
    }

    /// The recorded name of the message that `rebuilt` makes anew, where it is asked about.
    func messageName(_ all: [RecordedExchange]) -> String? {
        switch number {
        case 59: "693354ce68d7e77b4fc5087f40c6d37f8d3108664beea1daa10c57902a0db190"
        case 146: try? JSONValue(parsing: all[145].body)["hash"]?.string
        case 190: try? JSONValue(parsing: all[189].body)["hash"]?.string
        case 195: "657daf438d3fe4fcc0bdc070b0ccabaa388abf632e4dd9d245b0c70e96ead2af"
        case 197: "8a4dffa762322cad80761dc217ffa94bffb5accf5ddf0d999aa91f0b7ac0b6fa"
        case 231: "3b31498373eb0ec4d323681e116747a8e297264e6b10eb2615410cacc75d922b"
        case 238: "b3685b10e2819098c96ff3c35228e594af9fcf56dd69592527680ff8a2f39f4b"
        default: request?["message"]?["item_hash"]?.string
        }
    }

    private func note(characters: Int) throws -> MessageEnvelope {
        let head = #"{"address":"\#(TestAccount.solana.address)","time":1.5,"type":"note","#
        let text = String(repeating: "x", count: characters - head.count - #""content":""}"#.count)
        return try signed(head + #""content":"\#(text)"}"#, .post)
    }

    /// The content of a message that travels beside it.
    private func beside(_ number: Int, size: Int) -> [UInt8] {
        let head =
            #"{"address":"\#(TestAccount.solana.address)","time":\#(1_795_223_000 + number)"#
            + #","type":"note","content":{"d":""#
        let text = String(repeating: "z", count: size - head.utf8.count - 3)
        return Array((head + text + "\"}}").utf8)
    }

    private func besideMessage(_ upload: Int, _ type: ItemType) throws -> MessageEnvelope {
        let bytes = beside(number, size: upload == 145 ? 60_000 : 210_115)
        let name = type == .ipfs ? CIDOf.bytes(bytes) : ItemHash(sha256Of: bytes).text
        return try signed(nil, .post, type, try #require(ItemHash(name)))
    }

    /// A content, signed as it is.
    private func signed(_ content: String, _ type: MessageType) throws -> MessageEnvelope {
        try signed(content, type, .inline, ItemHash(sha256Of: Array(content.utf8)))
    }

    private func signed(
        _ content: String?, _ type: MessageType, _ itemType: ItemType, _ hash: ItemHash
    ) throws -> MessageEnvelope {
        let account = TestAccount.solana
        return MessageEnvelope(
            chain: .solana, sender: account.address, type: type, channel: "FUSETEST",
            time: JSONNumber(1_795_223_000 + number), itemType: itemType, itemContent: content,
            itemHash: hash,
            signature: account.sign(
                MessageEnvelope.signedBytes(
                    chain: .solana, sender: account.address, type: type, itemHash: hash)))
    }

    /// A recorded message that names others which were made anew: signed again over the new names.
    func signedAgain(_ names: [String: String]) throws -> RebuiltBody? {
        guard let message = request?["message"],
            message["sender"]?.string == TestAccount.solana.address,
            let content = message["item_content"]?.string,
            names.keys.contains(where: { content.contains($0) }),
            let type = message["type"]?.string.flatMap({ MessageType(rawValue: $0) })
        else { return nil }
        return try .message(signed(names.replacing(in: content), type))
    }
}

/// The CID of bytes.
enum CIDOf {
    static func bytes(_ bytes: [UInt8]) -> String {
        var hasher = UnixFSHasher()
        hasher.update(bytes.span)
        return hasher.finalize().cid.version0
    }
}

extension [String: String] {
    /// The text with each name replaced by what it stands for here.
    func replacing(in text: String) -> String {
        reduce(text) { $0.replacing($1.key, with: $1.value) }
    }
}
