// SPDX-License-Identifier: Apache-2.0
//
// The volume's own quota: nothing passes it, nothing that shrinks is refused, and the account is
// right whatever was done.

import Autonomi
import Cryptography
import Engine
import Foundation
import Primitives
import Scratchpads
import SelfEncryption
import Synchronization
import TestSupport
import Testing

@Suite("the volume's quota")
struct QuotaTests {
    private static let limit: UInt64 = 4 << 20

    private func volume(_ limit: UInt64 = QuotaTests.limit) throws -> TestVolume {
        try TestVolume { $0.quota = limit }
    }

    /// What the files have by the volume's account.
    private func used(_ volume: TestVolume) -> UInt64 {
        let statistics = volume.engine.statistics()
        return statistics.totalBytes - statistics.freeBytes
    }

    private func truncate(_ volume: TestVolume, _ path: String, to size: UInt64) throws {
        var change = AttributeChange()
        change.size = size
        _ = try volume.engine.setAttributes(
            of: try volume.resolve(path), change, volume.context)
    }

    // SEMANTICS: EDQUOT: the volume's quota is used up, or the store wants payment or takes no more
    @Test("the write that would pass the quota is refused, and leaves the file as it was")
    func refusedWrite() throws {
        let volume = try volume()
        let bytes = pattern(3 << 20, seed: 1)
        try volume.writeFile("/files/a", bytes)
        #expect(throws: FileError.quotaExceeded) {
            try volume.writeFile("/files/a", bytes, at: 1 << 20 | 1)
        }
        #expect(try volume.status("/files/a").size >= UInt64(bytes.count))
        try truncate(volume, "/files/a", to: UInt64(bytes.count))
        #expect(throws: FileError.quotaExceeded) {
            try volume.writeFile("/files/small", [1], at: Self.limit)
        }
        #expect(throws: FileError.quotaExceeded) {
            try truncate(volume, "/files/small", to: (1 << 20) + 1)
        }
        #expect(try volume.status("/files/small").size == 0)
        // The last byte fits, and what is inside a file needs none.
        try truncate(volume, "/files/small", to: 1 << 20)
        #expect(volume.engine.statistics().freeBytes == 0)
        #expect(throws: FileError.quotaExceeded) { try volume.writeFile("/scratchpads/p", [1]) }
        try volume.writeFile("/files/a", pattern(3 << 20, seed: 2))
        #expect(same(try volume.readFile("/files/a"), pattern(3 << 20, seed: 2)))
        try volume.unlink("/files/small")
        try volume.writeFile("/scratchpads/p", [1])
        #expect(used(volume) == (3 << 20) + 1)
    }

    // SEMANTICS: A volume that has more than its quota, because that was lowered, can be read,
    // overwritten, shortened and emptied; nothing in it grows.
    @Test("a volume that has more than its quota shrinks and is rewritten, but does not grow")
    func lowered() throws {
        let limits = Atomic<UInt64>(8 << 20)
        let volume = try TestVolume { $0.quota = limits.load(ordering: .relaxed) }
        for name in ["a", "b", "c"] {
            try volume.writeFile("/files/" + name, pattern(2 << 20, seed: 3))
        }
        limits.store(3 << 20, ordering: .relaxed)
        try volume.restart()
        #expect(volume.engine.statistics().freeBytes == 0 && used(volume) == 6 << 20)
        #expect(throws: FileError.quotaExceeded) { try volume.writeFile("/files/d", [1]) }
        try volume.writeFile("/files/a", pattern(2 << 20, seed: 4))
        try truncate(volume, "/files/a", to: 1 << 20)
        try volume.unlink("/files/b")
        #expect(throws: FileError.quotaExceeded) { try volume.writeFile("/files/d", [1]) }
        try volume.unlink("/files/c")
        try volume.writeFile("/files/d", pattern(2 << 20, seed: 5))
        #expect(throws: FileError.quotaExceeded) { try volume.writeFile("/files/e", [1]) }
    }

    @Test("the account is the sum of the sizes, whatever was done", arguments: UInt64(1)...12)
    func account(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let volume = try volume()
        let paths = (0..<5).map { "/files/f\($0)" } + ["/scratchpads/p", "/scratchpads/q"]
        func check(_ step: String) throws {
            var sum: UInt64 = 0
            for path in paths {
                // A file that is not there has nothing.
                sum += (try? volume.status(path).size) ?? 0
            }
            #expect(used(volume) == sum, "seed \(seed), \(step)")
            #expect(sum <= Self.limit, "seed \(seed), \(step)")
        }
        for step in 0..<120 {
            let path = paths[dice.below(paths.count)]
            let action = dice.below(10)
            do throws(FileError) {
                switch action {
                case 0..<5:
                    let bytes = dice.bytes(dice.below(dice.chance(50) ? 20_000 : 900_000))
                    try volume.writeFile(
                        path, bytes, at: UInt64(dice.below(1 << 20)), truncates: dice.chance(20))
                case 5: try volume.unlink(path)
                case 6: try volume.rename(path, paths[dice.below(5)])
                case 7: try copy(volume, path, paths[dice.below(5)], dice.below(3_000_000))
                default:
                    var change = AttributeChange()
                    change.size = UInt64(dice.below(2_000_000))
                    _ = try volume.engine.setAttributes(
                        of: try volume.resolve(path), change, volume.context)
                }
            } catch {
                let isExpected: Bool =
                    switch error {
                    case .quotaExceeded, .notFound, .crossDevice, .invalid, .notSupported: true
                    default: false
                    }
                #expect(isExpected, "seed \(seed), step \(step), action \(action): \(error)")
            }
            try check("step \(step), action \(action)")
            if step == 60 { try volume.restart() }
            if step == 90 {
                try volume.recover()
                try check("recovered")
            }
        }
    }

    private func copy(
        _ volume: TestVolume, _ source: String, _ target: String, _ offset: Int
    ) throws(FileError) {
        let (from, to) = (try volume.resolve(source), try volume.resolve(target))
        let intent = OpenIntent(reads: true, writes: true)
        let one = try volume.engine.open(from, intent, volume.context)
        defer { volume.engine.release(one.handle, ino: from) }
        let other = try volume.engine.open(to, intent, volume.context)
        defer { volume.engine.release(other.handle, ino: to) }
        _ = try volume.engine.copyRange(
            from: (one.handle, from, 0), to: (other.handle, to, UInt64(offset)), count: 4 << 20,
            volume.context)
    }

    @Test("writers beside each other never pass the quota together")
    func together() throws {
        let volume = try volume()
        let (engine, context) = (volume.engine, volume.context)
        let open = try (0..<8).map { number in
            try volume.writeFile("/files/f\(number)", [])
            let ino = try volume.resolve("/files/f\(number)")
            let file = try engine.open(ino, OpenIntent(reads: false, writes: true), context)
            return (ino: ino, handle: file.handle)
        }
        let refused = Lock<[FileError]>([])
        let bytes = pattern(50_000, seed: 7)
        DispatchQueue.concurrentPerform(iterations: open.count) { number in
            for part in 0..<20 as Range<UInt64> {
                do throws(FileError) {
                    let file = open[number]
                    _ = try engine.write(
                        file.handle, ino: file.ino, at: part * 50_000, bytes.span, context)
                } catch {
                    refused.withLock { $0.append(error) }
                }
            }
        }
        for file in open { engine.release(file.handle, ino: file.ino) }
        let sizes = try (0..<8).map { try volume.status("/files/f\($0)").size }
        #expect(sizes.reduce(0, +) == used(volume))
        #expect(used(volume) <= Self.limit && used(volume) > Self.limit - 50_000)
        let errors = refused.withLock { $0 }
        #expect(!errors.isEmpty && errors.allSatisfy { $0 == .quotaExceeded })
    }

    // SEMANTICS: Sizes are counted, holes included, each file once however many names it has, a
    // deleted one until its last close; names, attributes, links and folders are not.
    @Test("a file that is deleted while it is open counts until its last close")
    func deletedWhileOpen() throws {
        let volume = try volume()
        try volume.writeFile("/files/a", pattern(4 << 20, seed: 1))
        let ino = try volume.resolve("/files/a")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        try volume.unlink("/files/a")
        #expect(throws: FileError.quotaExceeded) { try volume.writeFile("/files/b", [1]) }
        volume.engine.release(file.handle, ino: ino)
        try volume.writeFile("/files/b", pattern(4 << 20, seed: 1))
    }

    @Test("a pad from elsewhere counts with its size, in each state, and not once it is gone")
    func importedPad() throws {
        let volume = try TestVolume(on: TestStore()) { $0.quota = Self.limit }
        let key = SecretBytes([UInt8](repeating: 1, count: AutonomiPad.keySize))
        let pad = try #require(AutonomiPad(key: key, isEncrypted: false))
        let parent = try volume.resolve("/scratchpads")
        for (number, size) in [900, 300, 2000].enumerated() {
            let record = try pad.seal(
                pattern(size, seed: 1).span, encoding: 42, counter: UInt64(number))
            let status = try volume.engine.importPad(
                record, key: nil, as: Array("news".utf8), in: parent, volume.context)
            volume.engine.forget(status.ino, count: 1)
            #expect(used(volume) == UInt64(size))
        }
        try volume.unlink("/scratchpads/news")
        #expect(used(volume) == 0)
        try volume.writeFile("/files/all", pattern(Int(Self.limit), seed: 2))
    }

    @Test(
        "a pad that is newer than its folder's page counts as it is, once somebody looks there",
        arguments: [10, 5000])
    func newerPad(size: Int) throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.quota = Self.limit
            ($0.publishDelay, $0.publishCeiling) = (.seconds(600), .seconds(600))
        }
        try volume.writeFile("/scratchpads/p", pattern(900, seed: 1))
        try volume.publish()
        try volume.writeFile("/scratchpads/p", pattern(size, seed: 2), truncates: true)
        try #require(eventually { volume.engine.engineStatus().pendingPads == 0 })
        try volume.forgetEverything()
        #expect(used(volume) == 900, "what the revision says")
        #expect(try volume.readFile("/scratchpads/p").count == size)
        #expect(used(volume) == UInt64(size))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.restart()
        #expect(used(volume) == UInt64(size))
        try volume.unlink("/scratchpads/p")
        #expect(used(volume) == 0)
        try volume.recover()
        #expect(used(volume) == 0)
    }

    @Test("the other version of a pad is kept beside this one, also where the quota is used up")
    func conflict() throws {
        let store = TestStore()
        let first = try TestVolume(on: store)
        try first.writeFile("/scratchpads/note", Array("one".utf8))
        try first.publish()
        let second = try TestVolume(on: store, seed: first.seed, mode: .recover) {
            $0.quota = Self.limit
            // One machine publishes; both save the pad.
            ($0.publishDelay, $0.publishCeiling) = (.seconds(600), .seconds(600))
        }
        #expect(try second.readFile("/scratchpads/note") == Array("one".utf8))
        try second.writeFile("/files/rest", pattern(Int(Self.limit) - 3, seed: 3))
        #expect(second.engine.statistics().freeBytes == 0)
        let theirs = pattern(3000, seed: 4)
        try first.writeFile("/scratchpads/note", theirs)
        try first.publish()
        try second.writeFile("/scratchpads/note", Array("two".utf8))
        try #require(try eventually { try second.list("/scratchpads").count == 2 })
        let other = try #require(try second.list("/scratchpads").first { $0 != "note" })
        #expect(try eventually { try second.readFile("/scratchpads/" + other) == theirs })
        #expect(try second.readFile("/scratchpads/note") == Array("two".utf8))
        #expect(try eventually { try second.report("conflicts").contains(other) })
        #expect(used(second) == Self.limit + UInt64(theirs.count))
        #expect(second.engine.engineStatus().openHandles == 0)
        #expect(throws: FileError.quotaExceeded) { try second.writeFile("/files/more", [1]) }
    }

    @Test("a foreign file that does not fit leaves no name behind")
    func adopted() throws {
        let network = Network()
        let map = try network.add(pattern(9_000_000, seed: 11), .v2)
        let volume = try TestVolume(on: network.store) { $0.quota = Self.limit }
        let files = try volume.resolve("/files")
        #expect(throws: FileError.quotaExceeded) {
            try volume.engine.adopt(.maps([map]), as: Array("x".utf8), in: files, volume.context)
        }
        #expect(throws: FileError.notFound) { try volume.resolve("/files/x") }
        #expect(used(volume) == 0)
    }
}
