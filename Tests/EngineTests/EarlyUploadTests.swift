// SPDX-License-Identifier: Apache-2.0
//
// Chunks that go to the store while their file is still being written: what they save, and that
// nothing that happens to the file behind them is lost or mixed up.

import Engine
import Foundation
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("early chunks", .serialized)
struct EarlyUploadTests {
    /// Bytes of a chunk of a large file.
    private static let chunk = FormatVersion.v2.maximumChunkSize

    /// A volume that sends chunks early from so many on, and flushes nothing by itself.
    private func volume(
        on store: TestStore, minimum: Int = 4, lag: Int = 1
    ) throws -> TestVolume {
        try TestVolume(on: store) {
            $0.earlyLimits.minimumChunks = minimum
            $0.earlyLimits.lag = lag
            $0.flushDelay = .seconds(3600)
            $0.flushCeiling = .seconds(3600)
        }
    }

    /// An open file to be written.
    private struct Open {
        let volume: TestVolume
        let ino: UInt64
        let handle: UInt64

        init(_ volume: TestVolume, _ path: String) throws {
            let (parent, name) = try volume.split(path)
            let (status, file) = try volume.engine.create(
                name, in: parent, mode: 0o644, OpenIntent(reads: true, writes: true),
                isExclusive: false, volume.context)
            self.volume = volume
            (ino, handle) = (status.ino, file.handle)
        }

        func write(_ bytes: [UInt8], at offset: Int) throws {
            for start in stride(from: 0, to: bytes.count, by: 1 << 20) {
                let end = min(start + (1 << 20), bytes.count)
                _ = try volume.engine.write(
                    handle, ino: ino, at: UInt64(offset + start),
                    bytes.span.extracting(start..<end), volume.context)
            }
        }

        func resize(_ size: Int) throws {
            var change = AttributeChange()
            change.size = UInt64(size)
            _ = try volume.engine.setAttributes(of: ino, change, volume.context)
        }

        func close() {
            volume.engine.release(handle, ino: ino)
            volume.engine.forget(ino, count: 1)
        }
    }

    /// Bytes of a stored chunk that is part of a large file, and no page.
    private static let large = 1 << 20

    /// Chunks of large files that the store was given.
    private func puts(_ store: TestStore) -> Int {
        store.change { state in
            state.puts.count { state.chunks[$0]?.count ?? 0 > Self.large }
        }
    }

    /// Waits until the store was given so many, or gives up.
    private func waitForPuts(_ store: TestStore, _ count: Int) -> Int {
        _ = eventually(within: .seconds(60)) { puts(store) >= count }
        return puts(store)
    }

    /// Waits until no new ones came for two seconds: one chunk takes far less to be made.
    private func settle(_ store: TestStore) -> Int {
        var last = puts(store)
        var quiet = 0
        while quiet < 200 {
            usleep(10_000)
            let now = puts(store)
            quiet = now == last ? quiet + 1 : 0
            last = now
        }
        return last
    }

    @Test("what lies behind the writer of a large file is sent before the file is closed, and once")
    func early() throws {
        let store = TestStore()
        let volume = try volume(on: store)
        let content = pattern(8 * Self.chunk + 5_000, seed: 1)
        let file = try Open(volume, "/files/film")
        try file.write(content, at: 0)
        // Nine chunks: the first two need the last ones, and one is left alone. What is not sealed
        // when the last write ends tells nobody that it is there.
        _ = waitForPuts(store, 4)
        #expect((4...5).contains(settle(store)))
        #expect(volume.engine.engineStatus().dirtyBytes >= UInt64(content.count))
        file.close()
        try volume.publish()
        let puts = store.change { $0.puts }
        let ino = try volume.resolve("/files/film")
        let chunks = try volume.engine.describe(ino, volume.context).chunkAddresses
        #expect(chunks.count >= 9)
        for address in chunks {
            #expect(puts.filter { $0.hex == address }.count == 1, "sent twice, or never")
        }
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), content))
    }

    @Test("a store that must not be given chunks for nothing gets none before the flush")
    func costly() throws {
        let store = TestStore(takesUnnamedChunks: false)
        let volume = try volume(on: store)
        let file = try Open(volume, "/files/film")
        try file.write(pattern(7 * Self.chunk, seed: 2), at: 0)
        #expect(settle(store) == 0)
        file.close()
        try volume.publish()
        #expect(puts(store) == 7)
    }

    @Test("a file below the limit, and one written backwards, send nothing early")
    func unfit() throws {
        let store = TestStore()
        let volume = try volume(on: store, minimum: 5)
        let small = try Open(volume, "/files/small")
        try small.write(pattern(5 * Self.chunk - 1, seed: 3), at: 0)
        let backwards = try Open(volume, "/files/backwards")
        let content = pattern(7 * Self.chunk, seed: 4)
        for index in (1..<7).reversed() {
            let start = index * Self.chunk
            try backwards.write(Array(content[start..<start + Self.chunk]), at: start)
        }
        #expect(settle(store) == 0)
        small.close()
        backwards.close()
    }

    // SEMANTICS: On S3, chunks of a file of more than 32 MiB go out while it is still being
    // written; when it is changed or removed before its flush, those that went out for nothing stay
    // on the store.
    @Test("nothing more is sent of a file whose last name is gone")
    func unlinked() throws {
        let store = TestStore()
        let volume = try volume(on: store, minimum: EarlyLimits().minimumChunks)
        let file = try Open(volume, "/files/scratch")
        try file.write(pattern(8 * Self.chunk - 1, seed: 5), at: 0)
        #expect(settle(store) == 0)
        try file.write(pattern(1 + Self.chunk, seed: 6), at: 8 * Self.chunk - 1)
        #expect(waitForPuts(store, 4) >= 4)
        try volume.unlink("/files/scratch")
        let after = settle(store)
        try file.write(pattern(3 * Self.chunk, seed: 6), at: 9 * Self.chunk)
        #expect(settle(store) == after)
        file.close()
        try volume.publish()
        try volume.recover()
        #expect(try volume.list("/files").isEmpty)
        #expect(puts(store) == after, "what went out stays")
    }

    @Test("chunks that the store could not vouch for are sent again")
    func failedSync() throws {
        let store = TestStore()
        let volume = try volume(on: store)
        let content = pattern(7 * Self.chunk, seed: 7)
        let file = try Open(volume, "/files/film")
        try file.write(content, at: 0)
        #expect(waitForPuts(store, 3) >= 3)
        file.close()
        // The power fails at the store: what it had not synced is gone, and syncs fail meanwhile.
        store.change { state in
            for digest in state.unsynced { state.chunks[digest] = nil }
            state.unsynced = []
            state.syncFailure = .unreachable(retryAfter: nil)
        }
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish(within: .seconds(5)) }
        store.heal()
        try volume.publish()
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), content))
    }

    @Test("a store that stands still holds few chunks in memory, and writers go on")
    func bounded() throws {
        let store = TestStore()
        let volume = try volume(on: store)
        store.hang(true)
        let file = try Open(volume, "/files/film")
        let content = pattern(10 * Self.chunk, seed: 8)
        try file.write(content, at: 0)
        #expect(eventually(within: .seconds(20)) { store.waiting.load(ordering: .relaxed) >= 1 })
        // Those that are to come have the time to.
        usleep(300_000)
        // Fewer than the encoder's threads, and the publisher's own.
        #expect((1...10).contains(store.waiting.load(ordering: .relaxed)))
        store.hang(false)
        file.close()
        try volume.publish()
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), content))
    }

    @Test("a file that is cut to nothing and written anew before its flush costs its size twice")
    func rewritten() throws {
        let store = TestStore()
        let volume = try volume(on: store)
        let file = try Open(volume, "/files/film")
        let first = pattern(10 * Self.chunk, seed: 31)
        try file.write(first, at: 0)
        // The first two wait for the file's end, and so does what is near it.
        #expect(waitForPuts(store, 6) >= 6)
        let content = pattern(10 * Self.chunk, seed: 32)
        try file.resize(0)
        try file.write(content, at: 0)
        file.close()
        try volume.publish()
        #expect(puts(store) <= 2 * 10)
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), content))
        // And nothing is sent of it any more.
        let sent = puts(store)
        #expect(settle(store) == sent)
    }

    @Test(
        "whatever happens behind and before the writer, the store has what was written",
        arguments: [11, 12] as [UInt64])
    func changed(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let store = TestStore()
        let volume = try volume(on: store)
        let witness = PublishedWitness(volume, store)
        var model: [UInt8] = []
        let file = try Open(volume, "/files/film")
        for step in 0..<40 {
            switch Int.random(in: 0..<10, using: &dice) {
            case 0:  // Behind the writer.
                let count = Int.random(in: 1...300_000, using: &dice)
                guard model.count > count else { continue }
                let at = Int.random(in: 0..<model.count - count, using: &dice)
                let bytes = pattern(count, seed: dice.next())
                try file.write(bytes, at: at)
                model.replaceSubrange(at..<at + count, with: bytes)
            case 1 where model.count > 5 * Self.chunk:  // Cut, and perhaps grown with zeros.
                let size = Int.random(in: 2 * Self.chunk..<model.count, using: &dice)
                try file.resize(size)
                model.removeLast(model.count - size)
                if Bool.random(using: &dice) {
                    let more = Int.random(in: 1...2 * Self.chunk, using: &dice)
                    try file.resize(size + more)
                    model += [UInt8](repeating: 0, count: more)
                }
            case 2 where step % 3 == 0: try volume.publish()
            case 3: usleep(20_000)
            default:
                guard model.count < 10 * Self.chunk else { continue }
                let bytes = pattern(
                    Int.random(in: 1...Self.chunk, using: &dice), seed: dice.next())
                try file.write(bytes, at: model.count)
                model += bytes
            }
        }
        file.close()
        #expect(same(try volume.readFile("/files/film"), model), "seed \(seed)")
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), model), "seed \(seed), recovered")
        #expect(witness.problems == [], "seed \(seed)")
        #expect(witness.roots > 0, "seed \(seed)")
    }
}
