// SPDX-License-Identifier: Apache-2.0
//
// Who writes what has changed in memory into the database, when it is much.

import Namespace
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("changes in memory")
struct DrainTests {
    /// A volume in which nothing is drained by time, with a crowd of files, of which none is dirty;
    /// and a busy program, beside which the background drains nothing.
    private func volume() throws -> (TestVolume, [UInt64], Program) {
        let volume = try TestVolume {
            $0.accessTimes = .strict
            $0.commitInterval = .seconds(3600)
            ($0.flushDelay, $0.flushCeiling) = (.seconds(3600), .seconds(3600))
        }
        let program = Program()
        volume.engine.setRequestCount { program.requestCount }
        let inodes = try (0..<Committer.crowdSize + 100).map { number in
            try volume.writeFile("/files/\(number)", [1, 2, 3])
            return try volume.resolve("/files/\(number)")
        }
        try volume.engine.synchronize(inodes[0], dataOnly: false)
        #expect(dirtyCount(volume) == 0)
        return (volume, inodes, program)
    }

    private func dirtyCount(_ volume: TestVolume) -> Int {
        volume.engine.volume.dirty.withLock { $0.count }
    }

    @Test("access times of many files are written back by nobody who reads them")
    func accessTimes() throws {
        let (volume, inodes, program) = try volume()
        let engine = volume.engine
        let before = engine.volume.drained.load(ordering: .acquiring)
        let reading = OpenIntent(reads: true, writes: false)
        let times = try inodes.map { ino in
            let file = try engine.open(ino, reading, volume.context)
            defer { engine.release(file.handle, ino: ino) }
            return try engine.status(of: ino, volume.context).attributes.accessed
        }
        #expect(dirtyCount(volume) == inodes.count)
        program.isBusy.store(false, ordering: .relaxed)
        #expect(
            eventually {
                let count = engine.volume.drained.load(ordering: .acquiring) - before
                return count >= Committer.crowdSize
                    && dirtyCount(volume) < Committer.crowdSize
            })
        let found = try inodes.map {
            try engine.status(of: $0, volume.context).attributes.accessed
        }
        #expect(found == times)
    }

    @Test("of dirty files those that were only read are written back, some at a time")
    func onlyRead() throws {
        let (volume, inodes, _) = try volume()
        #expect(volume.engine.committer.steps(from: Committer.crowdSize) == 0)
        #expect(try !volume.engine.committer.drainAccessTimes())
        // Marked without the call that has the background look.
        for (number, ino) in inodes.enumerated() {
            try volume.engine.mark(ino) { state in
                if number < 5 { state.isRowDirty = true } else { state.isAccessDirty = true }
            }
        }
        let all = dirtyCount(volume)
        #expect(all == inodes.count)
        let steps = volume.engine.committer.steps(from: Committer.crowdSize)
        #expect(steps == all / Committer.heldAtOnce + 1)
        #expect(try volume.engine.committer.drainAccessTimes())
        // The five are among the first that were looked at, and stay.
        #expect(dirtyCount(volume) == all - Committer.heldAtOnce + 5)
        // Fewer than may be: nobody asks for more.
        #expect(volume.engine.committer.steps(from: Committer.crowdSize) == 0)
        for _ in 1..<steps { #expect(try volume.engine.committer.drainAccessTimes()) }
        #expect(dirtyCount(volume) == 5)
        #expect(try !volume.engine.committer.drainAccessTimes())
        try volume.engine.committer.drain()
        #expect(dirtyCount(volume) == 0)
    }

    /// Requests as a busy program makes them, or none; and how often somebody looked.
    private final class Program: Sendable {
        let isBusy = Atomic(true)
        let looks = Atomic(0)

        var requestCount: UInt64 {
            let looked = looks.add(1, ordering: .relaxed).newValue
            return isBusy.load(ordering: .relaxed) ? UInt64(looked) * 1_000_000 : UInt64.max
        }
    }

    @Test("a burst of changes stays in memory until nobody asks for anything")
    func burst() throws {
        let (volume, inodes, program) = try volume()
        for ino in inodes { try volume.engine.mark(ino) { $0.isRowDirty = true } }
        #expect(dirtyCount(volume) == inodes.count)
        let before = program.looks.load(ordering: .relaxed)
        // As after any change.
        try volume.engine.committer.drainIfCrowded()
        #expect(eventually { program.looks.load(ordering: .relaxed) > before + 3 })
        #expect(dirtyCount(volume) == inodes.count)
        program.isBusy.store(false, ordering: .relaxed)
        #expect(eventually { dirtyCount(volume) == 0 })
    }

    @Test("no more is in memory than may be, however busy programs are")
    func limits() throws {
        let (volume, inodes, _) = try volume()
        let unwritten = { volume.engine.volume.unwrittenInline.load(ordering: .relaxed) }
        let content = [UInt8](repeating: 7, count: 16_000)
        var most = (bytes: 0, inodes: 0)
        for number in 0..<Committer.unwrittenLimit / content.count + 50 {
            try volume.writeFile("/files/large\(number)", content)
            most = (max(most.bytes, unwritten()), max(most.inodes, dirtyCount(volume)))
        }
        #expect(most.bytes > Committer.unwrittenLimit - 2 * content.count)
        #expect(most.bytes < Committer.unwrittenLimit + content.count)
        // Nothing is left that the background would commit before its time.
        try volume.engine.synchronize(inodes[0], dataOnly: false)
        var mode = AttributeChange()
        mode.mode = 0o600
        for number in 0..<Committer.dirtyLimit + 50 {
            let status = try volume.engine.makeNode(
                Array("node\(number)".utf8), in: Engine.filesInode, kind: .fifo, mode: 0o644,
                device: 0, volume.context)
            _ = try volume.engine.setAttributes(of: status.ino, mode, volume.context)
            most.inodes = max(most.inodes, dirtyCount(volume))
        }
        #expect(most.inodes > Committer.dirtyLimit - 10)
        // The last one, and its directory.
        #expect(most.inodes < Committer.dirtyLimit + 2)
    }

    @Test("bytes count as not written until they are, are removed, or go to blocks")
    func unwritten() throws {
        let (volume, _, _) = try volume()
        let unwritten = { volume.engine.volume.unwrittenInline.load(ordering: .relaxed) }
        #expect(unwritten() == 0)
        try volume.writeFile("/files/a", [UInt8](repeating: 1, count: 5_000))
        #expect(unwritten() == 5_000)
        try volume.writeFile("/files/b", [UInt8](repeating: 1, count: 100))
        #expect(unwritten() == 5_100)
        try volume.engine.committer.drain()
        #expect(unwritten() == 0)
        try volume.writeFile("/files/a", [UInt8](repeating: 2, count: 7_000))
        #expect(unwritten() == 7_000)
        try volume.writeFile("/files/a", [UInt8](repeating: 2, count: 70_000))
        #expect(unwritten() == 0)
        try volume.writeFile("/files/c", [UInt8](repeating: 3, count: 300))
        #expect(unwritten() == 300)
        try volume.unlink("/files/c")
        #expect(unwritten() == 0)
    }
}

extension Engine {
    /// Marks an inode as dirty, as an operation would, but looks at no limit.
    fileprivate func mark(_ ino: UInt64, _ change: (inout InodeState) -> Void) throws(FileError) {
        try volume.with(ino) { (inode) throws(FileError) in
            try volume.change(inode) { (state) throws(FileError) in change(&state) }
        }
    }
}
