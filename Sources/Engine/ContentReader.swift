// SPDX-License-Identifier: Apache-2.0
//
// Reading one inode's bytes: memory first, then the arena, then the store.
//
// Slots are read without the inode's lock, so that readers do not wait for each other. A slot may
// then be freed and sealed anew under the reader's eyes; its seal does not open in that case, and
// the read is done once more with the lock held, which is the authority.

import Blocks
import Metadata
import Namespace
import Primitives
import Synchronization

/// Reads content; the only place that knows all the forms it can have.
struct ContentReader: Sendable {
    let volume: Volume
    let fetcher: ChunkFetcher

    /// Where one block's part of a read comes from.
    private struct Piece {
        let block: UInt64
        /// First byte wanted within the block.
        let from: Int
        /// Where it goes in the caller's buffer.
        let out: Range<Int>
        let source: Source
    }

    private enum Source {
        case arena(BlockReference)
        /// A block's own slot, and over it what memory has of the block.
        case beneath(BlockBuffers.Held, BlockReference)
        case base
    }

    /// Fills `out` from `offset` on.
    ///
    /// - Parameter around: the open file whose reads these are; nil for who copies it.
    /// - Returns: how many bytes there were: less than asked only at the end of the file.
    /// - Throws: `wouldBlock` without patience when the store has to be asked.
    func read(
        _ inode: Inode, at offset: UInt64, into out: inout MutableSpan<UInt8>,
        _ patience: Patience?,
        around: FileReads? = nil
    ) throws(FileError) -> Int {
        do throws(FileError) {
            return try attempt(
                inode, at: offset, into: &out, patience, around: around, isLocked: false)
        } catch .stale {
            return try attempt(
                inode, at: offset, into: &out, patience, around: nil, isLocked: true)
        }
    }

    /// One pass. Throws `stale` when a slot did not open and the lock was not held.
    private func attempt(
        _ inode: Inode, at offset: UInt64, into out: inout MutableSpan<UInt8>,
        _ patience: Patience?, around: FileReads?, isLocked: Bool
    ) throws(FileError) -> Int {
        var pieces: [Piece] = []
        var segments: [Segment] = []
        var baseLimit: UInt64 = 0
        let count = try inode.state.withLock { (state) throws(FileError) -> Int in
            guard offset < state.row.size else { return 0 }
            let count = Int(min(UInt64(out.count), state.row.size - offset))
            if state.row.form != .blocks {
                try volume.loadInline(&state)
                copy(state.inline ?? [], from: offset, count, into: &out)
                return count
            }
            try volume.loadBase(&state)
            try plan(&state, offset, count, into: &out, &pieces)
            if pieces.contains(where: { if case .base = $0.source { true } else { false } }) {
                segments = state.base?.segments ?? []
                baseLimit = state.baseLimit
            }
            if isLocked { try readSlots(pieces, into: &out, corrupt: .inputOutput) }
            return count
        }
        if !segments.isEmpty && patience == nil { throw .wouldBlock }
        if !isLocked {
            if let around, patience == nil, count <= ReadAround.readLimit {
                try readSmall(inode, pieces, around, into: &out)
            } else {
                if patience == nil && !pieces.isEmpty { volume.willWait() }
                // What the kernel keeps of what it asks for would lie in memory twice.
                try readSlots(
                    pieces, into: &out, corrupt: .stale, forgets: around?.isCached == true)
            }
        }
        if let patience, !segments.isEmpty {
            try readBase(
                inode, pieces, segments, baseLimit, into: &out, count: count, patience)
        }
        return count
    }

    /// What has to be done for each block; memory and holes are served at once.
    private func plan(
        _ state: inout InodeState, _ offset: UInt64, _ count: Int,
        into out: inout MutableSpan<UInt8>, _ pieces: inout [Piece]
    ) throws(FileError) {
        let size = UInt64(Arena.blockSize)
        var position = offset
        let end = offset + UInt64(count)
        if count > Arena.blockSize { pieces.reserveCapacity(count / Arena.blockSize + 2) }
        while position < end {
            let block = position / size
            let from = Int(position % size)
            let length = min(Arena.blockSize - from, Int(end - position))
            let range = Int(position - offset)..<Int(position - offset) + length
            position += UInt64(length)
            let held = state.buffers.held(block)
            if let held, held.has(from..<from + length) {
                var part = out._mutatingExtracting(range)
                copy(held.bytes, from: UInt64(from), length, into: &part)
                continue
            }
            switch try volume.entry(block, &state) {
            case .clean(let reference), .dirty(let reference):
                pieces.append(
                    Piece(
                        block: block, from: from, out: range,
                        source: held.map { .beneath($0, reference.unpatched) } ?? .arena(reference))
                )
            case .absent where state.baseCovers(block):
                pieces.append(Piece(block: block, from: from, out: range, source: .base))
            case .absent, .zero:
                var part = out._mutatingExtracting(range)
                part.update(repeating: 0)
            }
        }
    }

    /// Reads the pieces of a small read. Another thread is to take requests only if the disk has to
    /// be waited for: most such reads are served from the system's memory, sooner than it were
    /// awake.
    private func readSmall(
        _ inode: Inode, _ pieces: [Piece], _ reads: FileReads, into out: inout MutableSpan<UInt8>
    ) throws(FileError) {
        if pieces.isEmpty { return }
        var waited = false
        try readSlots(pieces, into: &out, corrupt: .stale) {
            if !waited { volume.willWait() }
            waited = true
        }
        let isWorthMore = reads.around.withLock { $0.note(waited: waited) }
        guard isWorthMore, let piece = pieces.last, case .arena(let reference) = piece.source
        else { return }
        volume.table.pinAgain(inode)
        let isAsked = volume.readsAhead.ask {
            defer { volume.table.unpin(inode) }
            let slots = slots(around: piece.block, reference.slot, inode)
            if let slots { volume.arena.bringIn(slots) }
        }
        if !isAsked { volume.table.unpin(inode) }
    }

    /// The slots that have the blocks of a stretch around one of them, as far as they are
    /// neighbours like their blocks: one read brings them. Nil if there is but the one.
    private func slots(around block: UInt64, _ slot: UInt32, _ inode: Inode) -> Range<UInt32>? {
        let blocks = ReadAround.stretch / UInt64(Arena.blockSize)
        let first = block / blocks * blocks
        return inode.state.withLock { state in
            func lies(_ number: UInt64, in slot: UInt32) -> Bool {
                do throws(FileError) {
                    return try volume.entry(number, &state).reference?.slot == slot
                } catch {
                    // The stretch ends here; who reads on meets the error.
                    return false
                }
            }
            var (low, high) = (slot, slot)
            var number = block
            while number > first, low > 0, lies(number - 1, in: low - 1) {
                (number, low) = (number - 1, low - 1)
            }
            number = block
            while number + 1 < first + blocks, high < .max - 1, lies(number + 1, in: high + 1) {
                (number, high) = (number + 1, high + 1)
            }
            return low == high ? nil : low..<high + 1
        }
    }

    /// Copies `count` bytes of `bytes` from `offset`; zeros past its end.
    private func copy(
        _ bytes: [UInt8], from offset: UInt64, _ count: Int, into out: inout MutableSpan<UInt8>
    ) {
        let start = Int(min(offset, UInt64(bytes.count)))
        let available = min(count, bytes.count - start)
        copyBytes(bytes.span.extracting(start..<start + available), to: &out, at: 0)
        if available < count {
            var rest = out._mutatingExtracting(available..<count)
            rest.update(repeating: 0)
        }
    }

    /// Reads all arena pieces; whole neighbouring blocks together.
    ///
    /// - Parameter forgets: as of the arena's `read`.
    private func readSlots(
        _ pieces: [Piece], into out: inout MutableSpan<UInt8>, corrupt: FileError,
        forgets: Bool = false, willWait: (() -> Void)? = nil
    ) throws(FileError) {
        var index = 0
        while index < pieces.count {
            let reference: BlockReference
            switch pieces[index].source {
            case .arena(let slot): reference = slot
            case .beneath(let held, let slot):
                let from = pieces[index].from
                var part = out._mutatingExtracting(pieces[index].out)
                try opening(corrupt) { () throws(ArenaError) in
                    try volume.arena.read(slot, from: from, into: &part, willWait: willWait)
                }
                held.lay(over: &part, from: from)
                index += 1
                continue
            case .base:
                index += 1
                continue
            }
            var run = [reference]
            var next = index + 1
            while next < pieces.count, case .arena(let following) = pieces[next].source,
                pieces[next].out.lowerBound == pieces[next - 1].out.upperBound,
                pieces[next - 1].out.count == Arena.blockSize,
                pieces[next].out.count == Arena.blockSize
            {
                run.append(following)
                next += 1
            }
            let range = pieces[index].out.lowerBound..<pieces[next - 1].out.upperBound
            var part = out._mutatingExtracting(range)
            try opening(corrupt) { () throws(ArenaError) in
                if run.count == 1 {
                    try volume.arena.read(
                        reference, from: pieces[index].from, into: &part, willWait: willWait)
                } else {
                    try volume.arena.read(run, into: &part, forgets: forgets, willWait: willWait)
                }
            }
            index = next
        }
    }

    /// Reads slots with `body`; one that does not open throws `corrupt`, if that is `stale`.
    private func opening(
        _ corrupt: FileError, _ body: () throws(ArenaError) -> Void
    ) throws(FileError) {
        do {
            try body()
        } catch .corrupt where corrupt == .stale {
            throw .stale
        } catch {
            throw volume.failure(error)
        }
    }

    /// Fetches what only the store has.
    private func readBase(
        _ inode: Inode, _ pieces: [Piece], _ segments: [Segment], _ baseLimit: UInt64,
        into out: inout MutableSpan<UInt8>, count: Int, _ patience: Patience
    ) throws(FileError) {
        let size = UInt64(Arena.blockSize)
        var index = 0
        while index < pieces.count {
            guard case .base = pieces[index].source else {
                index += 1
                continue
            }
            let first = pieces[index]
            var end = first.out.upperBound
            index += 1
            // Neighbours come together: whole chunks are fetched anyway.
            while index < pieces.count, case .base = pieces[index].source,
                pieces[index].out.lowerBound == end
            {
                end = pieces[index].out.upperBound
                index += 1
            }
            let place = first.out.lowerBound..<end
            var part = out._mutatingExtracting(place)
            part.update(repeating: 0)
            let start = first.block * size + UInt64(first.from)
            let stop = min(start + UInt64(place.count), baseLimit)
            guard start < stop else { continue }
            try fetcher.read(inode, segments, start..<stop, into: &part, patience)
        }
    }

    /// The whole valid content of a block the base covers, for a write that changes part of it.
    func baseBlock(
        _ inode: Inode, _ block: UInt64, _ patience: Patience
    ) throws(FileError) -> BaseBlock {
        let (segments, limit, change) = try inode.state.withLock { (state) throws(FileError) in
            try volume.loadBase(&state)
            return (state.base?.segments ?? [], state.baseLimit, state.baseChange)
        }
        let start = block * UInt64(Arena.blockSize)
        let end = min(start + UInt64(Arena.blockSize), limit)
        guard start < end else { return BaseBlock(bytes: [], change: change) }
        var bytes = [UInt8](repeating: 0, count: Int(end - start))
        var span = bytes.mutableSpan
        try fetcher.read(inode, segments, start..<end, into: &span, patience)
        return BaseBlock(bytes: bytes, change: change)
    }
}

/// Copies all of `source` to `target` from `offset` on.
func copyBytes(_ source: Span<UInt8>, to target: inout MutableSpan<UInt8>, at offset: Int) {
    precondition(offset + source.count <= target.count, "a copy would pass the end of its buffer")
    if source.isEmpty { return }
    // SAFETY: both buffers are valid for the closures; the bounds were checked above.
    unsafe target.withUnsafeMutableBytes { destination in
        // SAFETY: as above.
        unsafe source.withUnsafeBytes { bytes in
            guard let from = bytes.baseAddress else { return }
            unsafe destination.baseAddress?.advanced(by: offset)
                .copyMemory(from: from, byteCount: bytes.count)
        }
    }
}
