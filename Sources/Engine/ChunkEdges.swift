// SPDX-License-Identifier: Apache-2.0
//
// The first and last bytes of chunks. A chunk's size is no multiple of a block's, so the block
// between two chunks can be kept only when both have come: their edges wait for each other here,
// longer than the chunks themselves are in memory. Pure.

import Blocks
import Primitives
import SelfEncryption

/// What a plaintext is known by. A map that somebody else made may name a chunk with a size or a
/// source that are not the chunk's: what another map got for that address is no answer to it.
struct ChunkKey: Hashable, Sendable {
    let address: Digest
    let source: Digest
    let size: UInt64

    init(_ chunk: ChunkDescriptor) {
        address = chunk.address
        source = chunk.source
        size = chunk.size
    }
}

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
    private var edges: [ChunkKey: Edges] = [:]
    private var order: [ChunkKey] = []

    /// Keeps the edges of a chunk, and drops the oldest.
    mutating func keep(_ key: ChunkKey, _ plain: [UInt8]) {
        let kept = Edges(
            first: Array(plain.prefix(ChunkEdges.size)), last: Array(plain.suffix(ChunkEdges.size)))
        guard edges.updateValue(kept, forKey: key) == nil else { return }
        order.append(key)
        if order.count > ChunkEdges.limit { edges[order.removeFirst()] = nil }
    }

    /// Bytes of a chunk; nil if they are not at its edge, or not here.
    func bytes(_ key: ChunkKey, _ range: Range<Int>) -> [UInt8]? {
        guard let edges = edges[key] else { return nil }
        let size = Int(key.size)
        if range.lowerBound >= 0 && range.upperBound <= edges.first.count {
            return Array(edges.first[range])
        }
        let start = size - edges.last.count
        guard range.lowerBound >= start, range.upperBound <= size else { return nil }
        return Array(edges.last[range.lowerBound - start..<range.upperBound - start])
    }
}
