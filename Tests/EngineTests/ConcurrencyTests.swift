// SPDX-License-Identifier: Apache-2.0
//
// Many threads on one volume: everybody's own things end as if they had been alone, and shared ones
// are whole.

import Engine
import Foundation
import Namespace
import Primitives
import TestSupport
import Testing

@Suite("many threads", .serialized)
struct ConcurrencyTests {
    static let threads = 8
    static let operations = 250

    /// What one thread has done in its own directory, and what went wrong.
    private final class Outcome: Sendable {
        let files = Lock<[Int: [Int: [UInt8]]]>([:])
        let problems = Lock<[String]>([])
    }

    /// One thread's random work in its own directory, and in the one that all share.
    private static func work(
        _ number: Int, _ own: UInt64, _ shared: UInt64, _ engine: Engine, _ outcome: Outcome
    ) throws(FileError) {
        var dice = SeededGenerator(seed: UInt64(number + 1))
        var files: [Int: [UInt8]] = [:]
        let context = RequestContext(
            user: 1, group: 1, patience: Patience(for: .seconds(120)))
        let intent = OpenIntent(reads: true, writes: true)
        func name(_ id: Int) -> [UInt8] { Array("f\(id)".utf8) }
        for _ in 0..<operations {
            let id = Int.random(in: 0..<12, using: &dice)
            switch Int.random(in: 0..<10, using: &dice) {
            case 0..<5:
                let (status, file) = try engine.create(
                    name(id), in: own, mode: 0o644, intent, isExclusive: false, context)
                var content = files[id] ?? []
                let at = Int.random(in: 0...content.count, using: &dice)
                let bytes = pattern(Int.random(in: 1...60_000, using: &dice), seed: dice.next())
                _ = try engine.write(
                    file.handle, ino: status.ino, at: UInt64(at), bytes.span, context)
                if content.count < at + bytes.count {
                    content += [UInt8](repeating: 0, count: at + bytes.count - content.count)
                }
                content.replaceSubrange(at..<at + bytes.count, with: bytes)
                files[id] = content
                engine.release(file.handle, ino: status.ino)
                engine.forget(status.ino, count: 1)
            case 5 where files[id] != nil:
                try engine.unlink(name(id), in: own, context)
                files[id] = nil
            case 6 where files[id] != nil:
                let other = (id + 1) % 12
                try engine.rename(name(id), in: own, to: name(other), in: own, .replace, context)
                files[other] = files.removeValue(forKey: id)
            case 7: try engine.synchronize(own, dataOnly: false)
            default: quarrel(&dice, shared, engine, context)
            }
        }
        let done = files
        outcome.files.withLock { $0[number] = done }
    }

    /// Work on names that all threads want: any of the usual errors may come of it.
    private static func quarrel(
        _ dice: inout SeededGenerator, _ shared: UInt64, _ engine: Engine, _ context: RequestContext
    ) {
        let name = Array("s\(Int.random(in: 0..<5, using: &dice))".utf8)
        let other = Array("s\(Int.random(in: 0..<5, using: &dice))".utf8)
        // Who comes too late gets an error, which is right; the tree is compared in the end.
        switch Int.random(in: 0..<6, using: &dice) {
        case 0:
            guard let status = try? engine.makeDirectory(name, in: shared, mode: 0o755, context)
            else { return }
            engine.forget(status.ino, count: 1)
        case 1: try? engine.removeDirectory(name, in: shared, context)
        case 2: try? engine.rename(name, in: shared, to: other, in: shared, .exchange, context)
        case 3: try? engine.unlink(name, in: shared, context)
        case 4:
            guard let handle = try? engine.openDirectory(shared, context).handle else { return }
            defer { engine.releaseDirectory(handle) }
            try? engine.readDirectory(
                handle, ino: shared, from: 0, withStatus: true, context
            ) { entry in
                if let status = entry.status {
                    var change = AttributeChange()
                    change.mode = 0o700
                    _ = try? engine.setAttributes(of: status.ino, change, context)
                }
                return true
            }
        default:
            let intent = OpenIntent(reads: true, writes: true)
            guard
                let (status, file) = try? engine.create(
                    name, in: shared, mode: 0o644, intent, isExclusive: false, context)
            else { return }
            _ = try? engine.write(
                file.handle, ino: status.ino, at: 0, pattern(30_000, seed: 1).span, context)
            engine.release(file.handle, ino: status.ino)
            engine.forget(status.ino, count: 1)
        }
    }

    @Test("eight threads at once leave what each of them did")
    func mixed() throws {
        let volume = try TestVolume(on: TestStore()) { configuration in
            configuration.cacheBudget = 16 << 20
            configuration.flushDelay = .milliseconds(30)
            configuration.publishDelay = .milliseconds(50)
        }
        try volume.makeDirectory("/files/shared")
        let shared = try volume.resolve("/files/shared")
        let own = try (0..<Self.threads).map { number in
            try volume.makeDirectory("/files/d\(number)")
            return try volume.resolve("/files/d\(number)")
        }
        let outcome = Self.run(volume.engine, own, shared)
        #expect(outcome.problems.withLock { $0 } == [])
        try check(volume, outcome)
        let listed = try volume.list("/files/shared")
        try volume.restart()
        try check(volume, outcome)
        try volume.recover()
        try check(volume, outcome)
        #expect(try volume.list("/files/shared") == listed)
    }

    /// All threads, to their end.
    private static func run(_ engine: Engine, _ own: [UInt64], _ shared: UInt64) -> Outcome {
        let outcome = Outcome()
        let group = DispatchGroup()
        for number in 0..<threads {
            group.enter()
            Thread {
                defer { group.leave() }
                do throws(FileError) {
                    try work(number, own[number], shared, engine, outcome)
                } catch {
                    outcome.problems.withLock { $0.append("thread \(number): \(error)") }
                }
            }.start()
        }
        group.wait()
        return outcome
    }

    @Test("an inode may be found by others before its maker has it in hand")
    func foundEarly() throws {
        let volume = try TestVolume(on: TestStore())
        try volume.writeFile("/files/first", [1])
        let first = try volume.resolve("/files/first")
        let count: UInt64 = 1500
        Self.chase(volume.engine, from: first + 1, count: count, volume.context)
        #expect(try volume.list("/files").count == Int(count) + 1)
        for number in stride(from: UInt64(0), to: count, by: 97) {
            #expect(try volume.status("/files/n\(number)").attributes.mode == 0o711)
        }
    }

    /// One thread makes files, another changes each of them as soon as it can be found by its
    /// number.
    private static func chase(
        _ engine: Engine, from first: UInt64, count: UInt64, _ context: RequestContext
    ) {
        let group = DispatchGroup()
        group.enter()
        Thread {
            defer { group.leave() }
            var change = AttributeChange()
            change.mode = 0o711
            for ino in first..<first + count {
                while (try? engine.setAttributes(of: ino, change, context)) == nil {}
            }
        }.start()
        for number in 0..<count {
            // A file that is not made keeps the other thread waiting, and ends the test's time.
            _ = try? engine.makeNode(
                Array("n\(number)".utf8), in: Engine.filesInode, kind: .regular, mode: 0o644,
                device: 0, context)
        }
        group.wait()
    }

    private func check(_ volume: TestVolume, _ outcome: Outcome) throws {
        let all = outcome.files.withLock { $0 }
        for (number, files) in all {
            let directory = "/files/d\(number)"
            #expect(try volume.list(directory) == files.keys.map { "f\($0)" }.sorted())
            for (id, content) in files {
                #expect(same(try volume.readFile("\(directory)/f\(id)"), content))
            }
        }
        let directories = try volume.list("/files/shared").filter {
            try volume.status("/files/shared/" + $0).kind == .directory
        }
        #expect(try volume.status("/files/shared").linkCount == UInt32(2 + directories.count))
    }
}
