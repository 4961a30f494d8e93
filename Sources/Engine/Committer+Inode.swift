// SPDX-License-Identifier: Apache-2.0
//
// What one inode has in memory, written into the open transaction.

import Blocks
import Metadata
import Namespace
import Primitives
import Synchronization

extension Committer {
    /// Writes what an inode has to write. Its lock is held, and it was taken off the list.
    ///
    /// - Parameters:
    ///   - defers: as of `MetadataDatabase.write`.
    ///   - frees: the same.
    /// - Returns: whether it goes back to the list, because it has something in memory still.
    func settle(
        _ state: inout InodeState, journaling left: inout Int?, defers: Bool = false,
        frees: Bool = false
    ) throws(FileError) -> Bool {
        if !state.isDeleted {
            try write(&state, journaling: &left, defers: defers, frees: frees)
        }
        volume.countInline(&state)
        state.isListed = !state.isDeleted && state.isDirty
        volume.drained.add(1, ordering: .acquiringAndReleasing)
        return state.isListed
    }

    /// Writes one inode's rows; its lock is held.
    ///
    /// - Parameter left: changed pieces that may still be journaled, nil for no journal; an inode
    ///   with more is sealed.
    private func write(
        _ state: inout InodeState, journaling left: inout Int?, defers: Bool, frees: Bool
    ) throws(FileError) {
        if let room = left, state.buffers.changedCount <= room {
            left = room - state.buffers.changedCount
        } else {
            try volume.sealBuffers(&state)
        }
        var sealedInline: [UInt8]?
        if state.isInlineDirty, let inline = state.inline, !inline.isEmpty {
            sealedInline = volume.sealer.seal(inline)
        }
        let ino = state.ino
        do {
            try volume.metadata.write(defers: defers, frees: frees) {
                (writer) throws(MetadataError) in
                if state.isRowDirty { state.row.change = volume.nextChange() }
                if state.isRowDirty || state.isAccessDirty { try writer.updateInode(state.row) }
                if state.isInlineDirty { try writer.setInline(ino, sealedInline) }
                if state.isBaseDirty { try writer.setContent(ino, state.base) }
                if state.isPadDirty, let pad = state.pad { try writer.setPad(pad) }
                for group in state.dirtyGroups {
                    let entries = state.groups[group]
                    let blob = entries.flatMap { $0.isEmpty ? nil : $0.encoded() }
                    try writer.setBlockGroup(ino, group, blob)
                }
                try writeJournal(&state, writer)
            }
        } catch {
            throw volume.failure(error)
        }
        if state.row.kind == .regular && state.countedSize != state.row.size {
            volume.totals.replace(state.countedSize, with: state.row.size)
            state.countedSize = state.row.size
        }
        state.isRowDirty = false
        state.isAccessDirty = false
        state.isInlineDirty = false
        state.isBaseDirty = false
        state.isPadDirty = false
        state.dirtyGroups.removeAll(keepingCapacity: true)
        volume.arena.release(state.pendingReleases)
        state.pendingReleases.removeAll(keepingCapacity: true)
        state.trimGroups()
    }

    /// Brings the journal's rows of one inode to what its buffers are: changed pieces are
    /// written, rows without a buffer removed.
    private func writeJournal(
        _ state: inout InodeState, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        for change in state.buffers.changes {
            state.buffers.noteRow(change.row)
            let piece = change.row.number
            let row = volume.journalSealer.seal(
                change.bytes, ino: state.ino, piece: piece, isOverEntry: change.isOverEntry)
            try writer.setJournalPiece(state.ino, piece, row)
        }
        state.buffers.markJournaled()
        let stale = state.buffers.staleRows
        for row in stale { try writer.removeJournalPiece(state.ino, row.number) }
        state.buffers.forgetStale(stale)
    }
}
