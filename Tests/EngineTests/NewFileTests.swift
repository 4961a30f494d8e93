// SPDX-License-Identifier: Apache-2.0
//
// What is taken to be known of a new file, and what of it stays in memory.

import Namespace
import Primitives
import Testing

@testable import Engine

@Suite("new files")
struct NewFileTests {
    private static let intent = OpenIntent(reads: true, writes: true)
    /// Of version 2: the owner all, a user of number 42 all, the group and others nothing, and a
    /// mask of all.
    private static let defaultList: [UInt8] =
        [2, 0, 0, 0]
        + [(0x01, 7, nil), (0x02, 7, 42), (0x04, 0, nil), (0x10, 7, nil), (0x20, 0, nil)].flatMap {
            (tag: UInt8, permissions: UInt8, user: UInt8?) -> [UInt8] in
            [tag, 0, permissions, 0]
                + (user.map { [$0, 0, 0, 0] } ?? [UInt8](repeating: 0xFF, count: 4))
        }

    private func create(_ name: String, in parent: UInt64, _ volume: TestVolume) throws -> UInt64 {
        let (status, opened) = try volume.engine.create(
            Array(name.utf8), in: parent, mode: 0o666, Self.intent, isExclusive: true,
            volume.context)
        volume.engine.release(opened.handle, ino: status.ino)
        return status.ino
    }

    @Test("attributes that a new file or its directory gets later count at once")
    func attributes() throws {
        let volume = try TestVolume(on: TestStore())
        let engine = volume.engine
        let directory = try engine.makeDirectory(
            Array("d".utf8), in: Engine.filesInode, mode: 0o777, volume.context
        ).ino
        let first = try create("first", in: directory, volume)
        let name = Array("user.a".utf8)
        #expect(throws: FileError.noAttribute) {
            try engine.extendedAttribute(name, of: first, volume.context)
        }
        try engine.setExtendedAttribute(name, of: first, to: [1], .absent, volume.context)
        #expect(try engine.extendedAttribute(name, of: first, volume.context) == [1])
        #expect(try engine.status(of: first, volume.context).attributes.mode == 0o644)

        try engine.setExtendedAttribute(
            AccessList.defaultName, of: directory, to: Self.defaultList, .any, volume.context)
        let second = try create("second", in: directory, volume)
        #expect(try engine.status(of: second, volume.context).attributes.mode == 0o660)
        let list = try engine.extendedAttribute(AccessList.accessName, of: second, volume.context)
        #expect(AccessList(decoding: list) != nil)

        try engine.removeExtendedAttribute(AccessList.defaultName, of: directory, volume.context)
        let third = try create("third", in: directory, volume)
        #expect(try engine.status(of: third, volume.context).attributes.mode == 0o644)
    }

    @Test("a name that is taken is refused, whatever makes it, and nothing is kept in memory")
    func taken() throws {
        let volume = try TestVolume(on: TestStore())
        let engine = volume.engine
        let parent = Engine.filesInode
        let ino = try create("name", in: parent, volume)
        let name = Array("name".utf8)
        try engine.synchronize(ino, dataOnly: false)
        let before = engine.volume.table.residentCount
        #expect(throws: FileError.exists) { try create("name", in: parent, volume) }
        #expect(throws: FileError.exists) {
            try engine.makeDirectory(name, in: parent, mode: 0o777, volume.context)
        }
        #expect(throws: FileError.exists) {
            try engine.makeSymlink(name, in: parent, target: [47], volume.context)
        }
        #expect(throws: FileError.exists) {
            try engine.makeNode(
                name, in: parent, kind: .fifo, mode: 0o600, device: 0, volume.context)
        }
        #expect(engine.volume.table.residentCount == before)
        #expect(try engine.lookup(name, in: parent, volume.context).ino == ino)
        // Opened, where that is asked for.
        let (status, opened) = try engine.create(
            name, in: parent, mode: 0o600, Self.intent, isExclusive: false, volume.context)
        engine.release(opened.handle, ino: status.ino)
        #expect(status.ino == ino)
    }

    @Test("a file that was made and closed leaves memory when it is written")
    func leaves() throws {
        let volume = try TestVolume(on: TestStore())
        let engine = volume.engine
        let before = engine.volume.table.residentCount
        var last: UInt64 = 0
        for number in 0..<50 { last = try create("f\(number)", in: Engine.filesInode, volume) }
        _ = try engine.makeDirectory(
            Array("d".utf8), in: Engine.filesInode, mode: 0o777, volume.context)
        _ = try engine.makeSymlink(
            Array("s".utf8), in: Engine.filesInode, target: [47], volume.context)
        try engine.synchronize(last, dataOnly: false)
        #expect(engine.volume.table.residentCount == before)
    }
}
