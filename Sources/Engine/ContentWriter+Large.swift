// SPDX-License-Identifier: Apache-2.0
//
// Writes of many whole blocks: sealed into the arena as they come, from the memory they came in and
// without the file's lock, so that several of one file are sealed beside each other.
// docs/decisions/0045 has the measurements.
//
// Invariant: what can fail is done before the first entry names a slot of such a write, and then
// its slots are released: the write is done whole or not at all.

import Blocks
import Metadata
import Namespace
import Primitives

extension ContentWriter {
    /// Blocks of such a write at least: 256 KiB.
    static let largeCount = 16
    /// Where it ends at least: 2 MiB. What is smaller may be gone before anybody has to write it.
    private static let largeEnd = UInt64(ContentWriter.sequentialRun * Arena.blockSize)
    /// Blocks between two such writes that are to lie as far from each other as they are: 64 MiB.
    private static let nearBlocks: UInt64 = 4096
    /// Blocks for which room is left before the first of them that comes: 8 MiB.
    private static let blocksBefore: UInt64 = 512

    /// Writes whole blocks straight into the arena.
    ///
    /// - Parameters: as of `write`, which has looked at the offset.
    /// - Returns: as `write`; nil if this is no such write, or has no room at once: nothing of it
    ///   is done then.
    /// - Throws: as `write`, but never `wouldBlock`.
    func writeLarge(
        _ inode: Inode, at offset: UInt64, _ bytes: Span<UInt8>, isTimed: Bool, isExempt: Bool
    ) throws(FileError) -> Bool? {
        let size = UInt64(Arena.blockSize)
        let end = offset + UInt64(bytes.count)
        guard bytes.count >= ContentWriter.largeCount * Arena.blockSize,
            end >= ContentWriter.largeEnd, offset % size == 0, end % size == 0
        else { return nil }
        let first = offset / size
        let (isFit, wanted) = try volume.change(inode) {
            (state) throws(FileError) -> (Bool, UInt32?) in
            // The other way says it at once.
            let isRefused = !isExempt && !volume.quota.hasRoom(from: state.row.size, to: end)
            if state.row.form == .pad || isRefused { return (false, nil) }
            try prepare(first, &state)
            return (true, wantedSlot(for: first, state))
        }
        guard isFit, let references = try seal(inode.ino, first, bytes, at: wanted) else {
            return nil
        }
        var unused = references.map(\.slot)
        defer { volume.arena.release(unused) }
        let done = try volume.change(inode) {
            (state) throws(FileError) -> (grew: Bool, isLonger: Bool)? in
            let (allocated, size) = (state.row.allocated, state.row.size)
            let isDone = try volume.sized(
                &state, upTo: end, isExempt: isExempt
            ) { (state) throws(FileError) in
                try install(references, first, end, isTimed ? .now() : nil, &state)
            }
            guard isDone else { return nil }
            return (state.row.allocated != allocated, state.row.size > size)
        }
        guard let done else { return nil }
        unused = []
        // So much is not changed again soon, most likely: who syncs it then waits for less.
        if let slot = references.first?.slot { volume.arena.startWriting(behind: slot) }
        if done.isLonger { early.note(inode.ino, size: end) }
        try committer.drainIfCrowded()
        return done.grew
    }

    /// Seals blocks into slots that nothing names yet.
    ///
    /// - Returns: nil if there is no room at once.
    private func seal(
        _ ino: UInt64, _ first: UInt64, _ bytes: Span<UInt8>, at wanted: UInt32?
    ) throws(FileError) -> [BlockReference]? {
        let count = bytes.count / Arena.blockSize
        do { try volume.arena.reserve(count) } catch { return nil }
        // Others may be served meanwhile: much is sealed, and the disk may have to take some of it.
        volume.willWait()
        do {
            return try volume.arena.write(
                contiguous: bytes, first: BlockOwner(ino: ino, block: first), isDirty: true,
                usesReservation: true, at: wanted)
        } catch {
            volume.arena.unreserve(count)
            guard error == .diskFull || error == .full else { throw volume.failure(error) }
            // Whoever reserves next knows that others took the disk's room, and waits for some.
            try? volume.arena.measureDisk()
            return nil
        }
    }

    /// Seals what the writer has gathered a little before block `first`: the file's beginning,
    /// above all. And finds out where the file's blocks lie.
    private func prepare(_ first: UInt64, _ state: inout InodeState) throws(FileError) {
        if state.row.form == .blocks { try volume.loadBase(&state) }
        if state.lastSealed == nil { state.lastSealed = try firstPlace(first, &state) }
        let near = first - min(first, UInt64(ContentWriter.sequentialRun))..<first
        let behind = state.buffers.blocks.filter { near.contains($0) }
        guard let low = behind.min(), let high = behind.max() else { return }
        do throws(FileError) {
            let wanted = wantedSlot(for: low, state)
            try volume.sealBuffers(&state, at: wanted) { near.contains($0) }
            state.lastSealed = try volume.entry(high, &state).reference.map { (high, $0.slot) }
        } catch {
            // They are buffered still: who seals them next has the error told, if it is one then.
        }
    }

    /// A block, and the slot it has or might have, for the first such write to a file since it came
    /// into memory: behind what the file has, or where there is room for that much before it.
    private func firstPlace(
        _ first: UInt64, _ state: inout InodeState
    ) throws(FileError) -> (block: UInt64, slot: UInt32)? {
        if state.row.form == .blocks, first > 0,
            let slot = try volume.entry(first - 1, &state).reference?.slot
        {
            return (first - 1, slot)
        }
        let before = min(first, ContentWriter.blocksBefore)
        return volume.arena.nextPlace.map { (first - before, $0) }
    }

    /// Where a block would best lie: blocks lie in the order of their file then, in whichever order
    /// several writes are served. Nil if it is all the same.
    private func wantedSlot(for block: UInt64, _ state: borrowing InodeState) -> UInt32? {
        guard let last = state.lastSealed else { return nil }
        let distance = Int64(bitPattern: block &- last.block)
        guard distance.magnitude <= ContentWriter.nearBlocks else { return nil }
        return UInt32(exactly: Int64(last.slot) + distance)
    }

    /// Names the slots of a run of blocks.
    ///
    /// - Returns: false if the file has no blocks, and can not get them at once.
    private func install(
        _ references: [BlockReference], _ first: UInt64, _ end: UInt64, _ now: Timestamp?,
        _ state: inout InodeState
    ) throws(FileError) -> Bool {
        if state.isDeleted { throw .stale }
        if state.row.form == .pad { return false }
        if state.row.form != .blocks, try leaveInlineForm(&state) != nil { return false }
        try volume.loadBase(&state)
        let last = first + UInt64(references.count) - 1
        for block in first...last { try volume.loadGroup(BlockPosition(block).group, &state) }
        for (block, reference) in zip(first...last, references) {
            if try volume.isHole(block, &state) {
                state.row.allocated += UInt64(Arena.blockSize)
            }
            volume.setEntry(block, .dirty(reference), &state)
        }
        volume.dropBuffers(from: first, through: last, &state)
        state.lastSealed = references.last.map { (last, $0.slot) }
        state.follow(first * UInt64(Arena.blockSize)..<end)
        state.row.size = max(state.row.size, end)
        state.noteChange(now)
        return true
    }
}
