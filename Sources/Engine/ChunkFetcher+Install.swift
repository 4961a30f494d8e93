// SPDX-License-Identifier: Apache-2.0
//
// From a fetched chunk to clean blocks of the arena.

import Blocks
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Synchronization
import Threading

extension ChunkFetcher {
    /// Neighbouring blocks of a file that are sealed together.
    private struct Run {
        var blocks: Range<UInt64>
        /// The first byte behind the blocks' content: their own end, or where the base ends.
        var end: UInt64
        /// The bytes of an edge block, of two chunks or more; nil where this one has all of them.
        var bytes: [UInt8]?

        /// Where block `block` of the run has its last byte.
        func end(of block: UInt64) -> UInt64 {
            min((block + 1) * UInt64(Arena.blockSize), end)
        }
    }

    /// Seals the blocks that this chunk completes into the arena, as clean.
    ///
    /// Sealing and writing take milliseconds, in which the file's readers and other fetches must
    /// not wait: so the inode is looked at, left alone, and looked at once more. A block that
    /// became something else meanwhile stays what it became.
    func install(_ place: Place, _ plain: [UInt8]) {
        guard let home = place.home else { return }
        let inner = place.layout.range(of: place.index)
        let start = home.segment.offset + inner.lowerBound
        // A file that is gone, or a full cache, only means that nothing is kept.
        guard let inode = try? volume.pin(home.ino) else { return }
        defer { volume.table.unpin(inode) }
        do throws(FileError) {
            for run in try missing(inode, place, home, plain) {
                let references: [BlockReference]
                do throws(ArenaError) {
                    references = try seal(run, home, plain, from: start)
                } catch {
                    isKeeping.store(false, ordering: .relaxed)
                    room.ask()
                    return
                }
                isKeeping.store(true, ordering: .relaxed)
                try name(references, run, home, inode)
            }
        } catch {
            return
        }
        room.askIfShort()
    }

    /// What of a chunk's blocks only the store has, as far as its bytes are here.
    private func missing(
        _ inode: Inode, _ place: Place, _ home: Home, _ plain: [UInt8]
    ) throws(FileError) -> [Run] {
        let size = UInt64(Arena.blockSize)
        let inner = place.layout.range(of: place.index)
        let range =
            (home.segment.offset + inner.lowerBound)..<(home.segment.offset + inner.upperBound)
        let blocks = (range.lowerBound / size)..<((range.upperBound + size - 1) / size)
        let (absent, limit) = try inode.state.withLock {
            (state) throws(FileError) -> ([UInt64], UInt64) in
            guard state.base?.segments.contains(home.segment) == true else { return ([], 0) }
            var absent: [UInt64] = []
            for block in blocks where isAbsent(block, &state) { absent.append(block) }
            return (absent, state.baseLimit)
        }
        var runs: [Run] = []
        for block in absent {
            let end = min((block + 1) * size, limit)
            if range.lowerBound <= block * size, end <= range.upperBound {
                if let last = runs.last, last.bytes == nil, last.blocks.upperBound == block {
                    runs[runs.count - 1].blocks = last.blocks.lowerBound..<block + 1
                    runs[runs.count - 1].end = end
                } else {
                    runs.append(Run(blocks: block..<block + 1, end: end))
                }
            } else if let bytes = assemble(block, place, home, plain, limit: limit) {
                runs.append(Run(blocks: block..<block + 1, end: end, bytes: bytes))
            }
        }
        return runs
    }

    /// Whether a block is on the store only.
    func isAbsent(_ block: UInt64, _ state: inout InodeState) -> Bool {
        guard !state.buffers.contains(block), state.baseCovers(block) else { return false }
        // A row that does not decode is said by the read that needs it.
        guard case .absent? = try? volume.entry(block, &state) else { return false }
        return true
    }

    /// Writes a run into slots that no row names yet.
    ///
    /// - Parameter start: where in the file `plain` begins.
    private func seal(
        _ run: Run, _ home: Home, _ plain: [UInt8], from start: UInt64
    ) throws(ArenaError) -> [BlockReference] {
        let first = BlockOwner(ino: home.ino, block: run.blocks.lowerBound)
        if let bytes = run.bytes {
            return try volume.arena.write(
                contiguous: bytes.span, first: first, isDirty: false, usesReservation: false)
        }
        let from = run.blocks.lowerBound * UInt64(Arena.blockSize)
        let part = plain.span.extracting(Int(from - start)..<Int(run.end - start))
        return try volume.arena.write(
            contiguous: part, first: first, isDirty: false, usesReservation: false)
    }

    /// Names the slots in the inode's rows, as clean; gives those back whose block is no longer
    /// what was sealed.
    private func name(
        _ references: [BlockReference], _ run: Run, _ home: Home, _ inode: Inode
    ) throws(FileError) {
        var unused: [(slot: UInt32, owner: BlockOwner)] = []
        defer { volume.arena.release(unused) }
        try volume.change(inode) { (state) throws(FileError) in
            let isBase = !state.isDeleted && state.base?.segments.contains(home.segment) == true
            for (block, reference) in zip(run.blocks, references) {
                // Cut and grown again, the base ends elsewhere: behind its end there are zeros now.
                let end = min((block + 1) * UInt64(Arena.blockSize), state.baseLimit)
                guard isBase, end == run.end(of: block), isAbsent(block, &state) else {
                    let owner = BlockOwner(ino: home.ino, block: block)
                    unused.append((slot: reference.slot, owner: owner))
                    continue
                }
                volume.setEntry(block, .clean(reference), &state)
            }
        }
    }

    /// The bytes of one block, if this chunk and its remembered neighbours have all of them.
    private func assemble(
        _ block: UInt64, _ place: Place, _ home: Home, _ plain: [UInt8], limit: UInt64
    ) -> [UInt8]? {
        let size = UInt64(Arena.blockSize)
        let segment = home.segment
        let start = block * size
        let end = min(start + size, limit)
        // Blocks on the edge of a segment may have bytes of another: they are left to the reader.
        guard start >= segment.offset, end <= segment.offset + segment.size else { return nil }
        let inner = (start - segment.offset)..<(end - segment.offset)
        let own = place.layout.range(of: place.index)
        if own.lowerBound <= inner.lowerBound && own.upperBound >= inner.upperBound {
            let from = Int(inner.lowerBound - own.lowerBound)
            return Array(plain[from..<from + inner.count])
        }
        var bytes = [UInt8](repeating: 0, count: inner.count)
        for index in place.layout.chunks(overlapping: inner) {
            let span = place.layout.range(of: index)
            let part = span.clamped(to: inner)
            let local =
                Int(part.lowerBound - span.lowerBound)..<Int(part.upperBound - span.lowerBound)
            guard let piece = piece(of: place, index, local, plain) else { return nil }
            var out = bytes.mutableSpan
            copyBytes(piece.span, to: &out, at: Int(part.lowerBound - inner.lowerBound))
        }
        return bytes
    }

    /// Bytes at the edge of a chunk, of this one or of its neighbour; nil if they are not here.
    private func piece(
        of place: Place, _ index: Int, _ range: Range<Int>, _ plain: [UInt8]
    ) -> [UInt8]? {
        if index == place.index { return Array(plain[range]) }
        let neighbour = ChunkKey(place.map.chunks[index])
        return chunks.withLock { state in
            if let bytes = state.recent[neighbour] { return Array(bytes[range]) }
            return state.edges.bytes(neighbour, range)
        }
    }
}
