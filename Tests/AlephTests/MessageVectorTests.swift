// SPDX-License-Identifier: Apache-2.0
//
// The messages that other clients made, byte for byte, and each way to break them.

import AlephProtocol
import JSON
import Primitives
import Testing

struct MessageVectorTests {
    private let messages: [JSONValue]

    init() throws {
        messages = try #require(try VectorFile.read("messages").array)
        #expect(messages.count == 22)
    }

    private func account(_ vector: JSONValue) throws -> AlephAccount {
        try vector.text("name").hasPrefix("SOL") ? TestAccount.solana : TestAccount.ethereum
    }

    /// The draft whose content the vector has.
    private func draft(_ content: JSONValue, _ type: MessageType) throws -> MessageDraft {
        switch type {
        case .post where content["type"]?.string == "amend":
            return .amend(
                original: try #require(ItemHash(try content.text("ref"))),
                content: try #require(content["content"]))
        case .post:
            return .post(
                type: try content.text("type"), content: try #require(content["content"]))
        case .aggregate:
            return .aggregate(
                key: try content.text("key"), content: try #require(content["content"]?.object))
        case .store:
            return .store(
                StoreDraft(
                    file: try #require(ItemHash(try content.text("item_hash"))),
                    ref: content["ref"]?.string,
                    tags: (content["tags"]?.array ?? []).compactMap { $0.string },
                    metadata: content["metadata"]?.object,
                    payment: content["payment"]?["type"]?.string.flatMap {
                        StorePayment(rawValue: $0)
                    }))
        default:
            let hashes = try #require(content["hashes"]?.array)
            return .forget(
                hashes.compactMap { $0.string.flatMap { ItemHash($0) } },
                reason: content["reason"]?.string)
        }
    }

    @Test("what is signed is chain, sender, type and hash")
    func signedBytes() throws {
        for vector in messages {
            let envelope = try MessageEnvelope(try #require(vector["envelope"]))
            #expect(
                envelope.signedBytes == (try vector.bytes("verification_buffer_hex")),
                "\(vector.label)")
        }
    }

    @Test("signatures are those of the network's own client, byte for byte")
    func signatures() throws {
        for vector in messages {
            let envelope = try MessageEnvelope(try #require(vector["envelope"]))
            let signature = try account(vector).sign(envelope.signedBytes)
            #expect(signature == envelope.signature, "\(vector.label)")
        }
    }

    @Test("contents, hashes and envelopes of inline messages are the network's, byte for byte")
    func drafts() throws {
        var count = 0
        for vector in messages {
            guard let content = vector["content"], let text = vector["item_content"]?.string else {
                continue
            }
            count += 1
            let expected = try MessageEnvelope(try #require(vector["envelope"]))
            let time = try #require(content["time"]?.double)
            let signed = try account(vector).sign(
                try draft(content, expected.type), time: time, channel: "FUSETEST")
            #expect(signed.envelope.itemContent == text, "\(vector.label)")
            #expect(signed.envelope.itemHash.text == (try vector.text("item_hash")))
            #expect(signed.envelope.signature == expected.signature)
            // The time of an envelope is not signed, and the vectors have one for all.
            #expect(
                signed.envelope.json.object?.names.sorted() == expected.json.object?.names.sorted())
            #expect(signed.envelope.json["channel"] == expected.json["channel"])
        }
        #expect(count == 18)
    }

    @Test("every message verifies, inline or with its bytes beside it")
    func verified() throws {
        for vector in messages {
            let envelope = try MessageEnvelope(try #require(vector["envelope"]))
            let message =
                if let stored = vector["stored_bytes_utf8"]?.string {
                    try VerifiedMessage(envelope, content: Array(stored.utf8))
                } else {
                    try VerifiedMessage(envelope)
                }
            #expect(message.isOwnersOwn)
            #expect(message.time >= 1_750_000_000)
        }
    }

    @Test("a changed content, sender, type, chain or signature is refused")
    func tampered() throws {
        for vector in messages.filter({ $0["item_content"]?.string != nil }) {
            let json = try #require(vector["envelope"]?.object)
            func expectRefused(_ field: String, _ value: JSONValue) throws {
                var changed = json
                changed[field] = value
                let envelope = try MessageEnvelope(.object(changed))
                #expect(throws: AlephProtocolError.self, "\(field)") {
                    try VerifiedMessage(envelope)
                }
            }
            let text = try #require(json["item_content"]?.string)
            try expectRefused("item_content", .string(text + " "))
            try expectRefused("sender", .string(TestAccount.numbered(9).address))
            try expectRefused("type", json["type"] == "POST" ? "STORE" : "POST")
            try expectRefused("chain", json["chain"] == "SOL" ? "ES" : "BASE")
            try expectRefused("chain", "DOT")
            let hash = try #require(json["item_hash"]?.string)
            try expectRefused("item_hash", .string(String(hash.reversed())))
            let signature = try #require(json["signature"]?.string)
            try expectRefused("signature", .string(""))
            try expectRefused("signature", "{}")
            try expectRefused(
                "signature", .string(String(signature.dropLast(4)) + "1111".prefix(4)))
        }
    }

    @Test("the time and the channel are not signed, and may be anything")
    func unsigned() throws {
        let json = try #require(messages[0]["envelope"]?.object)
        var changed = json
        changed["time"] = 5
        changed["channel"] = .null
        #expect(try VerifiedMessage(MessageEnvelope(.object(changed))).time == 1_750_000_000.5)
    }

    @Test("an Ethereum signature is taken with and without 0x, and a sender in any capitals")
    func ethereumForms() throws {
        let vector = try #require(messages.first { $0["name"] == "ETH/post" })
        var json = try #require(vector["envelope"]?.object)
        let signature = try #require(json["signature"]?.string)
        json["signature"] = .string(String(signature.dropFirst(2)))
        #expect(try VerifiedMessage(MessageEnvelope(.object(json))).isOwnersOwn)
        // The sender is signed as it is spelled; the key it is compared with is not.
        let lower = TestAccount.ethereum.address.lowercased()
        let content = #"{"address":"\#(TestAccount.ethereum.address)","time":1.5}"#
        let hash = ItemHash(sha256Of: Array(content.utf8))
        let signed = MessageEnvelope.signedBytes(
            chain: .ethereum, sender: lower, type: .post, itemHash: hash)
        let envelope = MessageEnvelope(
            chain: .ethereum, sender: lower, type: .post, channel: nil, time: JSONNumber(1),
            itemType: .inline, itemContent: content, itemHash: hash,
            signature: TestAccount.ethereum.sign(signed))
        #expect(try VerifiedMessage(envelope).isOwnersOwn)
    }

    @Test(
        "an envelope that lacks a field, or has a wrong one, is named by it",
        arguments: ["chain", "sender", "type", "item_type", "item_hash", "signature"])
    func fields(name: String) throws {
        for wrong: JSONValue? in [nil, .null, 5, ["x"]] {
            var json = try #require(messages[0]["envelope"]?.object)
            json[name] = wrong
            #expect(throws: AlephProtocolError.malformed(field: name)) {
                try MessageEnvelope(.object(json))
            }
        }
    }

    @Test("a message for another owner is not taken for that owner's own")
    func delegated() throws {
        let signed = try TestAccount.solana.sign(
            .post(type: "note", content: 1), for: TestAccount.ethereum.address, time: 1,
            channel: nil)
        let message = try VerifiedMessage(signed.envelope)
        #expect(message.owner == TestAccount.ethereum.address)
        #expect(!message.isOwnersOwn)
    }
}
