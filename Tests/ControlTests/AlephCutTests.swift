// SPDX-License-Identifier: Apache-2.0
//
// Directories of `aleph/` that have more names than are listed.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Engine
import Foundation
import JSON
import Primitives
import TestSupport
import Testing

@testable import Control

extension Shown {
    fileprivate func store(_ name: String, _ text: String) throws -> VerifiedMessage {
        let signed = try tree.session.client.store(AlephSource(Array(text.utf8)), by: account) {
            StoreDraft(file: $0, metadata: JSONObject([("name", .string(name))]))
        }
        return try VerifiedMessage(signed.envelope)
    }

    @discardableResult
    fileprivate func publish(_ draft: MessageDraft) throws -> VerifiedMessage {
        let signed = try tree.session.client.publish(draft, by: account)
        return try VerifiedMessage(signed.envelope, content: signed.content)
    }

    fileprivate func text(_ path: String) throws -> String {
        let node = try resolve(path)
        _ = try tree.status(of: node, patience)
        let content = try tree.open(node, patience)
        var bytes = [UInt8](repeating: 0, count: 4096)
        var span = bytes.mutableSpan
        let count = try content.read(at: 0, into: &span, patience)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

@Suite("directories of aleph/ that are cut", .serialized)
struct AlephCutTests {
    // SEMANTICS: A directory lists at most 100 000 names, and `.cairn/errors` says where there are
    // more; these open by their names all the same, and what is there is never ENOENT. Where a name
    // cannot be looked up, it is EIO, and a line in `.cairn/errors`.
    @Test("a file beyond what is listed opens by its name, and what is not there is not")
    func files() throws {
        let shown = try Shown(nameLimit: 3)
        shown.node.fund(shown.account.address, tokens: 1000)
        // The oldest are those that have no room.
        _ = try shown.store("f0", "old")
        for index in 0..<7 { _ = try shown.store("f\(index)", "text \(index)") }
        let client = shown.tree.session.client
        _ = try client.storeLarge(
            AlephSource(Array(repeating: 65, count: 2500)), name: "large", by: shown.account,
            partSize: 1000)
        let address = shown.account.address
        for folder in ["me/files", "accounts/\(address)/files"] {
            let directory = try shown.resolve(folder)
            #expect(try shown.names(directory, shown.patience).count == 3)
            for index in 0..<7 { #expect(try shown.text("\(folder)/f\(index)") == "text \(index)") }
            #expect(try shown.text("\(folder)/large").utf8.count == 2500)
            #expect(throws: FileError.notFound) { try shown.resolve("\(folder)/f7") }
        }
        #expect(shown.told.withLock { $0.filter { $0.contains("3 names") }.count } == 1)
        // Once it was looked up nobody is asked.
        let directory = try shown.resolve("me/files")
        let node = try shown.tree.child(Array("f0".utf8), of: directory, nil)
        #expect(try shown.tree.status(of: node, nil).size == 6)
        #expect(try shown.tree.attributes(of: node)[AlephAttribute.hash] != nil)
        #expect(throws: FileError.notFound) {
            try shown.tree.child(Array("f8".utf8), of: directory, nil)
        }
    }

    @Test("a file beyond what is listed is replaced and removed with all of its messages")
    func changes() throws {
        let shown = try Shown(nameLimit: 1)
        shown.node.fund(shown.account.address, tokens: 1000)
        let address = shown.account.address
        for text in ["one", "two"] { _ = try shown.store("f", text) }
        _ = try shown.store("last", "last")
        #expect(try shown.names(try shown.resolve("me/files"), shown.patience) == ["last"])
        #expect(try shown.text("me/files/f") == "two")
        // Others change it, and make another.
        shown.tree.news(.owner(address), try shown.store("f", "three"))
        #expect(try shown.text("me/files/f") == "three")
        let other = try shown.store("g", "new")
        shown.tree.news(.owner(address), other)
        #expect(try shown.text("me/files/g") == "new")
        shown.tree.news(.owner(address), try shown.publish(.forget([other.itemHash])))
        #expect(throws: FileError.notFound) { try shown.resolve("me/files/g") }
        // It is removed here.
        let directory = try shown.resolve("me/files")
        try shown.tree.remove(Array("f".utf8), in: directory, shown.patience)
        #expect(shown.tree.mine.flushAll(until: nil) == nil)
        #expect(throws: FileError.notFound) { try shown.resolve("me/files/f") }
        #expect(shown.node.storeCount == 1)
        // And a new one can be made.
        _ = try shown.tree.create(Array("new".utf8), in: directory, mode: 0o600, shown.patience)
        #expect(try shown.tree.status(of: try shown.resolve("me/files/new"), nil).size == 0)
    }

    @Test("posts, aggregates and their histories open beyond what is listed")
    func texts() throws {
        let shown = try Shown(nameLimit: 2)
        var posts: [ItemHash] = []
        for index in 0..<5 {
            posts.append(
                try shown.publish(.post(type: "t", content: ["n": .number(.init(index))])).itemHash)
            try shown.publish(
                .aggregate(key: "k\(index)", content: JSONObject([("n", .number(.init(index)))])))
        }
        let address = shown.account.address
        for folder in ["me", "accounts/\(address)"] {
            #expect(
                try shown.names(try shown.resolve("\(folder)/posts"), shown.patience).count == 2)
            let aggregates = try shown.resolve("\(folder)/aggregates")
            #expect(try shown.names(aggregates, shown.patience).count == 2)
            for index in 0..<5 {
                #expect(try shown.text("\(folder)/posts/\(posts[index]).json").contains("\(index)"))
                let key = "\(folder)/aggregates/k\(index)"
                #expect(try shown.text(key + ".json").contains("\(index)"))
                let history = try shown.names(try shown.resolve(key + ".history"), shown.patience)
                #expect(history.count == 1)
                #expect(try shown.text("\(key).history/\(history[0])").contains("\(index)"))
            }
            for name in [
                "posts/\(ItemHash(sha256Of: [1])).json", "aggregates/k9.json",
                "aggregates/k9.history",
            ] {
                #expect(throws: FileError.notFound) { try shown.resolve("\(folder)/\(name)") }
            }
        }
    }

    @Test("an aggregate of more elements than there may be is an error, and not another value")
    func elements() throws {
        let shown = try Shown(nameLimit: 2)
        for index in 0..<3 {
            try shown.publish(
                .aggregate(key: "k", content: JSONObject([("n", .number(.init(index)))])))
        }
        #expect(throws: FileError.inputOutput) { try shown.text("me/aggregates/k.json") }
        #expect(shown.told.withLock { $0.last?.contains("more than 2 elements") } == true)
    }
}

struct AlephBeyondTests {
    private func hash(_ number: Int) -> ItemHash {
        ItemHash(sha256Of: Array("\(number)".utf8))
    }

    @Test("names beyond a directory have all their messages, each once", arguments: 1...20)
    func model(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var beyond = AlephBeyond()
        var model: [String: [ItemHash]] = [:]
        let cid = try #require(ItemHash("QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"))
        for _ in 0..<200 {
            let name = "n\(random.below(20))"
            let message = random.below(20) == 0 ? cid : hash(random.below(50))
            beyond.note(name, [message])
            if model[name]?.contains(message) != true { model[name, default: []].append(message) }
            #expect(beyond.count == model.values.reduce(0) { $0 + $1.count }, "seed \(seed)")
        }
        for index in 0..<25 {
            let expected = model["n\(index)"].map { AlephBeyond.Answer.messages($0) } ?? .absent
            #expect(beyond.answer("n\(index)") == expected, "seed \(seed)")
        }
    }

    // SEMANTICS: messages of files in one directory of `aleph/` besides those that are listed: 500
    // 000
    @Test("where there is no room for all of them nobody is told that one is not there")
    func limit() {
        var beyond = AlephBeyond()
        let message = hash(1)
        for index in 0..<AlephBeyond.limit { beyond.note("\(index)", [message]) }
        let (isCut, answer) = (beyond.isCut, beyond.answer("none"))
        #expect(!isCut && answer == .absent)
        let held = beyond.answer("7")
        #expect(held == .messages([message]))
        beyond.note("7", [message])
        let isCutByOld = beyond.isCut
        #expect(!isCutByOld)
        beyond.note("more", [message])
        let (isCutByNew, last, count) = (beyond.isCut, beyond.answer("none"), beyond.count)
        #expect(isCutByNew && last == .unknown && count == AlephBeyond.limit)
    }

    @Test("a name that nobody can look up is an error with a reason")
    func unknown() throws {
        let shown = try Shown(nameLimit: 1)
        shown.node.fund(shown.account.address, tokens: 1000)
        for name in ["a", "b"] { _ = try shown.store(name, name) }
        #expect(try shown.names(try shown.resolve("me/files"), shown.patience) == ["b"])
        let listing = shown.tree.listing(.part(shown.account.address, .files))
        for index in 0..<AlephBeyond.limit {
            var other = AlephEntry("\(index)", at: .messages, text: [])
            other.sources = [hash(1)]
            listing.noteBeyond(other)
        }
        #expect(throws: FileError.inputOutput) { try shown.resolve("me/files/z") }
        #expect(shown.told.withLock { $0.last?.contains("cannot be looked up") } == true)
        #expect(try shown.text("me/files/b") == "b")
    }
}
