// SPDX-License-Identifier: Apache-2.0
//
// What directories that are everybody's show of the own account; files in parts as one file, and
// what is part of something and not shown.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import TestSupport
import Testing

struct AlephSharedTreeTests {
    private let own = TestAccount.solana.address

    private func entries(_ tree: AlephTree, _ path: String) throws -> [AlephEntry] {
        let place = try #require(tree.path(path.split(separator: "/").map(String.init)), "\(path)")
        var entries: [AlephEntry] = []
        try tree.list(place) { entry in
            entries.append(entry)
            return true
        }
        return entries
    }

    private func names(_ tree: AlephTree, _ path: String) throws -> Set<String> {
        Set(try entries(tree, path).map { $0.name })
    }

    @Test("the account's messages, files and tags are listed, and those of nobody else")
    func mine() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(own, tokens: 1000)
        let tree = AlephTree(network.client, own: own)
        let post = try network.post(["v": 1, "tags": ["a", "b/c", "d,e"]])
        let value = try network.set("users", JSONObject([("a", 1)]))
        let file = try network.client.store(
            AlephSource(Array("text".utf8)), by: TestAccount.solana
        ) { StoreDraft(file: $0, tags: ["a", "f"]) }
        let foreign = try TestAccount.numbered(6).sign(
            .post(type: "note", content: ["tags": ["theirs"]]), for: own, time: 5, channel: nil)
        network.nodes[0].admit(try foreign.entry(arrival: 99))
        let all = [post, value, file].map { "\($0.hash).json" }
        #expect(try names(tree, "messages") == Set(all))
        // No path leads to a tag with a comma.
        #expect(try names(tree, "tags") == ["a", "b%2Fc", "f"])
        let text = ItemHash(sha256Of: Array("text".utf8))
        #expect(try names(tree, "files") == [text.text])
        #expect(try names(tree, "ipfs").isEmpty)
        #expect(try tree.file(keptBy: file.hash).file == text)
        #expect(throws: AlephError.notFound) { try tree.file(keptBy: post.hash) }
        #expect(try names(AlephTree(network.client, own: nil), "messages").isEmpty)
    }

    // SEMANTICS: messages of the account that `messages/`, `files/`, `ipfs/` and `tags/` are made
    // of: the newest 1000
    @Test("more messages than are looked at are not all listed, and the newest are")
    func limit() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: own)
        let count = AlephTree.ownMessageLimit + 10
        var messages: [SignedMessage] = []
        for index in 0..<count {
            let signed = try TestAccount.solana.sign(
                .post(type: "note", content: .number(JSONNumber(index))),
                time: Double(1000 + index), channel: nil)
            network.nodes[0].admit(try signed.entry(arrival: index))
            messages.append(signed)
        }
        let shown = try names(tree, "messages")
        #expect(shown.count == AlephTree.ownMessageLimit)
        #expect(shown.contains("\(messages[count - 1].hash).json"))
        #expect(!shown.contains("\(messages[0].hash).json"))
    }

    @Test("a file in parts is one file; its parts, and packs and pads of volumes, are not listed")
    func hidden() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(own, tokens: 1000)
        let tree = AlephTree(network.client, own: own)
        var dice = SeededGenerator(seed: 7)
        let bytes = dice.bytes(5000)
        let manifest = try network.client.storeLarge(
            AlephSource(bytes), name: "film.mkv", by: TestAccount.solana, partSize: 2000)
        let pack = try network.client.store(
            AlephSource(Array("a pack".utf8)), by: TestAccount.solana
        ) { StoreDraft(file: $0, tags: ["cairn-pack"]) }
        _ = try network.set("cairn-pad-01-00ff", JSONObject([("record", "AA==")]))
        #expect(try names(tree, "me/files") == ["film.mkv"])
        #expect(try names(tree, "files") == [manifest.hash.text])
        #expect(try names(tree, "me/posts").isEmpty && names(tree, "me/aggregates").isEmpty)
        #expect(try names(tree, "messages") == ["\(manifest.hash).json"])
        #expect(try names(tree, "tags").isEmpty)
        let entry = try #require(try entries(tree, "me/files").first)
        #expect(entry.largeSize == 5000 && entry.statedSize == 5000 && entry.file == nil)
        #expect(entry.manifests == [manifest.hash] && entry.message == manifest.hash)
        // By their own names they open all the same.
        #expect(try tree.file(keptBy: manifest.hash).largeSize == 5000)
        #expect(try tree.file(keptBy: pack.hash).file == ItemHash(sha256Of: Array("a pack".utf8)))
        #expect(try tree.file(.message(pack.hash)).text != nil)
        // Of two files with one name the newer counts, however each is stored.
        let small = try network.client.store(
            AlephSource(Array("small".utf8)), by: TestAccount.solana
        ) { StoreDraft(file: $0, metadata: JSONObject([("name", "film.mkv")])) }
        let joined = try #require(try entries(tree, "me/files").first)
        #expect(joined.largeSize == nil && joined.message == small.hash)
        #expect(Set(joined.sources) == [manifest.hash, small.hash])
        #expect(joined.manifests == [manifest.hash])
    }

    @Test("a post that says it is a manifest and breaks a limit is a post like others")
    func badManifest() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: own)
        let post = try network.post(
            ["version": 1, "size": -5, "parts": []], type: LargeFileManifest.postType)
        #expect(try names(tree, "me/files").isEmpty)
        #expect(try names(tree, "me/posts") == ["\(post.hash).json"])
        #expect(throws: AlephError.notFound) { try tree.file(keptBy: post.hash) }
        #expect(try network.client.manifests(of: own).parts.isEmpty)
        // One of a later version keeps the parts that it names.
        let part = ItemHash(sha256Of: [1])
        let later = try network.post(
            ["version": 9, "parts": [.string(part.text), 5, "x"]], type: LargeFileManifest.postType)
        #expect(try network.client.manifests(of: own).parts == [later.hash: [part]])
    }

    @Test("the messages that keep parts are found, and files that are the same are left out")
    func keepers() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(own, tokens: 1000)
        var dice = SeededGenerator(seed: 8)
        let bytes = dice.bytes(4000)
        let signed = try network.client.storeLarge(
            AlephSource(bytes), name: nil, by: TestAccount.solana, partSize: 2000)
        _ = try network.client.store(
            AlephSource(Array(bytes.prefix(2000))), by: TestAccount.solana
        ) { StoreDraft(file: $0) }
        let manifests = try network.client.manifests(of: own)
        let parts = try #require(manifests.parts[signed.hash])
        #expect(manifests.parts.count == 1 && parts.count == 2 && manifests.uncheckedCount == 0)
        func keepers(_ parts: Set<ItemHash>, before time: Double) throws -> [ItemHash] {
            try network.client.messages(keeping: parts, of: own, before: time)
        }
        let now = network.client.clock.next()
        let found = try keepers(parts, before: now)
        #expect(found.count == 2 && Set(found).count == 2)
        let first = try #require(parts.first)
        #expect(try keepers([first], before: now).count == 1)
        #expect(try keepers([], before: now).isEmpty)
        // A part that somebody stored anew since is not taken from them.
        _ = try network.client.store(
            AlephSource(Array(bytes.prefix(2000))), by: TestAccount.solana
        ) { StoreDraft(file: $0, tags: [LargeFileManifest.partTag]) }
        #expect(Set(try keepers(parts, before: now)) == Set(found))
        #expect(try keepers(parts, before: network.client.clock.next()).count == 3)
    }
}
