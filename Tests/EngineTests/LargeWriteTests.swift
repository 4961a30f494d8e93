// SPDX-License-Identifier: Apache-2.0
//
// Writes of many whole blocks, which go into the arena as they come: what is read is what was
// written last, whatever lies beside and under it, and what is refused leaves nothing behind.

import Blocks
import Foundation
import Namespace
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("large writes")
struct LargeWriteTests {
    private static let mebibyte = 1 << 20
    private static let block = Arena.blockSize

    /// A volume whose background does nothing by itself for the time of a test.
    private func quiet(budget: UInt64 = 64 << 20, quota: UInt64? = nil) throws -> TestVolume {
        try TestVolume(on: TestStore()) { configuration in
            configuration.cacheBudget = budget
            configuration.quota = quota ?? configuration.quota
            configuration.commitInterval = .seconds(3600)
            (configuration.flushDelay, configuration.flushCeiling) = (
                .seconds(3600), .seconds(3600)
            )
        }
    }

    /// What the file's blocks are in memory and in the arena.
    private func blocks(
        _ volume: TestVolume, _ path: String, _ numbers: Range<UInt64>
    ) throws -> (buffered: Int, slots: [UInt32?]) {
        let engine = volume.engine.volume
        let ino = try volume.resolve(path)
        return try engine.with(ino) { (inode) throws(FileError) in
            try engine.change(inode) { (state) throws(FileError) in
                var slots: [UInt32?] = []
                for number in numbers {
                    slots.append(try engine.entry(number, &state).reference?.slot)
                }
                return (state.buffers.count, slots)
            }
        }
    }

    @Test("the blocks of one are in the arena when it returns, and none in memory")
    func straight() throws {
        let volume = try quiet()
        let start = pattern(Self.mebibyte, seed: 1)
        try volume.writeFile("/files/a", start)
        // A small file is gathered, until there is more of it.
        let small = try blocks(volume, "/files/a", 0..<64)
        #expect(small.buffered == 64 && small.slots.allSatisfy { $0 == nil })
        try volume.writeFile("/files/a", pattern(Self.mebibyte, seed: 2), at: 1 << 20)
        let found = try blocks(volume, "/files/a", 0..<128)
        #expect(found.buffered == 0 && found.slots.allSatisfy { $0 != nil })
        #expect(zip(found.slots, found.slots.dropFirst()).allSatisfy { $0.map { $0 + 1 } == $1 })
        #expect(volume.engine.volume.bufferedBytes.load(ordering: .relaxed) == 0)
        #expect(try volume.status("/files/a").allocated == 2 << 20)
        #expect(
            same(try volume.readFile("/files/a"), start + pattern(Self.mebibyte, seed: 2)))
        // One that is small, or cut through a block, is gathered as before.
        try volume.writeFile("/files/a", pattern(Self.block, seed: 3), at: 3 << 20)
        try volume.writeFile("/files/a", pattern(Self.mebibyte, seed: 4), at: 4 << 20 | 1)
        #expect(try blocks(volume, "/files/a", 192..<193).slots == [nil])
        #expect(try blocks(volume, "/files/a", 256..<257).slots == [nil])
    }

    @Test("blocks lie in the order of their file, in whatever order the kernel writes them back")
    func order() throws {
        let volume = try quiet()
        var dice = SeededGenerator(seed: 5)
        let count = 24
        let rounds = stride(from: 1, to: count, by: 6).map { $0..<min($0 + 6, count) }
        for number in rounds.flatMap({ $0.shuffled(using: &dice) }) {
            try volume.writeFile(
                "/files/a", pattern(Self.mebibyte, seed: UInt64(number)),
                at: UInt64(number * Self.mebibyte))
        }
        let slots = try blocks(volume, "/files/a", 64..<UInt64(64 * count)).slots
        let jumps = zip(slots, slots.dropFirst()).count { $0.map { $0 + 1 } != $1 }
        #expect(jumps == 0)
        let found = try volume.readFile("/files/a")
        for number in 1..<count { #expect(isThere(number, in: found)) }
    }

    /// Whether mebibyte `number` of a file has the bytes that the tests give it.
    private func isThere(_ number: Int, in found: [UInt8]) -> Bool {
        let start = number * Self.mebibyte
        let part = Array(found[start..<start + Self.mebibyte])
        return same(part, pattern(Self.mebibyte, seed: UInt64(number)))
    }

    @Test(
        "beside small writes, syncs, cuts and crashes a file has what was written last",
        arguments: UInt64(1)...6)
    func beside(seed: UInt64) throws {
        let volume = try quiet()
        var dice = SeededGenerator(seed: seed)
        var model: [UInt8] = []
        func patch(_ offset: Int, _ bytes: [UInt8]) {
            let end = offset + bytes.count
            if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
            model.replaceSubrange(offset..<end, with: bytes)
        }
        try volume.writeFile("/files/a", [])
        let ino = try volume.resolve("/files/a")
        for step in 0..<60 {
            let bytes: [UInt8]
            let offset: Int
            switch dice.below(6) {
            case 0, 1:
                // Whole blocks, mostly over what is there.
                bytes = pattern((16 + dice.below(49)) * Self.block, seed: dice.next())
                offset = (100 + dice.below(200)) * Self.block
            case 2, 3:
                bytes = pattern(1 + dice.below(3 * Self.block), seed: dice.next())
                offset = dice.below(5 * Self.mebibyte)
            case 4:
                try volume.engine.synchronize(ino, dataOnly: false)
                if dice.below(3) == 0 {
                    // What was synced is there after it.
                    try volume.crash()
                }
                continue
            default:
                let size = dice.below(5 * Self.mebibyte)
                var change = AttributeChange()
                change.size = UInt64(size)
                _ = try volume.engine.setAttributes(of: ino, change, volume.context)
                if size < model.count {
                    model.removeLast(model.count - size)
                } else {
                    patch(size, [])
                }
                continue
            }
            try volume.writeFile("/files/a", bytes, at: UInt64(offset))
            patch(offset, bytes)
            if step % 10 == 0 {
                #expect(same(try volume.readFile("/files/a"), model), "seed \(seed), step \(step)")
            }
        }
        #expect(same(try volume.readFile("/files/a"), model), "seed \(seed)")
        let buffered = try blocks(volume, "/files/a", 0..<0).buffered
        #expect(volume.engine.volume.arena.usage().reserved == UInt64(buffered * Self.block))
        try volume.engine.synchronize(ino, dataOnly: false)
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), model), "seed \(seed), after a crash")
    }

    @Test("one that passes the quota leaves no slot behind")
    func quota() throws {
        let volume = try quiet(quota: 5 << 20)
        try volume.writeFile("/files/a", pattern(4 * Self.mebibyte, seed: 1))
        try volume.engine.synchronize(try volume.resolve("/files/a"), dataOnly: false)
        let before = volume.engine.volume.arena.usage()
        #expect(throws: FileError.quotaExceeded) {
            try volume.writeFile("/files/a", pattern(2 * Self.mebibyte, seed: 2), at: 5 << 20)
        }
        let after = volume.engine.volume.arena.usage()
        #expect(after.used == before.used && after.reserved == 0)
        #expect(same(try volume.readFile("/files/a"), pattern(4 * Self.mebibyte, seed: 1)))
    }

    @Test("one over what the journal has is what is read, also after a crash")
    func overJournal() throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(4 * Self.mebibyte, seed: 1))
        let ino = try volume.resolve("/files/a")
        try volume.engine.synchronize(ino, dataOnly: false)
        try volume.writeFile("/files/a", pattern(100, seed: 2), at: 3 << 20)
        try volume.engine.synchronize(ino, dataOnly: false)
        #expect(try blocks(volume, "/files/a", 0..<0).buffered == 1)
        try volume.writeFile("/files/a", pattern(Self.mebibyte, seed: 3), at: 3 << 20)
        let expected =
            Array(pattern(4 * Self.mebibyte, seed: 1)[..<(3 << 20)])
            + pattern(Self.mebibyte, seed: 3)
        #expect(same(try volume.readFile("/files/a"), expected))
        #expect(try volume.status("/files/a").allocated == 4 << 20)
        try volume.engine.synchronize(ino, dataOnly: false)
        try volume.crash()
        #expect(same(try volume.readFile("/files/a"), expected))
    }

    @Test("who writes the same blocks again and again gets the room of those that were before")
    func again() throws {
        // No commit comes by itself, and nothing goes to the store.
        let volume = try quiet(budget: 12 << 20)
        var content: [UInt8] = []
        for number in 0..<UInt64(24) {
            content = pattern(2 * Self.mebibyte, seed: number)
            try volume.writeFile("/files/a", content, at: 2 << 20)
        }
        #expect(same(Array(try volume.readFile("/files/a")[(2 << 20)...]), content))
    }

    @Test("writers of one file beside each other leave each its own blocks")
    func together() throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(2 * Self.mebibyte, seed: 99))
        let failures = Lock<[String]>([])
        let (engine, context) = (volume.engine, volume.context)
        let ino = try volume.resolve("/files/a")
        let file = try engine.open(ino, OpenIntent(reads: true, writes: true), context)
        defer { engine.release(file.handle, ino: ino) }
        DispatchQueue.concurrentPerform(iterations: 4) { writer in
            for number in stride(from: 2 + writer, to: 26, by: 4) {
                do throws(FileError) {
                    _ = try engine.write(
                        file.handle, ino: ino, at: UInt64(number * Self.mebibyte),
                        pattern(Self.mebibyte, seed: UInt64(number)).span, context)
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
        }
        #expect(failures.withLock { $0 } == [])
        let found = try volume.readFile("/files/a")
        #expect(found.count == 26 * Self.mebibyte)
        for number in 2..<26 { #expect(isThere(number, in: found)) }
    }

    @Test("an arena without room for one has it gathered, and waits for the store as ever")
    func crowded() throws {
        let volume = try TestVolume(on: TestStore()) { configuration in
            configuration.cacheBudget = 8 << 20
            (configuration.flushDelay, configuration.flushCeiling) = (
                .milliseconds(50), .milliseconds(100)
            )
        }
        let content = pattern(20 * Self.mebibyte, seed: 7)
        try volume.writeFile("/files/a", content)
        #expect(same(try volume.readFile("/files/a"), content))
    }
}
