// SPDX-License-Identifier: Apache-2.0
//
// Moves what small commits have journaled into the arena, in the background: a commit that finds
// the journal full would have to sync the arena itself, and somebody waits for it.
//
// Invariants:
// 1. A slot is named by an entry here only after a sync of the arena that covers it: so the next
//    commit, small as it may be, has nothing to sync but its log or its record.
// 2. A buffer is given up only if it is the one that was sealed; a slot that was sealed in vain was
//    never named by a row, and is released at once.

import Blocks
import Metadata
import Namespace
import Primitives
import Synchronization

/// Seals journaled buffers without holding anybody up.
struct JournalSealing: Sendable {
    /// Blocks whose slots are named at once. Each changes up to one row of the map, and removes up
    /// to four of the journal: all of a full journal together would be more than a sync may record,
    /// and whoever syncs next would have to commit them.
    static let stepCount = 32

    let volume: Volume
    let committer: Committer

    /// One inode's blocks, as they were when they were copied.
    private struct Batch {
        let inode: Inode
        var buffers: [BlockBuffers.Settled]
    }

    /// Whether so much is buffered that a background thread should seal what is journaled.
    static func isDue(_ volume: Volume) -> Bool {
        let buffers = volume.bufferedBytes.load(ordering: .relaxed) / Arena.blockSize
        let limits = volume.configuration.journal
        return limits.piecesPerCommit > 0 && buffers > limits.blocks / 2
            && buffers <= limits.blocks
    }

    /// Seals all journaled buffers there are now, and names the slots in steps, between which
    /// others sync; the last are named by the next commit, whosever it is.
    ///
    /// - Throws: what the arena or the database says. A cache without room is no error: then the
    ///   blocks keep their buffers, and the slots reserved for them.
    func run() throws(FileError) {
        let batches = try takeBatches()
        defer { for batch in batches { volume.table.unpin(batch.inode) } }
        let plain = batches.flatMap { batch in
            batch.buffers.map { buffer in
                PlainBlock(
                    bytes: buffer.bytes,
                    owner: BlockOwner(ino: batch.inode.ino, block: buffer.block), isDirty: true,
                    usesReservation: false)
            }
        }
        if plain.isEmpty { return }
        let references: [BlockReference]
        do {
            references = try volume.arena.write(plain)
        } catch .full {
            return
        } catch {
            throw volume.failure(error)
        }
        do {
            try volume.arena.sync()
        } catch {
            for reference in references { volume.arena.release(reference.slot) }
            throw volume.failure(error)
        }
        var rest = references[...]
        var failure: FileError?
        var named = 0
        for batch in batches {
            var buffers = batch.buffers[...]
            while !buffers.isEmpty {
                let step = buffers.prefix(Self.stepCount - named)
                do throws(FileError) {
                    try install(batch.inode, step, rest.prefix(step.count))
                    named += step.count
                    if named == Self.stepCount {
                        named = 0
                        try committer.commit(isWhole: false)
                    }
                } catch {
                    failure = failure ?? error
                }
                buffers = buffers.dropFirst(step.count)
                rest = rest.dropFirst(step.count)
            }
        }
        if let failure { throw failure }
    }

    /// Inodes with journaled buffers, each pinned, with copies of these.
    private func takeBatches() throws(FileError) -> [Batch] {
        // No drain runs meanwhile: what is on the list stays pinned by it.
        let inodes = try committer.withNames { () throws(FileError) -> [Inode] in
            let list = volume.dirty.withLock { $0 }
            for inode in list { volume.table.pinAgain(inode) }
            return list
        }
        return inodes.map { inode in
            Batch(
                inode: inode,
                buffers: inode.state.withLock { state in
                    state.isDeleted || state.row.form != .blocks ? [] : state.buffers.settled
                })
        }
    }

    /// Puts slots in the place of buffers that are still the same.
    private func install(
        _ inode: Inode, _ buffers: ArraySlice<BlockBuffers.Settled>,
        _ references: ArraySlice<BlockReference>
    ) throws(FileError) {
        var unused = references
        defer { for reference in unused { volume.arena.release(reference.slot) } }
        try volume.change(inode) { (state) throws(FileError) in
            for (buffer, reference) in zip(buffers, references) {
                guard !state.isDeleted, state.buffers.isSame(buffer) else {
                    volume.arena.release(reference.slot)
                    unused.removeFirst()
                    continue
                }
                try volume.loadGroup(BlockPosition(buffer.block).group, &state)
                volume.setEntry(buffer.block, .dirty(reference), &state)
                volume.dropBuffers(from: buffer.block, through: buffer.block, &state)
                unused.removeFirst()
            }
        }
    }
}
