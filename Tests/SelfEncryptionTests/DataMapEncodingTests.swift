// SPDX-License-Identifier: Apache-2.0
//
// Every form of a data map, against bytes that the reference's serialisers wrote.

import Foundation
import Primitives
import SelfEncryption
import Testing

@Suite("The encodings of data maps")
struct DataMapEncodingTests {
    private struct Layouts: Decodable {
        let hex: [String: String]

        func bytes(_ name: String) throws -> [UInt8] {
            try #require(hex[name].flatMap { Hex.decode($0) })
        }
    }

    /// The map that the published layouts were made of.
    private static func sample(child: UInt64? = nil) throws -> DataMap {
        let sizes: [UInt64] = [3, 333, 1_398_101]
        let chunks = try sizes.enumerated().map { index, size in
            let address = (0..<32).map { UInt8(truncatingIfNeeded: index + 9 * $0) }
            let source = (0..<32).map { UInt8(truncatingIfNeeded: 100 + index + 9 * $0) }
            return ChunkDescriptor(
                index: UInt64(index), address: try #require(Digest(address, algorithm: .sha3)),
                source: try #require(Digest(source, algorithm: .sha3)), size: size)
        }
        return DataMap(version: .v1, chunks: chunks, child: child)
    }

    private let layouts: Layouts
    private let root: DataMap
    private let packed: DataMap

    init() throws {
        let url = try #require(
            Bundle.module.url(
                forResource: "serde_layouts", withExtension: "json", subdirectory: "Vectors"))
        layouts = try JSONDecoder().decode(Layouts.self, from: Data(contentsOf: url))
        root = try Self.sample()
        packed = try Self.sample(child: 1)
    }

    @Test("the binary form is the published one, and is read back")
    func bincode() throws {
        #expect(try root.encodedBincode() == layouts.bytes("bincode_v1_root"))
        #expect(try packed.encodedBincode() == layouts.bytes("bincode_v1_child1"))
        #expect(root.encodedBincode().count == 250 && packed.encodedBincode().count == 258)
        for map in [root, packed] {
            #expect(try DataMap(decodingBincode: map.encodedBincode(), version: .v1) == map)
        }
    }

    @Test("the binary form without a version is read, for the older generation only")
    func unversionedBincode() throws {
        let bytes = try layouts.bytes("bincode_v0")
        #expect(try DataMap(decodingBincode: bytes, version: .v1) == root)
        #expect(throws: SelfEncryptionError.self) {
            try DataMap(decodingBincode: bytes, version: .v2)
        }
    }

    @Test("the binary form with a child but no version is read, for the older generation only")
    func unversionedBincodeWithChild() throws {
        for map in [root, packed] {
            let bytes = Array(map.encodedBincode().dropFirst())
            #expect(try DataMap(decodingBincode: bytes, version: .v1) == map)
            #expect(throws: SelfEncryptionError.self) {
                try DataMap(decodingBincode: bytes, version: .v2)
            }
        }
    }

    @Test("an unversioned map whose count begins with the version's byte is not mistaken")
    func ambiguousCount() throws {
        for count in [257, 769] {
            let size = UInt64(count) * 100
            let map = try inventedMap(size: size, version: .v1, maximumChunkSize: 100)
            #expect(map.chunks.count == count)
            let bytes = Array(map.encodedBincode().dropFirst().dropLast())
            #expect(try DataMap(decodingBincode: bytes, version: .v1) == map)
        }
    }

    @Test("the MessagePack form is the published one, and is read back")
    func messagePack() throws {
        #expect(try root.encodedMessagePack() == layouts.bytes("msgpack_v1_root"))
        #expect(try packed.encodedMessagePack() == layouts.bytes("msgpack_v1_child1"))
        for map in [root, packed] {
            let bytes = map.encodedMessagePack()
            #expect(try DataMap(decodingMessagePack: bytes, version: .v1) == map)
        }
    }

    @Test("the old MessagePack form is read, for the older generation only")
    func messagePackLevel() throws {
        let first = try layouts.bytes("msgpack_level_first")
        let additional = try layouts.bytes("msgpack_level_additional")
        #expect(try DataMap(decodingMessagePack: first, version: .v1) == root)
        #expect(try DataMap(decodingMessagePack: additional, version: .v1) == packed)
        for bytes in [first, additional] {
            #expect(throws: SelfEncryptionError.self) {
                try DataMap(decodingMessagePack: bytes, version: .v2)
            }
        }
    }

    @Test("MessagePack with named fields is read, in any order and with unknown ones among them")
    func namedMessagePack() throws {
        var writer = MessagePack.Writer()
        writer.map(count: 4)
        writer.string("child")
        writer.uint(1)
        writer.string("comment")
        writer.array(count: 2)
        writer.null()
        writer.string("stepped over")
        writer.string("chunk_identifiers")
        writer.array(count: packed.chunks.count)
        for chunk in packed.chunks {
            writer.map(count: 4)
            writer.string("src_size")
            writer.uint(chunk.size)
            writer.string("dst_hash")
            writer.binary(chunk.address.bytes)
            writer.string("src_hash")
            writer.binary(chunk.source.bytes)
            writer.string("index")
            writer.uint(chunk.index)
        }
        writer.string("version")
        writer.uint(1)
        #expect(try DataMap(decodingMessagePack: writer.bytes, version: .v1) == packed)
    }

    @Test("MessagePack of two fields, or of four, is refused")
    func messagePackOfOtherLengths() throws {
        var bytes = root.encodedMessagePack()
        bytes[0] = 0x94
        bytes.append(0xC0)
        #expect(throws: SelfEncryptionError.self) {
            try DataMap(decodingMessagePack: bytes, version: .v2)
        }
        bytes[0] = 0x92
        #expect(throws: SelfEncryptionError.self) {
            try DataMap(decodingMessagePack: bytes, version: .v2)
        }
    }

    @Test("bytes after a binary or MessagePack map are ignored")
    func trailingBytes() throws {
        let tail: [UInt8] = [1, 2, 3]
        for version in FormatVersion.allCases {
            let map = try inventedMap(size: 500, version: version, maximumChunkSize: 100)
            #expect(
                try DataMap(decodingBincode: map.encodedBincode() + tail, version: version) == map)
            #expect(
                try DataMap(decodingMessagePack: map.encodedMessagePack() + tail, version: version)
                    == map)
        }
    }

    @Test("the JSON form is an object with hexadecimal digests, and is read back")
    func json() throws {
        let text = try #require(String(validating: packed.encodedJSON(), as: UTF8.self))
        #expect(
            text.hasPrefix(
                "{\"chunk_identifiers\":[{\"index\":0,\"dst_hash\":\"0009121b242d363f48515a63"))
        #expect(text.hasSuffix("\"src_size\":1398101}],\"child\":1}"))
        for map in [root, packed] {
            #expect(try DataMap(decodingJSON: map.encodedJSON(), version: .v1) == map)
        }
        // A parser of another make agrees that it is JSON.
        let object = try JSONSerialization.jsonObject(with: Data(packed.encodedJSON()))
        #expect((object as? [String: Any])?["child"] as? Int == 1)
    }

    @Test("JSON is read with white space, unknown fields, and without a child")
    func looseJSON() throws {
        let text = try #require(String(validating: root.encodedJSON(), as: UTF8.self))
        let loose =
            " \n"
            + text.replacingOccurrences(of: ",", with: " ,\t\r\n ")
            .replacingOccurrences(of: ":", with: " : ")
            .replacingOccurrences(
                of: "\"child\" : null",
                with: "\"note \\\" \\u0041\" : [{\"a\" : -1.5e+3}, true, false, null, [], {}]")
            + " "
        #expect(try DataMap(decodingJSON: Array(loose.utf8), version: .v1) == root)
    }

    @Test("a bare JSON array is read, for the older generation only")
    func bareJSONArray() throws {
        let text = try #require(String(validating: root.encodedJSON(), as: UTF8.self))
        let start = try #require(text.firstIndex(of: "["))
        let end = try #require(text.lastIndex(of: "]"))
        let array = Array(text[start...end].utf8)
        #expect(try DataMap(decodingJSON: array, version: .v1) == root)
        #expect(throws: SelfEncryptionError.self) {
            try DataMap(decodingJSON: array, version: .v2)
        }
    }

    @Test("the digests of a decoded map are of its generation's algorithm")
    func algorithms() throws {
        for version in FormatVersion.allCases {
            let map = try inventedMap(size: 500, version: version, maximumChunkSize: 100)
            let decoded = [
                try DataMap(decodingBincode: map.encodedBincode(), version: version),
                try DataMap(decodingMessagePack: map.encodedMessagePack(), version: version),
                try DataMap(decodingJSON: map.encodedJSON(), version: version),
            ]
            for other in decoded {
                #expect(other == map)
                #expect(other.chunks[0].address.algorithm == version.digestAlgorithm)
            }
        }
    }
}
