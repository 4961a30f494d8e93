// SPDX-License-Identifier: Apache-2.0
//
// What `cairn aleph` does, against a double of a node.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Control
import Cryptography
import JSON
import LocalServer
import Primitives
import Testing

/// A session over one double, and accounts of its own.
private struct Setting {
    let node: NodeDouble
    let session: AlephSession

    init() throws {
        node = try NodeDouble()
        session = try AlephSession(nodes: [node.url])
    }

    func account(_ number: UInt8, _ chain: AlephChain = .solana) throws -> AlephAccount {
        try AlephAccount(
            secret: SecretBytes([UInt8](repeating: number, count: 32)), chain: chain)
    }

    func publish(_ draft: MessageDraft, by account: AlephAccount) throws -> ItemHash {
        try session.client.publish(draft, by: account).envelope.itemHash
    }
}

struct AlephCommandTests {
    @Test("an aggregate is filtered, sorted and cut, and shown in three forms")
    func query() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let account = try setting.account(1)
        let users = try JSONValue(
            parsing: #"{"ann":{"age":31,"at":3},"bob":{"age":20,"at":2},"cid":{"age":40,"at":1}}"#)
        _ = try setting.publish(
            .aggregate(key: "users", content: try #require(users.object)), by: account)
        _ = try setting.publish(
            .aggregate(key: "users", content: JSONObject([("bob", .null)])), by: account)
        var question = AggregateQuestion(owner: account.address, key: "users")
        #expect(try question.rows(setting.session).map { $0.name } == ["ann", "cid"])
        question.filter = #"{"age":{"$gt":25}}"#
        question.order = "at"
        let rows = try question.rows(setting.session)
        #expect(rows.map { $0.name } == ["cid", "ann"])
        #expect(
            question.text(rows, .json).split(separator: "\n").first
                == #"{"key":"cid","value":{"age":40,"at":1}}"#)
        #expect(question.text(rows, .table).hasPrefix("KEY  VALUE\ncid  {"))
        #expect(
            question.text(rows, .paths) == "accounts/\(account.address)/aggregates/users.json\n")
        question.limit = 1
        #expect(try question.rows(setting.session).count == 1)
        question.key = "none\u{1B}[2J"
        do {
            _ = try question.rows(setting.session)
            Issue.record("there is no such aggregate")
        } catch {
            #expect(error.code == .notOnNetwork)
            // What is not there, whose it would be, and what is there instead.
            #expect(error.sentence.contains("no aggregate “none\u{FFFD}[2J”"), "\(error.sentence)")
            #expect(error.sentence.contains(account.address) && error.advice.contains("“users”"))
        }
        question.owner = try setting.account(2).address
        do {
            _ = try question.rows(setting.session)
            Issue.record("that account has none")
        } catch {
            #expect(error.advice.contains("it has none"), "\(error.advice)")
        }
    }

    @Test(
        "a wrong query is refused before anything is asked for",
        arguments: ["{", "5", #"{"a":{"$foo":1}}"#, #"{"a":{"$regex":"("}}"#])
    func wrongQuery(filter: String) throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        var question = AggregateQuestion(owner: "x", key: "users")
        question.filter = filter
        #expect(code { _ = try question.rows(setting.session) } == .usage)
        #expect(setting.node.questions.isEmpty)
    }

    @Test("messages must have all tags and metadata, where nodes ask for any")
    func messages() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let account = try setting.account(1)
        func post(_ tags: [String], _ language: String) throws -> ItemHash {
            try setting.publish(
                .post(
                    type: "note",
                    content: [
                        "tags": .array(tags.map { .string($0) }), "language": .string(language),
                        "n": 5,
                    ]), by: account)
        }
        let both = try post(["a", "b"], "en")
        _ = try post(["a"], "en")
        _ = try post(["a", "b"], "de")
        func found(_ tags: [String], _ metadata: [String]) throws -> [ItemHash] {
            let question = try AlephArguments.question(
                tags: tags, owners: [], types: ["post"], channels: [], metadata: metadata,
                since: nil, until: nil)
            var hashes: [ItemHash] = []
            let passedOver = try question.run(setting.session) { hashes.append($0.itemHash) }
            #expect(passedOver == 0)
            return hashes
        }
        #expect(try found(["a"], []).count == 3)
        #expect(try found(["a", "b"], []).count == 2)
        #expect(try found(["a", "b"], ["language=en", "n=5"]) == [both])
        #expect(try found(["a"], ["none=x"]).isEmpty)
        let before = setting.node.questions.count
        // Nodes would look for two tags; and for all messages.
        for wrong in ["a,b", ""] { #expect(code { _ = try found([wrong], []) } == .usage) }
        #expect(setting.node.questions.count == before)
        let message = try setting.session.client.processedMessage(both)
        #expect(MessageQuestion.line(message, .paths) == "messages/\(both).json\n")
        let json = try JSONValue(parsing: MessageQuestion.line(message, .json))
        #expect(json["content"]?["content"]?["language"] == "en")
        #expect(MessageQuestion.line(message, .table).contains("POST"))
    }

    @Test("a letter goes from one account to another, small or in a file of its own")
    func letters() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let folder = try TemporaryFolder()
        let sender = try setting.account(1)
        setting.node.fund(sender.address, tokens: 1000)
        for (number, size) in [(UInt8(2), 10), (3, 200_000)] {
            for chain in [AlephChain.solana, .ethereum] {
                let reader = try setting.account(number, chain)
                let text = String(repeating: "x", count: size)
                let path = try folder.file("letter.txt", text)
                let plan = AlephStoring(isCredit: false, isIPFS: false, isUnpaid: false)
                let hash = try AlephArguments.send(
                    path, to: reader.recipient, plan: plan,
                    by: AlephSpeaker(sender, over: setting.session))
                let inbox = AlephLetters(setting.session, reader)
                var lines: [String] = []
                try inbox.list(limit: nil) { lines.append(AlephArguments.line($0, isJSON: true)) }
                #expect(lines.count == 1)
                let line = try JSONValue(parsing: try #require(lines.first))
                #expect(line["name"] == "letter.txt")
                #expect(line["sender"]?.string == sender.address)
                #expect(line["is_senders_own"] == true)
                let (_, bytes) = try inbox.open(try AlephArguments.hash(hash))
                #expect(bytes == Array(text.utf8))
                let stranger = AlephLetters(setting.session, try setting.account(9))
                #expect(
                    code { _ = try stranger.open(try AlephArguments.hash(hash)) } == .notOnNetwork)
            }
        }
        let poor = try setting.account(7)
        let path = try folder.file("large", String(repeating: "x", count: 200_000))
        let plan = AlephStoring(isCredit: true, isIPFS: false, isUnpaid: false)
        let outcome = code {
            _ = try AlephArguments.send(
                path, to: poor.recipient, plan: plan, by: AlephSpeaker(poor, over: setting.session))
        }
        #expect(outcome == .storeFull)
    }

    @Test("money is shown with a node's numbers")
    func money() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let account = try setting.account(1)
        setting.node.fund(account.address, tokens: 12.5, credits: 700)
        let money = AlephMoney(setting.session)
        let text = try money.balance(of: account.address, isJSON: false)
        #expect(text.contains("tokens     12.5 ALEPH\n"))
        #expect(text.contains("credits    700\n"))
        let cost = try money.cost(of: "30M", for: account)
        #expect(cost.contains("31457280 bytes"))
        #expect(cost.contains("credits a day"))
        #expect(cost.contains("or         129.36"))
    }

    @Test("prices that nothing can have are shown as they came")
    func hostilePrices() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let account = try setting.account(1)
        // So much a day, of a price for a second.
        for (cost, day) in [
            ("-1e300", "-8.64e+304"), ("-0.00000578703", "-0.49"), ("1e300", "e+3"),
        ] {
            setting.node.change { settings in
                settings.intercept = { request, _ in
                    guard request.target.contains("/price/estimate") else { return nil }
                    return .json(["cost": .string(cost)])
                }
            }
            let text = try AlephMoney(setting.session).cost(of: "30M", for: account)
            #expect(text.contains(day), "\(text)")
        }
    }

    @Test("a CID is computed here, and a pin names it")
    func pin() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let folder = try TemporaryFolder()
        let path = try folder.file("a", "hello\n")
        let cid = try AlephArguments.cid(of: path, isVersion1: false)
        #expect(cid == "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN")
        #expect(
            try AlephArguments.cid(of: path, isVersion1: true)
                == "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am")
        setting.node.plant(Array("hello\n".utf8), as: cid)
        let account = try setting.account(1)
        let hash = try AlephArguments.pin(
            cid, isCredit: false, by: AlephSpeaker(account, over: setting.session),
            waiting: { _ in })
        let message = try setting.session.client.processedMessage(try AlephArguments.hash(hash))
        #expect(message.content["item_hash"]?.string == cid)
        for wrong in ["", "zzz", "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"] {
            #expect(
                code {
                    _ = try AlephArguments.pin(
                        wrong, isCredit: false, by: AlephSpeaker(account, over: setting.session),
                        waiting: { _ in })
                } == .usage)
        }
        #expect(
            code { _ = try AlephArguments.cid(of: folder.path, isVersion1: false) } == .unusablePath
        )
    }

    @Test("what the network is not done with is named, and nobody is asked to pay again")
    func pending() throws {
        let setting = try Setting()
        defer { setting.node.stop() }
        let session = try AlephSession(
            nodes: [setting.node.url],
            patience: AlephPatience(rounds: 1, processing: .milliseconds(100)))
        defer { session.stop() }
        let account = try setting.account(1)
        var said: [String] = []
        do {
            // No node has it, so that it stays pending.
            _ = try AlephArguments.pin(
                "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN", isCredit: false,
                by: AlephSpeaker(account, over: session)
            ) { said.append($0) }
            Issue.record("a pin that nobody has fetched is not done")
        } catch {
            #expect(error.code == .storeUnusable)
            #expect(error.sentence.contains("not done with it yet"), "\(error.sentence)")
            #expect(error.sentence.contains(/[0-9a-f]{64}/), "\(error.sentence)")
            // Said before the wait, so that who does not want to wait knows what to look for.
            #expect(said.count == 1 && said.allSatisfy { error.sentence.contains($0) }, "\(said)")
            #expect(error.advice.contains("goes on by itself"), "\(error.advice)")
        }
    }

    @Test("a node that is not there, and one that lies, have their exit codes")
    func failures() {
        let expected: [(AlephError, ExitCode)] = [
            (.unreachable(reason: "x"), .storeUnusable), (.notFound, .notOnNetwork),
            (.forgotten, .notOnNetwork), (.untrue(.badSignature), .damaged),
            (.paymentRequired(Shortage()), .storeFull), (.rejected(Rejection(code: 5)), .storeFull),
            (.rejected(Rejection(code: 202)), .storeFull),
            (.rejected(Rejection(code: 102)), .storeUnusable),
            (.invalid(.timeOutOfRange), .usage),
            (.busy(status: 429, retryAfter: nil), .storeUnusable),
        ]
        for (error, code) in expected {
            let failure = CommandFailure(error)
            #expect(failure.code == code)
            #expect(!failure.sentence.hasSuffix("."))
        }
        #expect(code { _ = try AlephSession(nodes: ["ftp://x"]) } == .usage)
        #expect(code { _ = try AlephSession(nodes: ["https://a b"]) } == .usage)
    }

    @Test(
        "times are days, moments or seconds",
        arguments: [
            ("2026-11-21", 1_795_219_200.0), ("2026-11-21T08:30:00Z", 1_795_249_800), ("5.5", 5.5),
            ("1970-01-01", 0), ("2024-02-29", 1_709_164_800),
        ])
    func times(text: String, seconds: Double) throws {
        #expect(try AlephArguments.time(text) == seconds)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "yesterday", "2026-13-01", "2023-02-29", "2026-1-1", "-5", "2026-11-21T25:00:00Z",
        ])
    func noTimes(text: String) {
        #expect(code { _ = try AlephArguments.time(text) } == .usage)
    }

    /// The exit code of what fails; success if it does not.
    private func code(_ body: () throws -> Void) -> ExitCode {
        do {
            try body()
            return .success
        } catch {
            return (error as? CommandFailure)?.code ?? .success
        }
    }
}

struct AlephAccountFileTests {
    private let seed = SecretBytes([UInt8](repeating: 3, count: 32))
    private let secret = SecretBytes([UInt8](repeating: 9, count: 32))

    @Test("a file's bytes are fixed for ever")
    func frozen() throws {
        let nonce = [UInt8](repeating: 5, count: 24)
        let imported = AlephAccountFile.imported(.ethereum, secret)
        #expect(
            Hex.encode(imported.encoded(seed: seed, nonce: nonce))
                == "43414c41010103455448" + String(repeating: "05", count: 24)
                + "f1df1b8ed26ae91c429d742aee09212cc9b2f32c2eb770e3c6ef53ec16f7877e"
                + "73d67b0e365335d0c3f31c59f25a4dcc")
        #expect(
            Hex.encode(AlephAccountFile.derived(.solana).encoded(seed: seed, nonce: nonce))
                == "43414c41010003534f4c")
    }

    @Test("what was chosen is read back, and only with the volume's seed")
    func roundTrip() throws {
        let nonce = [UInt8](repeating: 5, count: 24)
        for choice in [AlephAccountFile.imported(.ethereum, secret), .derived(.ethereum)] {
            let bytes = choice.encoded(seed: seed, nonce: nonce)
            let read = try AlephAccountFile(decoding: bytes, seed: seed)
            #expect(
                try read.account(seed: seed).address == choice.account(seed: seed).address)
        }
        let bytes = AlephAccountFile.imported(.solana, secret).encoded(seed: seed, nonce: nonce)
        #expect(throws: AlephAccountFileError.damaged) {
            try AlephAccountFile(decoding: bytes, seed: secret)
        }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(throws: AlephAccountFileError.self) {
                try AlephAccountFile(decoding: changed, seed: seed)
            }
        }
        for count in 0..<bytes.count {
            #expect(throws: AlephAccountFileError.damaged) {
                try AlephAccountFile(decoding: Array(bytes.prefix(count)), seed: seed)
            }
        }
        #expect(throws: AlephAccountFileError.damaged) {
            try AlephAccountFile(decoding: bytes + [0], seed: seed)
        }
    }

    @Test("an imported key is not lost to a second choice unless that is said")
    func replacing() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        #expect(
            try AlephAccountFile.read(from: volume, seed: seed).account(seed: seed).address
                == AlephAccount(derivingFrom: seed, chain: .solana).address)
        let imported = AlephAccountFile.imported(.solana, secret)
        try AlephAccountFile.derived(.ethereum).write(to: volume, seed: seed, replaces: false)
        try imported.write(to: volume, seed: seed, replaces: false)
        #expect(throws: CommandFailure.self) {
            try AlephAccountFile.derived(.solana).write(to: volume, seed: seed, replaces: false)
        }
        let own = try AlephAccount(secret: secret, chain: .solana).address
        #expect(
            try AlephAccountFile.read(from: volume, seed: seed).account(seed: seed).address == own)
        #expect(try FileFacts.of(volume.alephAccount).mode & 0o077 == 0)
        try AlephAccountFile.derived(.solana).write(to: volume, seed: seed, replaces: true)
        #expect(
            try AlephAccountFile.read(from: volume, seed: seed).account(seed: seed).address != own)
    }
}
