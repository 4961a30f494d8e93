// SPDX-License-Identifier: Apache-2.0
//
// A change that waits, for the store or for room, and what becomes of its file meanwhile.

import Blocks
import Foundation
import Namespace
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("a change that waits", .serialized)
struct LateWriteTests: PatchWork {
    private static let size = 100_000

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
}
