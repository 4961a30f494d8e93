// SPDX-License-Identifier: Apache-2.0
//
// Changing one inode's bytes: writes, truncation, holes. Bytes land in memory and are sealed into
// the arena by the next commit, or earlier when memory asks; large writes go there at once
// (ContentWriter+Large.swift).
//
// Invariant (docs/ARCHITECTURE.md §6.9): a block gets a buffer only with a slot reserved for it.

import Blocks
import Metadata
import Namespace
import Synchronization

/// Changes content; the counterpart of `ContentReader`.
struct ContentWriter: Sendable {
    /// Bytes of unsealed buffers at which a writer seals its own.
    static let bufferLimit = 48 << 20
    /// Buffers at which a sequential writer seals what it has behind it.
    static let sequentialRun = 128
    /// Writes in a row, each from where the one before ended or a little behind, that make a
    /// sequential writer: of random places now and then one looks like it.
    static let sequentialProof = 8

    let volume: Volume
    let reader: ContentReader
    let committer: Committer
    let room: RoomKeeper
    let early: EarlyUploader

    /// Largest file: what fits into a signed 64-bit offset.
    static let maximumFileSize = UInt64(Int64.max)

    /// Most bytes of this inode if it lives in its row; nil when it may grow into blocks.
    private func inlineCeiling(_ state: InodeState) -> Int? {
        state.row.form == .pad ? PadKeeper.contentLimit(state.pad) : nil
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// - Parameters:
    ///   - isTimed: the file's times move now. A kernel that gathers writes keeps them itself, and
    ///     sends them in no order with the bytes: a time of ours could be the last.
    ///   - isExempt: the volume's quota does not refuse it.
    /// - Returns: whether the file takes more room than before, which the kernel cannot know.
    /// - Throws: `wouldBlock` without patience when old bytes must be fetched or room be made;
    ///   `tooLarge` for a pad or file past its limit; `noSpace` when no room came in time.
    func write(
        _ inode: Inode, at offset: UInt64, _ bytes: Span<UInt8>, isTimed: Bool = true,
        isExempt: Bool = false, _ patience: Patience?
    ) throws(FileError) -> Bool {
        let (end, overflows) = offset.addingReportingOverflow(UInt64(bytes.count))
        if overflows || end > ContentWriter.maximumFileSize { throw .tooLarge }
        if let grew = try writeLarge(
            inode, at: offset, bytes, isTimed: isTimed, isExempt: isExempt)
        {
            return grew
        }
        var old = OldBlocks(volume.arena)
        while true {
            let (need, grew) = try volume.change(inode) { (state) throws(FileError) in
                let allocated = state.row.allocated
                let now: Timestamp? = isTimed ? .now() : nil
                let need = try volume.sized(
                    &state, upTo: end, isExempt: isExempt
                ) { (state) throws(FileError) in
                    try apply(&state, offset, end, bytes, old, now)
                }
                return (need, state.row.allocated != allocated)
            }
            switch need {
            case .nothing:
                try relieve(inode, wrote: offset..<end)
                return grew
            case .base(let blocks):
                guard let patience else { throw .wouldBlock }
                for block in blocks {
                    old.keep(block, try reader.baseBlock(inode, block, patience))
                }
            case .slots(let slots, let patches):
                old.read(slots, patches: patches, from: volume.arena) {
                    if patience == nil { volume.willWait() }
                }
            case .room(let count):
                guard let patience else {
                    room.ask()
                    throw .wouldBlock
                }
                try room.waitForRoom(count, patience)
            }
        }
    }

    private enum Need {
        case nothing
        case base([UInt64])
        /// The old bytes of blocks, and of blocks' patches alone, from slots of the arena.
        case slots([BlockReference], patches: [BlockReference])
        case room(Int)
    }

    private func apply(
        _ state: inout InodeState, _ offset: UInt64, _ end: UInt64, _ bytes: Span<UInt8>,
        _ old: OldBlocks, _ now: Timestamp?
    ) throws(FileError) -> Need {
        if let ceiling = inlineCeiling(state), end > UInt64(ceiling) { throw .tooLarge }
        if state.row.form != .blocks {
            let limit = inlineCeiling(state) ?? volume.configuration.inlineLimit
            if end <= UInt64(limit) {
                try volume.loadInline(&state)
                patchInline(&state, Int(offset), Int(end), bytes)
                state.row.size = max(state.row.size, end)
                state.noteChange(now)
                state.row.allocated = state.row.size
                return .nothing
            }
            if let count = try leaveInlineForm(&state) { return .room(count) }
        }
        let need = try patchBlocks(&state, offset, end, bytes, old)
        if case .nothing = need {
            state.row.size = max(state.row.size, end)
            state.noteChange(now)
        }
        return need
    }

    private func patchInline(
        _ state: inout InodeState, _ offset: Int, _ end: Int, _ bytes: Span<UInt8>
    ) {
        var content = state.inline ?? []
        state.inline = nil
        if content.count < end {
            content.append(contentsOf: repeatElement(0, count: end - content.count))
        }
        var span = content.mutableSpan
        copyBytes(bytes, to: &span, at: offset)
        state.inline = content
        state.isInlineDirty = true
    }

    /// Turns inline content into buffers, because it is about to outgrow its row.
    ///
    /// - Returns: how many slots it needs first; nil when it is done.
    func leaveInlineForm(_ state: inout InodeState) throws(FileError) -> Int? {
        try volume.loadInline(&state)
        let content = state.inline ?? []
        let size = Arena.blockSize
        let count = (content.count + size - 1) / size
        if count > 0 {
            do { try volume.arena.reserve(count) } catch { return count }
        }
        for block in 0..<count {
            let part = content[(block * size)..<min((block + 1) * size, content.count)]
            state.buffers.replace(UInt64(block), Array(part))
        }
        volume.bufferedBytes.add(count * size, ordering: .relaxed)
        state.row.form = .blocks
        state.row.allocated = UInt64(count * size)
        state.base = nil
        state.isBaseLoaded = true
        state.isRowDirty = true
        state.inline = nil
        // The row goes when the blocks are written: `isInlineDirty` with no content removes it.
        state.isInlineDirty = true
        return nil
    }

    private func patchBlocks(
        _ state: inout InodeState, _ offset: UInt64, _ end: UInt64, _ bytes: Span<UInt8>,
        _ old: OldBlocks
    ) throws(FileError) -> Need {
        try volume.loadBase(&state)
        let size = UInt64(Arena.blockSize)
        let blocks = (offset / size)...((end - 1) / size)
        // First everything that can fail or must wait, then the change: a write is done twice or
        // not at all.
        var missing: [UInt64] = []
        var slots: [BlockReference] = []
        var patches: [BlockReference] = []
        var fresh = 0
        for block in blocks {
            if state.buffers.contains(block) {
                let part = part(of: block, offset, end)
                let edges = Arena.pieces(touching: part) & ~Arena.pieces(within: part)
                if state.buffers.lacking(block) & edges != 0 { try volume.fill(block, &state) }
                continue
            }
            fresh += 1
            if isWhole(block, offset, end, state) { continue }
            switch try volume.entry(block, &state) {
            case .clean(let reference), .dirty(let reference):
                if old.isRead { continue }
                if !mayLack(reference, block, part(of: block, offset, end), old, state) {
                    slots.append(reference)
                } else if reference.patch != nil {
                    patches.append(reference)
                }
            case .absent:
                if state.baseCovers(block), old.base(of: block, state) == nil {
                    missing.append(block)
                }
            case .zero: break
            }
        }
        if !missing.isEmpty { return .base(missing) }
        if !slots.isEmpty || !patches.isEmpty { return .slots(slots, patches: patches) }
        if fresh > 0 {
            do { try volume.arena.reserve(fresh) } catch { return .room(fresh) }
        }
        var opened = 0
        do throws(FileError) {
            for block in blocks {
                if !state.buffers.contains(block) {
                    try open(block, offset, end, old, &state)
                    opened += 1
                }
                patchBuffer(&state, block, offset, end, bytes)
            }
        } catch {
            volume.arena.unreserve(fresh - opened)
            volume.bufferedBytes.add(opened * Arena.blockSize, ordering: .relaxed)
            throw error
        }
        volume.bufferedBytes.add(fresh * Arena.blockSize, ordering: .relaxed)
        return .nothing
    }

    private func patchBuffer(
        _ state: inout InodeState, _ block: UInt64, _ offset: UInt64, _ end: UInt64,
        _ bytes: Span<UInt8>
    ) {
        let part = part(of: block, offset, end)
        let start = Int(block * UInt64(Arena.blockSize) + UInt64(part.lowerBound) - offset)
        let source = bytes.extracting(start..<start + part.count)
        state.buffers.change(block, part) { buffer in
            if buffer.isEmpty { buffer.reserveCapacity(Arena.blockSize) }
            if buffer.count < part.upperBound {
                buffer.append(contentsOf: repeatElement(0, count: part.upperBound - buffer.count))
            }
            var span = buffer.mutableSpan
            copyBytes(source, to: &span, at: part.lowerBound)
        }
    }

    /// Seals early where memory or locality asks for it.
    private func relieve(_ inode: Inode, wrote range: Range<UInt64>) throws(FileError) {
        let end = range.upperBound
        let isCrowded =
            volume.bufferedBytes.load(ordering: .relaxed) > ContentWriter.bufferLimit
        var written: [UInt32] = []
        let size = try volume.change(inode) { (state) throws(FileError) -> UInt64? in
            state.follow(range)
            let isSequential = state.ascendingWrites >= ContentWriter.sequentialProof
            let count = state.buffers.count
            if (isSequential && count >= ContentWriter.sequentialRun) || (isCrowded && count >= 64)
            {
                // The block being appended to would only be sealed again.
                let tail = end % UInt64(Arena.blockSize) == 0 ? nil : end / UInt64(Arena.blockSize)
                written = try volume.sealBuffers(&state) { $0 != tail }
                return state.row.size
            }
            return nil
        }
        if !written.isEmpty {
            // So much is not changed again soon, most likely: who syncs it then waits for less.
            volume.willWait()
            volume.arena.startWriting(written)
        }
        if let size { early.note(inode.ino, size: size) }
        if isCrowded && size == nil { try committer.drainOldest(Committer.drainedAtLimit) }
        try committer.drainIfCrowded()
    }
}
