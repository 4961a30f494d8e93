// SPDX-License-Identifier: Apache-2.0
//
// Pads on a machine in trouble: a disk without room, and a database that fails, cost no pad and no
// identity.

import Cryptography
import Foundation
import Namespace
import Primitives
import Scratchpads
import TestSupport
import Testing

@testable import Engine
@testable import Metadata

@Suite("pads on a machine in trouble", .serialized)
struct MendedPadTests {
    @Test(
        "a pad whose newer state finds no room on a full disk stays as it was",
        .smallDisks)
    func importedOnFullDisk() throws {
        let disk = try SmallDisk(bytes: 160 << 20)
        defer { disk.remove() }
        let volume = try TestVolume(on: TestStore()) { $0.stateFolder = disk.path }
        let key = SecretBytes([UInt8](repeating: 1, count: AutonomiPad.keySize))
        let pad = try #require(AutonomiPad(key: key, isEncrypted: false))
        let parent = try volume.resolve("/scratchpads")
        func bring(_ size: Int, _ counter: UInt64) throws {
            let record = try pad.seal(pattern(size, seed: 1).span, encoding: 42, counter: counter)
            let status = try volume.engine.importPad(
                record, key: nil, as: Array("news".utf8), in: parent, volume.context)
            volume.engine.forget(status.ino, count: 1)
        }
        try bring(900, 0)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try disk.fill()
        // The next transaction begins with a look at the disk.
        try volume.writeFile("/scratchpads/news~", [])
        try? volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        #expect(throws: FileError.noSpace) { try bring(2000, 1) }
        #expect(same(try volume.readFile("/scratchpads/news"), pattern(900, seed: 1)))
        try disk.empty()
        try bring(2000, 2)
        #expect(same(try volume.readFile("/scratchpads/news"), pattern(2000, seed: 1)))
        volume.stop()
    }

    @Test("an identity that could not be given back waits once more, and keeps no other from it")
    func givenBackLater() throws {
        let volume = try TestVolume(on: TestStore())
        let names = ["a", "b"]
        for name in names { try volume.writeFile("/scratchpads/" + name, Array(name.utf8)) }
        try volume.publish()
        func address(_ name: String) throws -> String {
            try volume.attribute("user.cairn.address", of: "/scratchpads/" + name)
        }
        let own = try names.map { try address($0) }
        for name in names { try volume.rename("/scratchpads/" + name, "/scratchpads/\(name)~") }
        let (engine, first) = (volume.engine, try volume.resolve("/scratchpads/a~"))
        // A row that is no pad's: the first of the two cannot be looked at.
        func execute(_ text: String) throws {
            try engine.volume.metadata.write { (writer) throws in
                try writer.core.connection.execute(text)
            }
        }
        try execute("INSERT INTO pads VALUES (\(first), x'00', 250, x'00', 0, 0, 0, NULL, NULL)")
        let later = ContinuousClock.now + ParkedPads.lifetime
        engine.pads.expireParked(at: later)
        #expect(try address("b~") == own[1])
        #expect(engine.pads.parked.withLock { $0.entries.count } == 1)
        try execute("DELETE FROM pads WHERE ino = \(first)")
        engine.pads.expireParked(at: later)
        #expect(engine.pads.parked.withLock { $0.entries.count } == 1, "its time is not over")
        engine.pads.expireParked(at: later + ParkedPads.lifetime)
        #expect(try names.map { try address($0 + "~") } == own)
        #expect(engine.pads.parked.withLock { $0.entries.isEmpty })
        try volume.recover()
        #expect(try names.map { try volume.list("/scratchpads").contains($0) } == [false, false])
    }

    @Test("what another machine wrote goes from the store only when it is kept here")
    func keptFirst() throws {
        let store = TestStore()
        let first = try TestVolume(on: store)
        try first.writeFile("/scratchpads/note", Array("one".utf8))
        try first.publish()
        let second = try TestVolume(on: store, seed: first.seed, mode: .recover)
        #expect(try second.readFile("/scratchpads/note") == Array("one".utf8))
        try first.engine.setExtendedAttribute(
            Array("user.cairn.encoding".utf8), of: try first.resolve("/scratchpads/note"),
            to: Array("5".utf8), .any, first.context)
        try first.writeFile("/scratchpads/note", Array("theirs".utf8), truncates: true)
        try first.publish()
        let standing = store.pads.filter { $0.key != first.keys.rootPad.address }
        let metadata = second.engine.volume.metadata
        func execute(_ text: String) throws {
            try metadata.write { (writer) throws in try writer.core.connection.execute(text) }
        }
        // No name can be made for their content.
        try execute(
            """
            CREATE TEMP TRIGGER refusal BEFORE INSERT ON dentries
            WHEN instr(NEW.name, CAST('(conflict' AS BLOB)) > 0
            BEGIN SELECT RAISE(ABORT, 'no'); END
            """)
        try second.writeFile("/scratchpads/note", Array("ours".utf8), truncates: true)
        try #require(try eventually { try second.report("errors").contains("could not be kept") })
        #expect(store.pads.filter { $0.key != first.keys.rootPad.address } == standing)
        #expect(try second.list("/scratchpads") == ["note"])
        try execute("DROP TRIGGER refusal")
        second.engine.hurry()
        try #require(try eventually { try second.list("/scratchpads").count == 2 })
        // Published it cannot be: the other machine was.
        try #require(eventually { second.engine.engineStatus().pendingPads == 0 })
        let other = try #require(try second.list("/scratchpads").first { $0 != "note" })
        #expect(try second.readFile("/scratchpads/" + other) == Array("theirs".utf8))
        #expect(try second.attribute("user.cairn.encoding", of: "/scratchpads/" + other) == "5")
        #expect(try second.readFile("/scratchpads/note") == Array("ours".utf8))
    }
}
