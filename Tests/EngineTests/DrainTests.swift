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
    /// A volume in which nothing is written back by time, with more files than may be dirty.
    private func volume() throws -> (TestVolume, [UInt64]) {
        let volume = try TestVolume {
            $0.accessTimes = .strict
            $0.commitInterval = .seconds(3600)
            ($0.flushDelay, $0.flushCeiling) = (.seconds(3600), .seconds(3600))
        }
        let inodes = try (0..<Committer.drainThreshold + 100).map { number in
            try volume.writeFile("/files/\(number)", [1, 2, 3])
            return try volume.resolve("/files/\(number)")
        }
        try volume.engine.synchronize(inodes[0], dataOnly: false)
        return (volume, inodes)
    }

    private func dirtyCount(_ volume: TestVolume) -> Int {
        volume.engine.volume.dirty.withLock { $0.count }
    }

    @Test("access times of many files are written back by nobody who reads them")
    func accessTimes() throws {
        let (volume, inodes) = try volume()
        let engine = volume.engine
        #expect(dirtyCount(volume) == 0)
        let before = engine.volume.drained.load(ordering: .acquiring)
        let reading = OpenIntent(reads: true, writes: false)
        let times = try inodes.map { ino in
            let file = try engine.open(ino, reading, volume.context)
            defer { engine.release(file.handle, ino: ino) }
            return try engine.status(of: ino, volume.context).attributes.accessed
        }
        #expect(
            eventually {
                let count = engine.volume.drained.load(ordering: .acquiring) - before
                return count >= Committer.drainThreshold
                    && dirtyCount(volume) < Committer.drainThreshold
            })
        let found = try inodes.map {
            try engine.status(of: $0, volume.context).attributes.accessed
        }
        #expect(found == times)
    }

    @Test("of dirty files those that were only read are written back, some at a time")
    func onlyRead() throws {
        let (volume, inodes) = try volume()
        #expect(volume.engine.committer.stepsDue == 0)
        #expect(try !volume.engine.committer.drainAccessTimes())
        // Marked without the call that has the background look.
        for (number, ino) in inodes.enumerated() {
            try volume.engine.volume.with(ino) { (inode) throws(FileError) in
                try volume.engine.volume.change(inode) { (state) throws(FileError) in
                    if number < 5 { state.isRowDirty = true } else { state.isAccessDirty = true }
                }
            }
        }
        let all = dirtyCount(volume)
        #expect(all == inodes.count)
        let steps = volume.engine.committer.stepsDue
        #expect(steps == all / Committer.heldAtOnce + 1)
        #expect(try volume.engine.committer.drainAccessTimes())
        // The five are among the first that were looked at, and stay.
        #expect(dirtyCount(volume) == all - Committer.heldAtOnce + 5)
        // Fewer than may be: nobody asks for more.
        #expect(volume.engine.committer.stepsDue == 0)
        for _ in 1..<steps { #expect(try volume.engine.committer.drainAccessTimes()) }
        #expect(dirtyCount(volume) == 5)
        #expect(try !volume.engine.committer.drainAccessTimes())
        try volume.engine.committer.drain()
        #expect(dirtyCount(volume) == 0)
    }
}
