// SPDX-License-Identifier: Apache-2.0
//
// Layers around a store on a bad line.

import Cryptography
import FaultStore
import Foundation
import Primitives
import Scratchpads
import StoreWrappers
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("Layers", .timeLimit(.minutes(5)))
struct LayerTests {
    private func chunk(_ index: Int) -> (Digest, [UInt8]) {
        let bytes = Array("chunk \(index)".utf8)
        return (Digests.of(bytes), bytes)
    }

    private let quick = RetryPlan(
        firstWait: .milliseconds(1), longestWait: .milliseconds(4), attemptLimit: 80)

    @Test(
        "what a retry can mend is mended, and everything is there afterwards",
        arguments: 1...12 as ClosedRange<UInt64>)
    func retryMends(seed: UInt64) throws {
        let memory = PlainStore()
        var faults = Faults()
        (faults.dropped, faults.busy, faults.doneButFailed) = (20, 15, 15)
        (faults.reordered, faults.late, faults.stray) = (30, 5, 10)
        let line = FaultStore(chunks: memory, pads: memory, faults, seed: seed)
        let store = StoreLayers.wrap(line as any ChunkStore, in: RetryLayer(quick))
        let chunks = (0..<60).map(chunk)
        for (digest, bytes) in chunks { try store.put(digest, bytes) }
        try store.sync()
        line.change { $0 = Faults() }
        for (digest, bytes) in chunks { #expect(try memory.get(digest) == bytes, "seed \(seed)") }
        let seen = Set(line.counts.keys)
        #expect(seen.isSuperset(of: ["dropped", "busy", "done but failed", "stray"]))
    }

    @Test("the injector does what it is told, so that tests of it can fail")
    func injector() throws {
        let memory = PlainStore()
        var faults = Faults()
        faults.lost = 100
        let line = FaultStore(chunks: memory, pads: memory, faults, seed: 1)
        let (digest, bytes) = chunk(1)
        try line.put(digest, bytes)
        #expect(throws: StoreError.missing(digest)) { try memory.get(digest) }
        #expect(line.takeLost().chunks.map(\.0) == [digest] && line.takeLost().chunks.isEmpty)
        line.change { $0.lost = 0 }
        try line.put(digest, bytes)
        line.change { $0.wrongBytes = 100 }
        for _ in 0..<20 { #expect(try line.get(digest) != bytes) }
        line.change { $0 = Faults() }
        line.change { $0.doneButFailed = 100 }
        let (other, otherBytes) = chunk(2)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try line.put(other, otherBytes) }
        #expect(try memory.get(other) == otherBytes)
        line.change { $0 = Faults() }
        line.change { $0.reordered = 100 }
        let (held, heldBytes) = chunk(3)
        try line.put(held, heldBytes)
        #expect(throws: StoreError.missing(held)) { try memory.get(held) }
        // A store that takes nothing now: what was reported as done stays in doubt.
        memory.fail(.full)
        #expect(throws: StoreError.full) { try line.sync() }
        #expect(throws: StoreError.full) { try line.sync() }
        memory.fail(nil)
        try line.sync()
        #expect(try memory.get(held) == heldBytes)
        line.change { $0 = Faults() }
        line.change { $0.stray = 100 }
        let (stray, strayBytes) = chunk(4)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try line.put(stray, strayBytes) }
        #expect(throws: StoreError.missing(stray)) { try memory.get(stray) }
        line.change { $0.stray = 0 }
        for _ in 0..<200 { _ = try line.has([digest]) }
        #expect(try memory.get(stray) == strayBytes)
    }

    // SEMANTICS: A call of a store behind a network is made again for up to 25 seconds before it
    // counts as failed; a store that asks to be called less often is called less often by
    // everything in the mount.
    @Test("a refusal is told at once, and an absence that lasts within the plan's time")
    func retryGivesUp() throws {
        let memory = PlainStore()
        let layer = RetryLayer(
            RetryPlan(
                firstWait: .milliseconds(5), longestWait: .milliseconds(20), attemptLimit: 1000,
                deadline: .milliseconds(200)))
        let store = StoreLayers.wrap(memory as any ChunkStore, in: layer)
        let (digest, bytes) = chunk(1)
        memory.fail(.refused("no"))
        #expect(throws: StoreError.refused("no")) { try store.put(digest, bytes) }
        #expect(memory.callCount == 1)
        memory.fail(.unreachable(retryAfter: nil))
        let time = ContinuousClock().measure {
            #expect(throws: StoreError.unreachable(retryAfter: nil)) {
                try store.put(digest, bytes)
            }
        }
        #expect(memory.callCount > 5)
        #expect(time < .seconds(20))
        // What mounts go by.
        let plan = RetryPlan()
        let error = StoreError.unreachable(retryAfter: nil)
        func next(at elapsed: Duration) -> Duration? {
            plan.wait(afterFailures: 9, error, elapsed: elapsed, dice: 0)
        }
        #expect(next(at: .seconds(25)) == .zero && next(at: .milliseconds(25_001)) == nil)
    }

    @Test("stopping ends a wait at once, in every layer that waits")
    func stopping() throws {
        let memory = PlainStore()
        memory.fail(.busy(retryAfter: .seconds(20)))
        let (digest, bytes) = chunk(1)
        let layers: [any StoreLayer] = [
            RetryLayer(), PaceLayer(), BandwidthLayer(upload: 1024, download: nil),
        ]
        for layer in layers {
            let store = StoreLayers.wrap(memory as any ChunkStore, in: layer)
            let large = [UInt8](repeating: 0, count: 100_000)
            Thread.detachNewThread {
                Thread.sleep(forTimeInterval: 0.1)
                (store as? any StoppableStore)?.stop()
            }
            let time = ContinuousClock().measure {
                for _ in 0..<3 {
                    #expect(throws: StoreError.self) { try store.put(digest, large) }
                }
            }
            #expect(time < .seconds(20))
            #expect(throws: StoreError.self) { try store.put(digest, bytes) }
        }
    }

    // SEMANTICS: A call of a store behind a network is made again for up to 25 seconds before it
    // counts as failed; a store that asks to be called less often is called less often by
    // everything in the mount.
    @Test("when one call is told to wait, the others wait as well")
    func paceIsShared() throws {
        let memory = PlainStore()
        let layer = PaceLayer()
        let store = StoreLayers.wrap(memory as any ChunkStore, in: layer)
        let pads = StoreLayers.wrap(memory as any PadStore, in: layer)
        let (digest, bytes) = chunk(1)
        memory.fail(.busy(retryAfter: .milliseconds(200)))
        #expect(throws: StoreError.self) { try store.put(digest, bytes) }
        memory.fail(nil)
        let address = WriteCapability(seed: SecretBytes([UInt8](repeating: 1, count: 32))).address
        let time = ContinuousClock().measure {
            #expect(throws: Never.self) { try pads.get(address) }
        }
        #expect(time >= .milliseconds(150))
    }

    @Test("no more calls are under way than the store bears")
    func concurrencyHolds() throws {
        let memory = PlainStore()
        memory.delay(.milliseconds(2))
        let store = StoreLayers.wrap(memory as any ChunkStore, in: ConcurrencyLayer())
        let group = DispatchGroup()
        for index in 0..<40 {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                for round in 0..<5 {
                    let bytes = Array("chunk \(index) \(round)".utf8)
                    // What went wrong would show below, in what is there.
                    try? store.put(Digests.of(bytes), bytes)
                }
            }
        }
        group.wait()
        #expect(memory.count == 200)
        #expect(memory.mostAtOnce <= ConcurrencyLimit.most && memory.mostAtOnce > 1)
    }

    @Test("calls are counted with their bytes, their time and their failures")
    func metrics() throws {
        let memory = PlainStore()
        let layer = MetricsLayer()
        let store = StoreLayers.wrap(
            StoreLayers.wrap(memory as any ChunkStore, in: layer), in: RetryLayer(quick))
        let (digest, bytes) = chunk(1)
        try store.put(digest, bytes)
        _ = try store.get(digest)
        #expect(throws: StoreError.self) { try store.get(chunk(2).0) }
        memory.fail(.busy(retryAfter: nil))
        #expect(throws: StoreError.self) { try store.put(digest, bytes) }
        let found = try #require((store as? any MetricsReporting)?.metrics())
        let puts = try #require(found[.put])
        let gets = try #require(found[.get])
        #expect(puts.count == 81 && puts.failures == ["busy": 80])
        #expect(puts.sentBytes == UInt64(bytes.count))
        #expect(gets.count == 2 && gets.failures == ["missing": 1])
        #expect(gets.receivedBytes == UInt64(bytes.count))
        #expect(puts.latencies.reduce(0, +) == 81 && gets.latencies.reduce(0, +) == 2)
    }

    @Test("uploads stay below their limit, and downloads are not held up by it")
    func bandwidth() throws {
        let memory = PlainStore()
        let layer = BandwidthLayer(upload: 1_000_000, download: nil)
        let store = StoreLayers.wrap(memory as any ChunkStore, in: layer)
        let time = try ContinuousClock().measure {
            for index in 0..<4 {
                let bytes = [UInt8](repeating: UInt8(index), count: 100_000)
                try store.put(Digests.of(bytes), bytes)
            }
        }
        #expect(time >= .milliseconds(300) && time < .seconds(3))
        let quickTime = try ContinuousClock().measure {
            for index in 0..<4 {
                _ = try store.get(Digests.of([UInt8](repeating: UInt8(index), count: 100_000)))
            }
        }
        #expect(quickTime < .milliseconds(300))
    }

    @Test("downloads that begin together come one after the other, not in one burst")
    func downloads() throws {
        let memory = PlainStore()
        let layer = BandwidthLayer(upload: nil, download: 1_000_000)
        let store = StoreLayers.wrap(memory as any ChunkStore, in: layer)
        let bytes = [UInt8](repeating: 7, count: AnswerEstimate.first)
        let digest = Digests.of(bytes)
        try store.put(digest, bytes)
        let start = ContinuousClock.now
        let ends = Mutex<[Duration]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            // A failure shows as an end that is missing.
            guard (try? store.get(digest)) != nil else { return }
            ends.withLock { $0.append(.now - start) }
        }
        let found = ends.withLock { $0.sorted() }
        #expect(found.count == 4)
        for (index, end) in found.enumerated() {
            #expect(end >= .milliseconds(250 * index), "\(found)")
        }
    }

    @Test("what the inner store can, the layered one can, and nothing else")
    func abilities() {
        let memory = PlainStore()
        let line = FaultStore(chunks: memory, pads: memory, Faults(), seed: 1)
        let layer = MetricsLayer()
        #expect(StoreLayers.wrap(memory as any ChunkStore, in: layer) is any ListableChunkStore)
        #expect(!(StoreLayers.wrap(line as any ChunkStore, in: layer) is any ListableChunkStore))
        #expect(!(StoreLayers.wrap(memory as any ChunkStore, in: layer) is any CapacityReporting))
    }
}
