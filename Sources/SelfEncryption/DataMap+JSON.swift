// SPDX-License-Identifier: Apache-2.0
//
// The human-readable form of a data map.
//
//   {"chunk_identifiers":[{"index":0,"dst_hash":"<hex>","src_hash":"<hex>","src_size":1},…],
//    "child":null}
//
// Releases of the older generation also read the bare array.

import Primitives

extension DataMap {
    /// Fields that an object may have, unknown ones included.
    private static let maximumObjectFieldCount = 64

    /// This map as JSON, without white space.
    package func encodedJSON() -> [UInt8] {
        var text = "{\"chunk_identifiers\":["
        text.reserveCapacity(64 + chunks.count * 220)
        for (position, chunk) in chunks.enumerated() {
            if position > 0 { text += "," }
            text += "{\"index\":\(chunk.index),\"dst_hash\":\"\(chunk.address.hex)\","
            text += "\"src_hash\":\"\(chunk.source.hex)\",\"src_size\":\(chunk.size)}"
        }
        text += "],\"child\":"
        text += child.map { String($0) } ?? "null"
        text += "}"
        return Array(text.utf8)
    }

    /// The map that the JSON text `bytes` holds, and nothing after it but white space.
    ///
    /// The field `child` may be absent, unknown fields are stepped over, and a bare array of
    /// entries is taken from the older generation.
    ///
    /// - Throws: `malformedMap`.
    /// - Source: docs/format.md §3.
    package init(
        decodingJSON bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) {
        var reader = JSONReader(bytes)
        self = try Self.rethrowing { () throws(CodingError) in
            let map: DataMap
            if version == .v1, try reader.peek() == UInt8(ascii: "[") {
                map = DataMap(
                    version: version, chunks: try Self.entries(&reader, version: version))
            } else {
                map = try Self.object(&reader, version: version)
            }
            try reader.expectEnd()
            return map
        }.validated()
    }

    private static func object(
        _ reader: inout JSONReader, version: FormatVersion
    ) throws(CodingError) -> DataMap {
        var chunks: [ChunkDescriptor]?
        var child: UInt64??
        try reader.object(limit: maximumObjectFieldCount) { reader, name throws(CodingError) in
            switch name {
            case "chunk_identifiers":
                guard chunks == nil else { throw .malformed("a field is there twice") }
                chunks = try entries(&reader, version: version)
            case "child":
                guard child == nil else { throw .malformed("a field is there twice") }
                child = .some(try reader.isNull() ? nil : try reader.number())
            default:
                try reader.skip()
            }
        }
        guard let chunks else { throw .malformed("a data map lacks its entries") }
        return DataMap(version: version, chunks: chunks, child: child ?? nil)
    }

    private static func entries(
        _ reader: inout JSONReader, version: FormatVersion
    ) throws(CodingError) -> [ChunkDescriptor] {
        var chunks: [ChunkDescriptor] = []
        try reader.array(limit: maximumChunkCount) { reader throws(CodingError) in
            chunks.append(try entry(&reader, version: version))
        }
        return chunks
    }

    private static func entry(
        _ reader: inout JSONReader, version: FormatVersion
    ) throws(CodingError) -> ChunkDescriptor {
        var index: UInt64?
        var address: Digest?
        var source: Digest?
        var size: UInt64?
        try reader.object(limit: maximumObjectFieldCount) { reader, name throws(CodingError) in
            let isRepeated: Bool
            switch name {
            case "index":
                isRepeated = index != nil
                index = try reader.number()
            case "dst_hash":
                isRepeated = address != nil
                address = try digest(&reader, version: version)
            case "src_hash":
                isRepeated = source != nil
                source = try digest(&reader, version: version)
            case "src_size":
                isRepeated = size != nil
                size = try reader.number()
            default:
                isRepeated = false
                try reader.skip()
            }
            guard !isRepeated else { throw .malformed("a field is there twice") }
        }
        guard let index, let address, let source, let size else {
            throw .malformed("an entry of a data map lacks a field")
        }
        return ChunkDescriptor(index: index, address: address, source: source, size: size)
    }

    private static func digest(
        _ reader: inout JSONReader, version: FormatVersion
    ) throws(CodingError) -> Digest {
        let text = try reader.string(limit: 2 * Digest.byteCount)
        guard let digest = Digest(hex: text, algorithm: version.digestAlgorithm) else {
            throw .malformed("a digest is not 64 hexadecimal digits")
        }
        return digest
    }
}
