// SPDX-License-Identifier: Apache-2.0
//
// The network as directories and files.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import TestSupport
import Testing

struct AlephNameTests {
    @Test(
        "texts become names that hide nothing and lead nowhere else",
        arguments: [
            ("users", "users"), ("a/b", "a%2Fb"), (".", "%2E"), ("..", "%2E."), (".hid", "%2Ehid"),
            ("100%", "100%25"), ("~x", "%7Ex"), ("a\nb\0", "a%0Ab%00"), ("größe é", "größe é"),
            ("a~.b", "a~.b"),
        ])
    func names(text: String, name: String) {
        #expect(AlephName.name(for: text) == name)
        #expect(AlephName.text(of: name) == text)
        #expect(AlephName.name(for: text, suffix: ".json") == name + ".json")
        #expect(AlephName.text(of: name + ".json", suffix: ".json") == text)
    }

    @Test("no two texts have one name, and each name leads back", arguments: 1...50)
    func bijective(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let letters = Array("a./%~2F\0\u{1}é🌍,".unicodeScalars)
        var names: [String: String] = [:]
        for _ in 0..<200 {
            var text = String.UnicodeScalarView()
            for _ in 0...random.below(12) { text.append(letters[random.below(letters.count)]) }
            let name = AlephName.name(for: String(text))
            #expect(!name.contains("/") && name != "." && name != ".." && !name.contains("\0"))
            #expect(AlephName.text(of: name)?.utf8.elementsEqual(String(text).utf8) == true)
            if let other = names[name] {
                #expect(other.utf8.elementsEqual(String(text).utf8), "seed \(seed)")
            }
            names[name] = String(text)
        }
    }

    @Test("what is empty or too long for a name is named by its digest")
    func tooLong() {
        let long = String(repeating: "é", count: 200)
        for text in ["", long, long + "x"] {
            let name = AlephName.name(for: text, suffix: ".json")
            #expect(name.hasPrefix("~") && name.utf8.count <= AlephName.maximumSize)
            #expect(AlephName.text(of: name, suffix: ".json") == nil)
        }
        #expect(AlephName.name(for: long) != AlephName.name(for: long + "x"))
        #expect(AlephName.text(of: String(repeating: "a", count: 250)) != nil)
        #expect(AlephName.text(of: String(repeating: "a", count: 256)) == nil)
    }

    @Test(
        "names that are not made so lead nowhere",
        arguments: ["%", "%2", "%2f", "%41", ".x", "~x", "a%zz", ""])
    func foreign(name: String) {
        #expect(AlephName.text(of: name) == nil)
    }
}

struct AlephPathTests {
    private static let own = TestAccount.solana.address
    private static let hash = String(repeating: "a", count: 64)
    private static let cid = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"

    private func path(_ text: String) -> AlephPath? {
        AlephPath(text.split(separator: "/").map(String.init), own: AlephPathTests.own)
    }

    @Test("each form of path means what it says")
    func forms() throws {
        let own = AlephPathTests.own
        let other = TestAccount.ethereum.address
        let message = try #require(ItemHash(AlephPathTests.hash))
        let file = try #require(ItemHash(AlephPathTests.cid))
        let expected: [(String, AlephPath)] = [
            ("", .root), ("messages", .messages), ("messages/\(message).json", .message(message)),
            ("files/\(message)", .file(message)), ("files/\(file)", .file(file)),
            ("ipfs", .ipfs), ("ipfs/\(file)", .file(file)), ("accounts", .accounts),
            ("accounts/\(other)", .account(other)), ("me", .account(own)),
            ("me/posts", .part(own, .posts)), ("me/posts/\(message).json", .post(own, message)),
            ("accounts/\(own)/files/a b.txt", .storedFile(own, name: "a b.txt")),
            ("me/aggregates/k%2F1.json", .aggregate(own, key: "k/1")),
            ("me/aggregates/k.history", .history(own, key: "k")),
            ("me/aggregates/k.history/1.5.json", .element(own, key: "k", name: "1.5.json")),
            ("tags", .tags), ("tags/a/b%2Fc", .tagged(["a", "b/c"])),
            ("tags/a/\(message).json", .message(message)),
        ]
        for (text, meaning) in expected {
            #expect(path(text) == meaning, "\(text)")
        }
        #expect(AlephPath(["me"], own: nil) == nil)
    }

    @Test(
        "what cannot be there is said at once",
        arguments: [
            "x", "messages/x", "messages/\(hash)", "messages/\(hash).json/x", "files/x",
            "ipfs/\(hash)", "accounts/nobody", "me/x", "me/posts/x", "me/files/a/b",
            "me/aggregates/x", "me/aggregates/k.json/x", "me/aggregates/k.history/a/b", "tags/a,b",
            "tags/" + String(repeating: "t/", count: 17), "me/posts/\(hash).json/x",
        ])
    func nothing(text: String) {
        #expect(path(text) == nil)
    }

    @Test("an address has one spelling")
    func spelling() {
        #expect(path("accounts/" + TestAccount.ethereum.address.lowercased()) == nil)
        #expect(path("accounts/" + TestAccount.ethereum.address) != nil)
    }
}

struct AlephTreeTests {
    private let own = TestAccount.solana.address

    // SEMANTICS: An account's messages of files are read, the newest first, until there is no room
    // for those that are not listed either. Of a listed name older versions may be among the rest,
    // which `rm` does not take back: one of them shows again then.
    @Test("of files beyond what is listed no more are read than are wanted")
    func beyond() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(own, tokens: 1000)
        for name in ["a", "b", "c", "d", "b"] {
            _ = try network.client.store(AlephSource(Array(name.utf8)), by: TestAccount.solana) {
                StoreDraft(file: $0, metadata: JSONObject([("name", .string(name))]))
            }
        }
        func large() -> Int {
            network.nodes.reduce(0) { count, node in
                count + node.questions.filter { $0.contains("msgTypes=POST") }.count
            }
        }
        let tree = AlephTree(network.client, own: own, nameLimit: 1)
        for wanted in [1, 2, 10] {
            var (listed, beyond): ([String], [String]) = ([], [])
            let asked = large()
            try tree.list(
                .part(own, .files),
                beyond: { entry in
                    beyond.append(entry.name)
                    return beyond.count < wanted
                },
                { entry in
                    listed.append(entry.name)
                    return true
                })
            #expect(listed == ["b"] && beyond == Array(["d", "c", "a"].prefix(wanted)))
            // And large files, which are another list, are not asked for.
            #expect((large() > asked) == (wanted == 10))
        }
    }

    private func names(_ tree: AlephTree, _ path: String) throws -> [String] {
        let place = try #require(tree.path(path.split(separator: "/").map(String.init)), "\(path)")
        var names: [String] = []
        try tree.list(place) { entry in
            names.append(entry.name)
            return true
        }
        return names.sorted()
    }

    private func text(_ tree: AlephTree, _ path: String) throws -> JSONValue {
        let place = try #require(tree.path(path.split(separator: "/").map(String.init)), "\(path)")
        guard let bytes = try tree.file(place).text else { throw AlephError.notFound }
        #expect(bytes.last == UInt8(ascii: "\n"))
        return try JSONValue(parsing: bytes)
    }

    @Test("posts are listed once and read as their replacements left them")
    func posts() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: own)
        let post = try network.post(["v": 1, "tags": ["a", "b"]])
        let other = try network.post(["v": 9, "tags": ["a"]])
        _ = try network.client.publish(
            .amend(original: post.hash, content: ["v": 2]), by: TestAccount.solana)
        _ = try network.client.publish(
            .amend(original: post.hash, content: ["v": 3]), by: TestAccount.solana)
        #expect(
            try names(tree, "me/posts") == ["\(post.hash).json", "\(other.hash).json"].sorted())
        #expect(try text(tree, "me/posts/\(post.hash).json") == ["v": 3])
        #expect(try text(tree, "me/posts/\(other.hash).json")["v"] == 9)
        let message = try text(tree, "messages/\(post.hash).json")
        #expect(message["content"]?["content"]?["v"] == 1)
        #expect(message["sender"]?.string == own)
        #expect(message["item_content"] == nil)
        #expect(try names(tree, "tags/a").count == 2)
        #expect(try names(tree, "tags/a/b") == ["\(post.hash).json"])
        #expect(try names(tree, "tags/b/none").isEmpty)
        _ = try network.client.publish(.forget([other.hash]), by: TestAccount.solana)
        #expect(try names(tree, "me/posts") == ["\(post.hash).json"])
        #expect(throws: AlephError.forgotten) { try text(tree, "messages/\(other.hash).json") }
    }

    @Test("files have their owner's names, the newest of each, and lead to their bytes")
    func files() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(own, tokens: 1000)
        let tree = AlephTree(network.client, own: own)
        func store(_ byte: UInt8, _ draft: @escaping (ItemHash) -> StoreDraft) throws {
            _ = try network.client.store(
                AlephSource([byte]), by: TestAccount.solana, draft: draft)
        }
        let named: (ItemHash) -> StoreDraft = {
            StoreDraft(file: $0, metadata: JSONObject([("name", "../a.txt")]))
        }
        try store(1, named)
        try store(2, named)
        try store(3) { StoreDraft(file: $0, ref: "docs/b") }
        try store(4) { StoreDraft(file: $0) }
        let bare = ItemHash(sha256Of: [4])
        #expect(try names(tree, "me/files") == ["%2E.%2Fa.txt", "docs%2Fb", bare.text].sorted())
        let path = try #require(tree.path(["me", "files", "%2E.%2Fa.txt"]))
        let file = try tree.file(path)
        #expect(file.file == ItemHash(sha256Of: [2]) && file.sources.count == 2)
        #expect(throws: AlephError.notFound) {
            try tree.file(try #require(tree.path(["me", "files", "none"])))
        }
    }

    @Test("aggregates are files, and their histories directories")
    func aggregates() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: own)
        let first = try network.set("users", JSONObject([("a", 1), ("b", 2)]))
        _ = try network.set("users", JSONObject([("b", .null), ("c", 3)]))
        _ = try network.set("x/y", JSONObject([("z", 1)]))
        #expect(
            try names(tree, "me/aggregates")
                == ["users.history", "users.json", "x%2Fy.history", "x%2Fy.json"])
        #expect(try text(tree, "me/aggregates/users.json") == ["a": 1, "c": 3])
        let history = try names(tree, "me/aggregates/users.history")
        #expect(history.count == 2)
        let time = JSONNumber(try VerifiedMessage(first.envelope).time).text
        #expect(history.first == "\(time).json")
        #expect(try text(tree, "me/aggregates/users.history/\(time).json") == ["a": 1, "b": 2])
        #expect(throws: AlephError.notFound) { try text(tree, "me/aggregates/none.json") }
        #expect(throws: AlephError.notFound) { try names(tree, "me/aggregates/none.history") }
    }

    @Test("fixed directories list without a question to the network")
    func fixed() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: own)
        #expect(try names(tree, "") == AlephPath.rootNames.sorted())
        #expect(try names(AlephTree(network.client, own: nil), "").contains("me") == false)
        #expect(try names(tree, "accounts") == [own])
        #expect(try names(tree, "me") == ["aggregates", "files", "posts"])
        #expect(network.nodes[0].questions.isEmpty)
    }

    @Test("what a stranger writes into another's name is in nobody's directory but the stranger's")
    func strangers() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let stranger = TestAccount.numbered(6)
        let foreign = try stranger.sign(
            .post(type: "note", content: 666), for: own, time: 5, channel: nil)
        let entry = try foreign.entry(arrival: 1)
        network.nodes[0].change { $0.pendingLooks = 0 }
        network.nodes[0].admit(entry)
        let tree = AlephTree(network.client, own: own)
        #expect(try names(tree, "me/posts").isEmpty)
        #expect(throws: AlephError.notFound) { try text(tree, "me/posts/\(foreign.hash).json") }
        // As a message it is what it is: signed by the stranger.
        let message = try text(tree, "messages/\(foreign.hash).json")
        #expect(message["sender"]?.string == stranger.address)
    }
}
