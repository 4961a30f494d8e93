// SPDX-License-Identifier: Apache-2.0
//
// Full encryption in the plainest way, against which everything cleverer is held.

import Compression
import Primitives
import SelfEncryption
import TestSupport
import Testing

/// A file encrypted from nothing: its unpacked map, and all its chunks by address.
struct FullEncryption {
    let map: DataMap
    let chunks: [Digest: [UInt8]]

    init(
        _ bytes: [UInt8], version: FormatVersion, maximumChunkSize: Int,
        quality: BrotliQuality = .fast
    ) throws {
        let layout = try #require(
            ChunkLayout(fileSize: UInt64(bytes.count), maximumChunkSize: maximumChunkSize))
        let transform = ChunkTransform(version: version, quality: quality)
        let pieces = (0..<layout.count).map { index in
            let range = layout.range(of: index)
            return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
        let sources = pieces.map { transform.sourceDigest($0.span) }
        var descriptors: [ChunkDescriptor] = []
        var chunks: [Digest: [UInt8]] = [:]
        for (index, piece) in pieces.enumerated() {
            let (before, beforeThat) = layout.neighbours(of: index)
            let chunk = transform.encrypt(
                piece.span, index: index, source: sources[index],
                neighbours: (sources[before], sources[beforeThat]))
            chunks[chunk.address] = chunk.bytes
            descriptors.append(
                ChunkDescriptor(
                    index: UInt64(index), address: chunk.address, source: sources[index],
                    size: UInt64(piece.count)))
        }
        map = DataMap(version: version, chunks: descriptors)
        self.chunks = chunks
    }
}

/// Digests that name nothing, for maps whose chunks nobody fetches.
func digest(_ number: UInt64, _ version: FormatVersion = .v2) throws -> Digest {
    var generator = SeededGenerator(seed: number)
    return try #require(Digest(generator.bytes(32), algorithm: version.digestAlgorithm))
}

/// A map whose digests name nothing, for a file of `size` bytes.
func inventedMap(
    size: UInt64, version: FormatVersion = .v2, maximumChunkSize: Int? = nil, child: UInt64? = nil
) throws -> DataMap {
    let layout = try #require(
        ChunkLayout(
            fileSize: size, maximumChunkSize: maximumChunkSize ?? version.maximumChunkSize))
    let chunks = try (0..<layout.count).map { index in
        ChunkDescriptor(
            index: UInt64(index), address: try digest(UInt64(2 * index), version),
            source: try digest(UInt64(2 * index + 1), version),
            size: UInt64(layout.range(of: index).count))
    }
    return DataMap(version: version, chunks: chunks, child: child)
}
