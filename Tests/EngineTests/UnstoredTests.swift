// SPDX-License-Identifier: Apache-2.0
//
// A revision that is published while something still waits for the store, and what a crash then
// leaves: the revision's number passes changes it does not have, and they may not be forgotten.

import Engine
import Foundation
import Stores
import TestSupport
import Testing

@Suite("a revision that passes what is not stored", .serialized)
struct UnstoredTests {
    /// A volume that publishes soon, and stores nothing before it is asked to.
    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.padDelay = .seconds(600)
            $0.flushDelay = .seconds(600)
            $0.publishCeiling = .milliseconds(200)
        }
    }

    /// Waits for a revision newer than this one.
    private func awaitRevision(after revision: UInt64, _ volume: TestVolume) throws {
        #expect(eventually { volume.engine.engineStatus().revision > revision })
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
    }

    @Test("a pad saved before a revision and sealed after a crash reaches the store")
    func pad() throws {
        let volume = try volume()
        try volume.writeFile("/scratchpads/note", Array("one".utf8))
        try volume.publish()
        let revision = volume.engine.engineStatus().revision
        try volume.writeFile("/scratchpads/note", Array("two".utf8), truncates: true)
        try awaitRevision(after: revision, volume)
        try volume.crash()
        try volume.recover()
        #expect(try volume.readFile("/scratchpads/note") == Array("two".utf8))
    }

    @Test("a truncation before a revision and flushed after a crash reaches the store")
    func truncation() throws {
        let volume = try volume()
        try volume.writeFile("/files/long", pattern(200_000, seed: 1))
        try volume.publish()
        let revision = volume.engine.engineStatus().revision
        // A whole number of blocks: none of them becomes dirty.
        var change = AttributeChange()
        change.size = 49_152
        _ = try volume.engine.setAttributes(
            of: try volume.resolve("/files/long"), change, volume.context)
        try awaitRevision(after: revision, volume)
        try volume.crash()
        try volume.recover()
        #expect(same(try volume.readFile("/files/long"), pattern(49_152, seed: 1)))
    }

    @Test("a pad saved again while the store refused its last save reaches the store")
    func refusedPad() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        store.change { $0.padFailure = .full }
        try volume.writeFile("/scratchpads/note", Array("one".utf8))
        #expect(try eventually { try volume.report("errors").contains("no room") })
        try volume.writeFile("/scratchpads/note", Array("two".utf8), truncates: true)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        store.heal()
        try volume.recover()
        #expect(try volume.readFile("/scratchpads/note") == Array("two".utf8))
    }
}
