// SPDX-License-Identifier: Apache-2.0
//
// The store on Aleph Cloud against nodes that fail, lag, lie or want money.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import JSON
import LocalServer
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import AlephStores

/// What `body` throws, in the words of stores; nil if nothing.
private func failure(_ body: () throws -> Void) -> StoreError? {
    do {
        try body()
        return nil
    } catch {
        return error as? StoreError
    }
}

@Suite("Chunks on Aleph Cloud")
struct AlephChunkTests {
    private let chunks = (0..<30).map { TestChunk(seed: UInt64($0), count: 5000) }

    private func put(_ chunks: some Sequence<TestChunk>, into store: any ChunkStore) throws {
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
    }

    private func expectAll(
        _ chunks: some Sequence<TestChunk>, in store: any ChunkStore,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for chunk in chunks {
            #expect(try store.get(chunk.digest) == chunk.bytes, sourceLocation: sourceLocation)
        }
    }

    // SEMANTICS: Chunks are packed into files of 25 MiB. Reading one brings its whole pack; 80 MiB
    // of packs are kept in memory.
    @Test("many chunks are one file, sent with one request, and read with one")
    func packed() throws {
        #expect(AlephStoreAddress.standardPackSize == 25 << 20 && PackCache.sizeLimit == 80 << 20)
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        #expect(bench.packCount() == 0)
        try store.sync()
        #expect(bench.packCount() == 1)
        try expectAll(chunks, in: store)
        let before = bench.nodes[0].questions.count
        try expectAll(chunks, in: try bench.bare().chunks)
        let asked = bench.nodes[0].questions.dropFirst(before)
        #expect(asked.filter { $0.contains("/storage/raw/") }.count == 1)
    }

    @Test("what is stored already is not stored again, by this process or another")
    func storedOnce() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        for _ in 0..<3 {
            let store = try bench.bare().chunks
            try put(chunks, into: store)
            try store.sync()
        }
        #expect(bench.packCount() == 1)
    }

    @Test("a full pack goes before anybody syncs, and no file is larger than the node takes")
    func limits() throws {
        var settings = NodeDouble.Settings()
        settings.storageLimit = StoreLimits.maximumChunkSize
        let bench = try AlephBench(settings: settings)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        let large = (0..<7).map { TestChunk(seed: UInt64($0), count: 1_300_000) }
        try put(large, into: store)
        #expect(bench.packCount() == 2)
        try store.sync()
        try expectAll(large, in: try bench.bare().chunks)
    }

    @Test("nodes that take no whole chunk are refused with a sentence")
    func tooSmallNode() throws {
        var settings = NodeDouble.Settings()
        settings.storageLimit = 1 << 20
        let bench = try AlephBench(settings: settings)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        guard case .refused = failure({ try put(chunks, into: store) }) else {
            Issue.record("not refused")
            return
        }
    }

    @Test("small syncs are merged, the old files go, and nothing is lost")
    func merging() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        for chunk in chunks {
            try store.put(chunk.digest, chunk.bytes)
            try store.sync()
        }
        #expect(bench.packCount() <= 4)
        #expect(bench.count(.store, .forgotten) >= 26)
        try expectAll(chunks, in: store)
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test(
        "two machines that merge at once lose nothing, and each finds what the other stored",
        arguments: [false, true])
    func twoMachines(rejectsForgotten: Bool) throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        bench.nodes[0].ledger.withLock { $0.rejectsForgotten = rejectsForgotten }
        let stores = try [bench.bare().chunks, bench.bare().chunks]
        let sets = (0..<2).map { machine in
            (0..<24).map { TestChunk(seed: UInt64(machine * 1000 + $0), count: 3000) }
        }
        let errors = onThreads(2) { machine in
            for chunk in sets[machine] {
                try stores[machine].put(chunk.digest, chunk.bytes)
                try stores[machine].sync()
            }
        }
        #expect(errors.isEmpty, "\(errors)")
        for (machine, store) in stores.enumerated() { try expectAll(sets[1 - machine], in: store) }
        try expectAll(sets.joined(), in: try bench.bare().chunks)
    }

    @Test("what was deleted is in no list any more, and its pack goes when little is left")
    func deleting() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        try store.sync()
        for chunk in chunks.prefix(10) { try store.delete(chunk.digest) }
        try store.sync()
        let again = try bench.bare().chunks
        #expect(try again.has(chunks.map(\.digest)) == Set(chunks.dropFirst(10).map(\.digest)))
        for chunk in chunks.prefix(20) { try store.delete(chunk.digest) }
        try store.sync()
        #expect(bench.packCount() == 1)
        let last = try bench.bare().chunks
        try expectAll(chunks.dropFirst(20), in: last)
        for chunk in chunks.prefix(20) {
            #expect(throws: StoreError.missing(chunk.digest)) { try last.get(chunk.digest) }
        }
        for chunk in chunks { try store.delete(chunk.digest) }
        try store.sync()
        #expect(bench.packCount() == 0)
    }

    @Test("without money nothing is lost, the sentence says how much, and it goes on with money")
    func money() throws {
        let bench = try AlephBench(credits: 100)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        for _ in 0..<2 {
            guard case .unpaid(let words) = failure({ try store.sync() }) else {
                Issue.record("not refused")
                return
            }
            #expect(words.contains(bench.account.address))
            #expect(words.contains("it has 100 credits") && words.contains("short by"))
        }
        try expectAll(chunks, in: store)
        bench.nodes[0].fund(bench.account.address, credits: 1e9)
        try store.sync()
        #expect(bench.packCount() == 1)
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test("an answer that is lost costs no second file", arguments: [false, true])
    func lostAnswer(isCut: Bool) throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        bench.nodes[0].change { settings in
            settings.intercept = { request, _ in
                guard request.method == "POST" else { return nil }
                return isCut ? NodeDouble.Reply(isCut: true) : .text(502, "bad gateway")
            }
        }
        #expect(failure { try store.sync() } == .unreachable(retryAfter: nil))
        bench.nodes[0].change { $0.intercept = nil }
        try store.sync()
        #expect(bench.packCount() == 1)
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test("a message that stays pending is waited for, and no sync answers before")
    func pending() throws {
        var settings = NodeDouble.Settings()
        settings.pendingLooks = 3
        let bench = try AlephBench(settings: settings)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        try store.sync()
        #expect(bench.packCount() == 1)
    }

    @Test("a proxy's limits are passed on with its time")
    func busy() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        bench.nodes[0].change { settings in
            settings.intercept = { _, _ in
                NodeDouble.Reply(status: 429, headers: [("Retry-After", "7")])
            }
        }
        let store = try bench.bare().chunks
        #expect(failure { try put(chunks, into: store) } == .busy(retryAfter: .seconds(7)))
    }

    @Test("a node that is down is offline, and what was put before goes when it is back")
    func offline() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        bench.nodes[0].change { settings in
            settings.intercept = { _, _ in NodeDouble.Reply(isCut: true) }
        }
        #expect(failure { try store.sync() }?.isTransient == true)
        try expectAll(chunks, in: store)
        bench.nodes[0].change { $0.intercept = nil }
        try store.sync()
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test("a node that gives other bytes is not believed, and an honest one is asked")
    func lyingNode() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let writer = try bench.bare().chunks
        try put(chunks, into: writer)
        try writer.sync()
        bench.spread(from: 0, to: 1)
        bench.nodes[0].change { settings in
            settings.intercept = { request, reply in
                guard request.target.contains("/storage/raw/") else { return nil }
                var changed = reply
                if !changed.body.isEmpty { changed.body[0] ^= 1 }
                return changed
            }
        }
        try expectAll(chunks, in: try bench.bare().chunks)
        // If all lie there is no answer, and never a wrong one.
        bench.nodes[1].stop()
        let error = failure { try expectAll(chunks.prefix(1), in: try bench.bare().chunks) }
        #expect(error?.isTransient == true)
    }

    @Test("a node that lists a pack of its own making changes nothing")
    func forgedPack() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        try store.sync()
        var directory = PackDirectory()
        directory.append(chunks[0].digest, size: 5000)
        let stranger = try AlephAccount(
            derivingFrom: .init([UInt8](repeating: 9, count: 32)), chain: .solana)
        // Signed by somebody else, for our account.
        let forged = try stranger.sign(
            .store(directory.draft(ItemHash(sha256Of: [1]))), for: bench.account.address,
            time: 1_999_999_999, channel: nil, isAlwaysInline: true)
        let json = try #require(forged.envelope.json.object)
        let entry = try #require(NodeForm.entry(json, arrival: 999))
        bench.nodes[0].admit(entry)
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test("a chunk is missing only if all nodes say so")
    func missing() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let store = try bench.bare().chunks
        let digest = chunks[0].digest
        #expect(failure { _ = try store.get(digest) } == .missing(digest))
        bench.nodes[1].stop()
        let other = try bench.bare().chunks
        #expect(failure { _ = try other.get(digest) } == .unreachable(retryAfter: nil))
    }

    @Test("a file that the network lost is missing, and a put stores it anew")
    func lostFile() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        try store.sync()
        bench.nodes[0].dropFiles()
        let again = try bench.bare().chunks
        let digest = chunks[0].digest
        #expect(failure { _ = try again.get(digest) } == .missing(digest))
        try put(chunks, into: again)
        try again.sync()
        try expectAll(chunks, in: try bench.bare().chunks)
    }

    @Test("a store that is stopped ends its calls at once")
    func stopping() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        var settings = NodeDouble.Settings()
        settings.pendingLooks = 1_000_000
        let looks = settings
        bench.nodes[0].change { $0 = looks }
        let store = try bench.bare().chunks
        try put(chunks, into: store)
        let start = ContinuousClock.now
        let errors = onThreads(2) { thread in
            if thread == 0 {
                let error = failure { try store.sync() }
                #expect(error == .unreachable(retryAfter: nil))
            } else {
                while bench.count(.store, .pending) == 0, .now - start < .seconds(20) {}
                store.stop()
            }
        }
        #expect(errors.isEmpty && .now - start < .seconds(20))
    }

    @Test("the key must be that of the account in the address")
    func accounts() throws {
        let bench = try AlephBench(options: "account=7e5pxK83ceXb2iWXBizF1U8MdL7C5VcVBBXpDWaYo3x1")
        defer { bench.stop() }
        guard case .refused(let words) = failure({ _ = try bench.open() }) else {
            Issue.record("not refused")
            return
        }
        #expect(words.contains(bench.account.address))
        guard case .refused = failure({ _ = try StoreFactory.open(bench.url, create: true) }) else {
            Issue.record("opened without a key")
            return
        }
    }
}
