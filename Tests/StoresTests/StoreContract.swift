// SPDX-License-Identifier: Apache-2.0
//
// What every store promises, of chunks. Pads: PadStoreContract.swift.

import Cryptography
import Primitives
import RemoteStores
import Stores
import TestSupport
import Testing

@Suite("Contract of chunk stores")
struct ChunkStoreContract {
    @Test(
        "what is put is got, of any size up to the limit",
        arguments: StoreUnderTest.all, DigestAlgorithm.allCases)
    func roundTrip(kind: StoreUnderTest, algorithm: DigestAlgorithm) throws {
        guard kind.algorithms.contains(algorithm) else { return }
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        var dice = SeededGenerator(seed: 1)
        let sizes = [0, 1, 4095, 4096, 131_072, 131_073, 4 << 20, kind.chunkSize]
        for size in sizes {
            let chunk = TestChunk(dice.bytes(size), algorithm: algorithm)
            try store.put(chunk.digest, chunk.bytes)
            #expect(try store.get(chunk.digest) == chunk.bytes, "\(size) bytes")
        }
        try store.sync()
    }

    @Test("a chunk over the limit is refused and leaves nothing", arguments: StoreUnderTest.all)
    func overLimit(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunk = TestChunk(seed: 2, count: kind.chunkSize + 1)
        #expect(throws: StoreError.tooLarge) { try store.put(chunk.digest, chunk.bytes) }
        #expect(throws: StoreError.missing(chunk.digest)) { try store.get(chunk.digest) }
    }

    @Test("a chunk that was never put is missing", arguments: StoreUnderTest.all)
    func missing(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunk = TestChunk(seed: 3)
        #expect(throws: StoreError.missing(chunk.digest)) { try store.get(chunk.digest) }
        try store.put(chunk.digest, chunk.bytes)
        let sameBytes = TestChunk(chunk.bytes, algorithm: .sha3)
        #expect(throws: StoreError.missing(sameBytes.digest)) { try store.get(sameBytes.digest) }
    }

    @Test("putting a chunk again changes nothing", arguments: StoreUnderTest.all)
    func idempotent(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunk = TestChunk(seed: 4)
        for _ in 0..<3 {
            try store.put(chunk.digest, chunk.bytes)
            try store.put(chunk.digest, chunk.bytes)
            try store.sync()
        }
        #expect(try store.get(chunk.digest) == chunk.bytes)
    }

    @Test("damage is never handed over, and is repaired by a put", arguments: StoreUnderTest.all)
    func damage(kind: StoreUnderTest) throws {
        guard kind.repairsDamage else { return }
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunk = TestChunk(seed: 5)
        try store.put(chunk.digest, chunk.bytes)
        try store.sync()
        try bench.damageChunk(chunk.digest)
        var changed = chunk.bytes
        changed[0] ^= 1
        let error = StoreError.corrupt(wanted: chunk.digest, got: Digests.of(changed))
        #expect(throws: error) { try store.get(chunk.digest) }
        try store.put(chunk.digest, chunk.bytes)
        #expect(try store.get(chunk.digest) == chunk.bytes)
    }

    @Test("has names exactly those that are there", arguments: StoreUnderTest.all)
    func has(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunks = (0..<20).map { TestChunk(seed: $0, count: Int($0)) }
        let there = chunks.filter { $0.bytes.count.isMultiple(of: 3) }
        for chunk in there {
            try store.put(chunk.digest, chunk.bytes)
        }
        #expect(try store.has(chunks.map(\.digest)) == Set(there.map(\.digest)))
        #expect(try store.has([]) == [])
    }

    @Test("eight threads put and get the same chunk at once", arguments: StoreUnderTest.all)
    func sameChunkConcurrently(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let chunk = TestChunk(seed: 6, count: 300_000)
        let errors = onThreads(8) { _ in
            for _ in 0..<5 {
                try store.put(chunk.digest, chunk.bytes)
                #expect(try store.get(chunk.digest) == chunk.bytes)
            }
            try store.sync()
        }
        #expect(errors.isEmpty, "\(errors)")
    }

    @Test("eight threads put, sync and get different chunks at once", arguments: StoreUnderTest.all)
    func differentChunksConcurrently(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().chunks
        let errors = onThreads(8) { thread in
            for index in 0..<40 {
                let chunk = TestChunk(seed: UInt64(thread * 1000 + index))
                try store.put(chunk.digest, chunk.bytes)
                if index.isMultiple(of: 20) { try store.sync() }
            }
            try store.sync()
        }
        #expect(errors.isEmpty, "\(errors)")
        let again = try bench.open().chunks
        for seed in (0..<8).flatMap({ thread in (0..<40).map { UInt64(thread * 1000 + $0) } }) {
            let chunk = TestChunk(seed: seed)
            #expect(try again.get(chunk.digest) == chunk.bytes)
        }
    }

    @Test("a store that is opened again has everything", arguments: StoreUnderTest.all)
    func reopening(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let chunks = (0..<10).map { TestChunk(seed: $0, count: Int($0) * 1000) }
        let store = try bench.open().chunks
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
        try store.sync()
        let again = try bench.open().chunks
        for chunk in chunks { #expect(try again.get(chunk.digest) == chunk.bytes) }
    }

    @Test(
        "a listable store lists what it has and forgets what is deleted",
        arguments: StoreUnderTest.all)
    func listing(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        guard let store = try bench.open().chunks as? any ListableChunkStore else { return }
        let chunks =
            (0..<30).map { TestChunk(seed: $0) } + [TestChunk([1], algorithm: .sha3)]
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
        var listed: [Digest] = []
        try store.list {
            listed.append($0)
            return true
        }
        #expect(listed.count == chunks.count && Set(listed) == Set(chunks.map(\.digest)))

        var seen = 0
        try store.list { _ in
            seen += 1
            return seen < 7
        }
        #expect(seen == 7)

        let gone = chunks[0]
        try store.delete(gone.digest)
        try store.delete(gone.digest)
        #expect(throws: StoreError.missing(gone.digest)) { try store.get(gone.digest) }
        #expect(try store.has([gone.digest, chunks[1].digest]) == [chunks[1].digest])
        try store.sync()
        try store.put(gone.digest, gone.bytes)
        #expect(try store.get(gone.digest) == gone.bytes)
    }
}
