// SPDX-License-Identifier: Apache-2.0
//
// A local database that loses its standing transaction: the volume goes on by itself, or says what
// to do.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Engine
@testable import Metadata

@Suite("a database that loses what is not committed", .serialized)
struct LostChangesTests {
    private func lose(_ volume: TestVolume, _ cause: MetadataError) {
        volume.engine.volume.metadata.write { $0.core.connection.abandon(cause) }
    }

    /// What is done before the loss: some of it committed, and some not.
    private func change(_ volume: TestVolume) throws {
        try volume.makeDirectory("/files/d")
        try volume.writeFile("/files/d/committed", pattern(50_000, seed: 1))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.writeFile("/files/d/new", pattern(60_000, seed: 2))
        try volume.engine.committer.drain()
        try volume.rename("/files/d/committed", "/files/moved")
        try volume.writeFile("/scratchpads/note", Array("text".utf8))
    }

    private func expectChanges(_ volume: TestVolume) throws {
        #expect(try same(volume.readFile("/files/moved"), pattern(50_000, seed: 1)))
        #expect(try same(volume.readFile("/files/d/new"), pattern(60_000, seed: 2)))
        #expect(try volume.readFile("/scratchpads/note") == Array("text".utf8))
        #expect(try volume.list("/files/d") == ["new"])
    }

    // SEMANTICS: Changes that the local database loses because its disk is full or fails for a
    // moment are made again by themselves; until then what asks for names and attributes fails with
    // ENOSPC, or with EIO.
    @Test(
        "changes that were lost are made again, as soon as that is possible",
        arguments: [MetadataError.full, .sqlite(code: 10, message: "disk I/O error")])
    func madeAgain(cause: MetadataError) throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        try change(volume)
        lose(volume, cause)
        try expectChanges(volume)
        // Again within the second: not tried before it is over.
        lose(volume, cause)
        #expect(throws: cause == .full ? FileError.noSpace : .inputOutput) {
            try volume.list("/files/d")
        }
        usleep(1_200_000)
        try expectChanges(volume)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        try expectChanges(volume)
        lose(volume, cause)
        try volume.recover()
        try expectChanges(volume)
    }

    // SEMANTICS: They can not be made again after more than 64 MiB of them, or if the disk failed
    // in the middle of an operation on names: then the volume answers EIO until it is mounted
    // again, with the state of its last sync or commit. `.cairn/errors` says so.
    @Test("half an operation is never committed", arguments: [false, true])
    func middleOfAnOperation(isTooLong: Bool) throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        try volume.writeFile("/files/f", pattern(50_000, seed: 1))
        try volume.publish()
        if isTooLong {
            // Rows enough, which all go with the transaction.
            volume.engine.volume.metadata.write { (writer) in
                writer.core.redo.giveUp()
                writer.core.connection.abandon(.full)
            }
        } else {
            #expect(throws: FileError.inputOutput) {
                try volume.engine.committer.withNames { () throws(FileError) in
                    try volume.engine.forgetName(Array("f".utf8), Engine.filesInode)
                    lose(volume, .full)
                    try volume.engine.forgetName(Array("g".utf8), Engine.filesInode)
                }
            }
        }
        for _ in 0..<2 {
            #expect(throws: FileError.inputOutput) { try volume.list("/files") }
            #expect(throws: FileError.inputOutput) {
                try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
            }
            usleep(1_100_000)
        }
        #expect(volume.engine.newestError?.contains("mount again") == true)
        try volume.restart()
        #expect(try volume.list("/files") == ["f"])
        #expect(try same(volume.readFile("/files/f"), pattern(50_000, seed: 1)))
    }

    // SEMANTICS: After either of these two, what would change anything is refused with EIO.
    @Test(
        "nothing is taken that could never be committed, and what was before is called lost",
        arguments: [false, true])
    func refusesMore(isLog: Bool) throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.commitInterval = .seconds(600)
        }
        try volume.writeFile("/files/f", pattern(50_000, seed: 1))
        try volume.publish()
        let ino = try volume.resolve("/files/f")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        func write() throws(FileError) {
            _ = try volume.engine.write(
                file.handle, ino: ino, at: 100, pattern(300, seed: 9).span, volume.context)
        }
        try write()
        if isLog {
            volume.engine.volume.metadata.write { $0.core.log.noteFailedCopy(errno: EIO) }
        } else {
            volume.engine.volume.metadata.write { (writer) in
                writer.core.redo.giveUp()
                writer.core.connection.abandon(.full)
            }
        }
        #expect(throws: FileError.inputOutput) {
            try volume.engine.synchronize(ino, dataOnly: false)
        }
        #expect(throws: FileError.inputOutput) { try write() }
        #expect(throws: FileError.inputOutput) { try volume.writeFile("/files/g", [1]) }
        var mode = AttributeChange()
        mode.mode = 0o600
        #expect(throws: FileError.inputOutput) {
            _ = try volume.engine.setAttributes(of: ino, mode, volume.context)
        }
        let waiting = try #require(volume.engine.statusAfterCommit().uncommitted)
        #expect(waiting.isLasting && waiting.count >= 1)
        #expect(volume.engine.newestError?.contains("mount again") == true)
        #expect(volume.engine.stop(finishing: nil).uncommitted != nil)
        try volume.restart()
        #expect(try same(volume.readFile("/files/f"), pattern(50_000, seed: 1)))
        try volume.writeFile("/files/g", [1])
    }

    @Test("what was written while nothing could be committed is in the next commit")
    func writtenMeanwhile() throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        try volume.writeFile("/files/f", pattern(50_000, seed: 1))
        let ino = try volume.resolve("/files/f")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        lose(volume, .full)
        #expect(try volume.list("/files") == ["f"])
        lose(volume, .full)
        // Blocks that are in memory need no row.
        _ = try volume.engine.write(
            file.handle, ino: ino, at: 100, pattern(300, seed: 9).span, volume.context)
        #expect(throws: FileError.noSpace) {
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        }
        usleep(1_200_000)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        volume.engine.release(file.handle, ino: ino)
        try volume.crash()
        var expected = pattern(50_000, seed: 1)
        expected.replaceSubrange(100..<400, with: pattern(300, seed: 9))
        #expect(try same(volume.readFile("/files/f"), expected))
    }

    @Test("what is kept in memory until the next commit has a commit come before its time")
    func commitsEarly() throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.commitInterval = .seconds(600)
        }
        try volume.writeFile("/files/f", [1])
        let ino = try volume.resolve("/files/f")
        let metadata = volume.engine.volume.metadata
        let value = [UInt8](repeating: 7, count: 60_000)
        var count = 0
        while !metadata.wantsCommit && count < 1000 {
            try volume.engine.setExtendedAttribute(
                Array("user.v".utf8), of: ino, to: value, .any, volume.context)
            count += 1
        }
        #expect(count > 200 && count < 1000)
        try volume.writeFile("/files/g", [1])
        #expect(eventually { !metadata.wantsCommit })
    }

    @Test("a wait for the store that cannot even commit leaves files the time that they have")
    func notUrgentForEver() throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.commitInterval = .seconds(600)
        }
        // More than one round takes: some wait whatever the flusher has begun by then.
        for number in 0...Flusher.batchLimit {
            try volume.writeFile("/files/\(number)", pattern(20_000, seed: UInt64(number)))
        }
        #expect(volume.engine.flusher.pendingCount == Flusher.batchLimit + 1)
        volume.engine.volume.metadata.write { (writer) in
            writer.core.redo.giveUp()
            writer.core.connection.abandon(.full)
        }
        guard case .failed = volume.engine.synchronizeRemotely(timeout: .seconds(60)) else {
            Issue.record("the commit did not fail")
            return
        }
        #expect(volume.engine.flusher.pendingCount == Flusher.batchLimit + 1)
        #expect(!volume.engine.flusher.isUrgent)
    }

    @Test("a state that a newer version wrote is refused for what it is, and left alone")
    func newer() throws {
        let volume = try TestVolume(on: TestStore())
        try volume.writeFile("/files/a", [1])
        volume.stop()
        let path = volume.stateFolder + "/meta.db"
        let raw = try SQLiteConnection(path: path, timeout: 0)
        try raw.execute("PRAGMA user_version = 99")
        raw.close()
        #expect(throws: EngineStartError.newerState(schema: 99)) { try volume.start(.existing) }
        let back = try SQLiteConnection(path: path, timeout: 0)
        try back.execute("PRAGMA user_version = \(MetadataDatabase.schemaVersion)")
        back.close()
        try volume.start(.existing)
        #expect(try volume.readFile("/files/a") == [1])
    }
}
