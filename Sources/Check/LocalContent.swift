// SPDX-License-Identifier: Apache-2.0
//
// What this machine still has of what the store should have: bytes of files in the arena, from
// which lost chunks are made anew, and rows from which lost pages and pads are.
//
// Invariant: a chunk leaves here only under the address that the store lost, so that no wrong bytes
// can take its place: what is cached may be newer than what was published.

import Blocks
import Compression
import Engine
import Metadata
import Namespace
import Primitives
import SelfEncryption

/// One run of a file that is one data map, as the published page names it.
struct PublishedSegment: Sendable {
    /// The inode.
    let ino: UInt64
    /// Where it is, and its packed map.
    let segment: Segment
}

/// The local side of a repair. Nothing is written through it.
struct LocalContent {
    let state: LocalState
    /// The volume's own way of compression first: another address comes of every other.
    let qualities: [BrotliQuality]

    init(_ state: LocalState, quality: BrotliQuality) {
        self.state = state
        qualities = [quality] + BrotliQuality.allCases.filter { $0 != quality }
    }

    /// The bytes of a range of a file, if every block of it is in the arena and sound.
    func bytes(of ino: UInt64, in range: Range<UInt64>) -> [UInt8]? {
        guard let arena = state.arena, range.count <= Self.rangeLimit else { return nil }
        let size = UInt64(Arena.blockSize)
        let span = UInt64(BlockGroup.span)
        var out: [UInt8] = []
        out.reserveCapacity(range.count)
        var block = [UInt8](repeating: 0, count: Arena.blockSize)
        var group: (number: UInt64, entries: BlockGroup)?
        for number in range.lowerBound / size...(range.upperBound - 1) / size {
            if group?.number != number / span {
                // A row that cannot be read or decoded is no source of bytes.
                guard let row = try? state.snapshot.blockGroup(ino, number / span),
                    let entries = BlockGroup(decoding: row)
                else { return nil }
                group = (number / span, entries)
            }
            switch group?.entries[Int(number % span)] {
            case .clean(let reference), .dirty(let reference):
                var span = block.mutableSpan
                do {
                    try arena.read(reference, from: 0, into: &span)
                } catch {
                    return nil
                }
            case .zero: block = [UInt8](repeating: 0, count: Arena.blockSize)
            case .absent, nil: return nil
            }
            let wanted = (number * size..<(number + 1) * size).clamped(to: range)
            out +=
                block[
                    Int(wanted.lowerBound - number * size)..<Int(wanted.upperBound - number * size)]
        }
        return out
    }

    /// More than any chunk has.
    private static let rangeLimit = 8 << 20

    /// The plain bytes of one chunk, if this machine has just the ones that were published.
    func plain(_ published: PublishedSegment, _ map: DataMap, _ index: Int) -> [UInt8]? {
        guard let layout = try? ChunkLayout(describedBy: map) else { return nil }
        let inner = layout.range(of: index)
        let offset = published.segment.offset
        guard
            let bytes = bytes(
                of: published.ino, in: offset + inner.lowerBound..<offset + inner.upperBound)
        else { return nil }
        let transform = ChunkTransform(version: map.version, quality: qualities[0])
        return transform.sourceDigest(bytes.span) == map.chunks[index].source ? bytes : nil
    }

    /// One chunk made anew; nil if this machine does not have its bytes, or cannot make these of
    /// them.
    func chunk(_ published: PublishedSegment, _ map: DataMap, _ index: Int) -> EncryptedChunk? {
        guard let bytes = plain(published, map, index),
            let layout = try? ChunkLayout(describedBy: map)
        else { return nil }
        let (before, beforeThat) = layout.neighbours(of: index)
        for quality in qualities {
            let chunk = ChunkTransform(version: map.version, quality: quality).encrypt(
                bytes.span, index: index, source: map.chunks[index].source,
                neighbours: (map.chunks[before].source, map.chunks[beforeThat].source))
            if chunk.address == map.chunks[index].address { return chunk }
        }
        return nil
    }

    /// The chunks of a segment's packed map made anew, from the whole segment; nil if this machine
    /// does not have all of it as it was published.
    func mapChunks(_ published: PublishedSegment) -> [EncryptedChunk]? {
        let segment = published.segment
        let version = segment.map.version
        guard
            let layout = ChunkLayout(
                fileSize: segment.size, maximumChunkSize: version.maximumChunkSize)
        else { return nil }
        func plain(_ index: Int) -> [UInt8]? {
            let inner = layout.range(of: index)
            return bytes(
                of: published.ino,
                in: segment.offset + inner.lowerBound..<segment.offset + inner.upperBound)
        }
        for quality in qualities {
            let transform = ChunkTransform(version: version, quality: quality)
            var sources: [Digest] = []
            for index in 0..<layout.count {
                guard let bytes = plain(index) else { return nil }
                sources.append(transform.sourceDigest(bytes.span))
            }
            var chunks: [ChunkDescriptor] = []
            for index in 0..<layout.count {
                guard let bytes = plain(index) else { return nil }
                let (before, beforeThat) = layout.neighbours(of: index)
                let chunk = transform.encrypt(
                    bytes.span, index: index, source: sources[index],
                    neighbours: (sources[before], sources[beforeThat]))
                chunks.append(
                    ChunkDescriptor(
                        index: UInt64(index), address: chunk.address, source: sources[index],
                        size: UInt64(layout.range(of: index).count)))
            }
            // A map that is too long for the format is not what was published.
            guard
                let packed = try? pack(DataMap(version: version, chunks: chunks), quality: quality)
            else { return nil }
            if packed.root == segment.map { return packed.chunks }
        }
        return nil
    }

    /// Whether a directory's pages can be made anew from rows: all its names are here.
    func canRebuild(_ directory: UInt64) -> Bool {
        if directory == PathNamer.hardLinkTable {
            return (try? state.snapshot.integer("hard-links-loaded")) == 1
        }
        // What cannot be read cannot be rebuilt; that it cannot is found by the local check.
        guard let row = try? state.snapshot.inode(directory) else { return false }
        return row.kind == .directory && row.isLoaded
    }

    /// Whether the hard-link table has an inode here.
    func hasLinked(_ ino: UInt64) -> Bool {
        // What cannot be read is as good as not there; the local check finds it.
        let item = try? state.snapshot.dentry(
            parent: PathNamer.hardLinkTable, name: Entry.hardLinkName(of: ino))
        return item != nil
    }

    /// Whether a pad can be sealed anew: its content is here.
    func canReseal(_ ino: UInt64) -> Bool { padContent(ino) != nil }

    /// A pad's content as this machine has it.
    func padContent(_ ino: UInt64) -> [UInt8]? {
        // As above.
        guard let row = try? state.snapshot.inode(ino), row.form == .pad,
            let pad = try? state.snapshot.pad(ino)
        else { return nil }
        guard let sealed = try? state.snapshot.inline(ino) else {
            return row.size == 0 && !pad.isUnseen ? [] : nil
        }
        return try? state.sealer?.open(sealed)
    }
}
