// SPDX-License-Identifier: Apache-2.0
//
// The binary form of a data map: what is self-encrypted when a map is packed, and what Cairn
// keeps in its own records.
//
//   version 01 | count u64 | count × (index u64 | address 32 | source 32 | size u64) | child
//
// Numbers are little-endian; child is 00, or 01 and a u64. Older releases wrote neither version
// nor child (v0), or the child alone. Those two are read for the older generation only.

import Primitives

extension DataMap {
    /// The bytes of one entry.
    package static let bincodeEntrySize = 8 + 32 + 32 + 8

    /// The bytes of a root map beside its entries: version, count, and the empty child.
    package static let bincodeOverheadSize = 1 + 8 + 1

    private static let bincodeVersion: UInt8 = 1

    /// This map in the versioned binary form: 250 bytes for three entries, 258 with a child.
    package func encodedBincode() -> [UInt8] {
        let size = Self.bincodeOverheadSize + 8 + chunks.count * Self.bincodeEntrySize
        var writer = ByteWriter(capacity: size)
        writer.u8(Self.bincodeVersion)
        writer.u64le(UInt64(chunks.count))
        for chunk in chunks {
            writer.u64le(chunk.index)
            writer.digest(chunk.address)
            writer.digest(chunk.source)
            writer.u64le(chunk.size)
        }
        if let child {
            writer.u8(1)
            writer.u64le(child)
        } else {
            writer.u8(0)
        }
        return writer.bytes
    }

    /// The map that `bytes` hold in any binary form its generation ever wrote.
    ///
    /// Bytes after the map are ignored, as the reference readers do. The versioned form is tried
    /// first; a map of the older generation whose count happens to begin with byte 01 fails its
    /// checks there, and is then read as what it is.
    ///
    /// - Parameter version: the generation of the network the bytes come from. v2 knows the
    ///   versioned form only.
    /// - Throws: `malformedMap`.
    /// - Source: docs/format.md §3.
    package init(
        decodingBincode bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) {
        if version == .v1 {
            if let map = Self.versioned(bytes, version: version) {
                self = map
            } else {
                self = try Self.unversioned(bytes, version: version)
            }
        } else {
            var reader = ByteReader(bytes)
            self = try Self.rethrowing { () throws(CodingError) in
                guard try reader.u8() == Self.bincodeVersion else {
                    throw .malformed("unknown version of a data map")
                }
                return try Self.body(&reader, version: version, hasChild: true)
            }.validated()
        }
    }

    /// The map, or nil where the bytes are not in the versioned form: they may be in an older one.
    private static func versioned(_ bytes: [UInt8], version: FormatVersion) -> DataMap? {
        var reader = ByteReader(bytes)
        do {
            guard try reader.u8() == bincodeVersion else { return nil }
            return try body(&reader, version: version, hasChild: true).validated()
        } catch {
            // The older forms are tried next, and their reader says what is wrong.
            return nil
        }
    }

    /// A map without a version byte. Its child, if its release wrote one, is the very end.
    private static func unversioned(
        _ bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) -> DataMap {
        var reader = ByteReader(bytes)
        let map = try rethrowing { () throws(CodingError) in
            let map = try body(&reader, version: version, hasChild: false)
            guard reader.remaining == 9, try reader.u8() == 1 else { return map }
            return DataMap(version: version, chunks: map.chunks, child: try reader.u64le())
        }
        return try map.validated()
    }

    private static func body(
        _ reader: inout ByteReader, version: FormatVersion, hasChild: Bool
    ) throws(CodingError) -> DataMap {
        let count = try reader.u64le()
        guard count <= UInt64(reader.remaining / bincodeEntrySize) else { throw .truncated }
        guard count <= UInt64(maximumChunkCount) else { throw .tooLarge(limit: maximumChunkCount) }
        let algorithm = version.digestAlgorithm
        var chunks: [ChunkDescriptor] = []
        chunks.reserveCapacity(Int(count))
        for _ in 0..<Int(count) {
            let index = try reader.u64le()
            let address = try reader.digest(algorithm: algorithm)
            let source = try reader.digest(algorithm: algorithm)
            let size = try reader.u64le()
            chunks.append(
                ChunkDescriptor(index: index, address: address, source: source, size: size))
        }
        var child: UInt64?
        if hasChild {
            switch try reader.u8() {
            case 0: child = nil
            case 1: child = try reader.u64le()
            default: throw .malformed("a child that is neither there nor absent")
            }
        }
        return DataMap(version: version, chunks: chunks, child: child)
    }

    /// What `body` gives, with its failure said in this target's words.
    static func rethrowing<Result>(
        _ body: () throws(CodingError) -> Result
    ) throws(SelfEncryptionError) -> Result {
        do {
            return try body()
        } catch {
            switch error {
            case .truncated: throw .malformedMap("the map ends too early")
            case .tooLarge: throw .malformedMap("more in the map than the limits allow")
            case .malformed(let sentence): throw .malformedMap(sentence)
            }
        }
    }
}
