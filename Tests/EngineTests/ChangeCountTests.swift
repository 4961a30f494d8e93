// SPDX-License-Identifier: Apache-2.0
//
// The count of changes on the disk is never behind what rows have and what was published: else a
// later change has a number that no revision looks at any more.

import Namespace
import Synchronization
import TestSupport
import Testing

@testable import Engine
@testable import Metadata

@Suite("the count of changes", .serialized)
struct ChangeCountTests {
    /// A volume that nobody but the test commits, flushes or publishes.
    private func quiet() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.commitInterval = .seconds(600)
            $0.flushDelay = .seconds(600)
            $0.publishDelay = .seconds(600)
            $0.publishCeiling = .seconds(600)
        }
    }

    private func write(_ volume: TestVolume, _ names: Range<Int>, _ text: String) throws {
        for name in names {
            try volume.writeFile("/files/\(name)", Array(text.utf8), truncates: true)
        }
    }

    private func setMode(_ volume: TestVolume, _ path: String, _ mode: UInt32) throws {
        var change = AttributeChange()
        change.mode = mode
        _ = try volume.engine.setAttributes(of: try volume.resolve(path), change, volume.context)
    }

    private func rows(
        _ volume: TestVolume, _ body: (borrowing MetadataWriter) throws(MetadataError) -> Void
    ) throws {
        let database = try MetadataDatabase(path: volume.stateFolder + "/meta.db")
        try database.write { (writer) throws(MetadataError) in try body(writer) }
        try database.close()
    }

    /// Has the disk refuse what would make the database larger, as a full one does, while what is
    /// there already is written.
    private func refuseCounts(_ volume: TestVolume) throws {
        let shared = volume.engine.volume
        try volume.engine.committer.drain()
        shared.metadata.write { (writer) in
            writer.core.room.isThere = false
            #expect(throws: MetadataError.full) {
                try shared.highWater.save(shared, isLast: false, writer)
            }
            writer.core.room.isThere = true
        }
    }

    @Test("what is changed after a refused commit and a crash is published")
    func refusedCommit() throws {
        let volume = try quiet()
        try write(volume, 0..<30, "old")
        try volume.publish()
        // An orderly end leaves the count as it is, with nothing ahead of it.
        try volume.restart()
        for name in 20..<30 { try setMode(volume, "/files/\(name)", 0o600) }
        try refuseCounts(volume)
        // More changes than come after the crash.
        for _ in 0..<10 {
            try write(volume, 0..<20, "more")
            try volume.engine.committer.drain()
        }
        try volume.publish()
        try volume.crash()
        try write(volume, 0..<20, "new")
        try write(volume, 30..<50, "new")
        try volume.recover()
        #expect(try volume.list("/files").count == 50)
        for name in [0, 19, 30, 49] {
            #expect(try volume.readFile("/files/\(name)") == Array("new".utf8))
        }
    }

    @Test("a number of an inode that was made after a refused commit is not given again")
    func inodeNumbers() throws {
        let volume = try quiet()
        try write(volume, 0..<2, "old")
        try volume.restart()
        // The count of changes is ahead from here on: only that of inodes is refused.
        try setMode(volume, "/files/0", 0o600)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try write(volume, 2..<4, "new")
        try refuseCounts(volume)
        let last = try volume.resolve("/files/3")
        try volume.unlink("/files/3")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        try write(volume, 3..<4, "another")
        #expect(try volume.resolve("/files/3") > last)
    }

    @Test("what an earlier version left unpublished so is published after the next start")
    func alreadyHit() throws {
        let volume = try quiet()
        try write(volume, 0..<30, "old")
        try volume.publish()
        volume.stop()
        // A change that was given a number which the head had passed.
        try rows(volume) { (writer) throws(MetadataError) in
            guard let found = try writer.lookup(parent: 2, name: Array("7".utf8)) else {
                throw .corrupt("no such file")
            }
            var row = found
            row.attributes.mode = 0o640
            row.change = 3
            try writer.updateInode(row)
            try writer.setInteger("change", 3)
        }
        try volume.start(.existing)
        #expect(volume.engine.engineStatus().hasUnpublishedChanges)
        // It goes on after a crash, too.
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        try write(volume, 0..<1, "new")
        try volume.recover()
        #expect(try volume.status("/files/7").attributes.mode == 0o640)
        #expect(try volume.readFile("/files/0") == Array("new".utf8))
        #expect(try volume.readFile("/files/29") == Array("old".utf8))
    }

    @Test("a count behind rows is never taken for the count")
    func behindRows() throws {
        let volume = try quiet()
        try write(volume, 0..<5, "old")
        try volume.publish()
        volume.stop()
        var highest: UInt64 = 0
        try rows(volume) { (writer) throws(MetadataError) in
            highest = try writer.highestChange() + 500
            try writer.touch(2, Array("gone".utf8), highest)
        }
        try volume.start(.existing)
        #expect(volume.engine.volume.lastChange.load(ordering: .relaxed) >= highest)
        try write(volume, 0..<5, "new")
        try volume.recover()
        #expect(try volume.readFile("/files/4") == Array("new".utf8))
        #expect(try volume.list("/files").count == 5)
    }
}
