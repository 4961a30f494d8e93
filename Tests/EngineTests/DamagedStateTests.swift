// SPDX-License-Identifier: Apache-2.0
//
// Starts on a state folder of which a part is gone or makes no sense: a sentence, never a trap, and
// never a start that hides what is lost.

import Foundation
import TestSupport
import Testing

@testable import Engine
@testable import Metadata

@Suite("a state folder of which a part is gone", .serialized)
struct DamagedStateTests {
    /// A volume that nobody but the test commits, flushes or publishes.
    private func quiet() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.commitInterval = .seconds(600)
            $0.flushDelay = .seconds(600)
            $0.publishDelay = .seconds(600)
            $0.publishCeiling = .seconds(600)
        }
    }

    private func removeArena(_ volume: TestVolume) throws {
        try FileManager.default.removeItem(atPath: volume.stateFolder + "/arena")
    }

    private func rows(
        of state: String,
        _ body: (borrowing MetadataWriter) throws(MetadataError) -> Void
    ) throws {
        let database = try MetadataDatabase(path: state + "/meta.db")
        try database.write { (writer) throws(MetadataError) in try body(writer) }
        try database.close()
    }

    /// Expects a start to be refused with a sentence that has these words.
    private func expectRefusal(_ volume: TestVolume, _ words: String) {
        do {
            try volume.start(.existing)
            Issue.record("it started")
        } catch EngineStartError.state(let sentence) {
            #expect(sentence.contains(words))
        } catch {
            Issue.record("\(error)")
        }
    }

    // SEMANTICS: It is refused, too, when the cache's file is gone and with it bytes that are not
    // on the store; else what was cached is fetched again.
    @Test("a cache that is gone is made anew only if nothing was only there")
    func arenaGone() throws {
        let volume = try quiet()
        try volume.writeFile("/files/stored", pattern(300_000, seed: 1))
        try volume.publish()
        volume.stop()
        try removeArena(volume)
        try volume.start(.existing)
        #expect(same(try volume.readFile("/files/stored"), pattern(300_000, seed: 1)))
        try volume.writeFile("/files/here", pattern(2 << 20, seed: 2))
        volume.stop()
        let arena = volume.stateFolder + "/arena"
        try FileManager.default.moveItem(atPath: arena, toPath: arena + "-away")
        expectRefusal(volume, "“arena” is gone")
        // Nothing was made in its place.
        #expect(!FileManager.default.fileExists(atPath: arena))
        try FileManager.default.moveItem(atPath: arena + "-away", toPath: arena)
        try volume.start(.existing)
        #expect(same(try volume.readFile("/files/here"), pattern(2 << 20, seed: 2)))
    }

    @Test("a cache that is gone below the journal is missed")
    func arenaBelowJournal() throws {
        let volume = try quiet()
        try volume.writeFile("/files/stored", pattern(300_000, seed: 1))
        try volume.publish()
        try volume.writeFile("/files/stored", [1, 2, 3], at: 5000)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.copyState(to: volume.root + "/copy")
        try FileManager.default.removeItem(atPath: volume.root + "/copy/arena")
        #expect(throws: EngineStartError.self) { try volume.takeUp("copy") }
    }

    @Test(
        "a salt that is too short or gone is refused", arguments: ["arena-salt", "inline-salt"],
        [[1, 2, 3], nil] as [[UInt8]?])
    func salts(key: String, value: [UInt8]?) throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", [1])
        volume.stop()
        try rows(of: volume.stateFolder) { (writer) throws(MetadataError) in
            try writer.setValue(key, value)
        }
        expectRefusal(volume, "“\(key)” makes no sense")
    }

    @Test("a salt of the journal that is too short is refused where the journal has something")
    func journalSalt() throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(40_000, seed: 1))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        let copy = volume.root + "/copy"
        try volume.copyState(to: copy)
        try rows(of: copy) { (writer) throws(MetadataError) in
            try writer.setValue("journal-salt", [1, 2, 3])
        }
        #expect(
            throws: EngineStartError.state(
                "its local setting “journal-salt” makes no sense: the state folder is damaged")
        ) { try volume.takeUp("copy") }
    }

    @Test(
        "a block map row far beyond any file is refused", arguments: [UInt64.max, 1 << 63, 1 << 60])
    func blockGroup(number: UInt64) throws {
        let volume = try quiet()
        try volume.writeFile("/files/a", pattern(40_000, seed: 1))
        let ino = try volume.resolve("/files/a")
        volume.stop()
        try rows(of: volume.stateFolder) { (writer) throws(MetadataError) in
            guard let map = try writer.blockGroup(ino, 0) else { throw .corrupt("no blocks") }
            try writer.setBlockGroup(ino, number, map)
        }
        expectRefusal(volume, "a block map row is malformed")
    }
}
