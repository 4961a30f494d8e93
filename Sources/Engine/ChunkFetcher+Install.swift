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
                var ready: [PlainBlock] = []
                for block in blocks where state.buffers[block] == nil {
                    guard try volume.entry(block, &state) == .absent, state.baseCovers(block),
                        let bytes = assemble(block, place, home, plain, limit: state.baseLimit)
                    else { continue }
                    ready.append(
                        PlainBlock(
                            bytes: bytes, owner: BlockOwner(ino: home.ino, block: block),
                            isDirty: false, usesReservation: false))
                }
                if ready.isEmpty { return }
                guard let references = try? volume.arena.write(ready) else {
                    isKeeping.store(false, ordering: .relaxed)
                    room.ask()
                    return
                }
                isKeeping.store(true, ordering: .relaxed)
                for (block, reference) in zip(ready, references) {
                    volume.setEntry(block.owner.block, .clean(reference), &state)
                }
            }
        } catch {
            return
        }
        room.askIfShort()
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
