// SPDX-License-Identifier: Apache-2.0
//
// Whole files, encrypted and decrypted in memory.

import Compression
import Cryptography
import Primitives
import SelfEncryption
import TestSupport
import Testing

@Suite("Encrypting, packing, and having it all back")
struct SelfEncryptorTests {
    /// A generation and a chunk size, small for speed.
    struct Setting: Sendable {
        let version: FormatVersion
        let chunkSize: Int

        static let all: [Setting] = FormatVersion.allCases.flatMap { version in
            [128, 500, 4096].map { Setting(version: version, chunkSize: $0) }
        }
    }

    @Test("files of every edge size come back, whole and in every quality", arguments: Setting.all)
    func edgeSizes(_ setting: Setting) throws {
        let size = setting.chunkSize
        var generator = SeededGenerator(seed: UInt64(size))
        let sizes = [3, 4, 5, size, 3 * size - 1, 3 * size, 3 * size + 1, 4 * size, 9 * size + 7]
        for count in sizes {
            for bytes in [generator.bytes(count), [UInt8](repeating: 7, count: count)] {
                for quality in [BrotliQuality.fast, .autonomi] {
                    let (map, chunks) = try SelfEncryptor.encrypt(
                        bytes, version: setting.version, quality: quality,
                        maximumChunkSize: size)
                    let store = Store(chunks)
                    #expect(map.chunks.count == 3)
                    #expect(try SelfEncryptor.decrypt(map) { store[$0] } == bytes)
                    #expect(try unpack(map) { store[$0] }.fileSize == UInt64(count))
                }
            }
        }
    }

    @Test("fewer than three bytes are refused", arguments: 0..<3)
    func tooSmall(count: Int) {
        #expect(throws: SelfEncryptionError.tooSmall(minimum: 3)) {
            try SelfEncryptor.encrypt(
                [UInt8](repeating: 1, count: count), version: .v2, quality: .fast)
        }
    }

    @Test("any range comes back, and only the chunks that hold it are fetched", arguments: 0..<16)
    func ranges(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(Int.random(in: 3...900, using: &generator))
        let full = try FullEncryption(
            bytes, version: seed % 2 == 0 ? .v1 : .v2, maximumChunkSize: 64)
        let layout = try ChunkLayout(describedBy: full.map)
        for _ in 0..<8 {
            let start = Int.random(in: 0...bytes.count + 10, using: &generator)
            let end = Int.random(in: start...bytes.count + 20, using: &generator)
            let range = UInt64(start)..<UInt64(end)
            var fetched: [Digest] = []
            let found = try SelfEncryptor.decrypt(full.map, range: range) {
                fetched.append($0)
                return full.chunks[$0]
            }
            #expect(
                found == Array(bytes[min(start, bytes.count)..<min(end, bytes.count)]),
                "seed \(seed)")
            let needed = layout.chunks(overlapping: range).map { full.map.chunks[$0].address }
            #expect(fetched == needed, "seed \(seed)")
        }
    }

    @Test("a large map is packed into three entries in one level, and comes back")
    func packing() throws {
        for version in FormatVersion.allCases {
            let map = try inventedMap(size: 200_000, version: version, maximumChunkSize: 100)
            let packed = try pack(map, quality: .fast)
            #expect(packed.root.child == 1 && packed.root.fileSize == nil)
            #expect(packed.root.chunks.count == 3 && packed.chunks.count == 3)
            let store = Store(packed.chunks)
            #expect(try unpack(packed.root) { store[$0] } == map)
        }
    }

    @Test("a map of three entries is its own packed form, and nothing is fetched for it")
    func packingNothing() throws {
        let map = try inventedMap(size: 200)
        #expect(try pack(map, quality: .fast) == PackedMap(root: map, chunks: []))
        #expect(try unpack(map) { _ in nil } == map)
    }

    @Test("maps of several levels come back")
    func severalLevels() throws {
        for version in FormatVersion.allCases {
            let map = try inventedMap(size: 20_000, version: version, maximumChunkSize: 100)
            let packed = try pack(map, quality: .fast, maximumChunkSize: 2000)
            #expect(packed.root.child == 2)
            let store = Store(packed.chunks)
            #expect(try unpack(packed.root) { store[$0] } == map)
        }
    }

    @Test("a map nobody could read back is not packed")
    func tooManyEntries() throws {
        let limit = FormatVersion.v2.maximumPackableCount
        let entry = try inventedMap(size: 3).chunks[0]
        let map = DataMap(version: .v2, chunks: Array(repeating: entry, count: limit + 1))
        #expect(throws: SelfEncryptionError.tooLarge(limit: UInt64(limit))) {
            try pack(map, quality: .fast)
        }
    }

    @Test("maps that the oldest releases packed in MessagePack come back")
    func oldLevels() throws {
        let file = try FullEncryption(
            SeededGenerator.bytes(700, seed: 1), version: .v1, maximumChunkSize: 64)
        var store = file.chunks
        // Two levels of "Additional", the file's own map in "First" at the bottom.
        var below = Self.level("First", file.map)
        for _ in 0..<2 {
            let full = try FullEncryption(below, version: .v1, maximumChunkSize: 512)
            store.merge(full.chunks) { first, _ in first }
            below = Self.level("Additional", full.map)
        }
        let root = try DataMap(decodingMessagePack: below, version: .v1)
        #expect(root.child == 1)
        #expect(try unpack(root) { store[$0] } == file.map)
    }

    @Test("levels without end are an error")
    func tooManyLevels() throws {
        var store: [Digest: [UInt8]] = [:]
        var map = try inventedMap(size: 200, version: .v1)
        for _ in 0...PackedMap.maximumLevelCount {
            let full = try FullEncryption(
                DataMap(version: .v1, chunks: map.chunks, child: map.child).encodedBincode(),
                version: .v1, maximumChunkSize: 4096)
            store.merge(full.chunks) { first, _ in first }
            map = DataMap(version: .v1, chunks: full.map.chunks, child: 1)
        }
        #expect(throws: SelfEncryptionError.self) { try unpack(map) { store[$0] } }
    }

    @Test("a map that claims more than the limits is an error before anything is fetched")
    func claimedSizes() throws {
        let size = UInt64(PackedMap.maximumSerializedSize)
        let packed = try inventedMap(size: size + 1, child: 1)
        #expect(throws: SelfEncryptionError.self) {
            try unpack(packed) { _ in throw Unexpected() }
        }
        let large = try inventedMap(size: 2 << 30)
        #expect(throws: SelfEncryptionError.tooLarge(limit: SelfEncryptor.maximumWholeSize)) {
            try SelfEncryptor.decrypt(large) { _ in throw Unexpected() }
        }
    }

    @Test("a missing chunk is named, and what the store throws comes through")
    func missingChunk() throws {
        let full = try FullEncryption(
            SeededGenerator.bytes(500, seed: 2), version: .v2, maximumChunkSize: 100)
        for (index, chunk) in full.map.chunks.enumerated() {
            #expect(throws: SelfEncryptionError.missingChunk(index: index)) {
                try SelfEncryptor.decrypt(full.map) { $0 == chunk.address ? nil : full.chunks[$0] }
            }
            #expect(throws: Unexpected.self) {
                try SelfEncryptor.decrypt(full.map) {
                    if $0 == chunk.address { throw Unexpected() }
                    return full.chunks[$0]
                }
            }
        }
    }

    @Test("a chunk of other bytes is named, in the file and in the map", arguments: 0..<12)
    func wrongChunk(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(2000)
        let (map, chunks) = try SelfEncryptor.encrypt(
            bytes, version: seed % 2 == 0 ? .v1 : .v2, quality: .fast, maximumChunkSize: 400)
        #expect(map.child != nil)
        for (position, chunk) in chunks.enumerated() {
            var store = Store(chunks)
            var wrong = chunk.bytes
            wrong[Int.random(in: wrong.indices, using: &generator)] ^= 1
            let variants = [wrong, Array(chunk.bytes.dropLast()), [], chunk.bytes + [0]]
            store.chunks[chunk.address] = variants.randomElement(using: &generator)
            let index = position < 5 ? position : (position - 5) % 3
            #expect(
                throws: SelfEncryptionError.corruptChunk(index: index),
                "seed \(seed), chunk \(position)"
            ) {
                try SelfEncryptor.decrypt(map) { store[$0] }
            }
        }
    }

    @Test("a map that names other chunks than it should is found out", arguments: 0..<12)
    func swappedChunks(seed: UInt64) throws {
        let version: FormatVersion = seed % 2 == 0 ? .v1 : .v2
        let full = try FullEncryption(
            SeededGenerator.bytes(480, seed: seed), version: version, maximumChunkSize: 96)
        var generator = SeededGenerator(seed: seed)
        let count = full.map.chunks.count
        let first = Int.random(in: 0..<count, using: &generator)
        let second = (first + Int.random(in: 1..<count, using: &generator)) % count
        for field in 0..<3 {
            // The bytes under each address are the right ones: only the map lies.
            let chunks = full.map.chunks.map { chunk in
                let position = Int(chunk.index)
                let other =
                    full.map.chunks[
                        position == first ? second : position == second ? first : position]
                return ChunkDescriptor(
                    index: chunk.index, address: field == 0 ? other.address : chunk.address,
                    source: field == 1 ? other.source : chunk.source,
                    size: field == 2 && position == first ? chunk.size - 1 : chunk.size)
            }
            let lie = DataMap(version: version, chunks: chunks)
            #expect(throws: SelfEncryptionError.self, "seed \(seed), field \(field)") {
                try SelfEncryptor.decrypt(lie) { full.chunks[$0] }
            }
        }
    }

    @Test("a chunk that unpacks to more than the map says is refused")
    func unpacksToMore() throws {
        for version in FormatVersion.allCases {
            let bytes = [UInt8](repeating: 0, count: 3 << 20)
            let full = try FullEncryption(bytes, version: version, maximumChunkSize: 2 << 20)
            for size in [1, 1000, (1 << 20) - 1, (1 << 20) + 1] as [UInt64] {
                let chunks = full.map.chunks.map {
                    ChunkDescriptor(
                        index: $0.index, address: $0.address, source: $0.source, size: size)
                }
                let lie = DataMap(version: version, chunks: chunks)
                #expect(throws: SelfEncryptionError.corruptChunk(index: 0)) {
                    try SelfEncryptor.decrypt(lie) { full.chunks[$0] }
                }
            }
        }
    }

    private static func level(_ name: String, _ map: DataMap) -> [UInt8] {
        var writer = MessagePack.Writer()
        writer.map(count: 1)
        writer.string(name)
        // The entries stand in the new form between its version and its child.
        return writer.bytes + map.encodedMessagePack()[2...].dropLast()
    }
}

/// Chunks by address.
private struct Store {
    var chunks: [Digest: [UInt8]]

    init(_ chunks: [EncryptedChunk]) {
        self.chunks = Dictionary(chunks.map { ($0.address, $0.bytes) }) { first, _ in first }
    }

    subscript(_ address: Digest) -> [UInt8]? { chunks[address] }
}

/// What a store throws that is none of our own errors.
private struct Unexpected: Error {}

extension SeededGenerator {
    static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return generator.bytes(count)
    }
}
