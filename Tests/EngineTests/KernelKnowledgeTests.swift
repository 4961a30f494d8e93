// SPDX-License-Identifier: Apache-2.0
//
// What the kernel is told of, and what it finds out by itself: each word to it costs it a question.

import Engine
import Namespace
import Primitives
import Testing

@Suite("what the kernel is told")
struct KernelKnowledgeTests {
    private let told = Lock<[Invalidation]>([])

    /// A volume with one file of 4 KiB that no kernel knows, and each open of which moves the
    /// access time.
    private func volume() throws -> (TestVolume, UInt64) {
        let volume = try TestVolume {
            $0.accessTimes = .strict
            // A flush would keep the inode, and what is known of it, in memory.
            ($0.flushDelay, $0.flushCeiling) = (.seconds(3600), .seconds(3600))
        }
        try volume.writeFile("/files/f", pattern(4096, seed: 1))
        let context = volume.context
        let name = Array("f".utf8)
        let ino = try volume.engine.lookup(name, in: Engine.filesInode, context).ino
        // Written back, or the inode stays in memory with all that is known of it.
        try volume.engine.synchronize(ino, dataOnly: false)
        // The kernel forgets all that it had, and looks the file up as new.
        volume.engine.forget(ino, count: 1_000)
        _ = try volume.engine.lookup(name, in: Engine.filesInode, context)
        volume.engine.setInvalidation { [told] change in told.withLock { $0.append(change) } }
        return (volume, ino)
    }

    private func open(_ volume: TestVolume, _ ino: UInt64) throws -> OpenedFile {
        let before = try volume.engine.status(of: ino, volume.context).attributes.accessed
        var opened: OpenedFile
        repeat {
            // The clock of file times goes in steps.
            opened = try volume.engine.open(
                ino, OpenIntent(reads: true, writes: false), volume.context)
            let now = try volume.engine.status(of: ino, volume.context).attributes.accessed
            if now != before { return opened }
            volume.engine.release(opened.handle, ino: ino)
        } while true
    }

    private func read(
        _ volume: TestVolume, _ ino: UInt64, _ file: OpenedFile, size: Int = 100
    ) throws {
        var bytes = [UInt8](repeating: 0, count: size)
        var span = bytes.mutableSpan
        // As on a serving thread, which may not wait for the store.
        let serving = RequestContext(user: 0, group: 0)
        let count = try volume.engine.read(
            file.handle, ino: ino, at: 0, into: &span, serving)
        #expect(count == size)
    }

    private func list(_ volume: TestVolume, _ ino: UInt64, _ handle: UInt64) throws -> [[UInt8]] {
        var names: [[UInt8]] = []
        try volume.engine.readDirectory(
            handle, ino: ino, from: 0, withStatus: false, volume.context
        ) { entry in
            names.append(entry.name)
            return true
        }
        try volume.engine.noteListing(of: ino, isAnswered: true)
        return names
    }

    @Test("opening a directory moves nothing, listing it its access time, of which nobody is told")
    func directories() throws {
        let volume = try TestVolume { $0.accessTimes = .relative }
        try volume.makeDirectory("/files/d")
        try volume.writeFile("/files/d/x", [])
        let engine = volume.engine
        let ino = try engine.resolve(Array("/files/d".utf8), volume.context)
        engine.setInvalidation { [told] change in told.withLock { $0.append(change) } }
        func times() throws -> FileAttributes {
            try engine.status(of: ino, volume.context).attributes
        }
        let before = try times()
        // The clock of file times goes in steps.
        while Timestamp.now() <= before.modified {}
        let opened = try engine.openDirectory(ino, volume.context)
        let handle = opened.handle
        defer { engine.releaseDirectory(handle) }
        #expect(!opened.keepsCache, "the kernel is to ask for the names")
        #expect(try times() == before)
        #expect(try list(volume, ino, handle).contains(Array("x".utf8)))
        let after = try times()
        #expect(after.accessed > before.modified)
        let again = try engine.openDirectory(ino, volume.context)
        engine.releaseDirectory(again.handle)
        #expect(again.keepsCache)
        while Timestamp.now() <= after.accessed {}
        _ = try list(volume, ino, handle)
        #expect(try times() == after, "nothing has changed since")
        // By somebody else, while it is open.
        try volume.writeFile("/files/d/y", [])
        while Timestamp.now() <= (try times()).modified {}
        _ = try list(volume, ino, handle)
        #expect(try times().accessed > after.accessed)
        #expect(count == 0, "it drops the time with the answer")
    }

    @Test("where each listing moves the access time, the kernel asks each time")
    func strictDirectories() throws {
        let volume = try TestVolume { $0.accessTimes = .strict }
        try volume.makeDirectory("/files/d")
        let engine = volume.engine
        let ino = try engine.resolve(Array("/files/d".utf8), volume.context)
        let handle = try engine.openDirectory(ino, volume.context).handle
        defer { engine.releaseDirectory(handle) }
        for _ in 0..<3 {
            let before = try engine.status(of: ino, volume.context).attributes.accessed
            while Timestamp.now() <= before {}
            let opened = try engine.openDirectory(ino, volume.context)
            engine.releaseDirectory(opened.handle)
            #expect(!opened.keepsCache)
            _ = try list(volume, ino, handle)
            #expect(try engine.status(of: ino, volume.context).attributes.accessed > before)
        }
    }

    private var count: Int { told.withLock { $0.count } }

    @Test("a file read from us is not spoken of: the kernel drops its access time itself")
    func readFromUs() throws {
        let (volume, ino) = try volume()
        let file = try open(volume, ino)
        #expect(count == 0)
        try read(volume, ino, file)
        volume.engine.release(file.handle, ino: ino)
        #expect(count == 0)
    }

    @Test("an access time that no read follows is told at the close")
    func closedUnread() throws {
        let (volume, ino) = try volume()
        let file = try open(volume, ino)
        #expect(count == 0)
        volume.engine.release(file.handle, ino: ino)
        #expect(told.withLock { $0 } == [.attributes(ino)])
    }

    @Test("once the kernel may have pages, an access time is told at the open")
    func readFromPages() throws {
        let (volume, ino) = try volume()
        let first = try open(volume, ino)
        try read(volume, ino, first)
        volume.engine.release(first.handle, ino: ino)
        let second = try open(volume, ino)
        #expect(count >= 1)
        volume.engine.release(second.handle, ino: ino)
    }

    @Test("who writes has pages before we hear of any")
    func readBesideWriter() throws {
        let (volume, ino) = try volume()
        let writer = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        let reader = try open(volume, ino)
        #expect(count >= 1)
        volume.engine.release(reader.handle, ino: ino)
        volume.engine.release(writer.handle, ino: ino)
    }

    @Test("a kernel that has forgotten a file has no pages of it")
    func forgotten() throws {
        let (volume, ino) = try volume()
        let first = try open(volume, ino)
        try read(volume, ino, first)
        volume.engine.release(first.handle, ino: ino)
        volume.engine.forget(ino, count: 1_000)
        _ = try volume.engine.lookup(Array("f".utf8), in: Engine.filesInode, volume.context)
        try volume.engine.synchronize(ino, dataOnly: false)
        told.withLock { $0 = [] }
        let second = try open(volume, ino)
        #expect(count == 0)
        try read(volume, ino, second)
        volume.engine.release(second.handle, ino: ino)
    }

    @Test("before much is read or anything synced the host is told, and not before other things")
    func waitIsSaid() throws {
        let (volume, ino) = try volume()
        let waits = Lock(0)
        volume.engine.setWillWait { waits.withLock { $0 += 1 } }
        let small = try open(volume, ino)
        try read(volume, ino, small)
        volume.engine.release(small.handle, ino: ino)
        #expect(waits.withLock { $0 } == 0)
        try volume.writeFile("/files/large", pattern(100_000, seed: 2))
        let large = try volume.resolve("/files/large")
        #expect(waits.withLock { $0 } == 0)
        try volume.engine.synchronize(large, dataOnly: false)
        #expect(waits.withLock { $0 } >= 1)
        try volume.publish()
        try volume.restart()
        waits.withLock { $0 = 0 }
        volume.engine.setWillWait { waits.withLock { $0 += 1 } }
        let file = try volume.engine.open(
            large, OpenIntent(reads: true, writes: false), volume.context)
        // So much keeps its thread for long wherever it comes from.
        try read(volume, large, file, size: 100_000)
        #expect(waits.withLock { $0 } == 1)
        volume.engine.release(file.handle, ino: large)
    }
}
