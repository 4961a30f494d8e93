// SPDX-License-Identifier: Apache-2.0
//
// The bytes of what entries, pages, the root and the log have in common: times, references,
// segments and the compact data map. docs/format.md §6.

import Primitives
import Scratchpads
import SelfEncryption

/// How many bytes `ByteWriter.varint` writes.
enum Varint {
    /// Bytes of the number itself.
    static func size(_ value: UInt64) -> Int {
        (max(1, UInt64.bitWidth - value.leadingZeroBitCount) + 6) / 7
    }

    /// Bytes of a run of `count` bytes with its length before it.
    static func prefixedSize(_ count: Int) -> Int {
        size(UInt64(count)) + count
    }
}

extension ByteReader {
    /// Reads a varint that must fit into 32 bits.
    mutating func varint32() throws(CodingError) -> UInt32 {
        guard let value = UInt32(exactly: try varint()) else {
            throw .malformed("number above 32 bits")
        }
        return value
    }

    /// Reads one byte that must be 0 or 1.
    mutating func flag() throws(CodingError) -> Bool {
        switch try u8() {
        case 0: return false
        case 1: return true
        default: throw .malformed("a flag is neither 0 nor 1")
        }
    }
}

extension Timestamp {
    func encode(into writer: inout ByteWriter) {
        writer.i64le(seconds)
        writer.u32le(nanoseconds)
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        let seconds = try reader.i64le()
        let nanoseconds = try reader.u32le()
        guard nanoseconds < Self.nanosecondsPerSecond else {
            throw .malformed("nanoseconds make a second")
        }
        self.init(seconds: seconds, nanoseconds: nanoseconds)
    }
}

extension PageReference {
    /// Bytes of an encoded reference.
    static let encodedSize = Digest.byteCount + keySize

    func encode(into writer: inout ByteWriter) {
        writer.digest(address)
        writer.raw(key)
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        self.init(address: try reader.digest(), key: try reader.raw(Self.keySize))
    }

    /// Writes a reference that may be absent.
    static func encode(_ reference: PageReference?, into writer: inout ByteWriter) {
        writer.u8(reference == nil ? 0 : 1)
        reference?.encode(into: &writer)
    }

    /// Reads a reference that may be absent.
    static func optional(from reader: inout ByteReader) throws(CodingError) -> PageReference? {
        try reader.flag() ? try PageReference(from: &reader) : nil
    }
}

extension PadReference {
    /// A BLS public key of Autonomi's first network is the longest address there is: 48 bytes.
    private static let maximumAddressSize = 64

    var encodedSize: Int {
        Self.identitySize + 1 + Varint.prefixedSize(address.bytes.count) + Varint.size(encoding)
            + Varint.size(counter) + Varint.size(size)
    }

    func encode(into writer: inout ByteWriter) {
        writer.raw(identity)
        writer.u8(address.scheme.rawValue)
        writer.lengthPrefixed(address.bytes)
        writer.varint(encoding)
        writer.varint(counter)
        writer.varint(size)
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        let identity = try reader.raw(Self.identitySize)
        let scheme = SignatureSchemeID(rawValue: try reader.u8())
        let bytes = try reader.lengthPrefixed(limit: Self.maximumAddressSize)
        guard let scheme, let address = PadAddress(scheme: scheme, bytes: bytes) else {
            throw .malformed("a pad's address is not allowed")
        }
        self.init(
            identity: identity, address: address, encoding: try reader.varint(),
            counter: try reader.varint(), size: try reader.varint())
    }
}

extension Segment {
    var encodedSize: Int {
        Varint.size(offset) + Varint.size(size) + map.compactSize
    }

    static func encode(_ segments: [Segment], into writer: inout ByteWriter) {
        writer.varint(UInt64(segments.count))
        for segment in segments {
            writer.varint(segment.offset)
            writer.varint(segment.size)
            segment.map.encodeCompact(into: &writer)
        }
    }

    static func list(
        from reader: inout ByteReader, limit: Int
    ) throws(CodingError) -> [Segment] {
        let count = try reader.count(limit: limit)
        var segments: [Segment] = []
        for _ in 0..<count {
            let offset = try reader.varint()
            let size = try reader.varint()
            segments.append(
                Segment(offset: offset, size: size, map: try DataMap(compact: &reader)))
        }
        return segments
    }
}

extension DataMap {
    /// Version, level and count: one byte each in every map but the strangest.
    fileprivate var compactSize: Int {
        let digests = 2 * Digest.byteCount * chunks.count
        let head = 1 + Varint.size(child ?? 0) + Varint.size(UInt64(chunks.count))
        return chunks.reduce(head + digests) { $0 + Varint.size($1.size) }
    }

    fileprivate func encodeCompact(into writer: inout ByteWriter) {
        writer.u8(version.rawValue)
        writer.varint(child ?? 0)
        writer.varint(UInt64(chunks.count))
        for chunk in chunks {
            writer.digest(chunk.address)
            writer.digest(chunk.source)
            writer.varint(chunk.size)
        }
    }

    fileprivate init(compact reader: inout ByteReader) throws(CodingError) {
        guard let version = FormatVersion(rawValue: try reader.u8()) else {
            throw .malformed("a data map of unknown version")
        }
        let level = try reader.varint()
        let count = try reader.count(limit: NamespaceLimits.maximumMapChunkCount)
        var chunks: [ChunkDescriptor] = []
        for index in 0..<count {
            chunks.append(
                ChunkDescriptor(
                    index: UInt64(index),
                    address: try reader.digest(algorithm: version.digestAlgorithm),
                    source: try reader.digest(algorithm: version.digestAlgorithm),
                    size: try reader.varint()))
        }
        self.init(version: version, chunks: chunks, child: level == 0 ? nil : level)
    }
}
