// SPDX-License-Identifier: Apache-2.0
//
// Lists of hostile size: contents of many megabytes a page, replacements without their posts,
// metadata without end.

import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Synchronization
import TestSupport
import Testing

@testable import Aleph

struct BoundedListTests {
    private let account = TestAccount.solana

    @Test("a page ends early where its contents are large, and the list is whole all the same")
    func pages() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let size = 6 << 20
        for index in 0..<5 {
            _ = try network.post(
                [
                    "n": .number(JSONNumber(index)),
                    "text": .string(String(repeating: "x", count: size)),
                ], type: index == 2 ? "other" : "note")
        }
        _ = try network.post(["n": 5])
        var filter = MessageFilter()
        filter.isOldestFirst = true
        var pages = MessagePages(network.client, filter)
        var found: [Int] = []
        while let page = try pages.next() {
            found += page.messages.compactMap { $0.content["content"]?["n"]?.int }
            let bytes = page.messages.reduce(0) { $0 + $1.contentSize }
            #expect(bytes < MessagePages.byteLimit + size + 1000)
        }
        #expect(found == [0, 1, 2, 3, 4, 5])
        let lists = network.nodes[0].questions.filter { $0.contains("messages.json") }
        #expect(lists.count <= 2, "\(lists)")
    }

    // A plain model: of a post and all that replaces it the greatest time counts, whatever the
    // order in which they are listed.
    @Test("the newest replacement counts in whatever order they come", arguments: 1...40)
    func replacements(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var messages: [VerifiedMessage] = []
        var model: [ItemHash: (time: Double, text: [UInt8])] = [:]
        for post in 0..<4 {
            let original = try message(
                .post(type: "note", content: .number(JSONNumber(post))),
                Double(random.below(50)))
            messages.append(original)
            model[original.itemHash] = (original.time, AlephTree.postText(original))
            for number in 0..<random.below(4) {
                let amend = try message(
                    .amend(
                        original: original.itemHash,
                        content: .string("\(post) \(number) \(random.below(1000))")),
                    Double(50 + random.below(50)) + Double(number) / 100)
                messages.append(amend)
                if amend.time > model[original.itemHash]?.time ?? 0 {
                    model[original.itemHash] = (amend.time, AlephTree.postText(amend))
                }
            }
        }
        messages.shuffle(using: &random)
        var replacements = PostReplacements()
        var shown: [ItemHash: (time: Double, text: [UInt8]?)] = [:]
        for message in messages {
            if message.content["type"] == "amend" {
                guard let (post, time) = replacements.note(message) else { continue }
                #expect(time < message.time, "seed \(seed)")
                shown[post] = (message.time, AlephTree.postText(message))
            } else {
                let entry = try #require(AlephEntry.entries(from: message).first)
                let newest = replacements.newest(of: entry, message.itemHash)
                shown[message.itemHash] = (newest.time, newest.text)
                #expect(newest.sources.first == message.itemHash, "seed \(seed)")
            }
        }
        #expect(shown.count == model.count, "seed \(seed)")
        for (hash, expected) in model {
            #expect(shown[hash]?.time == expected.time, "seed \(seed)")
            #expect(shown[hash]?.text == expected.text, "seed \(seed)")
        }
    }

    @Test("replacements whose posts do not come are held within a limit, without their texts")
    func waiting() throws {
        var replacements = PostReplacements()
        let size = AlephTree.replacementByteLimit / 4
        var posts: [AlephEntry] = []
        for number in 0..<6 {
            let original = try message(
                .post(type: "note", content: .number(JSONNumber(number))), 1)
            posts.append(try #require(AlephEntry.entries(from: original).first))
            let text = JSONValue.string(String(repeating: "x", count: size - 100))
            let amend = try message(.amend(original: original.itemHash, content: text), 2)
            #expect(replacements.note(amend) == nil)
        }
        let newest = posts.map { post in
            replacements.newest(of: post, post.sources[0])
        }
        #expect(newest.allSatisfy { $0.time == 2 && $0.sources.count == 2 })
        // Of what was not held nothing is shown that is not so.
        #expect(newest.filter { $0.text != nil }.count == 4)
    }

    @Test("an aggregate whose elements are more than memory is for is refused, and others are not")
    func elements() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let tree = AlephTree(network.client, own: nil)
        let count = AlephTree.elementByteLimit / (13 << 20) + 1
        for index in 0..<count {
            _ = try network.set(
                "large",
                JSONObject([("k\(index)", .string(String(repeating: "x", count: 13 << 20)))]))
        }
        _ = try network.set("small", JSONObject([("a", 1)]))
        let refused = AlephError.tooLarge(limit: AlephTree.elementByteLimit)
        #expect(failure { _ = try tree.file(.aggregate(account.address, key: "large")) } == refused)
        #expect(
            failure {
                _ = try network.client.aggregate(owner: account.address, key: "large")
            } == refused)
        let small = try tree.file(.aggregate(account.address, key: "small"))
        #expect(small.text == AlephTree.text(["a": 1]))
    }

    private func message(_ draft: MessageDraft, _ time: Double) throws -> VerifiedMessage {
        let signed = try account.sign(draft, time: time, channel: nil)
        return try VerifiedMessage(signed.envelope, content: signed.content)
    }
}

@Suite("Parts that others take back")
struct PartRaceTests {
    @Test("a part that goes while a file relies on it is stored again before that file is done")
    func relied() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let account = TestAccount.solana
        network.nodes[0].fund(account.address, credits: 1e12)
        var random = SeededGenerator(seed: 91)
        let bytes = random.bytes(2500)
        let client = network.client
        let plan = StorePlan(payment: .credit)
        let first = try client.storeLarge(
            AlephSource(bytes), name: "a", plan: plan, by: account, partSize: 1000)
        let parts = try client.largeFile(try client.processedMessage(first.hash)).manifest.parts
        var taken: [ItemHash] = []
        let second = try client.storeLarge(
            AlephSource(bytes), name: "b", tags: ["film"], plan: plan, by: account, partSize: 1000
        ) { done in
            guard done == bytes.count else { return }
            // Another program removes the first file: it cannot know of the second yet.
            do {
                taken = try client.messages(
                    keeping: Set(parts), of: account.address, before: client.clock.next())
                _ = try client.publish(.forget(taken + [first.hash]), by: account)
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(taken.count == 3)
        let kept = try client.messages(
            keeping: Set(parts), of: account.address, before: .infinity)
        #expect(kept.count == 3 && Set(kept).isDisjoint(with: taken))
        for hash in kept { _ = try client.processedMessage(hash) }
        let message = try client.processedMessage(second.hash)
        #expect(AlephTree.tags(of: message).contains("film"))
        #expect(try client.largeFile(message).read(at: 0, count: .max) == bytes)
        // What nobody takes is not stored again.
        _ = try client.storeLarge(
            AlephSource(bytes), name: "c", plan: plan, by: account, partSize: 1000)
        let same = try client.messages(
            keeping: Set(parts), of: account.address, before: .infinity)
        #expect(Set(same) == Set(kept))
    }

    @Test("a part that was stored here, and is taken back meanwhile, is stored again")
    func stored() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let (node, client, account) = (network.nodes[0], network.client, TestAccount.solana)
        node.fund(account.address, credits: 1e12)
        var random = SeededGenerator(seed: 92)
        let bytes = random.bytes(5000)
        /// The messages that keep the file's parts now.
        func keepers() throws -> [VerifiedMessage] {
            var filter = MessageFilter()
            filter.tags = [LargeFileManifest.partTag]
            var pages = MessagePages(client, filter)
            return try pages.next()?.messages ?? []
        }
        func store(progress: (Int) -> Void = { _ in }) throws -> VerifiedMessage {
            let signed = try client.storeLarge(
                AlephSource(bytes), name: "f", plan: StorePlan(payment: .credit), by: account,
                partSize: 1000, progress: progress)
            let message = try client.processedMessage(signed.hash)
            #expect(try client.largeFile(message).read(at: 0, count: .max) == bytes)
            return message
        }
        // Somebody who relied on the first two takes them back while the others are stored.
        var taken: [ItemHash] = []
        let first = try store { done in
            guard done == 2000 else { return }
            do {
                taken = try keepers().map { $0.itemHash }
                _ = try client.publish(.forget(taken), by: account)
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(taken.count == 2)
        let before = try keepers()
        #expect(before.count == 5 && Set(before.map { $0.itemHash }).isDisjoint(with: taken))
        #expect(before.allSatisfy { $0.time < first.time }, "a manifest named what was gone")
        // And while the manifest is on its way. None is listed then: a part may be what is gone.
        node.ledger.withLock { $0.change(.store, from: .processed, to: .forgotten) }
        node.change { settings in
            settings.intercept = { [weak node] request, _ in
                let body = String(decoding: request.body, as: UTF8.self)
                guard request.target == "/api/v0/messages", body.contains("part_size") else {
                    return nil
                }
                node?.ledger.withLock { $0.change(.store, from: .processed, to: .forgotten) }
                return nil
            }
        }
        let second = try store()
        let after = try keepers()
        #expect(after.count == 5 && after.allSatisfy { $0.time > second.time })
    }

    @Test("whether parts are there still is asked for many at once")
    func together() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let (node, account) = (network.nodes[0], TestAccount.solana)
        node.fund(account.address, credits: 1e12)
        var random = SeededGenerator(seed: 93)
        let file = AlephSource(random.bytes(1200))
        _ = try network.client.storeLarge(
            file, name: nil, plan: StorePlan(payment: .credit), by: account, partSize: 10)
        #expect(node.storeCount == 120)
        // Before the manifest, and after it; one by one each message was asked for once at most.
        let lists = node.questions.filter { $0.contains("messages.json") && $0.contains("hashes=") }
        #expect(lists.filter { !$0.contains("contentHashes=") }.count == 6)
        #expect(node.questions.count { $0.hasSuffix("/status") } <= 121)
    }

    @Test("a large file has the tags it is given, and too many are refused before a part is paid")
    func tags() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(TestAccount.solana.address, credits: 1e12)
        let bytes = AlephSource([UInt8](repeating: 1, count: 2500))
        func store(_ tags: [String]) throws -> VerifiedMessage {
            let signed = try network.client.storeLarge(
                bytes, name: "f", tags: tags, plan: StorePlan(payment: .credit),
                by: TestAccount.solana, partSize: 1000)
            return try network.client.processedMessage(signed.hash)
        }
        let sixteen = (0..<16).map { "t\($0)" }
        guard case .invalid? = failure({ _ = try store(sixteen) }) else {
            Issue.record("nodes take 16 tags, one of which marks a manifest")
            return
        }
        #expect(network.nodes[0].storeCount == 0)
        let message = try store(Array(sixteen.dropLast()))
        #expect(
            AlephTree.tags(of: message) == [LargeFileManifest.tag] + Array(sixteen.dropLast()))
        var filter = MessageFilter()
        filter.tags = ["t3"]
        var pages = MessagePages(network.client, filter)
        #expect(try pages.next()?.messages.map { $0.itemHash } == [message.itemHash])
    }
}
