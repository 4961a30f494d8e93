// SPDX-License-Identifier: Apache-2.0
//
// The form of a data map that clients store publicly and hand to people.
//
//   new:  [1, [[index, address, source, size], …], nil or child]      a digest is 32 numbers
//   old:  {"First" or "Additional": [[index, address, source, size], …]}      v1 only
//
// "First" describes a file; "Additional" a serialised map, which is in the old form again. The
// new form is also read with its fields named, and with digests as binary; neither is written.

import Cryptography
import Primitives

extension DataMap {
    /// The fewest bytes an entry takes: a head, two numbers, two digests as binary.
    private static let messagePackMinimumEntrySize = 1 + 1 + 2 * (2 + 32) + 1

    private static let messagePackVersion: UInt64 = 1

    /// Fields that a map or an entry with named fields may have, unknown ones included.
    private static let maximumFieldCount = 16

    /// The longest name of a field that is looked at.
    private static let maximumNameSize = 64

    /// This map in the form that clients store. Its size depends on its digests, for each of
    /// their bytes takes one or two: 290 to 360 bytes for three entries.
    package func encodedMessagePack() -> [UInt8] {
        var writer = MessagePack.Writer(capacity: 16 + chunks.count * 150)
        writer.array(count: 3)
        writer.uint(Self.messagePackVersion)
        writer.array(count: chunks.count)
        for chunk in chunks {
            writer.array(count: 4)
            writer.uint(chunk.index)
            Self.write(chunk.address, to: &writer)
            Self.write(chunk.source, to: &writer)
            writer.uint(chunk.size)
        }
        if let child {
            writer.uint(child)
        } else {
            writer.null()
        }
        return writer.bytes
    }

    /// The chunk whose address is the public address of this map's file: the map itself, stored
    /// unencrypted. Whoever has that address can read the file.
    ///
    /// - Source: docs/format.md §3.
    package func publicChunk() -> EncryptedChunk {
        let bytes = encodedMessagePack()
        let address = Digests.of(bytes.span, algorithm: version.digestAlgorithm)
        return EncryptedChunk(address: address, bytes: bytes)
    }

    /// The map that `bytes` hold. Bytes after it are ignored, as the reference readers do.
    ///
    /// An "Additional" map of the old form comes out with `child` 1: it does not say how many
    /// levels lie below, and `unpack` does not need to know.
    ///
    /// - Parameter version: the generation of the network the bytes come from.
    /// - Throws: `malformedMap`.
    /// - Source: docs/format.md §3.
    package init(
        decodingMessagePack bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) {
        var reader = MessagePack.Reader(bytes)
        self = try Self.rethrowing { () throws(CodingError) in
            if try reader.peek() == .array {
                return try Self.positional(&reader, version: version)
            }
            return try Self.named(&reader, version: version)
        }.validated()
    }

    /// Whether `bytes` begin as a map of the old form does. The binary forms never do: the name
    /// would make their count larger than any file.
    static func isDataMapLevel(_ bytes: [UInt8]) -> Bool {
        let heads: [[UInt8]] = [
            [0x81, 0xA5] + Array("First".utf8),
            [0x81, 0xAA] + Array("Additional".utf8),
        ]
        return heads.contains { bytes.starts(with: $0) }
    }

    private static func write(_ digest: Digest, to writer: inout MessagePack.Writer) {
        writer.array(count: Digest.byteCount)
        for byte in digest.bytes {
            writer.uint(UInt64(byte))
        }
    }

    private static func positional(
        _ reader: inout MessagePack.Reader, version: FormatVersion
    ) throws(CodingError) -> DataMap {
        guard try reader.array(limit: 3) == 3 else {
            throw .malformed("a data map has three fields")
        }
        guard try reader.uint() == messagePackVersion else {
            throw .malformed("unknown version of a data map")
        }
        let chunks = try entries(&reader, version: version)
        let child = try optionalNumber(&reader)
        return DataMap(version: version, chunks: chunks, child: child)
    }

    /// A map with named fields: the new form, or the old one, whose one name says which it is.
    private static func named(
        _ reader: inout MessagePack.Reader, version: FormatVersion
    ) throws(CodingError) -> DataMap {
        var formatVersion: UInt64?
        var chunks: [ChunkDescriptor]?
        var child: UInt64??
        let count = try reader.map(limit: maximumFieldCount)
        for _ in 0..<count {
            switch try reader.string(limit: maximumNameSize) {
            case "First" where version == .v1 && count == 1:
                return DataMap(version: version, chunks: try entries(&reader, version: version))
            case "Additional" where version == .v1 && count == 1:
                let chunks = try entries(&reader, version: version)
                return DataMap(version: version, chunks: chunks, child: 1)
            case "version":
                try once(formatVersion == nil)
                formatVersion = try reader.uint()
            case "chunk_identifiers":
                try once(chunks == nil)
                chunks = try entries(&reader, version: version)
            case "child":
                try once(child == nil)
                child = .some(try optionalNumber(&reader))
            default:
                try reader.skip()
            }
        }
        guard formatVersion == messagePackVersion, let chunks else {
            throw .malformed("a data map lacks a field")
        }
        return DataMap(version: version, chunks: chunks, child: child ?? nil)
    }

    private static func entries(
        _ reader: inout MessagePack.Reader, version: FormatVersion
    ) throws(CodingError) -> [ChunkDescriptor] {
        let count = try reader.array(limit: maximumChunkCount)
        guard count <= reader.remaining / messagePackMinimumEntrySize else { throw .truncated }
        var chunks: [ChunkDescriptor] = []
        chunks.reserveCapacity(count)
        for _ in 0..<count {
            if try reader.peek() == .map {
                chunks.append(try namedEntry(&reader, version: version))
                continue
            }
            guard try reader.array(limit: 4) == 4 else {
                throw .malformed("an entry of a data map has four fields")
            }
            let index = try reader.uint()
            let address = try digest(&reader, version: version)
            let source = try digest(&reader, version: version)
            let size = try reader.uint()
            chunks.append(
                ChunkDescriptor(index: index, address: address, source: source, size: size))
        }
        return chunks
    }

    private static func namedEntry(
        _ reader: inout MessagePack.Reader, version: FormatVersion
    ) throws(CodingError) -> ChunkDescriptor {
        var index: UInt64?
        var address: Digest?
        var source: Digest?
        var size: UInt64?
        for _ in 0..<(try reader.map(limit: maximumFieldCount)) {
            switch try reader.string(limit: maximumNameSize) {
            case "index":
                try once(index == nil)
                index = try reader.uint()
            case "dst_hash":
                try once(address == nil)
                address = try digest(&reader, version: version)
            case "src_hash":
                try once(source == nil)
                source = try digest(&reader, version: version)
            case "src_size":
                try once(size == nil)
                size = try reader.uint()
            default:
                try reader.skip()
            }
        }
        guard let index, let address, let source, let size else {
            throw .malformed("an entry of a data map lacks a field")
        }
        return ChunkDescriptor(index: index, address: address, source: source, size: size)
    }

    private static func digest(
        _ reader: inout MessagePack.Reader, version: FormatVersion
    ) throws(CodingError) -> Digest {
        var bytes: [UInt8] = []
        if try reader.peek() == .binary {
            bytes = try reader.binary(limit: Digest.byteCount)
        } else {
            let count = try reader.array(limit: Digest.byteCount)
            bytes.reserveCapacity(count)
            for _ in 0..<count {
                guard let byte = UInt8(exactly: try reader.uint()) else {
                    throw .malformed("a digest holds a number above 255")
                }
                bytes.append(byte)
            }
        }
        guard let digest = Digest(bytes, algorithm: version.digestAlgorithm) else {
            throw .malformed("a digest is not 32 bytes")
        }
        return digest
    }

    private static func optionalNumber(
        _ reader: inout MessagePack.Reader
    ) throws(CodingError) -> UInt64? {
        guard try reader.peek() == .null else { return try reader.uint() }
        try reader.null()
        return nil
    }

    private static func once(_ isFirst: Bool) throws(CodingError) {
        guard isFirst else { throw .malformed("a field of a data map is there twice") }
    }
}
