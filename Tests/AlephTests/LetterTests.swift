// SPDX-License-Identifier: Apache-2.0
//
// Letters: what only the reader sees, and what a stranger cannot pretend.

import AlephProtocol
import Cryptography
import JSON
import Primitives
import Testing

struct LetterTests {
    private func letter(
        _ text: String, name: String = "a.txt", from sender: AlephAccount, to reader: AlephAccount,
        signedBy signer: AlephAccount? = nil
    ) throws -> (VerifiedMessage, [UInt8]) {
        let (sealed, letter) = try SealedLetter.seal(
            Array(text.utf8), name: name, from: sender.address,
            to: Recipient(reader.recipient))
        let signed = try (signer ?? sender).sign(
            .post(type: SealedLetter.postType, content: letter(.inline(sealed)).content),
            time: 1, channel: nil)
        return (try VerifiedMessage(signed.envelope), sealed)
    }

    @Test("a letter is read by its reader, of either kind of account, and by nobody else")
    func readers() throws {
        let sender = TestAccount.numbered(1)
        for reader in [TestAccount.solana, TestAccount.ethereum] {
            let (message, sealed) = try letter("hello", from: sender, to: reader)
            let received = try #require(SealedLetter(message))
            #expect(received.to == reader.address)
            #expect(received.size == 5)
            #expect(received.body == .inline(sealed))
            let about = try received.openAbout(by: reader, sender: sender.address)
            #expect(about.name == "a.txt")
            #expect(about.isSendersOwn)
            #expect(try received.open(sealed, about: about, by: reader) == Array("hello".utf8))
            let other = TestAccount.numbered(2, chain: reader.chain)
            #expect(throws: CryptographyError.authenticationFailed) {
                try received.openAbout(by: other, sender: sender.address)
            }
            // Neither name nor content is in what everybody sees.
            let seen = message.envelope.itemContent ?? ""
            #expect(!seen.contains("a.txt") && !seen.contains("hello"))
        }
    }

    @Test("who signs what another sealed is not taken for its author")
    func forwarded() throws {
        let author = TestAccount.numbered(1)
        let thief = TestAccount.numbered(2)
        let (message, _) = try letter(
            "I owe you", from: author, to: TestAccount.solana, signedBy: thief)
        let received = try #require(SealedLetter(message))
        let about = try received.openAbout(by: TestAccount.solana, sender: thief.address)
        #expect(!about.isSendersOwn)
    }

    @Test("bytes of another letter are not shown under this one's name")
    func exchanged() throws {
        let sender = TestAccount.numbered(1)
        let (first, _) = try letter("one", from: sender, to: TestAccount.solana)
        let (_, other) = try letter("two", from: sender, to: TestAccount.solana)
        let received = try #require(SealedLetter(first))
        let about = try received.openAbout(by: TestAccount.solana, sender: sender.address)
        #expect(throws: CryptographyError.authenticationFailed) {
            try received.open(other, about: about, by: TestAccount.solana)
        }
    }

    @Test(
        "a name is never a path, hidden, or a command for a terminal",
        arguments: [
            ("../../etc/passwd", "passwd"), ("/", "_"), ("", "_"), (".bashrc", "_.bashrc"),
            ("a\u{1B}[2Jb", "a_[2Jb"), ("a\u{202E}fdp.exe", "a_fdp.exe"), ("x\n/y\0z", "y_z"),
            ("größe.txt", "größe.txt"),
        ])
    func names(sent: String, shown: String) throws {
        let sender = TestAccount.numbered(1)
        let (message, _) = try letter("x", name: sent, from: sender, to: TestAccount.solana)
        let received = try #require(SealedLetter(message))
        #expect(
            try received.openAbout(by: TestAccount.solana, sender: sender.address).name == shown)
    }

    @Test("posts that only look like letters are none")
    func noLetters() throws {
        let good = try #require(
            try letter("x", from: TestAccount.numbered(1), to: TestAccount.solana).0
                .content["content"]?.object)
        func isLetter(_ type: String, _ change: (inout JSONObject) -> Void) throws -> Bool {
            var content = good
            change(&content)
            let signed = try TestAccount.numbered(1).sign(
                .post(type: type, content: .object(content)), time: 1, channel: nil)
            return SealedLetter(try VerifiedMessage(signed.envelope)) != nil
        }
        #expect(try isLetter(SealedLetter.postType) { _ in })
        #expect(try !isLetter("note") { _ in })
        for (field, values) in [
            ("v", [2, .null]), ("to", [5, .null]), ("size", [-1, "1", .null]),
            ("about", ["!", .null]), ("data", ["!", .null]),
        ] as [(String, [JSONValue])] {
            for value in values {
                #expect(
                    try !isLetter(SealedLetter.postType) { $0[field] = value }, "\(field)")
            }
        }
    }

    @Test("letters and names have limits")
    func limits() throws {
        let reader = try Recipient(TestAccount.solana.recipient)
        #expect(throws: AlephProtocolError.self) {
            try SealedLetter.seal(
                [], name: String(repeating: "x", count: 256), from: "", to: reader)
        }
        _ = try SealedLetter.seal(
            [], name: String(repeating: "x", count: 255), from: "", to: reader)
    }
}
