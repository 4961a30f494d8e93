// SPDX-License-Identifier: Apache-2.0
//
// A file that cannot be flushed, whatever the store does: it waits, and no other file does.

import Blocks
import Foundation
import Stores
import TestSupport
import Testing

@testable import Engine

@Suite("a file that cannot be flushed", .serialized)
struct OwnFailureTests: PatchWork {
    /// Rounds that fail: if others waited for them, by then for longer than they are given here.
    private static let rounds = 6

    /// A volume with a file whose only copy is damaged, and that nothing was ever stored of.
    ///
    /// The store takes nothing until the damage is done, so that no flush comes before it.
    private func damagedVolume() throws -> TestVolume {
        let volume = try TestVolume(on: TestStore()) {
            $0.publishCeiling = .seconds(600)
            $0.journal = JournalLimits(piecesPerCommit: 0, blocks: 0)
        }
        try volume.publish()
        volume.memory.refuseWrites(.unreachable(retryAfter: nil))
        _ = try makeFile(volume)
        try damage(volume, 2)
        volume.memory.heal()
        return volume
    }

    private func flushAll(_ volume: TestVolume) -> FileError? {
        volume.engine.flusher.flushAll(until: .now + .seconds(60).scaled)
    }

    // SEMANTICS: A file that cannot be flushed itself, because it is damaged or too much for a
    // limit, is tried again after at most 60 seconds; others are flushed and published meanwhile.
    @Test("the others are flushed and published in their time, and a sync says that it is not")
    func others() throws {
        let volume = try damagedVolume()
        let ino = try volume.resolve("/files/a")
        for _ in 0..<Self.rounds { #expect(flushAll(volume) == .inputOutput) }
        let revision = volume.engine.engineStatus().revision
        let bytes = pattern(100_000, seed: 2)
        try volume.writeFile("/files/b", bytes)
        let other = try volume.resolve("/files/b")
        let isPublished = eventually(within: .seconds(20)) {
            volume.engine.flusher.state(of: other) == nil
                && volume.engine.engineStatus().revision > revision
        }
        #expect(isPublished)
        #expect(volume.engine.flusher.state(of: ino) != nil)
        #expect(volume.engine.engineStatus().dirtyFiles == 1)
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish() }
        let copy = try TestVolume(on: volume.memory, seed: volume.seed, mode: .recover)
        #expect(try same(copy.readFile("/files/b"), bytes))
        copy.stop()
        // Sound again, it is stored like any other.
        let sound = pattern(8 * Self.block, seed: 3)
        try volume.writeFile("/files/a", sound, truncates: true)
        try volume.recover()
        #expect(try same(volume.readFile("/files/a"), sound))
        #expect(try same(volume.readFile("/files/b"), bytes))
    }

    @Test("more of them than a round takes are not tried without end after a sync")
    func many() throws {
        let volume = try damagedVolume()
        for number in 0..<Flusher.batchLimit {
            try volume.copyWhole("/files/a", "/files/a\(number)", count: 8 * Self.block)
        }
        #expect(flushAll(volume) == .inputOutput)
        #expect(eventually { !volume.engine.flusher.isUrgent })
        #expect(volume.engine.flusher.pendingCount == Flusher.batchLimit + 1)
        let bytes = pattern(100_000, seed: 4)
        try volume.writeFile("/files/b", bytes)
        let sound = try volume.resolve("/files/b")
        #expect(
            eventually(within: .seconds(20)) { volume.engine.flusher.state(of: sound) == nil })
    }

    @Test("a store that takes nothing is asked again for all files together")
    func refused() throws {
        let volume = try TestVolume(on: TestStore())
        try volume.publish()
        volume.memory.refuseWrites(.unreachable(retryAfter: nil))
        try volume.writeFile("/files/a", pattern(100_000, seed: 1))
        #expect(flushAll(volume) == .inputOutput)
        #expect(volume.engine.flusher.isExpectingFiles)
        volume.memory.heal()
        #expect(flushAll(volume) == nil)
        #expect(!volume.engine.flusher.isExpectingFiles)
    }
}
