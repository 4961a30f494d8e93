// SPDX-License-Identifier: Apache-2.0
//
// What `aleph/me/` leaves behind, here and in the network.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Engine
import Foundation
import JSON
import LocalServer
import Primitives
import Synchronization
import TestSupport
import Testing
import Threading

@testable import Control

extension Shown {
    fileprivate func write(_ name: String, _ text: String, isNew: Bool) throws {
        let directory = try resolve("me/files")
        if isNew {
            _ = try tree.create(Array(name.utf8), in: directory, mode: 0o600, patience)
        }
        let file = try tree.openForWriting(
            try resolve("me/files/\(name)"), truncates: false, patience)
        try file.write(at: 0, Array(text.utf8).span)
        try file.finish()
        file.close()
    }

    /// The names of staged files: the network has a name's bytes, and nobody waits for them any
    /// more, a moment before they are removed here.
    fileprivate var staged: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: root + "/aleph/staging") }
    }
}

@Suite("what aleph/me/ leaves", .serialized)
struct AlephLeftoverTests {
    @Test("bytes that were being sent go with their name, when that goes while somebody writes on")
    func bodies() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        try shown.write("a", "first", isNew: true)
        let gate = shown.hold { $0.contains("add_file") }
        let sync = Lock<FileError??>(nil)
        let waiter = Thread {
            let failure = shown.tree.mine.flushAll(until: nil)
            sync.withLock { $0 = .some(failure) }
        }
        waiter.start()
        gate.waitUntilHeld()
        // A copy, for the other is on its way.
        try shown.write("a", "other", isNew: false)
        try shown.write("b.tmp", "third", isNew: true)
        let directory = try shown.resolve("me/files")
        try shown.tree.rename(
            Array("b.tmp".utf8), in: directory, to: Array("a".utf8), in: directory, .replace,
            shown.patience)
        gate.open()
        for _ in 0..<3000 where sync.withLock({ $0 }) == nil { usleep(10_000) }
        #expect(shown.tree.mine.flushAll(until: nil) == nil)
        #expect(try eventually { try shown.staged.isEmpty })
        #expect(shown.node.storeCount == 1)
    }

    @Test("a text that is set aside while what was there before is sent keeps its bytes")
    func setAside() throws {
        let shown = try Shown()
        let posts = try shown.resolve("me/posts")
        _ = try shown.tree.create(Array("p.json".utf8), in: posts, mode: 0o600, shown.patience)
        func write(_ text: String) throws {
            let file = try shown.tree.openForWriting(
                try shown.resolve("me/posts/p.json"), truncates: true, shown.patience)
            defer { file.close() }
            try file.write(at: 0, Array(text.utf8).span)
            try file.finish()
        }
        try write("[1]")
        let gate = shown.hold { $0.hasSuffix("/messages") }
        let waiter = Thread { _ = shown.tree.mine.flushAll(until: nil) }
        waiter.start()
        gate.waitUntilHeld()
        #expect(throws: FileError.invalid) { try write("[1, oops") }
        gate.open()
        #expect(shown.tree.mine.flushAll(until: nil) == nil)
        let aside = try shown.resolve("me/posts/p.json.rejected")
        var bytes = [UInt8](repeating: 0, count: 100)
        var span = bytes.mutableSpan
        let count = try shown.tree.open(aside, nil).read(at: 0, into: &span, nil)
        #expect(String(decoding: bytes.prefix(count), as: UTF8.self) == "[1, oops")
        // Its record, and its bytes; and the name that the post has here.
        #expect(try eventually { try shown.staged.count { !$0.hasSuffix(".json") } == 1 })
    }

    @Test("parts that others rely on are looked for again where no node answers at first")
    func parts() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        // As nodes do, for a day.
        shown.node.ledger.withLock { $0.keepsForgottenFiles = true }
        let client = shown.tree.session.client
        let bytes = (0..<2500).map { UInt8($0 % 251) }
        _ = try client.storeLarge(
            AlephSource(bytes), name: "film", by: shown.account, partSize: 1000)
        let parts = try #require(try client.manifests(of: shown.account.address).parts.first).value
        let messages = try client.messages(
            keeping: parts, of: shown.account.address, before: client.clock.next())
        #expect(messages.count == 3)
        _ = try client.publish(.forget(messages), by: shown.account)
        #expect(shown.node.storeCount == 0)
        shown.node.change { settings in
            settings.intercept = { request, _ in
                request.method == "GET" ? .text(500, "told to") : nil
            }
        }
        shown.tree.mine.keepOthers(AlephPartsLook(parts: parts, leaving: []))
        #expect(shown.told.withLock { $0.last?.contains("tried again") } == true)
        #expect(shown.node.storeCount == 0)
        shown.node.change { $0.intercept = nil }
        for _ in 0..<3000 where shown.node.storeCount < 3 { usleep(10_000) }
        #expect(shown.node.storeCount == 3)
        #expect(shown.told.withLock { $0.count } == 1)
    }

    @Test("of messages that somebody else took back one, all go that a list of a node lacks")
    func hidden() throws {
        let (shown, hashes) = try storedFiles()
        shown.node.ledger.withLock { ledger in
            ledger.rejectsForgotten = true
            // This mount does not hear of it.
            ledger.entries[hashes[1].text]?.status = .forgotten
        }
        hide(shown, hash: nil)
        #expect(shown.tree.flushAll(retrying: false, until: nil) == nil)
        #expect(shown.node.storeCount == 0)
    }

    @Test("what a node that should take it back does not have yet is not believed to be gone")
    func lagging() throws {
        let (shown, hashes) = try storedFiles()
        shown.node.ledger.withLock { ledger in
            ledger.verdict = { $0["hashes"] == nil ? nil : (code: 501, errors: nil) }
        }
        hide(shown, hash: hashes[2].text)
        #expect(shown.tree.flushAll(retrying: false, until: nil) == .inputOutput)
        #expect(shown.told.withLock { $0.contains { $0.contains("code 501") } })
        #expect(shown.node.storeCount == 3)
        // It has them now.
        shown.node.ledger.withLock { $0.verdict = nil }
        shown.node.change { $0.intercept = nil }
        #expect(shown.tree.flushAll(retrying: true, until: nil) == nil)
        #expect(shown.node.storeCount == 0)
    }

    /// A tree with three files that are stored, and removed here.
    private func storedFiles() throws -> (shown: Shown, hashes: [ItemHash]) {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        let names = ["a", "b", "c"]
        for name in names { try shown.write(name, "of \(name)", isNew: true) }
        #expect(shown.tree.flushAll(retrying: false, until: nil) == nil)
        #expect(shown.node.storeCount == 3)
        let directory = try shown.resolve("me/files")
        let hashes = shown.node.ledger.withLock { $0.entries.keys.compactMap { ItemHash($0) } }
        try #require(hashes.count == names.count)
        for name in names {
            try shown.tree.remove(Array(name.utf8), in: directory, shown.patience)
        }
        return (shown, hashes)
    }

    /// Has the node leave out messages that it is asked for together, and not know one at all.
    private func hide(_ shown: Shown, hash: String?) {
        shown.node.change { settings in
            settings.intercept = { request, _ in
                guard request.method == "GET" else { return nil }
                if let hash, request.target.contains("/messages/" + hash) { return .notFound }
                guard request.target.contains("hashes=") else { return nil }
                return .json(["messages": [], "next_cursor": .null])
            }
        }
    }

    @Test("a manifest is published once, though nobody says for a while what became of it")
    func manifest() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        // Each kind of question that follows the manifest fails for longer than it is asked for.
        let failures = 6
        let seen = Lock((manifests: 0, status: 0, parts: 0))
        shown.node.change { settings in
            settings.storageLimit = LargeFilePlan.minimumNodeLimit
            settings.intercept = { request, _ in
                let isManifest =
                    request.method == "POST" && request.target.hasSuffix("/messages")
                    && String(decoding: request.body, as: UTF8.self)
                        .contains(LargeFileManifest.postType)
                let fails = seen.withLock { seen in
                    if isManifest { seen.manifests += 1 }
                    if seen.manifests == 0 { return false }
                    if request.target.hasSuffix("/status") {
                        seen.status += 1
                        return seen.status <= failures
                    }
                    if request.target.contains("hashes=") {
                        seen.parts += 1
                        return seen.parts <= failures
                    }
                    return false
                }
                return fails ? .text(500, "told to") : nil
            }
        }
        let text = String(repeating: "0123456789", count: 250_000)
        try shown.write("film", text, isNew: true)
        #expect(shown.tree.flushAll(retrying: false, until: nil) == nil)
        let counts = seen.withLock { $0 }
        #expect(counts.manifests == 1)
        #expect(counts.status > failures && counts.parts > failures)
        #expect(shown.node.storeCount == 3)
    }

    @Test("what was refused for want of money is counted, and tried again when somebody asks")
    func money() throws {
        let shown = try Shown()
        try shown.write("dear", String(repeating: "x", count: 3_000_000), isNew: true)
        try shown.write("a.tmp", "an editor's own", isNew: true)
        #expect(shown.tree.pendingCount == 1)
        #expect(shown.tree.flushAll(retrying: true, until: nil) == .quotaExceeded)
        #expect(shown.tree.pendingCount == 1)
        shown.node.fund(shown.account.address, tokens: 1000)
        // Who waits on does not ask: each wait may cost an upload.
        #expect(shown.tree.flushAll(retrying: false, until: nil) == .quotaExceeded)
        #expect(shown.node.storeCount == 0)
        #expect(shown.tree.flushAll(retrying: true, until: nil) == nil)
        #expect(shown.tree.pendingCount == 0 && shown.node.storeCount == 1)
    }

    @Test("what failed in passing is tried at once when somebody asks")
    func passing() throws {
        let shown = try Shown()
        shown.node.fund(shown.account.address, tokens: 1000)
        shown.node.change { settings in
            settings.intercept = { request, _ in
                request.method == "POST" ? .text(503, "told to") : nil
            }
        }
        try shown.write("a", "text", isNew: true)
        let number = try #require(shown.tree.mine.names(in: .files).first?.number)
        let hasFailed = { shown.tree.mine.state.withLock { $0.owns[number]?.attempts ?? 0 > 0 } }
        for _ in 0..<3000 where !hasFailed() { usleep(10_000) }
        shown.node.change { $0.intercept = nil }
        shown.tree.mine.state.update { $0.owns[number]?.due = .now + .seconds(3600) }
        #expect(shown.tree.flushAll(retrying: true, until: .now + .seconds(60)) == nil)
        #expect(shown.node.storeCount == 1)
    }

    @Test("they are looked for so often and no more, each time later")
    func attempts() {
        var look = AlephPartsLook(parts: [], leaving: [])
        var count = 1
        while let next = look.next {
            #expect(next.due >= look.due && next.attempts == count)
            look = next
            count += 1
        }
        #expect(count == AlephPartsLook.attemptLimit)
    }
}
