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
        let left = try shown.staged
        #expect(left.isEmpty, "\(left)")
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
        let left = try shown.staged
        #expect(left.filter { !$0.hasSuffix(".json") }.count == 1, "\(left)")
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
