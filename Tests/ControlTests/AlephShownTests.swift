// SPDX-License-Identifier: Apache-2.0
//
// `aleph/` on a double of a node, without a mount: lists, limits, files on the local disk.

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

@Suite("aleph/ without a mount", .serialized)
struct AlephMountListTests {
    // SEMANTICS: Of what a directory lists, names, times and sizes stay in memory, and texts there
    // or on this disk: who looks at it again asks nobody. A text that has room in neither is asked
    // for when somebody opens it.
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
        for name in names {
            let node = try shown.tree.child(Array(name.utf8), of: directory, nil)
            #expect(try shown.tree.status(of: node, nil).size > 100)
        }
        let oldest = try shown.tree.child(Array(names[9_999].utf8), of: directory, nil)
        _ = try shown.tree.open(oldest, nil)
        // Other texts take the room of these: what a directory shows of them stays, and who opens
        // one reads it from the disk.
        let before = try read(try shown.tree.open(oldest, nil))
        for number: UInt8 in 0..<6 {
            let hash = ItemHash(sha256Of: [number])
            var other = AlephEntry(message: hash, at: .message(hash), time: 1, sender: nil)
            other.text = [UInt8](repeating: 0x78, count: AlephKnown.textLimit - 2000)
            shown.tree.known.keep(other, as: other.path)
        }
        #expect(try shown.tree.status(of: oldest, nil).size == UInt64(before.count))
        for name in names {
            let node = try shown.tree.child(Array(name.utf8), of: directory, nil)
            _ = try shown.tree.open(node, nil)
        }
        #expect(try read(try shown.tree.open(oldest, nil)) == before)
        #expect(String(decoding: before, as: UTF8.self).contains("\"n\": 9999"))
    }

    private func read(_ content: any ForeignContent) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var span = bytes.mutableSpan
        let count = try content.read(at: 0, into: &span, nil)
        return Array(bytes.prefix(count))
    }

    @Test("what came while a directory was read is not undone by the list, which is older")
    func newsWhileListing() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        let client = shown.tree.session.client
        func store(_ text: String) throws -> ItemHash? {
            let signed = try client.store(AlephSource(Array(text.utf8)), by: shown.account) {
                StoreDraft(file: $0, metadata: JSONObject([("name", "f")]))
            }
            return try VerifiedMessage(signed.envelope).content["item_hash"]?.string
                .flatMap { ItemHash($0) }
        }
        _ = try store("one")
        let hold = Lock((isHeld: false, isReleased: false))
        shown.node.change { settings in
            settings.intercept = { request, _ in
                guard request.target.contains("msgTypes=STORE"),
                    !request.target.contains("startDate")
                else { return nil }
                hold.withLock { $0.isHeld = true }
                for _ in 0..<3000 where !hold.withLock({ $0.isReleased }) { usleep(10_000) }
                return nil
            }
        }
        let listing = shown.tree.listing(.part(shown.account.address, .files))
        for _ in 0..<3000 where !hold.withLock({ $0.isHeld }) { usleep(10_000) }
        let second = try #require(try store("two"))
        for _ in 0..<3000 where listing.known("f")?.file != second { usleep(10_000) }
        #expect(listing.known("f")?.file == second)
        hold.withLock { $0.isReleased = true }
        #expect(try shown.names(try shown.resolve("me/files"), shown.patience) == ["f"])
        let shownLast = try #require(listing.known("f"))
        // And what it takes to remove the name is both messages.
        #expect(shownLast.file == second && shownLast.sources.count == 2)
    }

    @Test("files that take long to come do not keep others from being asked for")
    func longQuestions() throws {
        let jobs = AlephJobs(AlephTrouble())
        defer { jobs.stop() }
        let isReleased = Lock(false)
        for number: UInt8 in 0..<64 {
            jobs.begin(.download(ItemHash(sha256Of: [number]))) { () throws(AlephError) in
                for _ in 0..<3000 where !isReleased.withLock({ $0 }) { usleep(10_000) }
                return 0
            }
        }
        let answer = try jobs.ask(
            .size(ItemHash(sha256Of: [0])), Patience(for: .seconds(25))
        ) { () throws(AlephError) in 5 }
        #expect(answer == 5)
        isReleased.withLock { $0 = true }
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
        // More than there is to be is not what was asked for, and not too large for anybody.
        shown.node.plant([UInt8](repeating: 7, count: 5000), as: hash(7).text)
        do {
            _ = try store.fetch(hash(7), by: client, limit: 1000)
            Issue.record("it was taken")
        } catch {
            guard case .untrue = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/\(hash(7)).part"))
    }

    @Test("a file that cannot be copied to be changed leaves nothing behind, and says why")
    func halfCopy() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        let client = shown.tree.session.client
        _ = try client.storeLarge(
            AlephSource((0..<2500).map { UInt8($0 % 251) }), name: "film", by: shown.account,
            partSize: 1000)
        let second = ItemHash(sha256Of: (1000..<2000).map { UInt8($0 % 251) })
        shown.node.plant([UInt8](repeating: 9, count: 1000), as: second.text)
        let film = try shown.resolve("me/files/film")
        #expect(throws: FileError.inputOutput) {
            _ = try shown.tree.openForWriting(film, truncates: false, shown.patience)
        }
        let staging = shown.root + "/aleph/staging"
        #expect(try FileManager.default.contentsOfDirectory(atPath: staging).isEmpty)
        #expect(shown.told.withLock { $0.last?.contains("cannot be read") } == true)
        #expect(shown.told.withLock { lines in !lines.contains { $0.contains("local disk") } })
    }
}
