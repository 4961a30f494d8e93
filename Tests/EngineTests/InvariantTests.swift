// SPDX-License-Identifier: Apache-2.0
//
// The invariants of the design, each where it could break: at the moment a root is put, while a
// flush and a writer race, at the moment of a crash, and when two machines meet.

import Cryptography
import Engine
import Foundation
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("invariants", .serialized)
struct InvariantTests {
    /// Threads that are waited for.
    private func together(_ bodies: [@Sendable () -> Void]) {
        let group = DispatchGroup()
        for body in bodies {
            group.enter()
            Thread {
                body()
                group.leave()
            }.start()
        }
        group.wait()
    }

    @Test(
        "a root names only what the store has made durable", arguments: [101, 102, 103] as [UInt64])
    func rootsAreComplete(seed: UInt64) throws {
        let store = TestStore()
        // A store that lies about what it has is the one thing that is stronger than this.
        let weathers = StoreWeather.allCases.filter { $0 != .lying }
        let run = try ModelRun(seed: seed, on: store, weathers: weathers)
        let witness = PublishedWitness(run.volume, store)
        try run.run(steps: 250)
        #expect(witness.problems == [])
        #expect(witness.roots > 0)
    }

    @Test("what is written while a flush runs is neither lost nor mixed up")
    func writesRaceFlushes() throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .milliseconds(10) }
        let (size, piece) = (3_000_000, 7_000)
        try volume.writeFile("/files/a", pattern(size, seed: 1))
        let ino = try volume.resolve("/files/a")
        let (engine, context) = (volume.engine, volume.context)
        let shared = Race(pattern(size, seed: 1))
        together([
            {
                var dice = SeededGenerator(seed: 5)
                for round in 0..<600 {
                    let at = Int.random(in: 0..<(size - piece), using: &dice)
                    let bytes = pattern(piece, seed: dice.next())
                    shared.note {
                        let file = try engine.open(
                            ino, OpenIntent(reads: true, writes: true), context)
                        defer { engine.release(file.handle, ino: ino) }
                        if round % 40 == 39 {
                            // Cut in the middle, and grown again with zeros.
                            var change = AttributeChange()
                            change.size = UInt64(at)
                            _ = try engine.setAttributes(of: ino, change, context)
                            change.size = UInt64(size)
                            _ = try engine.setAttributes(of: ino, change, context)
                            shared.wanted.withLock {
                                $0.replaceSubrange(
                                    at..<size, with: repeatElement(0, count: size - at))
                            }
                        }
                        _ = try engine.write(
                            file.handle, ino: ino, at: UInt64(at), bytes.span, context)
                        shared.wanted.withLock { $0.replaceSubrange(at..<at + piece, with: bytes) }
                    }
                }
                shared.isDone.store(true, ordering: .releasing)
            },
            {
                while !shared.isDone.load(ordering: .acquiring) {
                    _ = engine.synchronizeRemotely(timeout: .seconds(20).scaled)
                }
            },
        ])
        #expect(shared.problems.withLock { $0 } == [])
        #expect(same(try volume.readFile("/files/a"), shared.wanted.withLock { $0 }))
        try volume.recover()
        #expect(same(try volume.readFile("/files/a"), shared.wanted.withLock { $0 }))
    }

    private final class Race: Sendable {
        let wanted: Lock<[UInt8]>
        let isDone = Atomic<Bool>(false)
        let problems = Lock<[String]>([])

        init(_ wanted: [UInt8]) {
            self.wanted = Lock(wanted)
        }

        func note(_ body: () throws -> Void) {
            do { try body() } catch { problems.withLock { $0.append("\(error)") } }
        }
    }

    @Test(
        "what was synced is there after a crash at any moment", arguments: [1, 2, 3, 4] as [UInt64])
    func crashWhileSyncing(seed: UInt64) throws {
        let volume = try TestVolume(on: TestStore()) { configuration in
            configuration.cacheBudget = 4 << 20
            configuration.flushDelay = .milliseconds(30)
        }
        let (fileCount, size) = (4, 20_000)
        for number in 0..<fileCount {
            try volume.writeFile("/files/f\(number)", [UInt8](repeating: 1, count: size))
        }
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        let inos = try (0..<fileCount).map { try volume.resolve("/files/f\($0)") }
        let (engine, context) = (volume.engine, volume.context)
        let synced = Synced(count: fileCount)
        let threads = DispatchGroup()
        for number in 0..<fileCount {
            threads.enter()
            Thread {
                defer { threads.leave() }
                do {
                    let file = try engine.open(
                        inos[number], OpenIntent(reads: true, writes: true), context)
                    defer { engine.release(file.handle, ino: inos[number]) }
                    for value in 2...250 where !synced.isStopping.load(ordering: .relaxed) {
                        let bytes = [UInt8](repeating: UInt8(value), count: size)
                        _ = try engine.write(
                            file.handle, ino: inos[number], at: 0, bytes.span, context)
                        try engine.synchronize(inos[number], dataOnly: true)
                        synced.values.withLock { $0[number] = UInt8(value) }
                        usleep(UInt32(2_000 + number * 700))
                    }
                } catch {
                    synced.problems.withLock { $0.append("\(error)") }
                }
            }.start()
        }
        usleep(UInt32(30_000 + seed * 17_000))
        let before = synced.values.withLock { $0 }
        let copied = Result { try volume.copyState(to: volume.root + "/copy") }
        synced.isStopping.store(true, ordering: .relaxed)
        threads.wait()
        #expect(synced.problems.withLock { $0 } == [])
        try copied.get()
        try volume.takeUp(volume.root + "/copy")
        for number in 0..<fileCount {
            let bytes = try volume.readFile("/files/f\(number)")
            let value = try #require(bytes.first)
            #expect(value >= before[number], "file \(number)")
            #expect(same(bytes, [UInt8](repeating: value, count: size)), "file \(number)")
        }
    }

    private final class Synced: Sendable {
        let values: Lock<[UInt8]>
        let problems = Lock<[String]>([])
        let isStopping = Atomic<Bool>(false)

        init(count: Int) {
            values = Lock([UInt8](repeating: 1, count: count))
        }
    }

    // SEMANTICS: A machine that finds a newer revision, at its start or when it publishes,
    // publishes nothing more: a line in `.cairn/errors` says so, publishing fails with EROFS, and
    // its own changes stay on this machine.
    // SEMANTICS: No automatic merge of what two machines changed.
    // SEMANTICS: EROFS: a read-only mount, or an `fsync` that waits for a read-only store or for a
    // publication over a newer revision
    @Test("a machine that meets another's newer root publishes nothing over it and loses nothing")
    func foreignRevision() throws {
        let first = try TestVolume(on: TestStore())
        try first.writeFile("/files/a", Array("a".utf8))
        try first.publish()
        let second = try TestVolume(on: first.memory, seed: first.seed, mode: .recover)
        try first.writeFile("/files/first", Array("first".utf8))
        try first.publish()
        try second.writeFile("/files/second", pattern(50_000, seed: 2))
        #expect(throws: TestVolume.Unpublished.self) { try second.publish(within: .seconds(5)) }
        #expect(try second.report("errors").contains("another machine"))
        try second.restart()
        #expect(try second.report("errors").contains("another machine"))
        #expect(same(try second.readFile("/files/second"), pattern(50_000, seed: 2)))
        #expect(throws: TestVolume.Unpublished.self) { try second.publish(within: .seconds(5)) }
        try first.recover()
        #expect(try first.list("/files") == ["a", "first"])
    }
}
