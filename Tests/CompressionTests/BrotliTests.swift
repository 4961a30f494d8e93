// SPDX-License-Identifier: Apache-2.0
//
// Brotli: the bytes that name chunks, round trips at every quality, and streams nobody vouches for.

import Compression
import Cryptography
import Foundation
import Primitives
import TestSupport
import Testing

/// One row of brotli_q6.json: what the encoder of Autonomi's clients makes of an input.
private struct Row: Decodable, CustomTestStringConvertible {
    let kind: String
    let size: Int
    let input_sha256: String
    let rust_len: Int
    let rust_sha256: String
    let rust_hex: String?
    /// Whether the C library gives the same bytes when it is fed 4096 at a time.
    let stock_1_0_9_stream4096_equal: Bool

    var testDescription: String { "\(kind) \(size)" }

    static let all: [Row] = {
        struct File: Decodable { let rows: [Row] }
        guard
            let url = Bundle.module.url(
                forResource: "brotli_q6", withExtension: "json", subdirectory: "Vectors"),
            // Without its vectors the suite has no rows, and the first test says so.
            let data = try? Data(contentsOf: url),
            let file = try? JSONDecoder().decode(File.self, from: data)
        else { return [] }
        return file.rows
    }()
}

private func compress(_ plain: [UInt8], _ quality: BrotliQuality) -> [UInt8] {
    Brotli.compress(plain.span, quality: quality)
}

private func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
    try Brotli.decompress(bytes.span, limit: limit)
}

@Suite("Brotli")
struct BrotliTests {
    @Test("the vectors are there")
    func vectorsAreThere() {
        #expect(Row.all.count == 114)
        #expect(Row.all.contains { $0.stock_1_0_9_stream4096_equal })
    }

    @Test(
        "quality 6 gives the bytes of Autonomi's clients where the C library can",
        arguments: Row.all)
    private func referenceBytes(row: Row) throws {
        let plain = try #require(VectorInputs.bytes(kind: row.kind, size: row.size))
        #expect(Hex.encode(SHA2.sha256(plain)) == row.input_sha256)
        let compressed = compress(plain, .autonomi)
        if row.stock_1_0_9_stream4096_equal {
            #expect(compressed.count == row.rust_len)
            #expect(Hex.encode(SHA2.sha256(compressed)) == row.rust_sha256)
        }
        #expect(try decompress(compressed, limit: row.size) == plain)
    }

    @Test(
        "what Autonomi's clients compressed is read",
        arguments: Row.all.filter { $0.rust_hex != nil })
    private func referenceStreams(row: Row) throws {
        let plain = try #require(VectorInputs.bytes(kind: row.kind, size: row.size))
        let compressed = try #require(row.rust_hex.flatMap { Hex.decode($0) })
        #expect(try decompress(compressed, limit: row.size) == plain)
    }

    @Test("every quality gives back what it was given", arguments: BrotliQuality.allCases)
    func roundTrip(quality: BrotliQuality) throws {
        for seed in UInt64(0)..<40 {
            var dice = SeededGenerator(seed: seed)
            let size = Int(dice.number() % 100_000)
            let kind = ["mod", "zero", "sha", "text", "rle", "mix"].randomElement(using: &dice)
            let plain = try #require(VectorInputs.bytes(kind: kind ?? "sha", size: size))
            let compressed = compress(plain, quality)
            #expect(try decompress(compressed, limit: size) == plain, "seed \(seed)")
        }
    }

    @Test(
        "nothing compresses to something that stands for nothing", arguments: BrotliQuality.allCases
    )
    func empty(quality: BrotliQuality) throws {
        let compressed = compress([], quality)
        #expect(!compressed.isEmpty)
        #expect(try decompress(compressed, limit: 0) == [])
    }

    @Test(
        "bytes that do not compress grow by a few, never by much", arguments: BrotliQuality.allCases
    )
    func incompressible(quality: BrotliQuality) throws {
        let plain = try #require(VectorInputs.bytes(kind: "sha", size: 1 << 20))
        #expect(compress(plain, quality).count <= plain.count + 16)
    }

    @Test("a limit is kept to the byte")
    func limit() throws {
        let plain = try #require(VectorInputs.bytes(kind: "text", size: 300_000))
        let compressed = compress(plain, .fast)
        #expect(try decompress(compressed, limit: plain.count) == plain)
        for limit in [0, 1, 65_535, plain.count - 1] {
            #expect(throws: CompressionError.tooLarge(limit: limit)) {
                try decompress(compressed, limit: limit)
            }
        }
    }

    @Test("a small stream of a huge file stops at the limit")
    func bomb() {
        let compressed = compress([UInt8](repeating: 0, count: 64 << 20), .fast)
        #expect(compressed.count < 1000)
        #expect(throws: CompressionError.tooLarge(limit: 4 << 20)) {
            try decompress(compressed, limit: 4 << 20)
        }
    }

    @Test("every beginning of a stream is malformed, and so is a stream with more behind it")
    func wholeStreamsOnly() throws {
        let plain = try #require(VectorInputs.bytes(kind: "mix", size: 3000))
        let compressed = compress(plain, .autonomi)
        for count in 0..<compressed.count {
            #expect(throws: CompressionError.malformed, "\(count) bytes") {
                try decompress(Array(compressed.prefix(count)), limit: plain.count)
            }
        }
        #expect(throws: CompressionError.malformed) {
            try decompress(compressed + [0], limit: plain.count)
        }
        #expect(throws: CompressionError.malformed) {
            try decompress(compressed + compressed, limit: 2 * plain.count)
        }
    }

    @Test("random bytes are refused or stay within the limit", arguments: UInt64(0)..<300)
    func hostileBytes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.bytes(Int(dice.number() % 2000))
        do {
            #expect(try decompress(bytes, limit: 1000).count <= 1000, "seed \(seed)")
        } catch {
            #expect(error == .malformed || error == .tooLarge(limit: 1000), "seed \(seed)")
        }
    }

    @Test(
        "a stream with one bit changed is refused or stays within the limit",
        arguments: UInt64(0)..<200)
    func changedStreams(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let plain = try #require(VectorInputs.bytes(kind: "text", size: 5000))
        var compressed = compress(plain, .fast)
        let index = Int.random(in: compressed.indices, using: &dice)
        compressed[index] ^= 1 << UInt8.random(in: 0...7, using: &dice)
        do {
            #expect(try decompress(compressed, limit: 6000).count <= 6000, "seed \(seed)")
        } catch {
            #expect(error == .malformed || error == .tooLarge(limit: 6000), "seed \(seed)")
        }
    }
}
