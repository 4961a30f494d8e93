// SPDX-License-Identifier: Apache-2.0
//
// Truncation, allocation and holes.

import Blocks
import Metadata
import Namespace
import Primitives
import Synchronization

extension ContentWriter {
    /// Sets the size: zeros are added, or bytes forgotten.
    func truncate(
        _ inode: Inode, to size: UInt64, _ patience: Patience?
    ) throws(FileError) {
        try truncate(inode, to: size, patience) { _ in }
    }

    /// Adds zeros up to `size`; a file that has as much, or has come to it meanwhile, stays.
    func extend(_ inode: Inode, to size: UInt64, _ patience: Patience?) throws(FileError) {
        try truncate(inode, to: size, onlyGrows: true, patience) { _ in }
    }

    /// As `truncate`, and `body` in the same step.
    ///
    /// - Parameter onlyGrows: as `extend`.
    func truncate<R>(
        _ inode: Inode, to size: UInt64, onlyGrows: Bool = false, _ patience: Patience?,
        _ body: (inout InodeState) throws(FileError) -> R
    ) throws(FileError) -> R {
        if size > ContentWriter.maximumFileSize { throw .tooLarge }
        while true {
            var room = 0
            let result = try volume.change(inode) { (state) throws(FileError) -> R? in
                if onlyGrows && state.row.size >= size { return try body(&state) }
                let count = try volume.sized(&state, upTo: size) { (state) throws(FileError) in
                    try resize(&state, to: size)
                }
                if let count {
                    room = count
                    return nil
                }
                return try body(&state)
            }
            if let result { return result }
            guard let patience else {
                self.room.ask()
                throw .wouldBlock
            }
            try self.room.waitForRoom(room, patience)
        }
    }

    /// - Returns: how many slots it needs first; nil when it is done.
    private func resize(_ state: inout InodeState, to size: UInt64) throws(FileError) -> Int? {
        if state.row.form == .pad && size > UInt64(PadKeeper.contentLimit(state.pad)) {
            throw .tooLarge
        }
        if state.row.form != .blocks {
            let limit =
                state.row.form == .pad
                ? PadKeeper.contentLimit(state.pad) : volume.configuration.inlineLimit
            if size <= UInt64(limit) {
                if size == 0 { state.replaceInline() } else { try volume.loadInline(&state) }
                resizeInline(&state, to: Int(size))
                return nil
            }
            if let count = try leaveInlineForm(&state) { return count }
        }
        if size == 0 {
            try becomeEmpty(&state)
            return nil
        }
        try volume.loadBase(&state)
        if size < state.row.size {
            if let need = try cut(&state, to: size) { return need }
        }
        state.row.size = size
        state.noteChange(.now())
        return nil
    }

    private func resizeInline(_ state: inout InodeState, to size: Int) {
        var content = state.inline ?? []
        state.inline = nil
        if content.count > size {
            content.removeLast(content.count - size)
        } else {
            content.append(contentsOf: repeatElement(0, count: size - content.count))
        }
        state.inline = content
        state.isInlineDirty = true
        state.row.size = UInt64(size)
        state.row.allocated = UInt64(size)
        state.noteChange(.now())
    }

    /// Drops everything beyond `size`; the block it falls into keeps its head.
    private func cut(_ state: inout InodeState, to size: UInt64) throws(FileError) -> Int? {
        let blockSize = UInt64(Arena.blockSize)
        let keep = Int(size % blockSize)
        let last = size / blockSize
        if keep > 0 {
            if state.buffers.contains(last) {
                if state.buffers.held(last)?.has(0..<keep) == false {
                    try volume.fill(last, &state)
                }
                if let bytes = state.buffers.held(last)?.bytes, bytes.count > keep {
                    state.buffers.replace(last, Array(bytes[..<keep]))
                }
            } else if let reference = try volume.entry(last, &state).reference,
                Int(reference.length) > keep
            {
                do { try volume.arena.reserve(1) } catch { return 1 }
                var head = [UInt8](repeating: 0, count: keep)
                var span = head.mutableSpan
                do {
                    try volume.arena.read(reference, from: 0, into: &span)
                } catch {
                    volume.arena.unreserve(1)
                    throw volume.failure(error)
                }
                state.buffers.replace(last, head)
                volume.bufferedBytes.add(Arena.blockSize, ordering: .relaxed)
            }
        }
        let first = keep > 0 ? last + 1 : last
        try forget(blocks: first * blockSize..<max(first * blockSize, state.row.size), &state)
        volume.dropBuffers(from: first, &state)
        try volume.dropEntries(from: first, &state)
        if var base = state.base, base.baseLimit > size {
            base.baseLimit = size
            state.base = base
            state.isBaseDirty = true
        }
        state.flushTruncation = state.flushTruncation.map { min($0, size) }
        return nil
    }

    /// Takes blocks that are about to become holes out of what the file has allocated.
    private func forget(
        blocks range: Range<UInt64>, _ state: inout InodeState
    ) throws(FileError) {
        let lost = try volume.allocatedBytes(&state, in: range)
        state.row.allocated -= min(lost, state.row.allocated)
    }

    private func becomeEmpty(_ state: inout InodeState) throws(FileError) {
        volume.dropBuffers(from: 0, &state)
        try volume.dropEntries(from: 0, &state)
        state.flushTruncation = state.flushTruncation.map { _ in 0 }
        state.base = nil
        state.isBaseLoaded = true
        state.isBaseDirty = true
        state.fullMaps = [:]
        state.row.form = .inline
        state.row.isContentHeld = false
        state.row.isContentBorrowed = false
        state.inline = []
        state.isInlineDirty = true
        state.row.size = 0
        state.row.allocated = 0
        state.noteChange(.now())
    }

    /// Makes a hole, or zeros; whole blocks lose their slots, the edges are written.
    func clear(
        _ inode: Inode, _ range: Range<UInt64>, _ patience: Patience?
    ) throws(FileError) {
        let size = UInt64(Arena.blockSize)
        let end = try inode.state.withLock { (state) throws(FileError) -> UInt64 in
            min(range.upperBound, state.row.size)
        }
        guard range.lowerBound < end else { return }
        let firstWhole = (range.lowerBound + size - 1) / size
        let isTail = try inode.state.withLock { (state) throws(FileError) in end == state.row.size }
        let endWhole = isTail ? (end + size - 1) / size : end / size
        if firstWhole >= endWhole || inlineForm(inode) {
            try writeZeros(inode, range.lowerBound..<end, patience)
            return
        }
        try writeZeros(inode, range.lowerBound..<min(firstWhole * size, end), patience)
        if endWhole * size < end { try writeZeros(inode, (endWhole * size)..<end, patience) }
        try volume.change(inode) { (state) throws(FileError) in
            try clearBlocks(&state, firstWhole..<endWhole)
        }
    }

    private func inlineForm(_ inode: Inode) -> Bool {
        inode.state.withLock { $0.row.form != .blocks }
    }

    private func writeZeros(
        _ inode: Inode, _ range: Range<UInt64>, _ patience: Patience?
    ) throws(FileError) {
        if range.isEmpty { return }
        let zeros = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        _ = try write(inode, at: range.lowerBound, zeros.span, patience)
    }

    private func clearBlocks(
        _ state: inout InodeState, _ blocks: Range<UInt64>
    ) throws(FileError) {
        try volume.loadBase(&state)
        let bytes = UInt64(Arena.blockSize)
        try forget(blocks: (blocks.lowerBound * bytes)..<(blocks.upperBound * bytes), &state)
        volume.dropBuffers(from: blocks.lowerBound, through: blocks.upperBound - 1, &state)
        let size = UInt64(Arena.blockSize)
        // Beyond the last byte the base, the maps or a flush know of there is nothing to clear.
        let ino = state.ino
        let groups =
            BlockPosition(blocks.lowerBound).group...BlockPosition(blocks.upperBound - 1).group
        let rows = try volume.query { (reader) throws(MetadataError) in
            try reader.blockGroups(ino, in: groups.lowerBound..<groups.upperBound + 1)
        }
        var present = Set(rows.map { $0.0 }).union(state.groups.keys.filter { groups.contains($0) })
        let covered = min(state.coverLimit, blocks.upperBound * size)
        if covered > blocks.lowerBound * size {
            let last = BlockPosition((covered - 1) / size).group
            present.formUnion(groups.lowerBound...min(last, groups.upperBound))
        }
        for group in present {
            try volume.loadGroup(group, &state)
            let start = group * UInt64(BlockGroup.span)
            for index in 0..<BlockGroup.span {
                let block = start + UInt64(index)
                guard blocks.contains(block) else { continue }
                let wanted: BlockEntry = state.mayBeCovered(block) ? .zero : .absent
                if state.groups[group]?[index] != wanted { volume.setEntry(block, wanted, &state) }
            }
        }
        state.noteChange(.now())
    }
}
