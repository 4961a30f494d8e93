// SPDX-License-Identifier: Apache-2.0
//
// copy_file_range. Where both ends lie alike in their blocks, the copy names the slots and the data
// maps of the source instead of having bytes of its own: a write to either goes to other slots.
//
// Invariants:
// 1. No two inodes are locked at once: the source is read under its lock into a value that pins its
//    slots, the target is changed under its own.
// 2. A data map is shared only with a target that has no content and no flush under way: the end of
//    a flush would put its own map in the place. Where they are not all of the content, the target
//    says so until its own flush (`isContentBorrowed`): no revision has them for it.

import Blocks
import Metadata
import Namespace
import Primitives
import SelfEncryption

extension Engine {
    /// Bytes that one `copyRange` copies at most where it cannot share: the caller asks again, and
    /// may be interrupted between.
    static let copyLimit: UInt64 = 4 << 20
    /// Bytes that one `copyRange` shares at most: the 65 536 blocks of 1 GiB are as many as one
    /// lock should be held for. A whole file is shared at once, however long: its data maps are.
    static let shareLimit: UInt64 = 1 << 30

    /// One end of a copy: an open file and a place in it.
    package typealias CopyEnd = (handle: UInt64, ino: UInt64, offset: UInt64)

    /// Copies a range between open files, or shares it where both ends allow.
    ///
    /// - Returns: bytes copied, which may be fewer than asked; 0 at the end of the source.
    /// - Throws: as `read` and `write`.
    package func copyRange(
        from source: CopyEnd, to target: CopyEnd, count: UInt64, _ context: RequestContext
    ) throws(FileError) -> UInt64 {
        // The caller reads and writes instead.
        if VirtualTree.isVirtual(source.ino) || VirtualTree.isVirtual(target.ino) {
            throw .notSupported
        }
        guard case .file(let from, _, _) = handles.handle(source.handle),
            case .file(let to, _, _) = handles.handle(target.handle)
        else { throw .stale }
        try requireWritable()
        let size = UInt64(Arena.blockSize)
        if source.offset % size == target.offset % size {
            if source.offset % size == 0 {
                let shared = try share(from, source.offset, to, target.offset, count)
                if shared > 0 { return shared }
            } else if count > size {
                // Up to the next block, so that the rest can be shared.
                let start = size - source.offset % size
                return try copyBytes(from, source.offset, target, start, context)
            }
        }
        return try copyBytes(
            from, source.offset, target, min(count, Engine.copyLimit), context)
    }

    private func copyBytes(
        _ from: Inode, _ offset: UInt64, _ target: CopyEnd, _ count: UInt64,
        _ context: RequestContext
    ) throws(FileError) -> UInt64 {
        let available = from.state.withLock { $0.row.size - min(offset, $0.row.size) }
        if available == 0 { return 0 }
        var buffer = [UInt8](repeating: 0, count: Int(min(count, available)))
        var span = buffer.mutableSpan
        let read = try reader.read(from, at: offset, into: &span, context.patience)
        if read == 0 { return 0 }
        let written = try write(
            target.handle, ino: target.ino, at: target.offset, buffer.span.extracting(0..<read),
            context)
        return UInt64(written)
    }

    // MARK: Sharing

    /// Shares what can be shared from `offset` on.
    ///
    /// - Returns: bytes shared; 0 when the bytes have to be copied.
    private func share(
        _ from: Inode, _ offset: UInt64, _ to: Inode, _ targetOffset: UInt64, _ count: UInt64
    ) throws(FileError) -> UInt64 {
        if offset == 0 && targetOffset == 0 && from.ino != to.ino {
            let whole = try shareWhole(from, to, count)
            if whole > 0 { return whole }
        }
        let (end, overflows) = targetOffset.addingReportingOverflow(count)
        if overflows || end > ContentWriter.maximumFileSize { throw .tooLarge }
        let targetSize = to.state.withLock { $0.row.form == .pad ? nil : $0.row.size }
        guard let targetSize else { return 0 }
        let run = try volume.change(from) { (state) throws(FileError) in
            try SharedRun(
                &state, volume, from: offset, count: min(count, Engine.shareLimit),
                mayEndInBlock: { targetOffset + $0 >= targetSize })
        }
        guard let run else { return 0 }
        defer { run.release(volume) }
        let isTaken = try volume.change(to) { (state) throws(FileError) in
            try volume.sized(&state, upTo: targetOffset + run.count) { (state) throws(FileError) in
                try run.apply(&state, volume, at: targetOffset, writer)
            }
        }
        guard isTaken else { return 0 }
        noteWritten(to)
        return run.count
    }

    /// Makes an empty target the same as the source, with its data maps, if that is all of the
    /// source.
    private func shareWhole(_ from: Inode, _ to: Inode, _ count: UInt64) throws(FileError) -> UInt64
    {
        let isReady = to.state.withLock {
            $0.row.kind == .regular && $0.row.form != .pad && $0.row.size == 0
                && $0.flushTruncation == nil
        }
        guard isReady else { return 0 }
        let whole = try volume.change(from) { (state) throws(FileError) in
            guard state.row.size <= count else { return SharedFile?.none }
            return try SharedFile(&state, volume)
        }
        guard let whole else { return 0 }
        defer { whole.release(volume) }
        let isTaken = try volume.change(to) { (state) throws(FileError) in
            try volume.sized(&state, upTo: whole.size) { (state) throws(FileError) in
                try whole.apply(&state, volume)
            }
        }
        guard isTaken else { return 0 }
        if !whole.isStored { noteWritten(to) }
        return whole.size
    }
}

/// The content of one file at one moment, with its slots pinned until it is released.
private struct SharedFile {
    let size: UInt64
    let allocated: UInt64
    let base: StoredContent
    let fullMaps: [UInt64: FullMap]
    private(set) var groups: [UInt64: BlockGroup]
    private(set) var slots: [UInt32]
    /// The data maps are the whole content.
    let isStored: Bool

    /// Nil for a file that has no data maps, or dirty blocks of which one is shared too often: its
    /// blocks are shared as any range's.
    init?(_ state: inout InodeState, _ volume: Volume) throws(FileError) {
        guard state.row.form == .blocks else { return nil }
        try volume.loadBase(&state)
        guard let base = state.base else { return nil }
        try volume.sealBuffers(&state)
        let ino = state.ino
        let rows = try volume.query { (reader) throws(MetadataError) in
            try reader.blockGroups(ino, in: 0..<UInt64(Int64.max))
        }
        for (group, _) in rows { try volume.loadGroup(group, &state) }
        self.base = base
        fullMaps = state.fullMaps
        size = state.row.size
        allocated = state.row.allocated
        groups = state.groups.filter { !$0.value.isEmpty }
        let entries = groups.values.lazy.flatMap { $0.entries }
        isStored =
            base.size == size && base.baseLimit >= size
            && !entries.contains { $0.differsFromBase }
        slots = entries.compactMap { $0.reference }.slots
        let pinned = volume.arena.retainShared(slots)
        if pinned == slots.count { return }
        volume.arena.release(Array(slots[..<pinned]))
        guard isStored else { return nil }
        // The data maps alone have it all.
        (groups, slots) = ([:], [])
    }

    func release(_ volume: Volume) { volume.arena.release(slots) }

    /// - Returns: false, and changes nothing, if the target is not empty any more.
    func apply(_ state: inout InodeState, _ volume: Volume) throws(FileError) -> Bool {
        guard !state.isDeleted, state.row.size == 0, state.row.form != .pad,
            state.flushTruncation == nil
        else { return false }
        try volume.dropEntries(from: 0, &state)
        let ino = state.ino
        for (number, group) in groups {
            try volume.loadGroup(number, &state)
            for index in 0..<BlockGroup.span where group[index] != .absent {
                let block = number * UInt64(BlockGroup.span) + UInt64(index)
                let owner = BlockOwner(ino: ino, block: block)
                group[index].reference?.forEachSlot {
                    volume.arena.retain($0, owner: owner, isDirty: group[index].differsFromBase)
                }
                volume.setEntry(block, group[index], &state)
            }
        }
        let now = Timestamp.now()
        state.row.form = .blocks
        state.inline = nil
        // With no content: this removes the inline row.
        state.isInlineDirty = true
        state.base = base
        state.base?.modified = now
        state.isBaseLoaded = true
        state.isBaseDirty = true
        // A revision before its own flush must not have what the source once was.
        state.row.isContentBorrowed = !isStored
        state.row.isContentHeld = false
        state.fullMaps = fullMaps
        state.row.size = size
        state.row.allocated = allocated
        state.noteChange(now)
        return true
    }
}

/// Whole blocks of one file that are in the arena or holes, with their slots pinned until it is
/// released.
private struct SharedRun {
    /// Bytes of the run.
    private(set) var count: UInt64
    private var entries: [BlockReference?] = []

    /// The longest run from `offset` on; nil when there is none, because the first block is only in
    /// the store or shared too often, or the file is not in blocks.
    ///
    /// - Parameter mayEndInBlock: whether a run of so many bytes, which ends with the source, may
    ///   end inside of a block: only if the target has nothing behind it.
    init?(
        _ state: inout InodeState, _ volume: Volume, from offset: UInt64, count wanted: UInt64,
        mayEndInBlock: (UInt64) -> Bool
    ) throws(FileError) {
        guard state.row.form == .blocks, offset < state.row.size else { return nil }
        try volume.loadBase(&state)
        try volume.sealBuffers(&state)
        let size = UInt64(Arena.blockSize)
        var end = min(offset + min(wanted, state.row.size), state.row.size)
        if end % size != 0 && !(end == state.row.size && mayEndInBlock(end - offset)) {
            end -= end % size
        }
        count = 0
        var position = offset
        while position < end {
            let block = position / size
            let entry = try volume.entry(block, &state)
            if entry == .absent && state.baseCovers(block) { break }
            entries.append(entry.reference)
            position = min(position + size, end)
        }
        count = position - min(offset, position)
        let pinned = volume.arena.retainShared(slots)
        cut(to: pinned, volume)
        if count == 0 { return nil }
    }

    /// Ends the run before the first block of which not all slots are pinned.
    ///
    /// - Parameter pinned: how many of the run's slots are, of the first ones.
    private mutating func cut(to pinned: Int, _ volume: Volume) {
        var kept = 0
        for (index, entry) in entries.enumerated() {
            var next = kept
            entry?.forEachSlot { _ in next += 1 }
            if next > pinned {
                volume.arena.release(Array(slots[kept..<pinned]))
                entries.removeSubrange(index...)
                count = UInt64(index) * UInt64(Arena.blockSize)
                return
            }
            kept = next
        }
    }

    private var slots: [UInt32] { entries.compactMap { $0 }.slots }

    func release(_ volume: Volume) { volume.arena.release(slots) }

    /// - Returns: false, with the content as it was, if there is no room for what the target has
    ///   inline, or if it has grown behind a run that ends inside of a block.
    func apply(
        _ state: inout InodeState, _ volume: Volume, at offset: UInt64, _ writer: ContentWriter
    ) throws(FileError) -> Bool {
        guard !state.isDeleted else { throw .stale }
        let size = UInt64(Arena.blockSize)
        if count % size != 0 && state.row.size > offset + count { return false }
        if state.row.form != .blocks, try writer.leaveInlineForm(&state) != nil { return false }
        try volume.loadBase(&state)
        let first = offset / size
        let blocks = first..<first + UInt64(entries.count)
        for block in blocks { try volume.loadGroup(BlockPosition(block).group, &state) }
        let before = try volume.allocatedBytes(
            &state, in: (blocks.lowerBound * size)..<(blocks.upperBound * size))
        volume.dropBuffers(from: blocks.lowerBound, through: blocks.upperBound - 1, &state)
        var after: UInt64 = 0
        for (block, reference) in zip(blocks, entries) {
            if let reference {
                let owner = BlockOwner(ino: state.ino, block: block)
                let old = try volume.entry(block, &state).reference
                // Copied once more over itself: the row it has is all it needs.
                if old != reference {
                    reference.forEachSlot { slot in
                        if old?.names(slot) == true { return }
                        volume.arena.retain(slot, owner: owner, isDirty: true)
                    }
                    volume.setEntry(block, .dirty(reference.ofAnotherBlock), &state)
                }
                after += size
            } else {
                // As in a hole that is punched.
                volume.setEntry(block, state.mayBeCovered(block) ? .zero : .absent, &state)
            }
        }
        state.row.allocated = state.row.allocated - min(before, state.row.allocated) + after
        state.row.size = max(state.row.size, offset + count)
        state.noteChange(.now())
        return true
    }
}
