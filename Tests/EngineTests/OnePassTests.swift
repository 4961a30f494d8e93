// SPDX-License-Identifier: Apache-2.0
//
// A file that was never stored is hashed and encrypted in one pass, by threads that wait for each
// other's digests: whatever fails in it, none of them waits for ever, and nothing is left out.

import Blocks
import Engine
import Foundation
import Primitives
import SelfEncryption
import Stores
import Synchronization
import TestSupport
import Testing

/// Takes so many chunks, and has no room for more until it gets it.
private final class FillingStore: ChunkStore {
    private let inner: any ChunkStore
    private let room = Atomic<Int>(0)

    init(_ inner: any ChunkStore) { self.inner = inner }

    func setRoom(_ count: Int) {
        room.store(count, ordering: .releasing)
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        if room.subtract(1, ordering: .acquiringAndReleasing).newValue < 0 { throw .full }
        try inner.put(digest, bytes)
    }
    func get(_ digest: Digest) throws(StoreError) -> [UInt8] { try inner.get(digest) }
    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> { try inner.has(digests) }
    func sync() throws(StoreError) { try inner.sync() }
}

@Suite("new files in one pass", .serialized)
struct OnePassTests {
    private static let chunk = FormatVersion.v2.maximumChunkSize
    private static let plenty = 1_000_000

    /// A volume that flushes nothing by itself, and what stands before the store of its engine.
    private func volume() throws -> (TestVolume, Lock<FillingStore?>) {
        let held = Lock<FillingStore?>(nil)
        let volume = try TestVolume(on: TestStore()) { configuration in
            let store = FillingStore(configuration.chunks)
            store.setRoom(Self.plenty)
            configuration.chunks = store
            configuration.flushDelay = .seconds(3600)
            configuration.flushCeiling = .seconds(3600)
            configuration.publishDelay = .seconds(3600)
            configuration.publishCeiling = .seconds(3600)
            held.withLock { $0 = store }
        }
        return (volume, held)
    }

    @Test(
        "of a store that has no more room the flush is told, and the next one brings the rest",
        arguments: [0, 1, 3, 8, 10])
    func full(room: Int) throws {
        let (volume, held) = try volume()
        let store = try #require(held.withLock { $0 })
        // Ten chunks, of which the last is short.
        let bytes = pattern(9 * Self.chunk + 5000, seed: UInt64(room + 1))
        try volume.writeFile("/files/new", bytes)
        store.setRoom(room)
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish() }
        #expect(same(try volume.readFile("/files/new"), bytes))
        store.setRoom(Self.plenty)
        try volume.recover()
        #expect(same(try volume.readFile("/files/new"), bytes))
    }

    @Test("chunks are put once each, in whatever order their threads come to them")
    func once() throws {
        let (volume, _) = try volume()
        // Three chunks are the fewest there are: each is a neighbour of the two others.
        for (number, size) in [3 * Self.chunk, 5 * Self.chunk, 12 * Self.chunk + 1].enumerated() {
            let before = volume.memory.change { $0.puts.count }
            let bytes = pattern(size, seed: UInt64(100 + number))
            try volume.writeFile("/files/\(number)", bytes)
            try volume.publish()
            let puts = volume.memory.change { Array($0.puts[before...]) }
            #expect(Set(puts).count == puts.count, "\(size) bytes")
            #expect(puts.count >= (size + Self.chunk - 1) / Self.chunk)
        }
        try volume.recover()
        #expect(same(try volume.readFile("/files/0"), pattern(3 * Self.chunk, seed: 100)))
        #expect(same(try volume.readFile("/files/2"), pattern(12 * Self.chunk + 1, seed: 102)))
    }

    @Test("a chunk that cannot be read fails the flush, and no other waits for its digest")
    func unreadable() throws {
        let (volume, _) = try volume()
        let bytes = pattern(9 * Self.chunk + 5000, seed: 200)
        try volume.writeFile("/files/new", bytes)
        // Its blocks leave memory for the arena, one after the other in one that is new.
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        let arena = try FileHandle(forUpdating: URL(fileURLWithPath: volume.stateFolder + "/arena"))
        defer { arena.closeFile() }
        // Near the end of the first chunk: other threads are at the next ones by then.
        let slot = Self.chunk / Arena.blockSize - 2
        arena.seek(toFileOffset: Arena.firstSlotOffset + UInt64(slot * Arena.blockSize))
        arena.write(Data(pattern(Arena.blockSize, seed: 201)))
        let failure = try #require(throws: TestVolume.Unpublished.self) {
            try volume.publish()
        }
        // Not the time that ran out.
        guard case .failed = failure.outcome else {
            Issue.record("\(failure.outcome)")
            return
        }
        #expect(throws: FileError.inputOutput) { try volume.readFile("/files/new") }
        // The threads are free for what comes after it.
        try volume.unlink("/files/new")
        let other = pattern(4 * Self.chunk, seed: 202)
        try volume.writeFile("/files/other", other)
        try volume.recover()
        #expect(same(try volume.readFile("/files/other"), other))
    }
}
