// SPDX-License-Identifier: Apache-2.0
//
// How the data maps of one file stand in the database: docs/format.md §15.
// Bytes come from our own database, and are still read as hostile: a damaged disk is one.
//
//   list    = version u8 (1), count varint, segment…
//   segment = offset varint, size varint, format u8, has a child level u8 (0 or 1),
//             child level varint if it has, chunk count varint, chunk…
//   chunk   = index varint, address (32), source digest (32), size varint

import Namespace
import Primitives
import SelfEncryption

extension StoredContent {
    /// The version of the list written now.
    private static let listVersion: UInt8 = 1

    /// Most chunks one map may have here: a packed map has three, an unpacked one is not stored.
    private static let maximumChunkCount = NamespaceLimits.maximumMapChunkCount

    /// The bytes of `segments`.
    var encodedSegments: [UInt8] {
        let chunkCount = segments.reduce(0) { $0 + $1.map.chunks.count }
        var writer = ByteWriter(capacity: 8 + segments.count * 32 + chunkCount * 72)
        writer.u8(Self.listVersion)
        writer.varint(UInt64(segments.count))
        for segment in segments {
            writer.varint(segment.offset)
            writer.varint(segment.size)
            writer.u8(segment.map.version.rawValue)
            writer.u8(segment.map.child == nil ? 0 : 1)
            if let child = segment.map.child { writer.varint(child) }
            writer.varint(UInt64(segment.map.chunks.count))
            for chunk in segment.map.chunks {
                writer.varint(chunk.index)
                writer.digest(chunk.address)
                writer.digest(chunk.source)
                writer.varint(chunk.size)
            }
        }
        return writer.bytes
    }

    /// Reads what `encodedSegments` gave.
    ///
    /// - Throws: `.corrupt` for anything else.
    static func segments(decoding bytes: [UInt8]) throws(MetadataError) -> [Segment] {
        do {
            var reader = ByteReader(bytes)
            guard try reader.u8() == listVersion else {
                throw CodingError.malformed("version of a segment list")
            }
            let count = try reader.count(limit: NamespaceLimits.maximumSegmentCount)
            var segments: [Segment] = []
            for _ in 0..<count { segments.append(try segment(from: &reader)) }
            try reader.expectEnd()
            return segments
        } catch {
            throw .corrupt("a list of segments")
        }
    }

    private static func segment(from reader: inout ByteReader) throws(CodingError) -> Segment {
        let offset = try reader.varint()
        let size = try reader.varint()
        guard let version = FormatVersion(rawValue: try reader.u8()) else {
            throw .malformed("format of a data map")
        }
        let hasChild = try reader.u8()
        guard hasChild <= 1 else { throw .malformed("child level of a data map") }
        let child = hasChild == 1 ? try reader.varint() : nil
        let count = try reader.count(limit: maximumChunkCount)
        var chunks: [ChunkDescriptor] = []
        for _ in 0..<count {
            chunks.append(
                ChunkDescriptor(
                    index: try reader.varint(),
                    address: try reader.digest(algorithm: version.digestAlgorithm),
                    source: try reader.digest(algorithm: version.digestAlgorithm),
                    size: try reader.varint()))
        }
        return Segment(
            offset: offset, size: size,
            map: DataMap(version: version, chunks: chunks, child: child))
    }
}
