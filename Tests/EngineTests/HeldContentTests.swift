// SPDX-License-Identifier: Apache-2.0
//
// A file whose stored content is held back, because it took another's name before all of it was on
// the store: it is let go again, whatever the flusher was doing at that moment.

import Foundation
import Primitives
import StoreWrappers
import Stores
import TestSupport
import Testing

@testable import Engine

/// Does something once, when the next sync of the store has come back.
private final class AfterSync: StoreLayer {
    let action = Listener<Void>()
    let isArmed = Lock(false)

    func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let answer = try body()
        guard call.operation == .sync else { return answer }
        let isDue = isArmed.withLock { isArmed in
            defer { isArmed = false }
            return isArmed
        }
        if isDue { action() }
        return answer
    }

    func stop() {}
}

@Suite("content that is held back by a rename")
struct HeldContentTests {
    /// Longest time that a round of the flusher is held up.
    private static let heldUp = Duration.seconds(4)

    @Test("a file that is stored, and not yet off the flusher's list, is stored at its new name")
    func renamedBeforeTheListKnows() throws {
        let layer = AfterSync()
        let volume = try TestVolume(on: TestStore()) {
            ($0.flushDelay, $0.publishDelay) = (.seconds(600), .seconds(600))
            $0.publishCeiling = .seconds(600)
            $0.chunks = StoreLayers.wrap($0.chunks, in: layer)
        }
        try volume.writeFile("/files/f", pattern(100_000, seed: 1))
        try volume.publish()
        // Of one round a large file is done first.
        let bytes = pattern(Int(FileEncoder.largeFile), seed: 2)
        try volume.writeFile("/files/t", bytes)
        try volume.writeFile("/files/last", pattern(100_000, seed: 3))
        let engine = volume.engine
        let (file, last) = (
            try engine.volume.pin(try volume.resolve("/files/t")),
            try engine.volume.pin(try volume.resolve("/files/last"))
        )
        defer { for inode in [file, last] { engine.volume.table.unpin(inode) } }
        let isRenamed = Lock(false)
        layer.action.set { Self.hold(last, until: isRenamed) }
        layer.isArmed.withLock { $0 = true }
        engine.flusher.flushNow()
        try #require(
            eventually(within: .seconds(120)) {
                file.state.withLock { $0.base != nil && $0.flushTruncation == nil }
            })
        try volume.rename("/files/t", "/files/f")
        isRenamed.withLock { $0 = true }
        try volume.publish()
        let other = try TestVolume(on: volume.memory, seed: volume.seed, mode: .recover)
        #expect(same(try other.readFile("/files/f"), bytes))
        #expect(try other.list("/files") == ["f", "last"])
    }

    /// Keeps the lock of an inode that the round comes to last, so that the round is not over.
    private static func hold(_ inode: Inode, until isOver: Lock<Bool>) {
        let isHeld = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            inode.state.acquire()
            isHeld.signal()
            _ = eventually(within: heldUp) { isOver.withLock { $0 } }
            inode.state.release()
        }
        isHeld.wait()
    }
}
