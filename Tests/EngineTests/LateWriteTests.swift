// SPDX-License-Identifier: Apache-2.0
//
// A change that waits, for the store or for room, and what becomes of its file meanwhile.

import Blocks
import Foundation
import Namespace
import Primitives
import SelfEncryption
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("a change that waits", .serialized)
struct LateWriteTests: PatchWork {
    private static let size = 100_000
    private static let late = [UInt8](repeating: 7, count: 10)

    /// What stands before the store of the engine that runs.
    private let held = Held()

    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) { [held] configuration in
            let store = HeldStore(configuration.chunks)
            configuration.chunks = store
            held.set(store)
            configuration.commitInterval = .seconds(600)
            configuration.flushDelay = .seconds(600)
            configuration.cacheBudget = 16 << 20
        }
    }

    /// Runs `change` on the open file on a thread of its own until it waits, then `meanwhile`, and
    /// waits for the end.
    private func late(
        _ volume: TestVolume, _ change: @escaping @Sendable (Engine, UInt64, UInt64) throws -> Void,
        until isWaiting: @escaping () -> Bool, _ meanwhile: () throws -> Void
    ) throws {
        let (engine, ino) = (volume.engine, try volume.resolve("/files/a"))
        let file = try engine.open(ino, OpenIntent(reads: true, writes: true), volume.context)
        defer { engine.release(file.handle, ino: ino) }
        let handle = file.handle
        let outcome = Lock<Result<Void, any Error>?>(nil)
        Thread.detachNewThread {
            let result = Result { try change(engine, handle, ino) }
            outcome.withLock { $0 = result }
        }
        try #require(eventually(within: .seconds(60)) { isWaiting() })
        try meanwhile()
        try #require(eventually(within: .seconds(60)) { outcome.withLock { $0 != nil } })
        try outcome.withLock { $0 }?.get()
    }

    // MARK: For the store

    /// What a file has of which only the store had anything, when a few bytes of it were about to
    /// be written as this happened.
    private func written(_ meanwhile: (TestVolume) throws -> Void) throws -> [UInt8] {
        let volume = try volume()
        try volume.writeFile("/files/a", pattern(Self.size, seed: 1))
        try volume.recover()
        _ = try volume.resolve("/files/a")
        let (store, context) = (try held.get(), volume.context)
        store.pass(0)
        defer { store.pass(nil) }
        try late(volume) { engine, handle, ino in
            _ = try engine.write(handle, ino: ino, at: 100, Self.late.span, context)
        } until: {
            store.waiting > 0
        } _: {
            try meanwhile(volume)
            store.pass(nil)
        }
        return try volume.readFile("/files/a")
    }

    /// The content that the few bytes belong over.
    private func withLate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes.replaceSubrange(100..<100 + Self.late.count, with: Self.late)
        return bytes
    }

    @Test("a part of a block goes over zeros where the file was emptied meanwhile")
    func emptied() throws {
        let found = try written { volume in
            for size in [0, UInt64(Self.size)] {
                var change = AttributeChange()
                change.size = size
                _ = try volume.engine.setAttributes(
                    of: try volume.resolve("/files/a"), change, volume.context)
            }
        }
        #expect(same(found, withLate([UInt8](repeating: 0, count: Self.size))))
    }

    @Test("a part of a block goes over zeros where a hole was punched meanwhile")
    func punched() throws {
        let hole = 2 * Self.block
        let found = try written { volume in
            let (engine, ino) = (volume.engine, try volume.resolve("/files/a"))
            let file = try engine.open(ino, OpenIntent(reads: true, writes: true), volume.context)
            defer { engine.release(file.handle, ino: ino) }
            try engine.allocate(
                file.handle, ino: ino, .punchHole, offset: 0, count: UInt64(hole), volume.context)
        }
        var expected = pattern(Self.size, seed: 1)
        expected.replaceSubrange(0..<hole, with: [UInt8](repeating: 0, count: hole))
        #expect(same(found, withLate(expected)))
    }

    @Test("a part of a block goes over what was written, stored and let go of meanwhile")
    func replaced() throws {
        let newer = pattern(Self.size, seed: 2)
        let found = try written { volume in
            // All of it is new: its flush asks the store for nothing.
            try volume.writeFile("/files/a", newer)
            #expect(volume.engine.flusher.flushAll(until: .now + .seconds(30).scaled) == nil)
            while volume.engine.room.evict(64) > 0 {}
            let entries = try entries(volume, "/files/a", 0..<6)
            #expect(entries.allSatisfy { $0 == .absent })
        }
        #expect(same(found, withLate(newer)))
    }

    // MARK: For room

    @Test("room that is made for a file cuts nothing off that was written meanwhile")
    func allocated() throws {
        let volume = try volume()
        let engine = volume.engine
        let (bytes, context) = (pattern(Self.size, seed: 3), volume.context)
        try volume.writeFile("/files/a", [1])
        var reserved = 0
        while (try? engine.volume.arena.reserve(1)) != nil { reserved += 1 }
        try late(volume) { engine, handle, ino in
            try engine.allocate(
                handle, ino: ino, .allocate(keepsSize: false), offset: 0, count: 20_000, context)
        } until: {
            engine.volume.requests.waiters.load(ordering: .relaxed) > 0
        } _: {
            engine.volume.arena.unreserve(reserved)
            try volume.writeFile("/files/a", bytes)
        }
        #expect(try same(volume.readFile("/files/a"), bytes))
    }

    // MARK: Maps

    @Test("what is fetched for an older segment goes by that segment's own data map")
    func olderMap() throws {
        let volume = try volume()
        let engine = volume.engine
        // Of more chunks than a map has that is not packed.
        let count = 3 * FileEncoder.version.maximumChunkSize + 10
        try volume.writeFile("/files/a", pattern(count, seed: 4))
        try volume.publish()
        let ino = try volume.resolve("/files/a")
        // The maps that it knows stay in memory for as long.
        let inode = try engine.volume.pin(ino)
        defer { engine.volume.table.unpin(inode) }
        let older = try #require(engine.dataMaps(of: ino).first)
        let patience = Patience(for: .seconds(60))
        let map = try engine.fetcher.fullMap(inode, older, patience).0
        try volume.writeFile("/files/a", [1, 2, 3])
        try volume.publish()
        let newer = try #require(engine.dataMaps(of: ino).first)
        #expect(older.map.child != nil && newer != older && newer.size == older.size)
        #expect(try engine.fetcher.fullMap(inode, newer, patience).0 != map)
        #expect(try engine.fetcher.fullMap(inode, older, patience).0 == map)
    }
}
