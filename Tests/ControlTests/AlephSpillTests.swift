// SPDX-License-Identifier: Apache-2.0
//
// Texts of `aleph/` for which memory has no room.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Engine
import Foundation
import JSON
import LocalServer
import Primitives
import TestSupport
import Testing

@testable import Control

private func hash(_ number: Int) -> ItemHash { ItemHash(sha256Of: Array("\(number)".utf8)) }

private func text(_ number: Int, _ bytes: [UInt8]) -> AlephEntry {
    var entry = AlephEntry(
        message: hash(number), at: .message(hash(number)), time: Double(number) + 0.1, sender: "me")
    entry.text = bytes
    return entry
}

struct AlephSpillTests {
    @Test("a text that was kept is there as it was, or not at all", arguments: 1...20)
    func model(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let spill = try AlephSpill(folder: folder.path, cacheBudget: 0)
        // Nothing with a name, whatever becomes of this process.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        var model: [Int: AlephEntry] = [:]
        for _ in 0..<200 {
            let number = random.below(20)
            let path = AlephPath.message(hash(number))
            switch random.below(5) {
            case 0:
                spill.drop(path)
                model[number] = nil
            case 1, 2:
                var entry = text(number, random.bytes(random.below(2000)))
                if random.below(2) == 0 { entry.sources = (0..<random.below(5)).map(hash) }
                if random.below(4) == 0 { entry.message = nil }
                if random.below(4) == 0 { entry.sender = nil }
                #expect(spill.keep(entry, as: path), "seed \(seed)")
                // Who has another text drops the old one first.
                if model[number] == nil { model[number] = entry }
            default: break
            }
            for number in 0..<20 {
                #expect(spill.entry(.message(hash(number))) == model[number], "seed \(seed)")
            }
        }
    }

    // SEMANTICS: texts of `aleph/` on the disk, while it is mounted: a twentieth of the cache's
    // budget more, at least 64 MiB and at most 512
    @Test("what came longest ago goes first, by halves, and what is longer than one is not taken")
    func halves() throws {
        let folder = try TemporaryFolder()
        let spill = try AlephSpill(folder: folder.path, cacheBudget: 0)
        let size = 4 << 20
        let bytes = [UInt8](repeating: 7, count: size)
        // Seven of these fill a half, but for what is written beside them.
        for number in 0..<14 {
            #expect(spill.keep(text(number, bytes), as: .message(hash(number))))
        }
        #expect((0..<14).allSatisfy { spill.entry(.message(hash($0))) != nil })
        #expect(spill.keep(text(14, bytes), as: .message(hash(14))))
        #expect((0..<7).allSatisfy { spill.entry(.message(hash($0))) == nil })
        #expect((7...14).allSatisfy { spill.entry(.message(hash($0)))?.text == bytes })
        let long = [UInt8](repeating: 7, count: Int(AlephSpill.minimumBudget / 2))
        #expect(!spill.keep(text(99, long), as: .message(hash(99))))
        #expect(spill.entry(.message(hash(14))) != nil)
        // The longest that a message may have fits.
        #expect(AlephSpill.minimumBudget / 2 > UInt64(AlephAccount.maximumContentSize))
    }

    @Test("texts of an account go together, and no others")
    func accounts() throws {
        let folder = try TemporaryFolder()
        let spill = try AlephSpill(folder: folder.path, cacheBudget: 0)
        let paths: [AlephPath] = [
            .post("A", hash(1)), .aggregate("A", key: "k"), .element("A", key: "k", name: "1.json"),
            .post("B", hash(1)), .aggregate("B", key: "k"), .message(hash(1)),
        ]
        for (index, path) in paths.enumerated() {
            #expect(spill.keep(text(index, [1, 2]), as: path))
        }
        #expect(spill.hasAggregate(of: "A") && !spill.hasAggregate(of: "C"))
        spill.drop(of: "A")
        #expect(paths.map { spill.entry($0) != nil } == [false, false, false, true, true, true])
        #expect(!spill.hasAggregate(of: "A") && spill.hasAggregate(of: "B"))
    }

    @Test("of a text that has room nowhere it is known how long it is, and of when")
    func bare() throws {
        let known = AlephKnown()
        let small = text(1, [1, 2, 3])
        known.keep(small, as: small.path)
        let large = text(2, [UInt8](repeating: 1, count: AlephKnown.textLimit))
        known.keep(large, as: large.path)
        #expect(known.file(large.path) == nil && known.file(small.path) == small)
        #expect(known.bare(small.path) == nil)
        #expect(known.bare(large.path) == AlephFact(size: AlephKnown.textLimit, time: 2.1))
        known.forget(large.path)
        #expect(known.bare(large.path) == nil)
        let bytes = try #require(large.text)
        func keep(_ number: Int) {
            known.keep(text(number, bytes), as: .message(hash(number)))
        }
        let last = 2 + AlephKnown.bareLimit
        for number in 3...last { keep(number) }
        for number in [3, last] { #expect(known.bare(.message(hash(number))) != nil) }
        // One more, and all others are let go.
        keep(last + 1)
        #expect(known.bare(.message(hash(last + 1))) != nil)
        for number in [3, last] { #expect(known.bare(.message(hash(number))) == nil) }
        #expect(known.file(small.path) == small)
    }

    @Test("there are never more texts on the disk than may be, and the last half stays")
    func count() throws {
        let folder = try TemporaryFolder()
        let spill = try AlephSpill(folder: folder.path, cacheBudget: 0)
        let half = AlephSpill.countLimit / 2
        func path(_ number: Int) -> AlephPath { .element("A", key: "k", name: "\(number)") }
        // Three halves, the last of which goes where the first one was.
        for number in 0...(2 * half) {
            #expect(spill.keep(text(0, [1]), as: path(number)))
            #expect(number % 1000 != 0 || spill.count <= AlephSpill.countLimit)
        }
        #expect(spill.count == half + 1)
        #expect(spill.entry(path(half - 1)) == nil && spill.entry(path(half)) != nil)
        #expect(spill.entry(path(2 * half)) != nil)
    }

    @Test("a text on the disk that is newer stays")
    func newer() throws {
        let folder = try TemporaryFolder()
        let known = AlephKnown(spill: try AlephSpill(folder: folder.path, cacheBudget: 0))
        let path = AlephPath.message(hash(1))
        let newer = text(5, [UInt8](repeating: 5, count: AlephKnown.textLimit))
        known.keep(newer, as: path)
        for older in [[UInt8](repeating: 4, count: AlephKnown.textLimit), [4]] {
            // As a node tells it that has not heard of the newer one.
            #expect(known.keep(text(4, older), as: path, since: known.moment))
            #expect(known.known(path)?.text == newer.text && known.bare(path) == nil)
        }
        known.keep(text(6, [6]), as: path)
        #expect(known.file(path)?.text == [6])
    }

    @Test("a text that changed is not read from the disk as it was")
    func changed() throws {
        let folder = try TemporaryFolder()
        let known = AlephKnown(spill: try AlephSpill(folder: folder.path, cacheBudget: 0))
        var long = text(1, [UInt8](repeating: 1, count: AlephKnown.textLimit))
        known.keep(long, as: long.path)
        #expect(known.file(long.path) == long && known.known(long.path) == long)
        long.text = [UInt8](repeating: 2, count: AlephKnown.textLimit)
        known.keep(long, as: long.path)
        #expect(known.file(long.path) == long)
        known.forget(long.path)
        #expect(known.file(long.path) == nil && known.bare(long.path) == nil)
        known.keep(text(2, [5]), as: .post("A", hash(2)))
        known.keep(text(3, long.text ?? []), as: .post("A", hash(3)))
        known.forgetFiles(of: "A") { _ in true }
        #expect(known.file(.post("A", hash(2))) == nil && known.file(.post("A", hash(3))) == nil)
    }
}

@Suite("long texts of aleph/", .serialized)
struct AlephLongTextTests {
    // SEMANTICS: Of what a directory lists, names, times and sizes stay in memory, and texts there
    // or on this disk: who looks at it again asks nobody. A text that has room in neither is asked
    // for when somebody opens it.
    @Test("an aggregate of any size is asked for once, and shown after that without a question")
    func aggregate() throws {
        let shown = try Shown()
        let client = shown.tree.session.client
        let value = String(repeating: "v", count: 150_000)
        for index in 0..<29 {
            let draft = MessageDraft.aggregate(
                key: "long", content: JSONObject([("k\(index)", .string(value))]))
            _ = try client.publish(draft, by: shown.account)
        }
        let directory = try shown.resolve("me/aggregates")
        #expect(try shown.names(directory, shown.patience).contains("long.json"))
        let node = try shown.resolve("me/aggregates/long.json")
        let size = try shown.tree.status(of: node, shown.patience).size
        #expect(size > AlephKnown.textLimit)
        // Without patience: nobody is asked.
        for _ in 0..<3 {
            let again = try shown.tree.child(Array("long.json".utf8), of: directory, nil)
            let status = try shown.tree.status(of: again, nil)
            #expect(status.size == size)
            var bytes = [UInt8](repeating: 0, count: 8 << 20)
            var span = bytes.mutableSpan
            let count = try shown.tree.open(again, nil).read(at: 0, into: &span, nil)
            #expect(UInt64(count) == size)
        }
        // And another change is seen.
        let last = try client.publish(
            .aggregate(key: "long", content: JSONObject([("k0", 5)])), by: shown.account)
        shown.tree.news(
            .owner(shown.account.address),
            try VerifiedMessage(last.envelope, content: last.content))
        let changed = try shown.resolve("me/aggregates/long.json")
        #expect(try shown.tree.status(of: changed, shown.patience).size < size)
    }
}
