// SPDX-License-Identifier: Apache-2.0
//
// The content of one inode on this machine: loading it, and moving its blocks between memory and
// arena. Every function here is called with the inode's lock held, and none waits for the store.

import Blocks
import Cryptography
import Metadata
import Namespace
import Synchronization

extension InodeState {
    /// Groups kept in memory for one inode: 8192 groups are the map of 3.3 GiB, about 12 MB, or 30
    /// if all of it is patched.
    static let groupLimit = 8192

    /// Drops clean groups when there are many: they can be read again.
    mutating func trimGroups() {
        if groups.count > InodeState.groupLimit && dirtyGroups.isEmpty {
            groups.removeAll(keepingCapacity: false)
        }
    }

    /// True when the store has bytes of this block, as far as the base is still valid.
    func baseCovers(_ block: UInt64) -> Bool {
        let start = block * UInt64(Arena.blockSize)
        guard let base, start < base.baseLimit else { return false }
        let end = min(start + UInt64(Arena.blockSize), base.baseLimit)
        return base.firstSegment(endingAfter: start).map { base.segments[$0].offset < end } ?? false
    }

    /// True when the store has bytes of this block, or will have when the flush that runs now ends:
    /// a block without bytes must then say "zero", since "absent" would show the base's.
    func mayBeCovered(_ block: UInt64) -> Bool {
        if baseCovers(block) { return true }
        let start = block * UInt64(Arena.blockSize)
        let end = start + UInt64(Arena.blockSize)
        return flushRuns.contains { $0.lowerBound < end && start < $0.upperBound }
    }

    /// The end of all that `mayBeCovered` can be true for.
    var coverLimit: UInt64 { max(baseLimit, flushRuns.last?.upperBound ?? 0) }

    /// The flush that read a snapshot is over.
    mutating func endFlush() {
        flushTruncation = nil
        flushRuns = []
        isFlushHeld = false
    }

    /// The file took the name of another while bytes of it were not stored: what is stored now, or
    /// by the flush that runs, is no content that this name ever had.
    mutating func holdContent() {
        guard row.kind == .regular, row.form == .blocks else { return }
        row.isContentHeld = true
        isFlushHeld = flushTruncation != nil
        isRowDirty = true
    }
}

extension StoredContent {
    /// Bytes of the blocks that the segments touch: what a file takes of which nothing is here.
    var allocatedBytes: UInt64 {
        let block = UInt64(Arena.blockSize)
        return segments.reduce(0) {
            let end = ($1.offset + $1.size + block - 1) / block
            return $0 + (end - $1.offset / block) * block
        }
    }

    /// Index of the first segment that ends after `offset`; nil when none does.
    func firstSegment(endingAfter offset: UInt64) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].offset + segments[middle].size > offset {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low < segments.count ? low : nil
    }
}

extension Volume {
    /// Makes `state.inline` present.
    ///
    /// - Throws: `inputOutput` when the row does not open, or when a pad's content never arrived.
    func loadInline(_ state: inout InodeState) throws(FileError) {
        if state.inline != nil { return }
        if state.row.form == .inline && state.row.size == 0 {
            state.inline = []
            return
        }
        let ino = state.ino
        let sealed = try query { (reader) throws(MetadataError) in try reader.inline(ino) }
        guard let sealed else {
            guard state.row.size == 0 else { throw .inputOutput }
            state.inline = []
            return
        }
        do {
            state.inline = try sealer.open(sealed)
        } catch {
            errors.add(
                .database, "a file's inline content does not open: the state folder is damaged")
            throw .inputOutput
        }
    }

    /// Makes `state.base` valid for a file in blocks.
    func loadBase(_ state: inout InodeState) throws(FileError) {
        if state.isBaseLoaded { return }
        let ino = state.ino
        if state.row.form == .blocks {
            state.base = try query { (reader) throws(MetadataError) in try reader.content(ino) }
        }
        state.isBaseLoaded = true
    }

    /// The group, from memory or database.
    func loadGroup(_ group: UInt64, _ state: inout InodeState) throws(FileError) {
        if state.groups[group] != nil { return }
        let ino = state.ino
        let blob = try query { (reader) throws(MetadataError) in
            try reader.blockGroup(ino, group)
        }
        guard let blob else {
            state.groups[group] = BlockGroup()
            return
        }
        guard let loaded = BlockGroup(decoding: blob) else {
            errors.add(.database, "a block map row is malformed: the state folder is damaged")
            throw .inputOutput
        }
        state.groups[group] = loaded
    }

    /// The entry of one block.
    func entry(_ block: UInt64, _ state: inout InodeState) throws(FileError) -> BlockEntry {
        let position = BlockPosition(block)
        if let group = state.groups[position.group] { return group[position.index] }
        try loadGroup(position.group, &state)
        return state.groups[position.group]?[position.index] ?? .absent
    }

    /// Replaces the entry of one block whose group is loaded; a slot that only the old one names is
    /// released after the commit's row.
    func setEntry(_ block: UInt64, _ entry: BlockEntry, _ state: inout InodeState) {
        let position = BlockPosition(block)
        let owner = BlockOwner(ino: state.ino, block: block)
        let old = state.groups[position.group]?[position.index] ?? .absent
        arena.note(owner, names: entry, after: old) { slot in
            state.pendingReleases.append((slot: slot, owner: owner))
        }
        state.groups[position.group]?[position.index] = entry
        state.dirtyGroups.insert(position.group)
    }

    /// True when reading the block gives zeros because nothing was ever there.
    func isHole(_ block: UInt64, _ state: inout InodeState) throws(FileError) -> Bool {
        if state.buffers.contains(block) { return false }
        switch try entry(block, &state) {
        case .clean, .dirty: return false
        case .zero: return true
        case .absent: return !state.baseCovers(block)
        }
    }

    /// Brings what a block's buffer lacks, from the block's own slot: a patch it has already.
    func fill(_ block: UInt64, _ state: inout InodeState) throws(FileError) {
        guard let reference = try entry(block, &state).reference else { return }
        do {
            let content = try arena.content(of: reference.unpatched, willWait: { self.willWait() })
            state.buffers.fill(block, from: content)
        } catch {
            throw failure(error)
        }
    }

    /// What a buffer is sealed over; nil if it has all pieces of its block.
    func patched(
        _ block: UInt64, _ present: BlockPatch.Pieces, _ state: inout InodeState
    ) throws(FileError) -> PatchedBlock? {
        if present == Arena.allPieces { return nil }
        guard let over = try entry(block, &state).patched(present) else {
            preconditionFailure("a buffer lacks pieces that are nowhere")
        }
        return over
    }

    /// Seals every buffer into the arena, or those of some blocks. Their reservations are used up;
    /// memory is free afterwards. One that lacks pieces becomes a patch of its block.
    ///
    /// - Parameter wanted: the slot where the first would best lie, and the others behind it.
    /// - Returns: the slots, in the order of the blocks.
    @discardableResult
    func sealBuffers(
        _ state: inout InodeState, at wanted: UInt32? = nil,
        where isWanted: (UInt64) -> Bool = { _ in true }
    ) throws(FileError) -> [UInt32] {
        if state.buffers.isEmpty { return [] }
        let ino = state.ino
        var blocks = state.buffers.blocks.filter(isWanted)
        if blocks.isEmpty { return [] }
        blocks.sort()
        for block in blocks { try loadGroup(BlockPosition(block).group, &state) }
        var plain: [PlainBlock] = []
        plain.reserveCapacity(blocks.count)
        for block in blocks {
            guard let held = state.buffers.held(block) else { continue }
            plain.append(
                PlainBlock(
                    bytes: held.bytes, owner: BlockOwner(ino: ino, block: block), isDirty: true,
                    usesReservation: true,
                    over: try patched(block, held.present, &state)))
        }
        let references: [BlockReference]
        do {
            references = try arena.write(plain, at: wanted)
        } catch {
            throw failure(error)
        }
        for (block, reference) in zip(blocks, references) {
            setEntry(block, .dirty(reference), &state)
            state.buffers.drop(block)
        }
        bufferedBytes.subtract(blocks.count * Arena.blockSize, ordering: .relaxed)
        return references.map(\.writtenSlot)
    }

    /// Forgets buffers from `first` on, with their reservations.
    func dropBuffers(from first: UInt64, through last: UInt64 = .max, _ state: inout InodeState) {
        let dropped = state.buffers.blocks.filter { $0 >= first && $0 <= last }
        if dropped.isEmpty { return }
        for block in dropped { state.buffers.drop(block) }
        arena.unreserve(dropped.count)
        bufferedBytes.subtract(dropped.count * Arena.blockSize, ordering: .relaxed)
    }

    /// Forgets every entry from block `first` on, whether its group is in memory or not.
    func dropEntries(from first: UInt64, _ state: inout InodeState) throws(FileError) {
        let ino = state.ino
        let start = BlockPosition(first)
        let rows = try query { (reader) throws(MetadataError) in
            try reader.blockGroups(ino, in: start.group..<UInt64(Int64.max))
        }
        for (group, _) in rows where state.groups[group] == nil { try loadGroup(group, &state) }
        for group in state.groups.keys where group >= start.group {
            let from = group == start.group ? start.index : 0
            for index in from..<BlockGroup.span {
                let block = group * UInt64(BlockGroup.span) + UInt64(index)
                if state.groups[group]?[index] != .absent { setEntry(block, .absent, &state) }
            }
        }
    }

    /// Everything the inode holds in memory and arena is given up: it is being deleted.
    /// The caller has removed, or removes in the same transaction, the inode's rows.
    func discardContent(_ state: inout InodeState) throws(FileError) {
        dropBuffers(from: 0, &state)
        if state.row.form == .blocks { try dropEntries(from: 0, &state) }
        state.buffers.removeAll()
        state.dirtyGroups.removeAll()
        state.groups.removeAll()
    }
}
