// SPDX-License-Identifier: Apache-2.0
//
// A disk of the local state that others have filled: what a commit which frees may use of the log,
// and what the disk has of it at once.

import TestSupport
import Testing

@testable import Blocks
@testable import Engine
@testable import Metadata

@Suite("a full disk of the local state", .serialized, .smallDisks)
struct FullStateDiskTests {
    /// A volume on a disk that others have filled, which nobody but the test commits.
    ///
    /// Of 160 files of two blocks every second one was emptied, and waits for a commit.
    private struct Filled {
        let volume: TestVolume
        /// Other files, empty and open: their inodes and handles.
        var small: [(ino: UInt64, handle: UInt64)] = []

        init(on disk: SmallDisk) throws {
            volume = try TestVolume(on: TestStore()) {
                $0.stateFolder = disk.path
                $0.commitInterval = .seconds(600)
                $0.flushDelay = .seconds(600)
                $0.publishDelay = .seconds(600)
            }
            var large: [UInt64] = []
            for number in 0..<160 {
                try volume.writeFile("/files/large\(number)", pattern(20_000, seed: 1))
                large.append(try volume.resolve("/files/large\(number)"))
            }
            for number in 0..<200 {
                let path = "/files/small\(number)"
                try volume.writeFile(path, [])
                let ino = try volume.resolve(path)
                let intent = OpenIntent(reads: true, writes: true, truncates: false)
                let file = try volume.engine.open(ino, intent, volume.context)
                small.append((ino, file.handle))
            }
            // Nobody else looks after the disk, or commits.
            volume.engine.room.stop()
            try commit()
            try disk.fill()
            for number in 0..<80 { try empty(large[2 * number]) }
        }

        func commit() throws {
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        }

        func write(_ bytes: [UInt8], to number: Int) throws {
            let (ino, handle) = small[number]
            _ = try volume.engine.write(handle, ino: ino, at: 0, bytes.span, volume.context)
        }

        func empty(_ ino: UInt64) throws {
            var change = AttributeChange()
            change.size = 0
            _ = try volume.engine.setAttributes(of: ino, change, volume.context)
        }
    }

    @Test("what the log keeps for commits that free is not used up by one that adds more")
    func bound() throws {
        let disk = try SmallDisk(bytes: 160 << 20)
        defer { disk.remove() }
        let filled = try Filled(on: disk)
        let content = pattern(16_000, seed: 2)
        for number in 0..<200 { try filled.write(content, to: number) }
        #expect(throws: FileError.noSpace) { try filled.commit() }
        for number in 0..<100 { try filled.empty(filled.small[number].ino) }
        try filled.commit()
        try filled.volume.restart()
        #expect(same(try filled.volume.readFile("/files/small199"), content))
        #expect(try filled.volume.readFile("/files/small0").isEmpty)
        filled.volume.stop()
    }

    @Test("what a full disk keeps in memory only is told, until there is room or all is over")
    func inMemoryOnly() throws {
        let disk = try SmallDisk(bytes: 160 << 20)
        defer { disk.remove() }
        let filled = try Filled(on: disk)
        let (first, second) = (pattern(16_000, seed: 2), pattern(16_000, seed: 3))
        for number in 0..<200 { try filled.write(first, to: number) }
        let waiting = try #require(filled.volume.engine.statusAfterCommit().uncommitted)
        #expect(waiting.count >= 200 && !waiting.isLasting)
        #expect(waiting.cause.contains("full; make room"))
        try disk.empty()
        #expect(filled.volume.engine.statusAfterCommit().uncommitted == nil)
        #expect(filled.volume.engine.committer.uncommittedCount == 0)
        try disk.fill()
        for number in 0..<200 { try filled.write(second, to: number) }
        let lost = try #require(filled.volume.engine.stop(finishing: nil).uncommitted)
        #expect(lost.count >= 200)
        try disk.empty()
        try filled.volume.restart()
        #expect(same(try filled.volume.readFile("/files/small199"), first))
        filled.volume.stop()
    }

    @Test("what a commit has freed the disk has at once, whatever was last seen of it")
    func freshLook() throws {
        let disk = try SmallDisk(bytes: 160 << 20)
        defer { disk.remove() }
        let filled = try Filled(on: disk)
        try filled.write([3], to: 1)
        try filled.commit()
        // Runs too short to be punched for a disk that has room.
        #expect(try disk.freeBytes() > 1 << 20)
        filled.volume.stop()
    }

    @Test("the arena gives a short disk what the metadata may ask of it")
    func commitRoom() {
        let asked = LogRoom.step + LogRoom.slack + WriteAheadLog.spareRoom
        #expect(Arena.commitRoom * Arena.blockSize > asked)
        #expect(Arena.commitRoom < Arena.diskMargin)
    }
}
