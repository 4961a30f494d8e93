// SPDX-License-Identifier: Apache-2.0
//
// The first and last bytes of chunks. A chunk's size is no multiple of a block's, so the block
// between two chunks can be kept only when both have come: their edges wait for each other here,
// longer than the chunks themselves are in memory. Pure.

import Blocks
import Primitives

/// Edges of the chunks fetched last.
struct ChunkEdges: Sendable {
    /// Chunks whose edges are kept: 4 MiB of them.
    static let limit = 128
    /// Bytes of an edge: a block between two chunks has less of each.
    static let size = Arena.blockSize

    private struct Edges: Sendable {
        let first: [UInt8]
        let last: [UInt8]
    }
    private var edges: [Digest: Edges] = [:]
    private var order: [Digest] = []

    /// Keeps the edges of a chunk, and drops the oldest.
    mutating func keep(_ digest: Digest, _ plain: [UInt8]) {
        let kept = Edges(
            first: Array(plain.prefix(ChunkEdges.size)), last: Array(plain.suffix(ChunkEdges.size)))
        guard edges.updateValue(kept, forKey: digest) == nil else { return }
        order.append(digest)
        if order.count > ChunkEdges.limit { edges[order.removeFirst()] = nil }
    }

    /// Bytes of a chunk of `size` bytes; nil if they are not at its edge, or not here.
    func bytes(_ digest: Digest, _ range: Range<Int>, of size: Int) -> [UInt8]? {
        guard let edges = edges[digest] else { return nil }
        if range.lowerBound >= 0 && range.upperBound <= edges.first.count {
            return Array(edges.first[range])
        }
        let start = size - edges.last.count
        guard range.lowerBound >= start, range.upperBound <= size else { return nil }
        return Array(edges.last[range.lowerBound - start..<range.upperBound - start])
    }
}
