// SPDX-License-Identifier: Apache-2.0
//
// What a sample calls incompressible, and what it must not.

@testable import Compression
import Primitives
import TestSupport
import Testing

@Suite("Bytes that do not compress")
struct StoredTests {
    private static let chunk = 4_190_208

    private func random(_ size: Int, seed: UInt64) -> [UInt8] {
        var dice = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 8)
        while bytes.count < size {
            let word = dice.next()
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
        }
        return Array(bytes.prefix(size))
    }

    private func isIncompressible(_ plain: [UInt8]) -> Bool {
        Brotli.isIncompressible(plain.span)
    }

    @Test(
        "they come out no longer than the compressor writes them, and are read as they were",
        arguments: [1 << 16, (1 << 16) + 1, 70_000, 1 << 20, (1 << 20) + 1, chunk])
    func sameStream(size: Int) throws {
        for seed in UInt64(0)..<3 {
            let plain = random(size, seed: seed)
            #expect(isIncompressible(plain), "seed \(seed)")
            let stream = Brotli.compress(plain.span, quality: .fast)
            let stored = Brotli.stored(plain.span)
            let whole = Brotli.compressAll(plain.span, quality: .fast)
            let back = try Brotli.decompress(stream.span, limit: size)
            let isStored = stream.elementsEqual(stored)
            #expect(isStored, "seed \(seed)")
            // Where it writes one block, as nearly always, the chunk keeps its address.
            #expect(stream.count <= whole.count, "seed \(seed)")
            let isSame = stream.elementsEqual(whole)
            #expect(isSame || stream.count < whole.count, "seed \(seed)")
            let isBack = back.elementsEqual(plain)
            #expect(isBack, "seed \(seed)")
        }
    }

    @Test("a stored block of any size is a stream that gives it back")
    func anySize() throws {
        let plain = random(Brotli.storedMaximum, seed: 9)
        for size in [1, 2, 255, 4096, 1 << 16, (1 << 16) + 1, (1 << 20) + 1, plain.count] {
            let part = plain.span.extracting(first: size)
            let stream = Brotli.stored(part)
            #expect(stream.count <= size + 6)
            let back = try Brotli.decompress(stream.span, limit: size)
            let isBack = back.elementsEqual(plain[..<size])
            #expect(isBack, "\(size) bytes")
        }
    }

    @Test("less than a sample's minimum, and more than a block holds, goes to the compressor")
    func bounds() {
        #expect(!isIncompressible(random(Brotli.sampledMinimum - 1, seed: 1)))
        #expect(!isIncompressible(random(Brotli.storedMaximum + 1, seed: 1)))
        #expect(!isIncompressible([]))
    }

    /// What hides in random bytes, and is worth compressing.
    enum Hidden: String, CaseIterable {
        case halfAgain, tenthAgain, rowAgain, text, digits, samples, records, everyValue
    }

    /// Random bytes with something in them.
    private func bytes(_ hidden: Hidden, seed: UInt64) -> [UInt8] {
        var bytes = random(Self.chunk, seed: seed)
        switch hidden {
        case .halfAgain:
            bytes.replaceSubrange(2_000_003..<4_000_003, with: bytes[0..<2_000_000])
        case .tenthAgain:
            bytes.replaceSubrange(3_000_001..<3_419_001, with: bytes[10_000..<429_000])
        case .rowAgain:
            let row = Array(bytes[0..<3000])
            for start in stride(from: 0, to: bytes.count - 3000, by: 3000) {
                bytes.replaceSubrange(start..<start + 3000, with: row)
            }
        case .text:
            let text = [UInt8]("nothing of this is random, and all of it is text; ".utf8)
            for index in 1_000_000..<1_200_000 { bytes[index] = text[index % text.count] }
        case .digits:
            for index in bytes.indices { bytes[index] = 48 + bytes[index] % 10 }
        case .samples:
            // Sound: the upper byte of each pair says little.
            for index in stride(from: 1, to: bytes.count, by: 2) { bytes[index] &= 15 }
        case .records:
            // Rows of 16 bytes, of which 64 different ones are there.
            let rows = Array(bytes[0..<1024])
            for start in stride(from: 1024, to: bytes.count - 16, by: 16) {
                let row = Int(bytes[start]) % 64 * 16
                bytes.replaceSubrange(start..<start + 16, with: rows[row..<row + 16])
            }
        case .everyValue:
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index * 7) }
        }
        return bytes
    }

    @Test(
        "a sample finds what is worth compressing, wherever it hides", arguments: Hidden.allCases)
    func found(hidden: Hidden) throws {
        for seed in UInt64(0)..<2 {
            let plain = bytes(hidden, seed: seed)
            #expect(!isIncompressible(plain), "\(hidden), seed \(seed)")
            // The compressor may miss what the sample finds; it is asked in any case.
            let stream = Brotli.compress(plain.span, quality: .fast)
            let isWhole = stream.elementsEqual(Brotli.compressAll(plain.span, quality: .fast))
            #expect(isWhole, "\(hidden), seed \(seed)")
        }
    }

    @Test("autonomi's quality is given to the compressor whole")
    func referenceQuality() {
        let plain = random(1 << 20, seed: 3)
        let stream = Brotli.compress(plain.span, quality: .autonomi)
        let whole = Brotli.compressAll(plain.span, quality: .autonomi)
        let isSame = stream.elementsEqual(whole)
        #expect(isSame)
    }
}
