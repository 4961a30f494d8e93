// SPDX-License-Identifier: Apache-2.0
//
// What is known of the chunks of a file that is still being written: which bytes they were made
// of, and what the store has of them. Pure.
//
// Invariants:
// 1. Chunks are noted in the order of the file, each once: what goes out for nothing when a file
//    is changed behind its writer is at most the file, once.
// 2. A source digest is given only for exactly the blocks it was made of, an address only for
//    exactly the source digests that its key came from.

import Primitives
import SelfEncryption

/// When chunks of a file go out before it is closed.
package struct EarlyLimits: Sendable, Hashable {
    /// A file has at least so many whole chunks before the first of them goes out. Smaller files
    /// are soon flushed, and many of them soon removed.
    package var minimumChunks = 8
    /// So many chunks behind the end of the file are left alone: the kernel writes them in no
    /// order, and programs come back to what they have just written.
    package var lag = 3
    /// Files that are looked after at once; the others wait for their flush, as all did before.
    package var fileCount = 16
    /// Chunks of one file that go out early, about 110 bytes of memory each: its first 256 GiB.
    package var chunkCount = 65_536

    /// The defaults.
    package init() {}

    /// Nothing goes out early.
    package static var none: EarlyLimits {
        var limits = EarlyLimits()
        limits.fileCount = 0
        return limits
    }
}

/// The chunks of one growing file that were looked at before its flush.
struct EarlyChunks: Sendable {
    /// Bytes of a chunk that is not its file's last, in files of three of them and more.
    static let chunkSize = UInt64(FileEncoder.version.maximumChunkSize)

    private struct Chunk {
        let places: Digest
        let source: Digest
        var address: Digest?
    }

    /// The first chunk that was looked at; the two at the beginning only lend their digests.
    let first: Int
    private var chunks: [Chunk] = []

    /// Nothing is known of a file yet; `first` is looked at next.
    init(first: Int) {
        self.first = first
    }

    /// The chunk that is noted next.
    var next: Int { first + chunks.count }

    /// The first chunk of which a store has nothing that has `stored` bytes of the file.
    static func first(behind stored: UInt64) -> Int {
        Int((stored + chunkSize - 1) / chunkSize)
    }

    /// The bytes of chunk `index`, if it may go out when the file has `size` bytes.
    static func range(
        of index: Int, ofFileSize size: UInt64, _ limits: EarlyLimits
    ) -> Range<UInt64>? {
        let start = UInt64(index) * chunkSize
        let end = start + chunkSize
        let least = UInt64(max(limits.minimumChunks, ChunkLayout.leastFullChunks))
        guard size >= least * chunkSize, size >= end + UInt64(limits.lag) * chunkSize else {
            return nil
        }
        return start..<end
    }

    /// Notes the next chunk.
    ///
    /// - Parameters:
    ///   - places: a digest of where all its blocks lay.
    ///   - source: the digest of its bytes.
    /// - Returns: the digests of the two before it, the nearer one first; nil for the first two, of
    ///   which those are not known.
    mutating func append(places: Digest, source: Digest) -> (Digest, Digest)? {
        let count = chunks.count
        let neighbours = count >= 2 ? (chunks[count - 1].source, chunks[count - 2].source) : nil
        chunks.append(Chunk(places: places, source: source))
        return neighbours
    }

    /// The store has taken chunk `index`, which was noted.
    mutating func stored(_ index: Int, at address: Digest) {
        chunks[index - first].address = address
    }

    /// The digest of chunk `index`, if its bytes lie where they lay.
    func source(of index: Int, places: Digest) -> Digest? {
        guard let chunk = chunk(index), chunk.places == places else { return nil }
        return chunk.source
    }

    /// Under which address the store has chunk `index` of a file whose chunks have these digests;
    /// nil if it does not.
    func address(of index: Int, sources: [Digest]) -> Digest? {
        guard index >= 2, let chunk = chunk(index), chunk.source == sources[index],
            self.chunk(index - 1)?.source == sources[index - 1],
            self.chunk(index - 2)?.source == sources[index - 2]
        else { return nil }
        return chunk.address
    }

    /// Whether chunk `index` was noted.
    func has(_ index: Int) -> Bool { chunk(index) != nil }

    private func chunk(_ index: Int) -> Chunk? {
        chunks.indices.contains(index - first) ? chunks[index - first] : nil
    }
}

/// What of one map's work was done before the flush.
struct EarlyWork: Sendable {
    private let early: EarlyChunks?
    private let snapshot: FileSnapshot
    private let layout: ChunkLayout

    /// - Parameters:
    ///   - early: of the whole file; nil for nothing.
    ///   - run: where in it the map begins and ends.
    init(
        _ early: EarlyChunks?, _ snapshot: FileSnapshot, _ run: Range<UInt64>, _ layout: ChunkLayout
    ) {
        // Cut elsewhere, none of its chunks is one of these.
        let isCutAlike = run.lowerBound == 0 && layout.chunkSize == EarlyChunks.chunkSize
        self.early = isCutAlike ? early : nil
        self.snapshot = snapshot
        self.layout = layout
    }

    /// The digest of chunk `index`, if it was made of the bytes that the snapshot has.
    func source(of index: Int) -> Digest? {
        let range = layout.range(of: index)
        guard let early, UInt64(range.count) == EarlyChunks.chunkSize, early.has(index),
            let places = snapshot.places(of: range)
        else { return nil }
        return early.source(of: index, places: places)
    }

    /// The addresses of those of the chunks that the store has taken.
    func addresses(_ indexes: [Int], _ sources: [Digest]) -> [Int: Digest] {
        guard let early else { return [:] }
        var addresses: [Int: Digest] = [:]
        for index in indexes { addresses[index] = early.address(of: index, sources: sources) }
        return addresses
    }
}
