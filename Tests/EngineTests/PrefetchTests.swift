// SPDX-License-Identifier: Apache-2.0
//
// Reading from a store that takes its time: how much is asked for at once, and how much for
// nothing.

import Engine
import Foundation
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

/// A store whose every answer takes a while, as behind a long line, and that counts them.
final class DistantStore: ChunkStore, PadStore {
    let store: TestStore
    private let connection: StoreConnection
    private let delay: Duration
    /// Whether answers take their time.
    let isDistant = Atomic<Bool>(false)
    private let calls = Lock((now: 0, most: 0, all: 0))

    init(_ store: TestStore, delay: Duration) {
        self.store = store
        self.delay = delay
        connection = StoreConnection(store)
    }

    /// The most chunks that were asked for at once.
    var mostAtOnce: Int { calls.withLock { $0.most } }
    /// The chunks that were asked for.
    var gets: Int { calls.withLock { $0.all } }

    let usefulConcurrency = 12

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        guard isDistant.load(ordering: .relaxed) else { return try connection.get(digest) }
        calls.withLock {
            $0.now += 1
            $0.all += 1
            $0.most = max($0.most, $0.now)
        }
        defer { calls.withLock { $0.now -= 1 } }
        Thread.sleep(forTimeInterval: delay / .seconds(1))
        return try connection.get(digest)
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try connection.put(digest, bytes)
    }
    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> { try connection.has(digests) }
    func sync() throws(StoreError) { try connection.sync() }
    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? { try connection.get(address) }
    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome { try connection.put(record) }
}

@Suite("prefetch", .serialized)
struct PrefetchTests {
    /// A volume recovered from a store that is far away, with one file of so many bytes.
    private func distant(
        _ size: Int, cache: UInt64 = 1 << 30
    ) throws -> (volume: TestVolume, store: DistantStore, content: [UInt8]) {
        let distant = DistantStore(TestStore(), delay: .milliseconds(50))
        let volume = try TestVolume(on: distant.store) {
            $0.chunks = distant
            $0.pads = distant
            $0.cacheBudget = cache
        }
        let content = pattern(size, seed: 17)
        try volume.writeFile("/files/film", content)
        try volume.publish()
        try volume.recover()
        distant.isDistant.store(true, ordering: .relaxed)
        return (volume, distant, content)
    }

    /// Reads a range in the kernel's steps, as it is or as one program after the other would.
    private func read(
        _ volume: TestVolume, _ handle: UInt64, _ ino: UInt64, _ range: Range<Int>
    ) throws -> [UInt8] {
        let count = range.count
        var bytes = [UInt8](repeating: 0xEE, count: count)
        var position = 0
        while position < count {
            var span = bytes.mutableSpan
            var part = span._mutatingExtracting(position..<min(position + 131_072, count))
            position += try volume.engine.read(
                handle, ino: ino, at: UInt64(range.lowerBound + position), into: &part,
                volume.context)
        }
        return bytes
    }

    @Test(
        "what is written, cut and grown while its chunks come stays so",
        arguments: [21, 22, 23] as [UInt64])
    func changed(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let (volume, _, content) = try distant(24 << 20)
        var model = content
        let ino = try volume.resolve("/files/film")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        let handle = file.handle
        let isOver = Lock(false)
        let (engine, context, size) = (volume.engine, volume.context, model.count)
        let reader = Thread {
            // Only for the chunks that it brings: what it sees changes under its eyes.
            var bytes = [UInt8](repeating: 0, count: 131_072)
            for position in stride(from: 0, to: size, by: bytes.count) {
                var span = bytes.mutableSpan
                _ = try? engine.read(
                    handle, ino: ino, at: UInt64(position), into: &span, context)
            }
            isOver.withLock { $0 = true }
        }
        reader.start()
        while !isOver.withLock({ $0 }) {
            if Int.random(in: 0..<8, using: &dice) == 0 {
                let size = Int.random(in: 1 << 20..<model.count, using: &dice)
                for end in [size, model.count] {
                    var change = AttributeChange()
                    change.size = UInt64(end)
                    _ = try engine.setAttributes(of: ino, change, context)
                }
                let zeros = [UInt8](repeating: 0, count: model.count - size)
                model.replaceSubrange(size..<model.count, with: zeros)
            }
            let count = Int.random(in: 1...100_000, using: &dice)
            let at = Int.random(in: 0..<model.count - count, using: &dice)
            let bytes = pattern(count, seed: dice.next())
            _ = try volume.engine.write(
                handle, ino: ino, at: UInt64(at), bytes.span, volume.context)
            model.replaceSubrange(at..<at + count, with: bytes)
        }
        #expect(same(try read(volume, handle, ino, 0..<model.count), model), "seed \(seed)")
        volume.engine.release(handle, ino: ino)
        try volume.publish()
        try volume.recover()
        #expect(same(try volume.readFile("/files/film"), model), "seed \(seed)")
    }

    @Test("a film is read many chunks at once, each fetched once, and kept")
    func sequential() throws {
        let (volume, store, content) = try distant(64 << 20)
        let ino = try volume.resolve("/files/film")
        let before = store.gets
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        #expect(same(try read(volume, file.handle, ino, 0..<content.count), content))
        volume.engine.release(file.handle, ino: ino)
        let chunks = try volume.engine.describe(ino, volume.context).chunkAddresses.count
        // The data map of so many chunks has a level above, of three more.
        #expect(store.gets - before <= chunks + 6)
        // Nobody asks for more than the three chunks that one read needs, unless ahead of it.
        #expect(store.mostAtOnce > 3)
        let after = store.gets
        let again = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { volume.engine.release(again.handle, ino: ino) }
        #expect(same(try read(volume, again.handle, ino, 0..<content.count), content))
        #expect(store.gets == after, "every block is here, also those between two chunks")
    }

    @Test("a reader who jumps about fetches little besides what it reads")
    func jumps() throws {
        let (volume, store, content) = try distant(48 << 20)
        let ino = try volume.resolve("/files/film")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        _ = try read(volume, file.handle, ino, 44_000_000..<44_004_096)
        let before = store.gets
        for place in [1, 6, 11, 17, 28, 34] {
            let start = place << 20
            let bytes = try read(volume, file.handle, ino, start..<start + 4096)
            #expect(same(bytes, Array(content[start..<start + 4096])))
        }
        #expect(store.gets - before <= 6)
    }

    @Test("what waits for a reader is dropped when it closes")
    func closing() throws {
        let (volume, store, _) = try distant(96 << 20)
        let ino = try volume.resolve("/files/film")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        _ = try read(volume, file.handle, ino, 0..<16 << 20)
        volume.engine.release(file.handle, ino: ino)
        let atClose = store.gets
        Thread.sleep(forTimeInterval: 1)
        #expect(store.gets - atClose <= 12, "only what was under way")
    }

    @Test("a cache without room is read through once, with a smaller window")
    func smallCache() throws {
        let (volume, store, content) = try distant(40 << 20, cache: 8 << 20)
        let ino = try volume.resolve("/files/film")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        let before = store.gets
        #expect(same(try read(volume, file.handle, ino, 0..<content.count), content))
        let chunks = try volume.engine.describe(ino, volume.context).chunkAddresses.count
        #expect(store.gets - before <= 2 * chunks)
    }

    @Test("a store that goes away fails the read, and nothing hangs when it is back")
    func failing() throws {
        let (volume, store, content) = try distant(32 << 20)
        let ino = try volume.resolve("/files/film")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        _ = try read(volume, file.handle, ino, 0..<1 << 20)
        store.store.change { $0.getFailure = .unreachable(retryAfter: nil) }
        #expect(throws: FileError.inputOutput) {
            _ = try read(volume, file.handle, ino, 20 << 20..<32 << 20)
        }
        store.store.heal()
        #expect(same(try read(volume, file.handle, ino, 0..<content.count), content))
    }

    /// A directory of files of three chunks each, on a store that is far away.
    private func distantFolder(
        _ count: Int
    ) throws -> (volume: TestVolume, store: DistantStore, names: [String]) {
        let distant = DistantStore(TestStore(), delay: .milliseconds(50))
        let volume = try TestVolume(on: distant.store) {
            $0.chunks = distant
            $0.pads = distant
        }
        try volume.makeDirectory("/files/photos")
        let names = (0..<count).map { "/files/photos/\(String($0 + 1000))" }
        for (number, name) in names.enumerated() {
            try volume.writeFile(name, pattern(60_000, seed: UInt64(number + 1)))
        }
        try volume.publish()
        try volume.recover()
        _ = try volume.list("/files/photos")
        distant.isDistant.store(true, ordering: .relaxed)
        return (volume, distant, names)
    }

    @Test("files of a directory that are read in its order are fetched before they are opened")
    func siblings() throws {
        let (volume, store, names) = try distantFolder(60)
        for (number, name) in names.enumerated() {
            #expect(same(try volume.readFile(name), pattern(60_000, seed: UInt64(number + 1))))
        }
        #expect(store.gets == 3 * names.count, "each chunk once")
        // Nobody asks for more than the three chunks that one read needs, unless ahead of it.
        #expect(store.mostAtOnce > 3)
    }

    @Test("files that are read backwards bring nothing besides themselves")
    func backwardSiblings() throws {
        let (volume, store, names) = try distantFolder(30)
        for name in names.reversed().prefix(20) { _ = try volume.readFile(name) }
        Thread.sleep(forTimeInterval: 0.5)
        #expect(store.gets == 3 * 20)
    }

    @Test("a narrow line is left to what is asked for")
    func narrowSiblings() throws {
        let distant = DistantStore(TestStore(), delay: .milliseconds(1))
        let volume = try TestVolume(on: distant.store) {
            $0.chunks = distant
            $0.pads = distant
            $0.downloadLimit = 1 << 20
        }
        for number in 0..<20 {
            try volume.writeFile("/files/\(number + 100)", pattern(60_000, seed: UInt64(number)))
        }
        try volume.publish()
        try volume.recover()
        distant.isDistant.store(true, ordering: .relaxed)
        for number in 0..<5 { _ = try volume.readFile("/files/\(number + 100)") }
        Thread.sleep(forTimeInterval: 0.3)
        // The page of the directory is one more.
        #expect(distant.gets <= 3 * 5 + 1)
    }
}
