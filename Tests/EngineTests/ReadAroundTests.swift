// SPDX-License-Identifier: Apache-2.0
//
// Whether the disk is asked for more than a small read wants: as a value, over many readers; and of
// a volume, that it changes no byte.

import Blocks
import Foundation
import Primitives
import TestSupport
import Testing

@testable import Engine

@Suite("reading around")
struct ReadAroundTests {
    /// Reads places of a file of so many stretches, none of which is in memory.
    ///
    /// - Returns: stretches that were read, of them such as were there already, and reads that
    ///   found their bytes.
    private func read(
        _ count: Int, of stretches: Int, seed: UInt64
    ) -> (read: Int, again: Int, hits: Int) {
        var around = ReadAround()
        var dice = SeededGenerator(seed: seed)
        var present: Set<Int> = []
        var (read, again, hits) = (0, 0, 0)
        for _ in 0..<count {
            let place = dice.below(stretches)
            let isPresent = present.contains(place)
            if isPresent { hits += 1 }
            if around.note(waited: !isPresent) {
                read += 1
                if !present.insert(place).inserted { again += 1 }
            }
        }
        return (read, again, hits)
    }

    @Test("a file that is opened for a few reads is read around none of them")
    func few() {
        var around = ReadAround()
        for _ in 0..<ReadAround.proof {
            let isAsked = around.note(waited: true)
            #expect(!isAsked)
        }
        let isAsked = around.note(waited: true)
        #expect(isAsked)
    }

    @Test("reads that find their bytes in memory ask for nothing, however many they are")
    func warm() {
        var around = ReadAround()
        for _ in 0..<10_000 {
            let isAsked = around.note(waited: false)
            #expect(!isAsked)
        }
        // And what they found was not read for them: it earns nothing.
        var stretches = 0
        for _ in 0..<10_000 where around.note(waited: true) { stretches += 1 }
        #expect(stretches == ReadAround.credit)
    }

    @Test("of reads that never meet, the disk is asked for so many stretches and no more")
    func sparse() {
        let (read, _, hits) = self.read(100_000, of: 1 << 40, seed: 1)
        #expect(hits == 0)
        #expect(read == ReadAround.credit)
    }

    @Test(
        "places that are all equally likely bring a file of up to 512 MiB in, each stretch once",
        arguments: [8, 128, 256, 512], [1, 2, 3] as [UInt64])
    func dense(stretches: Int, seed: UInt64) {
        let (read, again, hits) = self.read(stretches * 20, of: stretches, seed: seed)
        #expect(again == 0)
        #expect(read >= stretches * 95 / 100, "seed \(seed)")
        #expect(hits >= stretches * 18 - ReadAround.proof, "seed \(seed)")
    }

    @Test("reads in no order of a file that others change have its bytes", arguments: [1, 2])
    func bytes(seed: UInt64) throws {
        let volume = try TestVolume(on: TestStore()) { configuration in
            configuration.journal = JournalLimits(piecesPerCommit: 0, blocks: 0)
            configuration.flushDelay = .milliseconds(10)
        }
        var dice = SeededGenerator(seed: seed)
        let size = 6 << 20
        var wanted = pattern(size, seed: seed)
        try volume.writeFile("/files/a", wanted)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        for round in 0..<40 {
            PageCache.drop(volume.stateFolder + "/arena")
            let at = dice.below(size - 9000)
            let change = pattern(1 + dice.below(9000), seed: dice.next())
            try volume.writeFile("/files/a", change, at: UInt64(at))
            wanted.replaceSubrange(at..<at + change.count, with: change)
            let ino = try volume.resolve("/files/a")
            let file = try volume.engine.open(
                ino, OpenIntent(reads: true, writes: false), volume.context)
            defer { volume.engine.release(file.handle, ino: ino) }
            for _ in 0..<60 {
                let from = dice.below(size)
                var got = [UInt8](repeating: 0, count: min(size - from, 1 + dice.below(40_000)))
                var span = got.mutableSpan
                // Who serves the kernel does not wait for the store.
                let count = try volume.engine.read(
                    file.handle, ino: ino, at: UInt64(from), into: &span,
                    RequestContext(user: 1000, group: 1000, umask: 0o022, patience: nil))
                #expect(count == got.count)
                #expect(
                    same(got, Array(wanted[from..<from + got.count])),
                    "seed \(seed), round \(round), \(got.count) bytes at \(from)")
            }
        }
    }

    // MARK: What is dropped behind large reads

    /// A file of 24 MiB, sealed and synced.
    private static func large() throws -> (TestVolume, UInt64) {
        let volume = try TestVolume(on: TestStore()) { configuration in
            configuration.journal = JournalLimits(piecesPerCommit: 0, blocks: 0)
            configuration.flushDelay = .seconds(600)
        }
        try volume.writeFile("/files/a", pattern(24 << 20, seed: 1))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        return (volume, try volume.resolve("/files/a"))
    }

    /// Reads the file through, of which nothing is in memory, and then a little of it again.
    ///
    /// - Parameter size: bytes of a read of the first time; 0 for none.
    /// - Returns: how often the little had to be waited for.
    private static func waits(
        _ volume: TestVolume, _ ino: UInt64, size: Int, isUncached: Bool
    ) throws -> Int {
        PageCache.drop(volume.stateFolder + "/arena")
        let intent = OpenIntent(reads: true, writes: false, isUncached: isUncached)
        let file = try volume.engine.open(ino, intent, volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        // Who serves the kernel does not wait for the store.
        let context = RequestContext(user: 1000, group: 1000, umask: 0o022, patience: nil)
        let count = Lock(0)
        func read(_ size: Int, at offset: Int) throws {
            var bytes = [UInt8](repeating: 0, count: size)
            var span = bytes.mutableSpan
            let got = try volume.engine.read(
                file.handle, ino: ino, at: UInt64(offset), into: &span, context)
            #expect(got == size)
        }
        if size > 0 {
            for offset in stride(from: 0, to: 24 << 20, by: size) { try read(size, at: offset) }
        }
        volume.engine.setWillWait { count.withLock { $0 += 1 } }
        defer { volume.engine.setWillWait {} }
        try read(4096, at: 4 << 20)
        return count.withLock { $0 }
    }

    /// Whether the disk of the temporary folder says what it holds in memory, and forgets it.
    private static let isTold: Bool = {
        // Whatever fails, nothing is told.
        guard let (volume, ino) = try? large() else { return false }
        return (try? waits(volume, ino, size: 0, isUncached: false)) == 1
    }()

    @Test(
        "what is read through lies in memory once: as the kernel keeps it, else sealed",
        .enabled(if: isTold, "the temporary folder's disk does not say what is in memory"))
    func keptOnce() throws {
        let (volume, ino) = try Self.large()
        func waits(isUncached: Bool) throws -> Int {
            try Self.waits(volume, ino, size: 1 << 20, isUncached: isUncached)
        }
        // The system may forget by itself, if it is short of memory: it is given some tries.
        #expect(try (0..<20).contains { _ in try waits(isUncached: false) == 1 })
        #expect(try (0..<20).contains { _ in try waits(isUncached: true) == 0 })
    }
}
