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
        var blocks: [Block]
    }

    /// A copy of a buffer, and what is sealed of it.
    private struct Block {
        let buffer: BlockBuffers.Settled
        let plain: PlainBlock
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
        let plain = batches.flatMap { $0.blocks.map(\.plain) }
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
            for (block, reference) in zip(plain, references) {
                volume.arena.release(reference.writtenSlot, owner: block.owner)
            }
            throw volume.failure(error)
        }
        var rest = references[...]
        var failure: FileError?
        var named = 0
        for batch in batches {
            var blocks = batch.blocks[...]
            while !blocks.isEmpty {
                let step = blocks.prefix(Self.stepCount - named)
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
                blocks = blocks.dropFirst(step.count)
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
        var batches: [Batch] = []
        for inode in inodes { batches.append(Batch(inode: inode, blocks: [])) }
        do throws(FileError) {
            for index in batches.indices {
                batches[index].blocks = try blocks(of: batches[index].inode)
            }
        } catch {
            for inode in inodes { volume.table.unpin(inode) }
            throw error
        }
        return batches
    }

    private func blocks(of inode: Inode) throws(FileError) -> [Block] {
        try inode.state.withLock { (state) throws(FileError) in
            if state.isDeleted || state.row.form != .blocks { return [] }
            var blocks: [Block] = []
            for buffer in state.buffers.settled {
                let over = try volume.patched(buffer.block, buffer.held.present, &state)
                let plain = PlainBlock(
                    bytes: buffer.held.bytes,
                    owner: BlockOwner(ino: inode.ino, block: buffer.block),
                    isDirty: true, usesReservation: false, over: over)
                blocks.append(Block(buffer: buffer, plain: plain))
            }
            return blocks
        }
    }

    /// Puts slots in the place of buffers that are still the same.
    private func install(
        _ inode: Inode, _ blocks: ArraySlice<Block>, _ references: ArraySlice<BlockReference>
    ) throws(FileError) {
        var unused = Array(zip(blocks, references))[...]
        defer {
            for (block, reference) in unused {
                volume.arena.release(reference.writtenSlot, owner: block.plain.owner)
            }
        }
        try volume.change(inode) { (state) throws(FileError) in
            for (block, reference) in zip(blocks, references) {
                let number = block.buffer.block
                guard !state.isDeleted, state.buffers.isSame(block.buffer) else {
                    volume.arena.release(reference.writtenSlot, owner: block.plain.owner)
                    unused.removeFirst()
                    continue
                }
                try volume.loadGroup(BlockPosition(number).group, &state)
                volume.setEntry(number, .dirty(reference), &state)
                volume.dropBuffers(from: number, through: number, &state)
                unused.removeFirst()
            }
        }
    }
}
