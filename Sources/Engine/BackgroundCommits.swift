// SPDX-License-Identifier: Apache-2.0
//
// The commit nobody asked for: a change is durable after a few seconds, as on any filesystem.

import Blocks
import Metadata
import Primitives
import Synchronization
import Threading

/// Commits every few seconds while there is something to commit, and keeps the log short.
final class BackgroundCommits: Sendable {
    /// Bytes given back to the disk at a time.
    static let punchLimit: UInt64 = 128 << 20

    private let volume: Volume
    private let committer: Committer
    private let room: RoomKeeper

    private struct State {
        var isStopping = false
        var isStopped = false
    }
    private let state = Monitor(State())

    init(volume: Volume, committer: Committer, room: RoomKeeper) {
        self.volume = volume
        self.committer = committer
        self.room = room
    }

    func start() {
        WorkerPool.startThread("cairn-commit") { self.run() }
    }

    func stop() {
        state.update { $0.isStopping = true }
        _ = state.wait { $0.isStopped ? true : nil }
    }

    private func run() {
        var committed = volume.lastChange.load(ordering: .relaxed)
        while true {
            let isStopping = state.wait(atMost: Committer.interval) { $0.isStopping ? true : nil }
            if isStopping == true { break }
            let now = volume.lastChange.load(ordering: .relaxed)
            if now != committed || !volume.dirty.withLock({ $0.isEmpty }) {
                // A failure is in the error log; the next interval tries again.
                try? committer.commit()
                committed = now
            }
            do throws(MetadataError) {
                try volume.metadata.checkpoint()
            } catch {
                _ = volume.failure(error)
            }
            room.askIfShort()
            volume.arena.punchFreed(limit: BackgroundCommits.punchLimit)
        }
        state.update { $0.isStopped = true }
    }
}
