// SPDX-License-Identifier: Apache-2.0
//
// What `aleph/` in a mount is made of: numbers of nodes, what is kept, records of what waits.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Engine
import Foundation
import JSON
import LocalServer
import Namespace
import Primitives
import TestSupport
import Testing
import Threading

@testable import Control

struct AlephNodesTests {
    @Test("numbers are given once, move with their names, and are stale when dropped")
    func numbers() throws {
        var nodes = AlephNodes()
        let me = nodes.number("me", in: AlephNodes.root, .me)
        let files = nodes.number("files", in: me, .mine(.files))
        let a = nodes.number("a", in: files, .own(.files))
        let again = nodes.number("a", in: files, .own(.files))
        #expect(again == a)
        #expect(nodes.names(to: a) == ["me", "files", "a"])
        let b = nodes.number("b", in: files, .own(.files))
        nodes.move("a", in: files, to: "b", in: files)
        #expect(nodes.number("b", in: files) == a && nodes[a]?.name == "b" && nodes[b] == nil)
        #expect(nodes.number("a", in: files) == nil)
        let (isGone, isGoneAgain) = (nodes.drop("b", in: files), nodes.drop("b", in: files))
        #expect(isGone && !isGoneAgain)
        #expect(nodes[a] == nil)
        let fresh = nodes.number("b", in: files, .own(.files))
        #expect(fresh > b)
        // What is something else now is another node.
        let history = nodes.number("x", in: files, .own(.files))
        let inbox = nodes.number("x", in: files, .inbox)
        #expect(inbox != history && nodes[history] == nil)
    }

    @Test("random names and moves keep both tables in step", arguments: 1...30)
    func invariant(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var nodes = AlephNodes()
        var model: [String: UInt64] = [:]
        var given: Set<UInt64> = [0]
        for _ in 0..<400 {
            let (name, other) = ("n\(random.below(12))", "n\(random.below(12))")
            switch random.below(4) {
            case 0, 1:
                let number = nodes.number(name, in: 0, .own(.files))
                if let known = model[name] {
                    #expect(number == known, "seed \(seed)")
                } else {
                    #expect(given.insert(number).inserted, "seed \(seed)")
                }
                model[name] = number
            case 2:
                if name == other { continue }
                nodes.move(name, in: 0, to: other, in: 0)
                model[other] = model.removeValue(forKey: name)
            default:
                nodes.drop(name, in: 0)
                model[name] = nil
            }
            for index in 0..<12 {
                #expect(nodes.number("n\(index)", in: 0) == model["n\(index)"], "seed \(seed)")
            }
            for (name, number) in model { #expect(nodes[number]?.name == name, "seed \(seed)") }
        }
    }

    @Test("beyond the limit the oldest numbers go stale, and come anew for their names")
    func limit() {
        var nodes = AlephNodes()
        let first = nodes.number("0", in: 0, .own(.files))
        for index in 1...AlephNodes.limit { _ = nodes.number("\(index)", in: 0, .own(.files)) }
        #expect(nodes[first] == nil && nodes.number("0", in: 0) == nil)
        #expect(nodes.number("\(AlephNodes.limit)", in: 0) != nil)
        let again = nodes.number("0", in: 0, .own(.files))
        #expect(again > first)
    }
}

struct AlephKnownTests {
    private func entry(_ seed: Int, size: Int) throws -> (AlephPath, AlephEntry) {
        let account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 3, count: 32)), chain: .solana)
        let text = String(repeating: "x", count: size)
        let signed = try account.sign(
            .post(type: "t", content: .string(text)), time: Double(seed), channel: nil)
        let message = try VerifiedMessage(signed.envelope, content: signed.content)
        let made = try #require(AlephEntry.entries(from: message).first)
        return (made.path, made)
    }

    // SEMANTICS: texts of `aleph/` in memory: 64 MiB
    @Test("texts are kept within their bytes; what was used least lately goes")
    func bytes() throws {
        let known = AlephKnown()
        let size = 1 << 20
        var paths: [AlephPath] = []
        for seed in 0..<80 {
            let (path, entry) = try entry(seed, size: size)
            known.keep(entry, as: path)
            paths.append(path)
            // The first is used all the time.
            #expect(known.file(paths[0]) != nil)
        }
        let kept = paths.filter { known.file($0) != nil }.count
        #expect(kept < 65 && kept > 30)
        #expect(known.file(paths[79]) != nil && known.file(paths[1]) == nil)
        known.forget(paths[0])
        #expect(known.file(paths[0]) == nil)
    }

    @Test("that something is not there is believed for a few seconds")
    func absence() {
        let known = AlephKnown()
        let path = AlephPath.message(ItemHash(sha256Of: [1]))
        #expect(!known.isAbsent(path, 100))
        known.noteAbsent(path, 100)
        #expect(known.isAbsent(path, 104) && !known.isAbsent(path, 106))
        for index in 0...AlephKnown.absenceLimit {
            known.noteAbsent(.message(ItemHash(sha256Of: Array("\(index)".utf8))), 100)
        }
        #expect(!known.isAbsent(path, 101))
    }

    @Test("messages are news once, and the oldest are forgotten")
    func heard() {
        var heard = AlephHeard()
        let hashes = (0...AlephHeard.limit).map { ItemHash(sha256Of: Array("\($0)".utf8)) }
        let first = hashes.map { heard.isNews($0) }
        #expect(first.allSatisfy { $0 })
        let (last, oldest) = (heard.isNews(hashes[AlephHeard.limit]), heard.isNews(hashes[0]))
        #expect(!last && oldest)
    }
}

struct AlephRecordTests {
    @Test("a record is read back as it was", arguments: 1...40)
    func coding(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var record = AlephRecord(
            number: seed, part: AlephPath.Part.allCases[random.below(3)],
            name: "näme \(random.below(1000))/\"\\")
        if random.below(2) == 0 { record.body = UInt64(random.below(1 << 30)) }
        if random.below(2) == 0 { record.size = UInt64(random.below(1 << 30)) }
        record.isGone = random.below(2) == 0
        record.isRetold = random.below(2) == 0
        record.mode = UInt32(random.below(0o1000))
        record.modified = Timestamp(
            seconds: Int64(random.below(1 << 40)), nanoseconds: UInt32(random.below(999_999_999)))
        if random.below(2) == 0 { record.tags = ["a", "b, c"] }
        if random.below(2) == 0 { record.base = JSONObject([("k", 1), ("é", .null)]) }
        if random.below(2) == 0 { record.target = ItemHash(sha256Of: [UInt8(random.below(256))]) }
        let account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 9, count: 32)), chain: .solana)
        if random.below(2) == 0 {
            record.envelope = try account.sign(
                .aggregate(key: "k", content: JSONObject([("a", 1)])), time: 5, channel: "C"
            ).envelope
        }
        let read = try #require(AlephRecord(number: seed, decoding: record.encoded))
        #expect(read.encoded == record.encoded && read.name == record.name, "seed \(seed)")
        #expect(read.modified == record.modified && read.envelope == record.envelope)
        // Whatever is damaged is no record, or another one; it never traps.
        var damaged = record.encoded
        damaged[random.below(damaged.count)] = UInt8(random.below(256))
        _ = AlephRecord(number: seed, decoding: damaged)
        #expect(AlephRecord(number: 1, decoding: Array(record.encoded.dropLast())) == nil)
    }

    @Test(
        "a name tells a file's type",
        arguments: [
            ("a.txt", "text/plain"), ("b.JPEG", "image/jpeg"), ("c.tar.gz", "application/gzip"),
            ("none", "application/octet-stream"), (".txt", "application/octet-stream"),
            ("x.", "application/octet-stream"), ("x.unknown", "application/octet-stream"),
        ])
    func types(name: String, type: String) {
        #expect(MimeType.of(name) == type)
    }
}

/// A tree on a double, without a mount.
private final class Shown {
    let node: NodeDouble
    let tree: AlephMount
    let root: String
    let account: AlephAccount
    let told = Lock<[String]>([])

    init() throws {
        node = try NodeDouble()
        root = NSTemporaryDirectory() + "cairn-aleph-" + UUID().uuidString
        account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 5, count: 32)), chain: .solana)
        tree = try AlephMount(
            try AlephSession(nodes: [node.url]), account, folder: root, cacheBudget: 1 << 30,
            plan: StorePlan(), interval: .milliseconds(200))
        let told = told
        tree.begin(
            ForeignHost(
                report: { line in told.withLock { $0.append(line) } }, nameChanged: { _, _ in },
                statusChanged: { _ in }))
    }

    deinit {
        tree.end()
        node.stop()
        // A temporary folder: what is left of it harms nobody.
        try? FileManager.default.removeItem(atPath: root)
    }

    var patience: Patience { Patience(for: .seconds(280)) }

    func resolve(_ path: String) throws(FileError) -> UInt64 {
        var node: UInt64 = 0
        for name in path.split(separator: "/") {
            node = try tree.child(Array(name.utf8), of: node, patience)
        }
        return node
    }

    func names(_ node: UInt64, _ patience: Patience?) throws(FileError) -> [String] {
        var names: [String] = []
        var start = 0
        while true {
            let page = try tree.children(of: node, from: start, limit: 256, patience)
            guard let last = page.last else { return names }
            names += page.map { String(decoding: $0.name, as: UTF8.self) }
            start = last.next
        }
    }
}

@Suite("aleph/ without a mount", .serialized)
struct AlephMountListTests {
    @Test("ten thousand messages are listed by pages, and then without a question")
    func tenThousand() throws {
        let shown = try Shown()
        // Made beforehand: the double itself sorts all that it has for each page.
        var listed: [[UInt8]] = []
        for index in 0..<10_000 {
            let signed = try shown.account.sign(
                .post(type: "t", content: ["n": .number(JSONNumber(index)), "tags": ["many"]]),
                time: Double(1_700_000_000 - index), channel: nil)
            listed.append(signed.envelope.json.bytes())
        }
        let all = listed
        shown.node.change { settings in
            settings.intercept = { request, _ in
                guard request.target.contains("tags=many"), !request.target.contains("startDate")
                else { return nil }
                let cursor = request.target.split(separator: "cursor=").dropFirst().last
                let start = cursor.flatMap { Int($0) } ?? 0
                let next = start + 200 < all.count ? "\"\(start + 200)\"" : "null"
                let page = all[start..<min(start + 200, all.count)].joined(separator: [0x2C])
                return NodeDouble.Reply(
                    body: Array("{\"messages\":[".utf8) + page
                        + Array("],\"next_cursor\":\(next)}".utf8))
            }
        }
        let directory = try shown.resolve("tags/many")
        #expect(throws: FileError.wouldBlock) {
            try shown.tree.children(of: directory, from: 0, limit: 10, nil)
        }
        // The first names are there long before the last page.
        let first = try shown.tree.children(of: directory, from: 0, limit: 10, shown.patience)
        #expect((1...10).contains(first.count))
        let names = try shown.names(directory, shown.patience)
        #expect(Set(names).count == 10_000 && names.count == 10_000)
        let pages = shown.node.questions.filter {
            $0.contains("tags=many") && !$0.contains("startDate")
        }
        #expect((50...52).contains(pages.count))
        #expect(pages.allSatisfy { $0.contains("cursor=") && $0.contains("pagination=200") })
        // Without patience now: nobody is asked, for names nor for what the newest hold.
        #expect(try shown.names(directory, nil) == names)
        let newest = try shown.tree.child(Array(names[0].utf8), of: directory, nil)
        #expect(try shown.tree.status(of: newest, nil).size > 100)
        _ = try shown.tree.open(newest, nil)
    }

    // SEMANTICS: names listed of one directory of `aleph/`: 100 000
    @Test("a listing has at most so many names, and says that it is cut")
    func limit() throws {
        let listing = AlephListing()
        let account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 5, count: 32)), chain: .solana)
        let signed = try account.sign(.post(type: "t", content: 1), time: 5, channel: nil)
        let message = try VerifiedMessage(signed.envelope)
        func entry(_ name: String) -> AlephEntry { AlephEntry(letter: message, name: name) }
        for index in 0..<AlephListing.limit { #expect(listing.put(entry("\(index)"))) }
        #expect(!listing.put(entry("more")))
        #expect(listing.put(entry("7")))
        listing.remove("0")
        let trouble = AlephTrouble()
        listing.finish(nil)
        let page = try listing.page(from: 0, limit: 2, nil, trouble)
        // A name that went moves no other.
        #expect(page.map { $0.entry.name } == ["1", "2"] && page.map { $0.next } == [2, 3])
        #expect(try listing.entry("0", nil, trouble) == nil)
        #expect(try listing.page(from: AlephListing.limit, limit: 9, nil, trouble).isEmpty)
    }

    // SEMANTICS: names in `aleph/me/` that wait, or are local: 50 000
    @Test("so many names of me/ wait or are local; one more finds no room, and says why")
    func names() throws {
        let shown = try Shown()
        let mine = shown.tree.mine
        #expect(AlephMine.limit == 50_000)
        // In memory only: on the disk so many take minutes.
        mine.state.withLock { state in
            for index in 1..<AlephMine.limit {
                let own = AlephOwn(
                    record: AlephRecord(
                        number: .max - UInt64(index), part: .posts, name: ".\(index)"))
                state.owns[own.record.number] = own
                state.names[own.name] = own.record.number
            }
        }
        let posts = try shown.resolve("me/posts")
        func create(_ name: String) throws {
            _ = try shown.tree.create(Array(name.utf8), in: posts, mode: 0o600, shown.patience)
        }
        try create(".last")
        #expect(throws: FileError.noSpace) { try create(".more") }
        #expect(shown.told.withLock { $0.last?.contains("50000 files wait") } == true)
        #expect(throws: FileError.notFound) { try shown.resolve("me/posts/.more") }
        // What has a name already is written on, and a name that goes makes room.
        let last = try shown.tree.openForWriting(
            try shown.resolve("me/posts/.last"), truncates: true, shown.patience)
        try last.write(at: 0, [1, 2, 3].span)
        last.close()
        try shown.tree.remove(Array(".last".utf8), in: posts, shown.patience)
        try create(".more")
    }

    // SEMANTICS: stored files of `aleph/` on the disk: a twentieth of the cache's budget more, at
    // most 2 GiB; as much for parts of large files
    @Test("stored files on the disk are checked before they are used again, and have a budget")
    func storedFiles() throws {
        let shown = try Shown()
        let folder = shown.root + "/store"
        let client = shown.tree.session.client
        func hash(_ byte: UInt8) -> ItemHash {
            ItemHash(sha256Of: [UInt8](repeating: byte, count: 1000))
        }
        for byte: UInt8 in 1...5 {
            shown.node.plant([UInt8](repeating: byte, count: 1000), as: hash(byte).text)
        }
        var store = try AlephFileStore(folder: folder, cacheBudget: 60_000)
        for byte: UInt8 in 1...5 { _ = try store.fetch(hash(byte), by: client) }
        #expect(store.size(hash(1)) == nil && store.size(hash(2)) == nil)
        #expect(store.checked(hash(5)) != nil)
        try Data(repeating: 9, count: 1000).write(to: URL(fileURLWithPath: folder + "/\(hash(5))"))
        try Data().write(to: URL(fileURLWithPath: folder + "/\(hash(4)).part"))
        store = try AlephFileStore(folder: folder, cacheBudget: 60_000)
        #expect(store.checked(hash(5)) == nil)
        let before = shown.node.questions.count
        let file = try store.fetch(hash(5), by: client)
        #expect(AlephClient.isFile(file.source, named: hash(5)))
        #expect(shown.node.questions.count > before)
        let between = shown.node.questions.count
        _ = try store.fetch(hash(4), by: client)
        #expect(shown.node.questions.count == between)
        #expect(!FileManager.default.fileExists(atPath: folder + "/\(hash(4)).part"))
        #expect(throws: AlephError.notFound) { _ = try store.fetch(hash(9), by: client) }
    }
}
