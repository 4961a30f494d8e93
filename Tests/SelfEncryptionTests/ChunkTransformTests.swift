// SPDX-License-Identifier: Apache-2.0
//
// One chunk there and back, and damaged on the way.

import Compression
import Cryptography
import Primitives
import SelfEncryption
import TestSupport
import Testing

@Suite("The transform of one chunk")
struct ChunkTransformTests {
    @Test("v2 is brotli, ChaCha20-Poly1305 and a pad of 52 bytes, for chunks of every length")
    func presentGeneration() throws {
        var generator = SeededGenerator(seed: 52)
        for count in Self.counts {
            let plain = generator.bytes(count)
            let keys = try (0..<3).map { try digest(UInt64(count * 3 + $0)) }
            var material = ByteWriter()
            keys.forEach { material.digest($0) }
            material.u64le(UInt64(count))
            material.u64le(1)
            let derived = Blake3.deriveKey(
                context: "self_encryption/chunk/v2", material: material.bytes.span, count: 96)
            let nothing: [UInt8] = []
            let sealed = ChaCha20Poly1305.seal(
                Brotli.compress(plain.span, quality: .fast).span, key: Array(derived[52..<84]),
                nonce: Array(derived[84...]), aad: nothing.span)
            let expected = sealed.enumerated().map { $0.element ^ derived[$0.offset % 52] }

            let transform = ChunkTransform(version: .v2, quality: .fast, childLevel: 1)
            let chunk = transform.encrypt(
                plain.span, index: count, source: keys[0], neighbours: (keys[1], keys[2]))
            #expect(chunk.bytes == expected)
            #expect(chunk.address == Blake3.hash(expected))
        }
    }

    @Test("v1 is brotli, AES-128-CBC and a pad of 64 bytes, for chunks of every length")
    func olderGeneration() throws {
        var generator = SeededGenerator(seed: 64)
        for count in Self.counts {
            let plain = generator.bytes(count)
            let keys = try (0..<3).map { try digest(UInt64(count * 3 + $0), .v1) }
            let sealed = AES128CBC.encrypt(
                Brotli.compress(plain.span, quality: .fast).span,
                key: Array(keys[1].bytes[..<16]), iv: Array(keys[1].bytes[16...]))
            let pad = keys[0].bytes + keys[2].bytes
            let expected = sealed.enumerated().map { $0.element ^ pad[$0.offset % 64] }

            let transform = ChunkTransform(version: .v1, quality: .fast)
            let chunk = transform.encrypt(
                plain.span, index: count, source: keys[0], neighbours: (keys[1], keys[2]))
            #expect(chunk.bytes == expected)
            #expect(chunk.address == Digests.of(expected, algorithm: .sha3))
        }
    }

    @Test("many threads may share one transform")
    func threads() async throws {
        var generator = SeededGenerator(seed: 1)
        let plain = generator.bytes(50_000)
        for version in FormatVersion.allCases {
            let map = try FullEncryption(plain, version: version, maximumChunkSize: 10_000)
            let transform = ChunkTransform(version: version, quality: .fast)
            try await withThrowingTaskGroup { group in
                for turn in 0..<40 {
                    group.addTask {
                        let index = turn % 5
                        let stored = try #require(map.chunks[map.map.chunks[index].address])
                        let back = try transform.decrypt(stored.span, index: index, map: map.map)
                        #expect(back == Array(plain[index * 10_000..<(index + 1) * 10_000]))
                        let source = transform.sourceDigest(back.span)
                        let again = transform.encrypt(
                            back.span, index: index, source: source,
                            neighbours: (
                                map.map.chunks[(index + 4) % 5].source,
                                map.map.chunks[(index + 3) % 5].source
                            ))
                        #expect(again.bytes == stored)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("bytes that were never encrypted are refused", arguments: FormatVersion.allCases)
    func noise(version: FormatVersion) throws {
        let map = try inventedMap(size: 3000, version: version)
        let transform = ChunkTransform(version: version, quality: .fast)
        var generator = SeededGenerator(seed: 9)
        for count in [0, 1, 15, 16, 17, 32, 33, 48, 1000, 1008, 5000] {
            let bytes = generator.bytes(count)
            for index in 0..<3 {
                #expect(throws: SelfEncryptionError.corruptChunk(index: index)) {
                    try transform.decrypt(bytes.span, index: index, map: map)
                }
            }
        }
    }

    @Test("the largest chunks that do not compress stay below the network's limit")
    func largestChunks() throws {
        for version in FormatVersion.allCases {
            let plain = try #require(
                VectorInputs.bytes(kind: "sha", size: Int(version.maximumSourceSize)))
            for quality in BrotliQuality.allCases {
                let transform = ChunkTransform(version: version, quality: quality)
                let source = transform.sourceDigest(plain.span)
                let chunk = transform.encrypt(
                    plain.span, index: 2, source: source, neighbours: (source, source))
                #expect(chunk.bytes.count > plain.count)
                #expect(chunk.bytes.count <= version.maximumStoredSize)
            }
        }
    }

    @Test("more bytes than any chunk has are refused unseen", arguments: FormatVersion.allCases)
    func tooManyBytes(version: FormatVersion) throws {
        let map = try inventedMap(size: 3000, version: version)
        let bytes = [UInt8](repeating: 0, count: version.maximumStoredSize + 1)
        #expect(throws: SelfEncryptionError.corruptChunk(index: 1)) {
            try ChunkTransform(version: version, quality: .fast)
                .decrypt(bytes.span, index: 1, map: map)
        }
    }

    /// Every length up to a few pads, and some around the next multiples of what they span.
    private static let counts = Array(1...140) + [818, 819, 832, 833, 1000, 4096, 4097, 20_000]
}
