// SPDX-License-Identifier: Apache-2.0
//
// Loading directories: what it takes of the store's time, of the threads that fetch, and of memory.

import Foundation
import Metadata
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("loading directories", .serialized)
struct DirectoryLoadTests {
    /// What stands before the store of the engine that runs.
    private let held = Held()

    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) { [held] configuration in
            let store = HeldStore(configuration.chunks)
            configuration.chunks = store
            held.set(store)
            configuration.commitInterval = .seconds(600)
        }
    }

    /// Makes a directory of many pages: content of so few bytes stands in the entries.
    private func fill(_ volume: TestVolume, _ path: String, count: Int) throws {
        try volume.makeDirectory(path)
        for number in 0..<count {
            try volume.writeFile("\(path)/\(number)", pattern(2000, seed: UInt64(number)))
        }
    }

    @Test("a hard-link table that takes longer than anybody waits is loaded nevertheless")
    func slowTable() throws {
        let volume = try volume()
        let engine = volume.engine
        let count = 1000
        try fill(volume, "/files/many", count: count)
        try volume.makeDirectory("/files/links")
        try volume.makeDirectory("/files/few")
        let (links, few) = (try volume.resolve("/files/links"), try volume.resolve("/files/few"))
        for number in 0..<count {
            let ino = try volume.resolve("/files/many/\(number)")
            let name = Array("\(number)".utf8)
            _ = try engine.link(ino, as: name, in: number == 7 ? few : links, volume.context)
        }
        try volume.recover()
        let directory = try volume.resolve("/files/few")
        let store = try held.get()
        let before = store.passed
        // Longer than the step in which those who wait look at the time.
        let (pace, patience) = (
            Duration.milliseconds(250).scaled, Duration.milliseconds(500).scaled
        )
        store.pass(nil, pace: pace)
        func tryLookup() throws -> Bool {
            let hasty = RequestContext(user: 1000, group: 1000, patience: Patience(for: patience))
            do {
                return try volume.engine.lookup(Array("7".utf8), in: directory, hasty).size == 2000
            } catch FileError.inputOutput {
                return false
            }
        }
        #expect(try !tryLookup())
        #expect(try eventually(within: .seconds(60)) { try tryLookup() })
        // Else it proves nothing: all of it takes longer than one waits.
        #expect(Double(store.passed - before) * (pace / patience) > 2)
    }

    @Test("walks over many directories at once leave threads to who reads a file")
    func threads() throws {
        let volume = try volume()
        let walks = 4
        for number in 0..<walks { try fill(volume, "/files/\(number)", count: 800) }
        try volume.recover()
        let inodes = try (0..<walks).map { try volume.resolve("/files/\($0)") }
        let store = try held.get()
        store.pass(0)
        let engine = volume.engine
        let context = volume.context
        let done = Lock(0)
        for ino in inodes {
            Thread.detachNewThread {
                // What it finds is no concern of this test.
                _ = try? engine.lookup(Array("1".utf8), in: ino, context)
                done.withLock { $0 += 1 }
            }
        }
        #expect(eventually { store.waiting == walks })
        // Their first pages, which name the others.
        store.pass(walks)
        let most = walks + PagesAhead.window - 1
        #expect(eventually { store.waiting > walks })
        usleep(300_000)
        #expect(store.mostWaiting <= most)
        #expect(most < FetchPool.fewest)
        store.pass(nil)
        #expect(eventually(within: .seconds(60)) { done.withLock { $0 } == walks })
    }

    @Test("what loads bring is committed before it is too much, though nobody writes")
    func commits() throws {
        let volume = try volume()
        let value = [UInt8](repeating: 7, count: 60_000)
        try volume.makeDirectory("/files/d")
        // More than is kept in memory without a commit.
        for number in 0..<400 {
            try volume.writeFile("/files/d/\(number)", [])
            try volume.engine.setExtendedAttribute(
                Array("user.v".utf8), of: try volume.resolve("/files/d/\(number)"), to: value,
                .any, volume.context)
        }
        try volume.recover()
        #expect(try volume.list("/files/d").count == 400)
        let metadata = volume.engine.volume.metadata
        #expect(eventually { !metadata.wantsCommit })
    }
}
