// SPDX-License-Identifier: Apache-2.0
//
// The index of packs is the messages that keep them: what a machine finds that knows nothing yet.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import Primitives
import RemoteStores
import Stores
import Synchronization
import TestSupport
import Testing

@testable import AlephStores

@Suite("The index of packs on Aleph Cloud")
struct AlephIndexTests {
    private let chunks = (0..<6).map { TestChunk(seed: UInt64(700 + $0), count: 5000) }

    private func store(_ chunks: some Sequence<TestChunk>, in bench: AlephBench) throws {
        let store = try bench.bare().chunks
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
        try store.sync()
    }

    private func expect(_ chunks: some Sequence<TestChunk>, in bench: AlephBench) throws {
        let store = try bench.bare().chunks
        for chunk in chunks { #expect(try store.get(chunk.digest) == chunk.bytes) }
    }

    @Test("a machine that knows nothing finds the oldest pack behind lists longer than an answer")
    func longLists() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        try store(chunks, in: bench)
        var directory = PackDirectory()
        for number in 0..<PackDirectory.entryLimit {
            var name = [UInt8](repeating: 0, count: Digest.byteCount)
            name[0] = UInt8(number & 0xFF)
            name[1] = UInt8(number >> 8)
            directory.append(Digest(name, algorithm: .blake3), size: 6000)
        }
        var size = 0
        var count = 0
        // More than one answer may have, so that no page of this many is ever whole.
        while size <= 17 << 20 {
            count += 1
            let signed = try bench.account.sign(
                .store(directory.draft(ItemHash(sha256Of: [UInt8(count)]))),
                time: 1_999_000_000 + Double(count), channel: "CAIRN-STORE", isAlwaysInline: true)
            let json = try #require(signed.envelope.json.object)
            bench.nodes[0].admit(try #require(NodeForm.entry(json, arrival: 1000 + count)))
            size += signed.envelope.itemContent?.utf8.count ?? 0
        }
        try expect(chunks, in: bench)
        let lists = bench.nodes[0].questions.filter { $0.contains("messages.json") }
        // By cursor: a page's number and the total are not to be trusted.
        #expect(lists.allSatisfy { $0.contains("cursor=") && !$0.contains("&page=") })
        #expect(count < 200, "one page would have been enough for \(count) packs")
    }

    @Test("packs of an account that lacks money are read until the network removes them")
    func removing() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        try store(chunks, in: bench)
        bench.nodes[0].ledger.withLock { ledger in
            for name in ledger.entries.keys { ledger.entries[name]?.status = .removing }
        }
        try expect(chunks, in: bench)
    }

    @Test("what was deleted and comes again is kept by a message of its own")
    func again() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        try store(chunks, in: bench)
        let first = try bench.bare().chunks
        for chunk in chunks { try first.delete(chunk.digest) }
        try first.sync()
        #expect(bench.packCount() == 0 && bench.count(.store, .forgotten) == 1)
        // The same bytes in the same order are the same file; its message is forgotten for good.
        try store(chunks, in: bench)
        #expect(bench.packCount() == 1)
        try expect(chunks, in: bench)
    }
}
