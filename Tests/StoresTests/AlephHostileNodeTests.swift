// SPDX-License-Identifier: Apache-2.0
//
// The store on Aleph Cloud against nodes that want to keep it busy, fill its memory, or have it
// take back what the network needs.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Primitives
import RemoteStores
import Stores
import Synchronization
import TestSupport
import Testing

@testable import AlephStores

@Suite("Hostile nodes of Aleph Cloud")
struct AlephHostileNodeTests {
    private let chunks = (0..<30).map { TestChunk(seed: UInt64(900 + $0), count: 5000) }

    private func put(_ chunks: some Sequence<TestChunk>, into store: any ChunkStore) throws {
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
        try store.sync()
    }

    private func expect(_ chunks: some Sequence<TestChunk>, in store: any ChunkStore) throws {
        for chunk in chunks { #expect(try store.get(chunk.digest) == chunk.bytes) }
    }

    @Test("of a pack no more bytes are taken than its list has, and then another node is asked")
    func endlessPack() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        try put(chunks, into: try bench.bare().chunks)
        bench.spread(from: 0, to: 1)
        bench.nodes[0].change { settings in
            settings.intercept = { request, reply in
                guard request.target.contains("/storage/raw/") else { return nil }
                var held = reply
                held.isHeld = true
                held.body.append(0)
                return held
            }
        }
        let start = ContinuousClock.now
        try expect(chunks, in: try bench.bare().chunks)
        // Who waits for more bytes waits until the connection stands still for too long.
        #expect(.now - start < AlephHTTPTransport.stall / 2)
    }

    @Test("a node whose list has no end is left, whatever it lists again")
    func endlessList() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let writer = try bench.bare().chunks
        try put(chunks, into: writer)
        let large = try largePack(bench)
        let json = try #require(large.envelope.json.object)
        bench.nodes[0].admit(try #require(NodeForm.entry(json, arrival: 1000)))
        bench.spread(from: 0, to: 1)
        // Of our own messages each request shows one, and one that is made up.
        let shown = large.envelope.json
        let clock = Mutex(SuspendingClock.now)
        let count = Mutex(0)
        bench.nodes[0].change { settings in
            settings.intercept = { request, _ in
                guard request.target.contains("messages.json") else { return nil }
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                clock.withLock { $0 += .seconds(2) }
                let made: JSONValue = ["item_hash": .string("made up \(number)")]
                let next: JSONValue = number < 400 ? .string("\(number)") : .null
                return .json(["messages": [shown, made], "next_cursor": next])
            }
        }
        let store = try bench.bare(now: { clock.withLock { $0 } }).chunks
        try expect(chunks, in: store)
        let seconds = AlephNetwork.surveyTime / .seconds(1)
        #expect(Double(count.withLock { $0 }) < seconds / 2 + 20)
        // Not all nodes have listed theirs: nothing is missing for good.
        let stranger = TestChunk(seed: 1)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try store.get(stranger.digest) }
    }

    /// A message of the account with the longest list of a pack there is.
    private func largePack(_ bench: AlephBench) throws -> SignedMessage {
        var directory = PackDirectory()
        for number in 0..<PackDirectory.entryLimit {
            var name = [UInt8](repeating: 0, count: Digest.byteCount)
            name[0] = UInt8(number & 0xFF)
            name[1] = UInt8(number >> 8)
            directory.append(Digest(name, algorithm: .blake3), size: 6000)
        }
        return try bench.account.sign(
            .store(directory.draft(ItemHash(sha256Of: [1]))), time: 1_999_000_000,
            channel: "CAIRN-STORE", isAlwaysInline: true)
    }

    @Test("packs that were merged are taken back when every node has the one they became")
    func mergedAtOneNode() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        for chunk in chunks.prefix(4) {
            bench.spread(from: 0, to: 1)
            try put([chunk], into: store)
        }
        // The fourth made one of four: the first node says so, and nobody else has heard of it.
        #expect(bench.packCount() == 5 && bench.packCount(1) == 3)
        #expect(bench.count(.store, .forgotten) == 0)
        for _ in 0..<3 { try store.sync() }
        #expect(bench.packCount() == 5 && bench.count(.store, .forgotten) == 0)
        try expect(chunks.prefix(4), in: try bench.bare().chunks)
        bench.spread(from: 0, to: 1)
        try store.sync()
        #expect(bench.packCount() == 1 && bench.count(.store, .forgotten) == 4)
        try expect(chunks.prefix(4), in: try bench.bare().chunks)
    }

    @Test("a pack that was thinned out is taken back when every node has its new list")
    func thinnedAtOneNode() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        bench.spread(from: 0, to: 1)
        for chunk in chunks.prefix(10) { try store.delete(chunk.digest) }
        // However often it is tried, the list is written and paid once.
        for _ in 0..<3 { try store.sync() }
        #expect(bench.packCount() == 2 && bench.count(.store, .forgotten) == 0)
        bench.spread(from: 0, to: 1)
        try store.sync()
        #expect(bench.packCount() == 1 && bench.count(.store, .forgotten) == 1)
        bench.spread(from: 0, to: 1)
        let again = try bench.bare().chunks
        #expect(try again.has(chunks.map(\.digest)) == Set(chunks.dropFirst(10).map(\.digest)))
    }

    @Test("a price that nothing can have is shown as it came")
    func price() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        bench.nodes[0].change { settings in
            settings.intercept = { request, _ in
                guard request.target.contains("/price/estimate") else { return nil }
                return .json(["cost": "-1e300"])
            }
        }
        let words = try #require(AlephPrices(bench.url)).price(ofBytes: 1 << 30)
        #expect(words.contains("e+30"), "\(words)")
    }
}
