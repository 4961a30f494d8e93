// SPDX-License-Identifier: Apache-2.0
//
// Data maps from strangers. Whatever the bytes: an error or a map that keeps its invariants,
// never a trap, and never memory out of proportion to what was read.

import Primitives
import SelfEncryption
import TestSupport
import Testing

@Suite("Data maps from strangers")
struct HostileMapTests {
    /// One way to write and read a map.
    struct Form: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let version: FormatVersion
        let encode: @Sendable (DataMap) -> [UInt8]
        let decode: @Sendable ([UInt8], FormatVersion) throws -> DataMap

        static let all: [Form] = FormatVersion.allCases.flatMap { version in
            [
                Form(
                    testDescription: "bincode \(version)", version: version,
                    encode: { $0.encodedBincode() },
                    decode: { try DataMap(decodingBincode: $0, version: $1) }),
                Form(
                    testDescription: "bincode without a version \(version)", version: version,
                    encode: { Array($0.encodedBincode().dropFirst()) },
                    decode: { try DataMap(decodingBincode: $0, version: $1) }),
                Form(
                    testDescription: "MessagePack \(version)", version: version,
                    encode: { $0.encodedMessagePack() },
                    decode: { try DataMap(decodingMessagePack: $0, version: $1) }),
                Form(
                    testDescription: "MessagePack level \(version)", version: version,
                    encode: { [0x81, 0xA5] + "First".utf8 + $0.encodedMessagePack()[2...] },
                    decode: { try DataMap(decodingMessagePack: $0, version: $1) }),
                Form(
                    testDescription: "JSON \(version)", version: version,
                    encode: { $0.encodedJSON() },
                    decode: { try DataMap(decodingJSON: $0, version: $1) }),
            ]
        }

        /// Decodes, and holds the outcome against what may come out.
        func probe(_ bytes: [UInt8], _ note: @autoclosure () -> String) {
            do {
                let map = try decode(bytes, version)
                #expect((3...DataMap.maximumChunkCount).contains(map.chunks.count), "\(note())")
                let limit = version.maximumSourceSize
                for (position, chunk) in map.chunks.enumerated() {
                    #expect(
                        chunk.index == UInt64(position) && (1...limit).contains(chunk.size),
                        "\(note())")
                }
                #expect(throws: SelfEncryptionError.self, "\(note())") {
                    _ = try SelfEncryptor.decrypt(map) { _ in nil }
                }
            } catch {
                #expect(error is SelfEncryptionError, "\(note())")
            }
        }
    }

    @Test(
        "a map that was cut off is an error, or the whole map where only its tail is missing",
        arguments: Form.all)
    func truncation(_ form: Form) throws {
        for child in [nil, 1] as [UInt64?] {
            let map = try inventedMap(
                size: 450, version: form.version, maximumChunkSize: 100, child: child)
            let bytes = form.encode(map)
            for count in 0..<bytes.count {
                form.probe(Array(bytes[..<count]), "\(count) of \(bytes.count) bytes")
            }
        }
    }

    @Test("changed bytes are an error or another valid map", arguments: Form.all)
    func mutation(_ form: Form) throws {
        let map = try inventedMap(
            size: 450, version: form.version, maximumChunkSize: 100, child: 1)
        let bytes = form.encode(map)
        for seed in UInt64(0)..<600 {
            var generator = SeededGenerator(seed: seed)
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                // The structure is dense at the beginning; change it as often as the rest.
                let limit = Bool.random(using: &generator) ? mutated.count : 24
                let position = Int.random(in: 0..<limit, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: mutated[position] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: mutated[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: mutated.insert(generator.bytes(1)[0], at: position)
                default: mutated.remove(at: position)
                }
            }
            form.probe(mutated, "seed \(seed)")
        }
    }

    @Test("noise is an error", arguments: Form.all)
    func noise(_ form: Form) {
        let heads: [[UInt8]] = [
            [], [1], [0x93, 1, 0x93], [0x81, 0xA5], Array("{\"child\":".utf8),
        ]
        for seed in UInt64(0)..<300 {
            var generator = SeededGenerator(seed: seed)
            let count = Int.random(in: 0..<400, using: &generator)
            let head = heads.randomElement(using: &generator) ?? []
            form.probe(head + generator.bytes(count), "seed \(seed)")
        }
    }

    @Test("a count beyond the bytes that follow it takes no memory")
    func enormousCounts() {
        let counts: [[UInt8]] = [
            Array(repeating: 0xFF, count: 8), [0, 0, 0, 0, 0, 0, 0, 0x80],
            [0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0],
        ]
        for count in counts {
            for version in FormatVersion.allCases {
                for bytes in [[1] + count, count, [1] + count + Array(repeating: 0, count: 800)] {
                    #expect(throws: SelfEncryptionError.self) {
                        try DataMap(decodingBincode: bytes, version: version)
                    }
                }
            }
        }
        let heads: [[UInt8]] = [
            [0x93, 0x01, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x93, 0x01, 0xDC, 0xFF, 0xFF], [0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x81, 0xA5] + "First".utf8 + [0xDD, 0x7F, 0xFF, 0xFF, 0xFF],
            [0x93, 0x01, 0x93, 0x94, 0x00, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x93, 0x01, 0x93, 0x94, 0x00, 0xC6, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
        for head in heads {
            for tail in [0, 5000] {
                #expect(throws: SelfEncryptionError.self) {
                    try DataMap(
                        decodingMessagePack: head + Array(repeating: 0, count: tail), version: .v1)
                }
            }
        }
    }

    @Test("nesting without end is an error, not a full stack")
    func nesting() {
        for opening in ["[", "{\"a\":", "{\"chunk_identifiers\":["] {
            let text = String(repeating: opening, count: 200_000)
            #expect(throws: SelfEncryptionError.self) {
                try DataMap(decodingJSON: Array(text.utf8), version: .v1)
            }
        }
        let unknown: [UInt8] = [0x81, 0xA1, 0x61]
        for head in [0x91, 0x81] as [UInt8] {
            #expect(throws: SelfEncryptionError.self) {
                try DataMap(
                    decodingMessagePack: unknown + Array(repeating: head, count: 200_000),
                    version: .v1)
            }
        }
    }

    @Test("entries out of order, of no size, or beyond the largest are refused")
    func impossibleEntries() throws {
        let good = try inventedMap(size: 300, maximumChunkSize: 100).chunks
        let swapped = [good[1], good[0], good[2]]
        let empty = good[...1] + [descriptor(good[2], size: 0)]
        let large = good[...1] + [descriptor(good[2], size: FormatVersion.v2.maximumSourceSize + 1)]
        let few = good[...1]
        for chunks in [swapped, Array(empty), Array(large), Array(few), []] {
            let map = DataMap(version: .v2, chunks: chunks)
            for form in Form.all where form.version == .v2 {
                #expect(throws: SelfEncryptionError.self, "\(form.testDescription)") {
                    try form.decode(form.encode(map), .v2)
                }
            }
        }
    }

    @Test("JSON that is nearly a map is refused")
    func nearlyJSON() throws {
        let text = String(
            decoding: try inventedMap(size: 300, maximumChunkSize: 100).encodedJSON(),
            as: UTF8.self)
        let digest = try digest(0).hex
        let broken = [
            text + "x", text + "{}", String(text.dropLast()),
            text.replacing("\"index\":0", with: "\"index\":00"),
            text.replacing("\"index\":0", with: "\"index\":-0"),
            text.replacing("\"index\":0", with: "\"index\":0.0"),
            text.replacing("\"index\":0", with: "\"index\":0e1"),
            text.replacing("\"index\":0", with: "\"index\":0,\"index\":0"),
            text.replacing("\"index\":0", with: "\"index\":18446744073709551616"),
            text.replacing("\"index\":0,", with: ""),
            text.replacing(digest, with: String(digest.dropLast(2))),
            text.replacing(digest, with: "zz" + digest.dropFirst(2)),
            text.replacing(digest, with: digest + "00"),
            text.replacing("null", with: "nul"), text.replacing("null", with: "-1"),
            text.replacing("null", with: "null,\"child\":null"),
            text.replacing("null", with: "null,"), text.replacing("[{", with: "[,{"),
            "null", "[]", "{}", "", " ", "\"", "\"\\", "{\"child\":1}",
        ]
        for json in broken {
            #expect(throws: SelfEncryptionError.self, "\(json.prefix(60))") {
                try DataMap(decodingJSON: Array(json.utf8), version: .v2)
            }
        }
    }

    private func descriptor(_ chunk: ChunkDescriptor, size: UInt64) -> ChunkDescriptor {
        ChunkDescriptor(
            index: chunk.index, address: chunk.address, source: chunk.source, size: size)
    }
}
