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

    @Test("what others replace or take back beyond what is listed has another number, and is told")
    func numbers() throws {
        // News are what this test tells of.
        let shown = try Shown(nameLimit: 1, interval: .seconds(600))
        shown.node.fund(shown.account.address, tokens: 1000)
        let address = shown.account.address
        let file = try shown.store("f", "one")
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let amended = try shown.publish(.post(type: "t", content: ["n": 2]))
        let amend = try shown.publish(.amend(original: amended.itemHash, content: ["n": 3]))
        for name in ["last", "other"] { _ = try shown.store(name, name) }
        for number in 0..<2 {
            try shown.publish(.post(type: "t", content: ["m": .number(.init(number))]))
        }
        for folder in ["me", "accounts/\(address)"] {
            for part in ["files", "posts"] {
                _ = try shown.names(try shown.resolve("\(folder)/\(part)"), shown.patience)
            }
        }
        func numbers(_ path: String) throws -> [UInt64] {
            try ["me", "accounts/\(address)"].map { try shown.resolve("\($0)/\(path)") }
        }
        func expectNew(
            _ path: String, told: Int, _ message: VerifiedMessage, _ old: [UInt64]
        ) throws {
            let before = shown.changes(path)
            shown.tree.news(.owner(address), message)
            #expect(shown.changes(path) >= before + told)
            for number in old {
                #expect(throws: FileError.stale) {
                    try shown.tree.status(of: number, shown.patience)
                }
            }
        }
        let first = try numbers("files/f")
        let second = try shown.store("f", "two")
        try expectNew("f", told: 2, second, first)
        #expect(try shown.text("me/files/f") == "two")
        let newer = try numbers("files/f")
        // Of other messages it is not told.
        let unheard = shown.changes("f")
        shown.tree.news(.owner(address), try shown.publish(.forget([amend.itemHash])))
        #expect(try numbers("files/f") == newer && shown.changes("f") == unheard)
        try expectNew("f", told: 2, try shown.publish(.forget([second.itemHash])), newer)
        #expect(try shown.text("me/files/f") == "one")
        try expectNew(
            "f", told: 2, try shown.publish(.forget([file.itemHash])), try numbers("files/f"))
        #expect(throws: FileError.notFound) { try shown.resolve("me/files/f") }
        let name = "\(post.itemHash).json"
        let posts = try numbers("posts/\(name)")
        try expectNew(name, told: 2, try shown.publish(.forget([post.itemHash])), posts)
        for folder in ["me", "accounts/\(address)"] {
            #expect(throws: FileError.notFound) { try shown.resolve("\(folder)/posts/\(name)") }
        }
    }

    @Test("a replacement that is taken back changes a post beyond what is listed")
    func amended() throws {
        let shown = try Shown(nameLimit: 1, interval: .seconds(600))
        let address = shown.account.address
        let post = try shown.publish(.post(type: "t", content: ["n": 1]))
        let amend = try shown.publish(.amend(original: post.itemHash, content: ["n": 22]))
        for number in 0..<2 {
            try shown.publish(.post(type: "t", content: ["m": .number(.init(number))]))
        }
        let path = "accounts/\(address)/posts/\(post.itemHash).json"
        _ = try shown.names(try shown.resolve("accounts/\(address)/posts"), shown.patience)
        #expect(try shown.text(path).contains("22"))
        let number = try shown.resolve(path)
        shown.tree.news(.owner(address), try shown.publish(.forget([amend.itemHash])))
        #expect(try shown.resolve(path) != number)
        #expect(try !shown.text(path).contains("22"))
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

    @Test("what is taken back while it is asked for is not kept", arguments: ["files", "posts"])
    func forgottenWhileAsked(part: String) throws {
        let shown = try Shown(nameLimit: 1, interval: .seconds(600))
        shown.node.fund(shown.account.address, tokens: 1000)
        let address = shown.account.address
        let name: String
        let gone: VerifiedMessage
        let path: AlephPath
        if part == "files" {
            name = "f"
            _ = try shown.store(name, "one")
            gone = try shown.store(name, "second")
            path = .storedFile(address, name: name)
            for name in ["last", "other"] { _ = try shown.store(name, name) }
        } else {
            let post = try shown.publish(.post(type: "t", content: ["n": "one"]))
            gone = try shown.publish(.amend(original: post.itemHash, content: ["n": "second"]))
            (name, path) = ("\(post.itemHash).json", .post(address, post.itemHash))
            for number in 0..<2 {
                try shown.publish(.post(type: "t", content: ["n": .number(.init(number))]))
            }
        }
        _ = try shown.names(try shown.resolve("me/\(part)"), shown.patience)
        let gate = shown.hold { $0.contains(part == "files" ? "hashes=" : "refs=") }
        let isDone = Lock(false)
        let reader = Thread {
            // It is looked at below what was kept.
            _ = try? shown.tree.file(path, shown.patience)
            isDone.withLock { $0 = true }
        }
        reader.start()
        gate.waitUntilHeld()
        let forget = try shown.publish(.forget([gone.itemHash]))
        shown.tree.news(.owner(address), forget)
        gate.open()
        for _ in 0..<3000 where !isDone.withLock({ $0 }) { usleep(10_000) }
        #expect(isDone.withLock { $0 })
        #expect(try shown.text("me/\(part)/\(name)").contains("one"))
    }

    @Test("what comes as news opens where its directory is full, and it is said once")
    func news() throws {
        let shown = try Shown(nameLimit: 2, interval: .seconds(600))
        let address = shown.account.address
        func aggregate(_ key: String) throws -> VerifiedMessage {
            try shown.publish(.aggregate(key: key, content: JSONObject([("k", .string(key))])))
        }
        _ = try aggregate("first")
        var posts: [VerifiedMessage] = []
        for number in 0..<2 {
            posts.append(
                try shown.publish(.post(type: "t", content: ["n": .number(.init(number))])))
        }
        for folder in ["aggregates", "posts"] {
            let names = try shown.names(try shown.resolve("me/\(folder)"), shown.patience)
            #expect(names.count == 2)
        }
        // Both are full, and nothing is missing.
        let cut = { shown.told.withLock { $0.filter { $0.contains("2 names") } } }
        #expect(cut().isEmpty)
        for key in ["second", "third"] {
            shown.tree.news(.owner(address), try aggregate(key))
            #expect(cut().count == 1 && cut()[0].contains("of aggregates"))
        }
        for number in 2..<4 {
            let post = try shown.publish(.post(type: "t", content: ["n": .number(.init(number))]))
            shown.tree.news(.owner(address), post)
            posts.append(post)
            #expect(cut().count == 2 && cut()[1].contains("of posts"))
        }
        for folder in ["me", "accounts/\(address)"] {
            for key in ["first", "second", "third"] {
                let path = "\(folder)/aggregates/\(key)"
                #expect(try shown.text(path + ".json").contains(key))
                let history = try shown.names(try shown.resolve(path + ".history"), shown.patience)
                #expect(history.count == 1)
            }
            for post in posts {
                #expect(try shown.text("\(folder)/posts/\(post.itemHash).json").contains("n"))
            }
        }
    }

    @Test("an element opens by its name where a history is cut")
    func element() throws {
        let shown = try Shown(interval: .seconds(600))
        let address = shown.account.address
        for number in 0..<2 {
            try shown.publish(
                .aggregate(key: "k", content: JSONObject([("n", .number(.init(number)))])))
        }
        let path = "accounts/\(address)/aggregates/k.history"
        let names = try shown.names(try shown.resolve(path), shown.patience)
        let listing = shown.tree.listing(.history(address, key: "k"))
        listing.remove(names[1])
        shown.tree.known.forget(.element(address, key: "k", name: names[1]))
        #expect(throws: FileError.notFound) { try shown.resolve("\(path)/\(names[1])") }
        listing.noteCut()
        #expect(try shown.text("\(path)/\(names[1])").contains("1"))
        #expect(throws: FileError.notFound) { try shown.resolve("\(path)/0.json") }
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
