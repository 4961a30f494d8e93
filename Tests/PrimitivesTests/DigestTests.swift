// SPDX-License-Identifier: Apache-2.0
//
// What a digest promises: exact size, one text, the order of its bytes.

import Primitives
import TestSupport
import Testing

@Suite("Digest")
struct DigestTests {
    @Test("a digest gives back the bytes it was made of", arguments: UInt64(0)..<32)
    func keepsBytes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.bytes(Digest.byteCount)
        for algorithm in DigestAlgorithm.allCases {
            let digest = Digest(bytes, algorithm: algorithm)
            #expect(digest?.bytes == bytes, "seed \(seed)")
            #expect(digest?.algorithm == algorithm, "seed \(seed)")
            #expect(digest.flatMap { Digest(hex: $0.hex, algorithm: algorithm) } == digest)
        }
    }

    @Test("bytes of any other number are no digest", arguments: [0, 1, 31, 33, 64])
    func refusesOtherSizes(count: Int) {
        #expect(Digest([UInt8](repeating: 7, count: count)) == nil)
        #expect(Digest(hex: String(repeating: "07", count: count)) == nil)
    }

    @Test("the text of a digest is 64 lower-case digits, and is read in either case")
    func textForm() {
        let text = "00112233445566778899aabbccddeeff0123456789abcdef0f1e2d3c4b5a6978"
        let digest = Digest(hex: text)
        #expect(digest?.hex == text)
        #expect(digest?.description == text)
        #expect(Digest(hex: text.uppercased()) == digest)
        #expect(Digest(hex: text.dropLast() + "g") == nil)
    }

    @Test("digests are ordered as their bytes are", arguments: UInt64(0)..<200)
    func orderOfBytes(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let left = dice.bytes(Digest.byteCount)
        var right = dice.bytes(Digest.byteCount)
        // A common beginning of any length, so that every word decides sometimes.
        let common = Int.random(in: 0...Digest.byteCount, using: &dice)
        right.replaceSubrange(0..<common, with: left[0..<common])
        let leftDigest = try #require(Digest(left))
        let rightDigest = try #require(Digest(right))
        #expect(
            (leftDigest < rightDigest) == left.lexicographicallyPrecedes(right), "seed \(seed)")
        #expect((leftDigest == rightDigest) == (left == right), "seed \(seed)")
    }

    @Test("equal bytes under two algorithms are two digests, in a fixed order")
    func algorithmsDiffer() throws {
        let bytes = [UInt8](repeating: 9, count: Digest.byteCount)
        let blake = try #require(Digest(bytes, algorithm: .blake3))
        let sha = try #require(Digest(bytes, algorithm: .sha3))
        #expect(blake != sha)
        #expect(blake < sha && !(sha < blake))
        #expect(Set([blake, sha, blake]).count == 2)
    }

    @Test("a digest takes no more memory than its bytes and a tag")
    func isCompact() {
        #expect(MemoryLayout<Digest>.stride <= 40)
    }
}
