// SPDX-License-Identifier: Apache-2.0
//
// The whole way of bytes: in, out, through a restart, and back from the store alone.

import Engine
import TestSupport
import Testing

@Suite("the whole way", .serialized)
struct WholeWayTests {
    static let sizes = [0, 1, 2, 3, 100, 16_384, 16_385, 40_000, 1 << 20, 13_000_001]

    @Test("what was written is read again: at once, after a restart, and from the phrase alone")
    func roundTrip() throws {
        let volume = try TestVolume()
        for (index, size) in Self.sizes.enumerated() {
            try volume.writeFile("/files/f\(size)", pattern(size, seed: UInt64(index + 1)))
        }
        func check(_ stage: String) throws {
            for (index, size) in Self.sizes.enumerated() {
                let bytes = try volume.readFile("/files/f\(size)")
                #expect(bytes == pattern(size, seed: UInt64(index + 1)), "\(stage): \(size)")
            }
        }
        try check("at once")
        try volume.restart()
        try check("after a restart")
        try volume.recover()
        try check("recovered")
    }

    @Test("a pad is sealed once per save and comes back with its counter")
    func pads() throws {
        let volume = try TestVolume()
        try volume.writeFile("/scratchpads/note", Array("one".utf8))
        _ = volume.engine.synchronizeRemotely(timeout: .seconds(30).scaled)
        try volume.writeFile("/scratchpads/note", Array("two".utf8))
        _ = volume.engine.synchronizeRemotely(timeout: .seconds(30).scaled)
        try volume.writeFile("/scratchpads/note", Array("two".utf8))
        _ = volume.engine.synchronizeRemotely(timeout: .seconds(30).scaled)
        func counter() throws -> String {
            let ino = try volume.engine.resolve(Array("/scratchpads/note".utf8), volume.context)
            return String(
                decoding: try volume.engine.extendedAttribute(
                    Array("user.cairn.counter".utf8), of: ino, volume.context), as: UTF8.self)
        }
        #expect(try counter() == "2")
        try volume.recover()
        #expect(try volume.readFile("/scratchpads/note") == Array("two".utf8))
        #expect(try counter() == "2")
    }

    @Test("what was open without a name is not counted after a crash")
    func orphansAreNotCounted() throws {
        let volume = try TestVolume(on: TestStore())
        let before = volume.engine.statistics()
        try volume.writeFile("/files/a", [UInt8](repeating: 1, count: 100_000))
        let ino = try volume.resolve("/files/a")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        try volume.unlink("/files/a")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        #expect(volume.engine.statistics().usedInodes == before.usedInodes + 1)
        try volume.crash()
        #expect(volume.engine.statistics() == before)
        volume.engine.release(file.handle, ino: ino)
    }
}
