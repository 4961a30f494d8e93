// SPDX-License-Identifier: Apache-2.0
//
// What a revision holds, and what a second machine sees of a volume.

import Engine
import Namespace
import TestSupport
import Testing

@Suite("what a revision holds", .serialized)
struct RevisionTests {
    /// A volume that publishes soon, and stores no file before it is asked to.
    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.padDelay = .seconds(600)
            $0.flushDelay = .seconds(600)
            $0.publishCeiling = .milliseconds(200)
        }
    }

    // SEMANTICS: A revision has each file as it was last flushed; files that were flushed at
    // different moments stand side by side.
    // SEMANTICS: A file that was never flushed, at a name that was free, is in no revision yet.
    // SEMANTICS: Inline files, names and attributes are in a revision as they were when it was
    // made.
    @Test("a revision has files as they were flushed, and all else as it was when it was made")
    func sideBySide() throws {
        let volume = try volume()
        try volume.writeFile("/files/early", pattern(100_000, seed: 1))
        try volume.writeFile("/files/inline", Array("one".utf8))
        try volume.writeFile("/files/name", Array("named".utf8))
        try volume.publish()
        try volume.writeFile("/files/late", pattern(90_000, seed: 2))
        try volume.publish()
        let revision = volume.engine.engineStatus().revision
        try volume.writeFile("/files/early", pattern(100_000, seed: 3))
        try volume.writeFile("/files/never", pattern(80_000, seed: 4))
        try volume.writeFile("/files/inline", Array("two".utf8))
        try volume.rename("/files/name", "/files/renamed")
        var change = AttributeChange()
        change.mode = 0o600
        _ = try volume.engine.setAttributes(
            of: try volume.resolve("/files/late"), change, volume.context)
        #expect(
            try eventually {
                let entries = try volume.published().entries
                return volume.engine.engineStatus().revision > revision
                    && entries["/files/renamed"] != nil
                    && entries["/files/late"]?.attributes.mode == 0o600
            })
        let second = try TestVolume(on: volume.memory, seed: volume.seed, mode: .recover)
        #expect(try second.list("/files") == ["early", "inline", "late", "renamed"])
        #expect(same(try second.readFile("/files/early"), pattern(100_000, seed: 1)))
        #expect(same(try second.readFile("/files/late"), pattern(90_000, seed: 2)))
        #expect(try second.readFile("/files/inline") == Array("two".utf8))
        #expect(try second.status("/files/late").attributes.mode == 0o600)
        #expect(same(try volume.readFile("/files/early"), pattern(100_000, seed: 3)))
    }

    // SEMANTICS: One machine writes a volume at a time. Others may recover it from the phrase; they
    // see the revision that was published when they did.
    // SEMANTICS: A mount does not look for newer revisions while it runs.
    // SEMANTICS: To go on from the newer revision, copy out what was not published and recover the
    // volume in a new state folder.
    @Test("a second machine sees the revision it came with, and goes on from a newer one anew")
    func secondMachine() throws {
        let first = try TestVolume(on: TestStore())
        try first.writeFile("/files/a", Array("one".utf8))
        try first.publish()
        let second = try TestVolume(on: first.memory, seed: first.seed, mode: .recover)
        #expect(try second.readFile("/files/a") == Array("one".utf8))
        let known = second.engine.engineStatus().revision
        try first.writeFile("/files/a", Array("two".utf8))
        try first.writeFile("/files/b", pattern(50_000, seed: 1))
        try first.publish()
        let (stands, before) = (
            first.engine.engineStatus().revision, first.memory.change { $0.accepted.count }
        )
        #expect(!eventually(within: .seconds(2)) { second.engine.engineStatus().revision != known })
        #expect(try second.list("/files") == ["a"])
        #expect(try second.readFile("/files/a") == Array("one".utf8))
        // Two that write: the second publishes nothing.
        try second.writeFile("/files/mine", pattern(60_000, seed: 2))
        #expect(throws: TestVolume.Unpublished.self) { try second.publish(within: .seconds(5)) }
        #expect(first.memory.change { $0.accepted.count } == before)
        let copied = try second.readFile("/files/mine")
        try second.forgetEverything()
        #expect(second.engine.engineStatus().revision >= stands)
        #expect(try second.list("/files") == ["a", "b"])
        try second.writeFile("/files/mine", copied)
        try second.publish()
        try second.forgetEverything()
        #expect(same(try second.readFile("/files/mine"), pattern(60_000, seed: 2)))
        #expect(same(try second.readFile("/files/b"), pattern(50_000, seed: 1)))
    }
}
