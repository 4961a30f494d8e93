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
    /// Seals the blocks that this chunk completes into the arena, as clean.
    func install(_ place: Place, _ plain: [UInt8]) {
        guard let home = place.home else { return }
        let size = UInt64(Arena.blockSize)
        let inner = place.layout.range(of: place.index)
        let range =
            (home.segment.offset + inner.lowerBound)..<(home.segment.offset + inner.upperBound)
        // A file that is gone, or a full cache, only means that nothing is kept.
        guard let inode = try? volume.pin(home.ino) else { return }
        defer { volume.table.unpin(inode) }
        let blocks = (range.lowerBound / size)..<((range.upperBound + size - 1) / size)
        do throws(FileError) {
            try volume.change(inode) { (state) throws(FileError) in
                guard state.base?.segments.contains(home.segment) == true else { return }
                var whole: Range<UInt64>?
                for block in blocks where state.buffers[block] == nil {
                    guard try volume.entry(block, &state) == .absent, state.baseCovers(block)
                    else { continue }
                    let end = min((block + 1) * size, state.baseLimit)
                    if range.lowerBound <= block * size, end <= range.upperBound {
                        if let run = whole, run.upperBound == block {
                            whole = run.lowerBound..<block + 1
                        } else {
                            if let run = whole { keep(run, home, plain, from: range, &state) }
                            whole = block..<block + 1
                        }
                    } else if let bytes = assemble(
                        block, place, home, plain, limit: state.baseLimit)
                    {
                        let piece = block * size..<block * size + UInt64(bytes.count)
                        keep(block..<block + 1, home, bytes, from: piece, &state)
                    }
                }
                if let run = whole { keep(run, home, plain, from: range, &state) }
            }
        } catch {
            return
        }
        room.askIfShort()
    }

    /// Seals neighbouring blocks into the arena, as clean; says in `isKeeping` whether it could.
    ///
    /// - Parameters:
    ///   - blocks: all within `range`, but for what lies beyond the end of what the base has.
    ///   - bytes: the bytes of `range`, a part of the file.
    private func keep(
        _ blocks: Range<UInt64>, _ home: Home, _ bytes: [UInt8], from range: Range<UInt64>,
        _ state: inout InodeState
    ) {
        let size = UInt64(Arena.blockSize)
        let start = blocks.lowerBound * size
        let end = min(blocks.upperBound * size, state.baseLimit)
        let part = Int(start - range.lowerBound)..<Int(end - range.lowerBound)
        guard
            let references = try? volume.arena.write(
                contiguous: bytes.span.extracting(part),
                first: BlockOwner(ino: home.ino, block: blocks.lowerBound), isDirty: false,
                usesReservation: false)
        else {
            isKeeping.store(false, ordering: .relaxed)
            room.ask()
            return
        }
        isKeeping.store(true, ordering: .relaxed)
        for (block, reference) in zip(blocks, references) {
            volume.setEntry(block, .clean(reference), &state)
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
