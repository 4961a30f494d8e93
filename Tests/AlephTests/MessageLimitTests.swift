// SPDX-License-Identifier: Apache-2.0
//
// What a node would refuse is refused before it is sent.

import AlephProtocol
import JSON
import Testing

struct MessageLimitTests {
    private let account = TestAccount.solana

    private func sign(_ draft: MessageDraft, isAlwaysInline: Bool = false) throws -> SignedMessage {
        try account.sign(draft, time: 1, channel: "T", isAlwaysInline: isAlwaysInline)
    }

    @Test("16 tags of 256 characters are taken, one more of either is not")
    func tags() throws {
        let longest = String(repeating: "é", count: 256)
        let most = (0..<16).map { "\($0)" }
        let file = ItemHash(sha256Of: [])
        for tags in [[longest], most] {
            _ = try sign(.store(StoreDraft(file: file, tags: tags)))
            _ = try sign(
                .post(type: "t", content: ["tags": .array(tags.map { .string($0) })]))
        }
        for tags in [[longest + "x"], most + ["16"], [""]] {
            #expect(throws: AlephProtocolError.self) {
                try sign(.store(StoreDraft(file: file, tags: tags)))
            }
            let content: JSONValue = ["tags": .array(tags.map { .string($0) })]
            #expect(throws: AlephProtocolError.self) {
                try sign(.post(type: "t", content: content))
            }
            #expect(throws: AlephProtocolError.self) {
                try sign(.amend(original: file, content: content))
            }
            #expect(throws: AlephProtocolError.self) {
                try sign(.aggregate(key: "k", content: content.object ?? JSONObject()))
            }
        }
        for wrong: JSONValue in ["a", 5, [5], [["a"]]] {
            #expect(throws: AlephProtocolError.malformed(field: "tags")) {
                try sign(.post(type: "t", content: ["tags": wrong]))
            }
        }
    }

    @Test("a content over 50 000 bytes travels beside its message, and inline up to 200 000")
    func size() throws {
        func draft(_ size: Int) -> MessageDraft {
            .post(type: "t", content: .string(String(repeating: "x", count: size)))
        }
        let small = try sign(draft(49_000))
        #expect(small.envelope.itemType == .inline)
        let large = try sign(draft(60_000))
        #expect(large.envelope.itemType == .storage)
        #expect(large.envelope.itemContent == nil)
        #expect(ItemHash(sha256Of: large.content) == large.envelope.itemHash)
        #expect(try VerifiedMessage(large.envelope, content: large.content).isOwnersOwn)
        #expect(try sign(draft(199_000), isAlwaysInline: true).envelope.itemType == .inline)
        #expect(throws: AlephProtocolError.self) { try sign(draft(200_000), isAlwaysInline: true) }
        #expect(throws: AlephProtocolError.self) { try sign(draft(26 << 20)) }
    }

    @Test("a message forgets 1000 others, not 1001 and not none")
    func forget() throws {
        let hash = ItemHash(sha256Of: [])
        _ = try sign(.forget([ItemHash](repeating: hash, count: 1000)))
        #expect(throws: AlephProtocolError.tooManyTargets(count: 1001, limit: 1000)) {
            try sign(.forget([ItemHash](repeating: hash, count: 1001)))
        }
        #expect(throws: AlephProtocolError.malformed(field: "hashes")) { try sign(.forget([])) }
        #expect(throws: AlephProtocolError.textTooLong(field: "reason", limit: 1000)) {
            try sign(.forget([hash], reason: String(repeating: "x", count: 1001)))
        }
    }

    @Test("a post cannot pass for an amend, nor a channel or a time beyond the limits")
    func others() throws {
        #expect(throws: AlephProtocolError.malformed(field: "type")) {
            try sign(.post(type: "amend", content: 1))
        }
        #expect(throws: AlephProtocolError.self) { try sign(.post(type: "", content: 1)) }
        #expect(throws: AlephProtocolError.textTooLong(field: "channel", limit: 128)) {
            try account.sign(
                .post(type: "t", content: 1), time: 1,
                channel: String(repeating: "c", count: 129))
        }
        for time in [-1, .nan, .infinity, 9_223_372_037] as [Double] {
            #expect(throws: AlephProtocolError.timeOutOfRange) {
                try account.sign(.post(type: "t", content: 1), time: time, channel: nil)
            }
        }
    }

    @Test(
        "hashes the network would refuse are refused",
        arguments: [
            "", "zzz", String(repeating: "A", count: 64), String(repeating: "a", count: 63),
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQ0",
        ])
    func badHashes(text: String) {
        #expect(ItemHash(text) == nil)
    }

    @Test("the three forms of hash are told apart")
    func hashes() {
        #expect(ItemHash(String(repeating: "a", count: 64))?.type == .storage)
        #expect(ItemHash("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")?.type == .ipfs)
        let version1 = "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y"
        #expect(ItemHash(version1)?.type == .ipfs)
    }
}
