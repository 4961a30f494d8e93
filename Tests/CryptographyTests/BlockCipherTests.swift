// SPDX-License-Identifier: Apache-2.0
//
// The cipher of local blocks: NIST's vectors, tampering, and many threads under one key.

import Cryptography
import Primitives
import TestSupport
import Testing

extension BlockCipher {
    fileprivate func seal(_ plain: [UInt8], nonce: [UInt8]) -> (sealed: [UInt8], tag: [UInt8]) {
        var sealed = [UInt8](repeating: 0xEE, count: plain.count)
        var tag = [UInt8](repeating: 0xEE, count: BlockCipher.tagSize)
        var sealedSpan = sealed.mutableSpan
        var tagSpan = tag.mutableSpan
        seal(plain.span, nonce: nonce.span, into: &sealedSpan, tag: &tagSpan)
        return (sealed, tag)
    }

    fileprivate func open(
        _ sealed: [UInt8], nonce: [UInt8], tag: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        var plain = [UInt8](repeating: 0xEE, count: sealed.count)
        var span = plain.mutableSpan
        try open(sealed.span, nonce: nonce.span, tag: tag.span, into: &span)
        return plain
    }
}

@Suite("Block cipher")
struct BlockCipherTests {
    @Test(
        "it is AES-256-GCM: the published test cases without associated data hold",
        arguments: [
            (
                String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", "",
                "530f8afbc74536b9a963b4f1c4cb738b"
            ),
            (
                String(repeating: "00", count: 32), String(repeating: "00", count: 12),
                String(repeating: "00", count: 16), "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919"
            ),
            (
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                    + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                    + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
                "b094dac5d93471bdec1a502270e3cc6c"
            ),
        ])
    func vectors(key: String, nonce: String, plain: String, sealed: String, tag: String) throws {
        let cipher = try BlockCipher(key: SecretBytes(try hex(key)))
        let result = cipher.seal(try hex(plain), nonce: try hex(nonce))
        #expect(Hex.encode(result.sealed) == sealed)
        #expect(Hex.encode(result.tag) == tag)
        let opened = try cipher.open(result.sealed, nonce: try hex(nonce), tag: result.tag)
        #expect(Hex.encode(opened) == plain)
    }

    @Test(
        "blocks of any size come back, one after the other in any order", arguments: UInt64(0)..<30)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let cipher = try BlockCipher(key: SecretBytes(dice.bytes(32)))
        let blocks = (0..<5).map { _ in
            (plain: dice.bytes(Int(dice.number() % 20_000)), nonce: dice.bytes(12))
        }
        let sealed = blocks.map { cipher.seal($0.plain, nonce: $0.nonce) }
        for index in blocks.indices.shuffled(using: &dice) {
            let opened = try cipher.open(
                sealed[index].sealed, nonce: blocks[index].nonce, tag: sealed[index].tag)
            #expect(opened == blocks[index].plain, "seed \(seed)")
        }
    }

    @Test(
        "nothing opens after one bit was changed, and no plaintext is left",
        arguments: UInt64(0)..<40)
    func tampering(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let cipher = try BlockCipher(key: SecretBytes(dice.bytes(32)))
        let nonce = dice.bytes(12)
        let plain = dice.bytes(1 + Int(dice.number() % 3000))
        let (sealed, tag) = cipher.seal(plain, nonce: nonce)
        for (sealed, nonce, tag) in [
            (flippingBit(of: sealed, using: &dice), nonce, tag),
            (sealed, flippingBit(of: nonce, using: &dice), tag),
            (sealed, nonce, flippingBit(of: tag, using: &dice)),
        ] {
            var output = [UInt8](repeating: 0xEE, count: sealed.count)
            #expect(throws: CryptographyError.authenticationFailed, "seed \(seed)") {
                var span = output.mutableSpan
                try cipher.open(sealed.span, nonce: nonce.span, tag: tag.span, into: &span)
            }
            #expect(output.allSatisfy { $0 == 0 }, "seed \(seed)")
        }
        // The failures spoil nothing.
        let opened = try cipher.open(sealed, nonce: nonce, tag: tag)
        #expect(opened == plain)
    }

    @Test("another key opens nothing")
    func otherKey() throws {
        let nonce = [UInt8](repeating: 1, count: 12)
        let (sealed, tag) = try BlockCipher(key: SecretBytes(randomCount: 32))
            .seal(sunscreen, nonce: nonce)
        let other = try BlockCipher(key: SecretBytes(randomCount: 32))
        #expect(throws: CryptographyError.authenticationFailed) {
            try other.open(sealed, nonce: nonce, tag: tag)
        }
    }

    @Test("threads that share a cipher never mix their blocks")
    func threads() async throws {
        let cipher = try BlockCipher(key: SecretBytes(randomCount: 32))
        await withTaskGroup(of: Bool.self) { group in
            for task in UInt8(0)..<16 {
                group.addTask {
                    let plain = [UInt8](repeating: task, count: 4096)
                    return (UInt8(0)..<50).allSatisfy { round in
                        let nonce = [task, round] + [UInt8](repeating: 0, count: 10)
                        let (sealed, tag) = cipher.seal(plain, nonce: nonce)
                        do {
                            return try cipher.open(sealed, nonce: nonce, tag: tag) == plain
                        } catch {
                            return false
                        }
                    }
                }
            }
            for await isRight in group {
                #expect(isRight)
            }
        }
    }

    @Test("a key of another size is refused", arguments: [0, 16, 31, 33])
    func keySizes(count: Int) {
        #expect(throws: CryptographyError.invalidKey) {
            try BlockCipher(key: SecretBytes(randomCount: count))
        }
    }

    @Test("an output or nonce of another size is a mistake, and traps")
    func sizesTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = try BlockCipher(key: SecretBytes(randomCount: 32)).seal([1, 2], nonce: [3])
        }
        await #expect(processExitsWith: .failure) {
            let cipher = try BlockCipher(key: SecretBytes(randomCount: 32))
            let nonce = [UInt8](repeating: 0, count: 12)
            var short = [UInt8](repeating: 0, count: 3)
            var tag = [UInt8](repeating: 0, count: 16)
            var output = short.mutableSpan
            var tagSpan = tag.mutableSpan
            cipher.seal(nonce.span, nonce: nonce.span, into: &output, tag: &tagSpan)
        }
    }
}
