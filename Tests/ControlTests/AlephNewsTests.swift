// SPDX-License-Identifier: Apache-2.0
//
// `aleph/` without a mount: what is heard of while something else is read.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Engine
import Foundation
import JSON
import Namespace
import Primitives
import TestSupport
import Testing

@testable import Control

extension Shown {
    fileprivate var client: AlephClient { tree.session.client }

    fileprivate func publish(_ draft: MessageDraft) throws -> VerifiedMessage {
        let signed = try client.publish(draft, by: account)
        return try VerifiedMessage(signed.envelope, content: signed.content)
    }

    fileprivate func hear(_ message: VerifiedMessage) {
        tree.news(.owner(account.address), message)
    }

    fileprivate func text(_ path: String) throws -> String {
        let node = try resolve(path)
        let content = try tree.open(node, patience)
        var bytes = [UInt8](repeating: 0, count: 4096)
        var span = bytes.mutableSpan
        let count = try content.read(at: 0, into: &span, patience)
        #expect(try tree.status(of: node, patience).size == UInt64(count))
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    fileprivate func time(_ path: String) throws -> Double {
        let status = try tree.status(of: try resolve(path), patience)
        let modified = try #require(status.modified)
        return Double(modified.seconds) + Double(modified.nanoseconds) / 1e9
    }
}

/// Whether a question is for the list of posts, and not for news.
private func listsPosts(_ target: String) -> Bool {
    target.contains("msgTypes=POST") && !target.contains("startDate")
        && !target.contains("refs=")
}

@Suite("news of aleph/ while it is read", .serialized)
struct AlephNewsTests {
    @Test("a post that is replaced while posts are listed shows what replaced it, and its time")
    func amendWhileListing() throws {
        let shown = try Shown()
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let hash = post.itemHash
        let gate = shown.hold(listsPosts)
        let address = shown.account.address
        let listing = shown.tree.listing(.part(address, .posts))
        gate.waitUntilHeld()
        let amend = try shown.publish(.amend(original: hash, content: ["n": 22]))
        shown.hear(amend)
        gate.open()
        #expect(try shown.names(try shown.resolve("me/posts"), shown.patience) == ["\(hash).json"])
        #expect(listing.known("\(hash).json")?.time == amend.time)
        for folder in ["me", "accounts/\(address)"] {
            #expect(try shown.text("\(folder)/posts/\(hash).json").contains("22"))
            #expect(abs(try shown.time("\(folder)/posts/\(hash).json") - amend.time) < 1e-5)
        }
    }

    @Test("a replacement changes a listed post's time, and one that is taken back changes it again")
    func times() throws {
        let shown = try Shown()
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let path = "me/posts/\(post.itemHash).json"
        _ = try shown.names(try shown.resolve("me/posts"), shown.patience)
        #expect(abs(try shown.time(path) - post.time) < 1e-5)
        let first = try shown.publish(.amend(original: post.itemHash, content: ["n": 22]))
        let second = try shown.publish(.amend(original: post.itemHash, content: ["n": 333]))
        shown.hear(second)
        #expect(abs(try shown.time(path) - second.time) < 1e-5)
        // One that comes late is older than what is shown.
        shown.hear(first)
        #expect(abs(try shown.time(path) - second.time) < 1e-5)
        #expect(try shown.text(path).contains("333"))
        shown.hear(try shown.publish(.forget([second.itemHash])))
        #expect(try shown.text(path).contains("22"))
        #expect(abs(try shown.time(path) - first.time) < 1e-5)
        // And nobody is asked for what is known again.
        let node = try shown.tree.child(
            Array("\(post.itemHash).json".utf8), of: try shown.resolve("me/posts"), nil)
        #expect(try shown.tree.status(of: node, nil).size > 0)
    }

    @Test("a post that comes after what replaced it shows that")
    func late() throws {
        let shown = try Shown()
        #expect(try shown.names(try shown.resolve("me/posts"), shown.patience).isEmpty)
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let amend = try shown.publish(.amend(original: post.itemHash, content: ["n": 22]))
        shown.hear(amend)
        shown.hear(post)
        #expect(try shown.text("me/posts/\(post.itemHash).json").contains("22"))
    }

    @Test("what is taken back while it is listed is not listed", arguments: ["posts", "files"])
    func forgottenWhileListing(part: String) throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        let message: VerifiedMessage
        if part == "posts" {
            message = try shown.publish(.post(type: "t", content: ["n": 1]))
        } else {
            let signed = try shown.client.store(AlephSource([1, 2, 3]), by: shown.account) {
                StoreDraft(file: $0, metadata: JSONObject([("name", "f")]))
            }
            message = try VerifiedMessage(signed.envelope)
        }
        let type = part == "posts" ? "POST" : "STORE"
        let gate = shown.hold {
            $0.contains("msgTypes=\(type)") && !$0.contains("startDate")
        }
        let path = try #require(AlephPath(["me", part], own: shown.account.address))
        _ = shown.tree.listing(path)
        gate.waitUntilHeld()
        shown.hear(try shown.publish(.forget([message.itemHash])))
        gate.open()
        #expect(try shown.names(try shown.resolve("me/\(part)"), shown.patience).isEmpty)
    }

    @Test("an aggregate that is saved while aggregates are listed has the time of that")
    func aggregateWhileListing() throws {
        let shown = try Shown()
        _ = try shown.publish(.aggregate(key: "k", content: JSONObject([("a", 1)])))
        let gate = shown.hold {
            $0.contains("msgTypes=AGGREGATE") && $0.contains("sortOrder=-1")
        }
        let listing = shown.tree.listing(.part(shown.account.address, .aggregates))
        gate.waitUntilHeld()
        let second = try shown.publish(.aggregate(key: "k", content: JSONObject([("b", 2)])))
        shown.hear(second)
        gate.open()
        _ = try shown.names(try shown.resolve("me/aggregates"), shown.patience)
        #expect(listing.known("k.json")?.time == second.time)
    }

    @Test("what was asked for before it changed is asked for once more")
    func changedWhileAsked() throws {
        let shown = try Shown()
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let path = "me/posts/\(post.itemHash).json"
        _ = try shown.names(try shown.resolve("me/posts"), shown.patience)
        shown.tree.known.forget(.post(shown.account.address, post.itemHash))
        let gate = shown.hold { $0.contains("refs=") }
        let found = Lock<String?>(nil)
        let reader = Thread {
            let path = AlephPath.post(shown.account.address, post.itemHash)
            // Nothing is as wrong as the text from before.
            let entry = try? shown.tree.file(path, shown.patience)
            found.withLock { $0 = String(decoding: entry?.text ?? [], as: UTF8.self) }
        }
        reader.start()
        gate.waitUntilHeld()
        let amend = try shown.publish(.amend(original: post.itemHash, content: ["n": 22]))
        shown.hear(amend)
        gate.open()
        for _ in 0..<3000 where found.withLock({ $0 }) == nil { usleep(10_000) }
        #expect(found.withLock { $0 }?.contains("22") == true)
        #expect(try shown.text(path).contains("22"))
    }
}

struct AlephWatchTests {
    @Test("of what is watched, what is used stays")
    func use() throws {
        let node = try NodeDouble()
        defer { node.stop() }
        let session = try AlephSession(nodes: [node.url])
        defer { session.stop() }
        let watch = AlephWatch(session.client, interval: .seconds(60))
        defer { watch.stop() }
        let lost = Lock<[AlephInterest]>([])
        watch.begin(
            AlephWatch.Ears(news: { _, _ in }, lost: { gone in lost.withLock { $0.append(gone) } }))
        for number in 0..<AlephWatch.limit { watch.watch(.owner("\(number)")) }
        watch.noteUse(of: .owner("0"))
        watch.watch(.owner("more"))
        #expect(lost.withLock { $0 } == [.owner("1")])
        watch.noteUse(of: .owner("1"))
        watch.watch(.owner("again"))
        #expect(lost.withLock { $0 } == [.owner("1"), .owner("2")])
    }
}

@Suite("looking for news of aleph/", .serialized)
struct AlephIdleTests {
    // SEMANTICS: What is kept in memory, and stored files on this disk, are shown without a
    // question to a node. Nodes are asked every 5 seconds for what is new about it, every minute
    // when the tree was not used for two, and at once when it is used again.
    @Test("who comes back to the tree after a while hears at once what came meanwhile")
    func back() throws {
        let node = try NodeDouble()
        defer { node.stop() }
        let session = try AlephSession(nodes: [node.url])
        defer { session.stop() }
        let watch = AlephWatch(
            session.client, interval: .milliseconds(50), idleAfter: .milliseconds(200))
        defer { watch.stop() }
        watch.begin(AlephWatch.Ears(news: { _, _ in }, lost: { _ in }))
        watch.watch(.owner("A"))
        func questions() -> Int {
            node.questions.filter { $0.contains("messages.json") }.count
        }
        // The thread that asks may be late where many others run.
        for _ in 0..<3000 where questions() == 0 { usleep(10_000) }
        // Nobody uses it: the next question is a minute away.
        var (last, still) = (-1, 0)
        for _ in 0..<1000 where still < 20 {
            usleep(100_000)
            let count = questions()
            still = count == last ? still + 1 : 0
            last = count
        }
        #expect(last > 0 && still == 20)
        watch.noteUse()
        for _ in 0..<100 where questions() == last { usleep(100_000) }
        #expect(questions() > last)
    }
}

struct AlephMeanwhileTests {
    private func hash(_ number: Int) -> ItemHash {
        ItemHash(sha256Of: Array("\(number)".utf8))
    }

    @Test("what is remembered while a list is read has an end, and says when it is reached")
    func limit() {
        var meanwhile = AlephMeanwhile()
        for number in 0..<AlephMeanwhile.limit {
            meanwhile.noteReplaced(hash(number), by: hash(-number), 5)
        }
        #expect(meanwhile.isLost == false)
        meanwhile.noteReplaced(hash(-1), by: hash(-2), 5)
        #expect(meanwhile.isLost == true)
        #expect(meanwhile.end() && !meanwhile.end())
        meanwhile.noteGone(Set((0..<AlephMeanwhile.limit).map(hash)), isReading: true)
        #expect(meanwhile.isLost == false)
        meanwhile.noteGone([hash(-1)], isReading: false)
        #expect(meanwhile.isLost == false)
        meanwhile.noteGone([hash(-1)], isReading: true)
        #expect(meanwhile.isLost == true)
    }

    @Test("a file that was let go of is not kept as it was asked for before", arguments: 1...20)
    func moments(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let known = AlephKnown()
        let hashes = (0..<5).map(hash)
        var asked: [(moment: UInt64, step: Int)] = hashes.map { _ in (known.moment, 0) }
        var changed = hashes.map { _ in 0 }
        for step in 1...300 {
            let index = random.below(hashes.count)
            let path = AlephPath.message(hashes[index])
            switch random.below(4) {
            case 0: asked[index] = (known.moment, step)
            case 1:
                known.forget(path)
                changed[index] = step
            case 2 where random.below(10) == 0:
                known.forgetFiles(of: nil) { _ in false }
                changed = changed.map { _ in step }
            default:
                let entry = AlephEntry(
                    message: hashes[index], at: path, time: 1, sender: nil)
                let isKept = known.keep(entry, as: path, since: asked[index].moment)
                #expect(isKept == (asked[index].step >= changed[index]), "seed \(seed)")
            }
        }
        for number in 0...AlephKnown.forgottenLimit { known.forget(.message(hash(number))) }
        let entry = AlephEntry(
            message: hash(-1), at: .message(hash(-1)), time: 1, sender: nil)
        // Of what is not remembered any more nobody knows; it is asked for once more.
        #expect(!known.keep(entry, as: entry.path, since: asked[0].moment))
        #expect(known.keep(entry, as: entry.path, since: known.moment))
    }
}
