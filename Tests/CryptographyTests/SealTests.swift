// SPDX-License-Identifier: Apache-2.0
//
// Sealing whole messages: published vectors, round trips, and every way not to open.

import Cryptography
import Primitives
import TestSupport
import Testing

/// One of the two message ciphers, with its calls on arrays.
private enum MessageCipher: CaseIterable {
    case chaCha, xChaCha

    var nonceSize: Int {
        self == .chaCha ? ChaCha20Poly1305.nonceSize : XChaCha20Poly1305.nonceSize
    }

    func seal(_ plain: [UInt8], key: [UInt8], nonce: [UInt8], aad: [UInt8]) -> [UInt8] {
        switch self {
        case .chaCha:
            ChaCha20Poly1305.seal(plain.span, key: key, nonce: nonce, aad: aad.span)
        case .xChaCha:
            XChaCha20Poly1305.seal(
                plain.span, key: SecretBytes(key), nonce24: nonce, aad: aad.span)
        }
    }

    func open(
        _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], aad: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        switch self {
        case .chaCha:
            try ChaCha20Poly1305.open(sealed.span, key: key, nonce: nonce, aad: aad.span)
        case .xChaCha:
            try XChaCha20Poly1305.open(
                sealed.span, key: SecretBytes(key), nonce24: nonce, aad: aad.span)
        }
    }
}

@Suite("Sealed messages")
struct SealTests {
    @Test("ChaCha20-Poly1305 seals as RFC 8439 §2.8.2 says")
    func rfc8439Seal() throws {
        let sealed = MessageCipher.chaCha.seal(
            sunscreen, key: [UInt8](0x80...0x9F), nonce: try hex("070000004041424344454647"),
            aad: try hex("50515253c0c1c2c3c4c5c6c7"))
        #expect(
            Hex.encode(sealed)
                == "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                + "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                + "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                + "3ff4def08e4b7a9de576d26586cec64b6116" + "1ae10b594f09e26a7e902ecbd0600691")
    }

    @Test("in place it is the same message, and one that was changed leaves nothing behind")
    func inPlace() throws {
        let key = [UInt8](0x80...0x9F)
        let nonce = [UInt8](0..<12)
        for size in [0, 1, 15, 16, 17, 63, 64, 65, 4096, 100_003] {
            let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            let sealed = MessageCipher.chaCha.seal(plain, key: key, nonce: nonce, aad: [])
            var message = plain
            ChaCha20Poly1305.seal(inPlace: &message, key: key, nonce: nonce)
            #expect(message == sealed, "\(size) bytes")
            try ChaCha20Poly1305.open(inPlace: &message, key: key, nonce: nonce)
            #expect(message == plain, "\(size) bytes")
            for place in [0, size / 2, size, size + 15] {
                var changed = sealed
                changed[place] ^= 0x10
                #expect(throws: CryptographyError.authenticationFailed) {
                    try ChaCha20Poly1305.open(inPlace: &changed, key: key, nonce: nonce)
                }
                #expect(changed.isEmpty)
            }
        }
        var short = [UInt8](repeating: 1, count: 15)
        #expect(throws: CryptographyError.authenticationFailed) {
            try ChaCha20Poly1305.open(inPlace: &short, key: key, nonce: nonce)
        }
        #expect(short.isEmpty)
    }

    @Test("ChaCha20-Poly1305 opens as RFC 8439 appendix A.5 says")
    func rfc8439Open() throws {
        let plain = try MessageCipher.chaCha.open(
            try hex(
                "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
                    + "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
                    + "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
                    + "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
                    + "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
                    + "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
                    + "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
                    + "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
                    + "a6ad5cb4022b02709b" + "eead9d67890cbb22392336fea1851f38"),
            key: try hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
            nonce: try hex("000000000102030405060708"), aad: try hex("f33388860000000000004e91"))
        let text = String(decoding: plain, as: UTF8.self)
        #expect(text.hasPrefix("Internet-Drafts are draft documents valid for a maximum of six"))
        #expect(text.hasSuffix("or to cite them other than as /“work in progress./”"))
    }

    @Test("XChaCha20-Poly1305 seals as draft-irtf-cfrg-xchacha appendix A.3.1 says")
    func xchachaSeal() throws {
        let sealed = MessageCipher.xChaCha.seal(
            sunscreen, key: [UInt8](0x80...0x9F), nonce: [UInt8](0x40...0x57),
            aad: try hex("50515253c0c1c2c3c4c5c6c7"))
        #expect(
            Hex.encode(sealed)
                == "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                + "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                + "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                + "21f9664c97637da9768812f615c68b13b52e" + "c0875924c1c7987947deafd8780acf49")
    }

    @Test("what was sealed opens, and is longer by the tag", arguments: UInt64(0)..<60)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        for cipher in MessageCipher.allCases {
            let plain = dice.bytes(Int(dice.number() % 5000))
            let aad = dice.bytes(Int(dice.number() % 100))
            let key = dice.bytes(32)
            let nonce = dice.bytes(cipher.nonceSize)
            let sealed = cipher.seal(plain, key: key, nonce: nonce, aad: aad)
            #expect(sealed.count == plain.count + 16)
            let opened = try cipher.open(sealed, key: key, nonce: nonce, aad: aad)
            #expect(opened == plain, "seed \(seed), \(cipher)")
        }
    }

    @Test("nothing opens after one bit of anything was changed", arguments: UInt64(0)..<60)
    func tampering(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        for cipher in MessageCipher.allCases {
            let aad = dice.bytes(1 + Int(dice.number() % 50))
            let key = dice.bytes(32)
            let nonce = dice.bytes(cipher.nonceSize)
            let sealed = cipher.seal(
                dice.bytes(Int(dice.number() % 500)), key: key, nonce: nonce, aad: aad)
            let short = Array(sealed.prefix(Int.random(in: 0..<sealed.count, using: &dice)))
            let changedSealed = flippingBit(of: sealed, using: &dice)
            let changedKey = flippingBit(of: key, using: &dice)
            let changedNonce = flippingBit(of: nonce, using: &dice)
            let changedData = flippingBit(of: aad, using: &dice)
            for (sealed, key, nonce, aad) in [
                (changedSealed, key, nonce, aad), (sealed, changedKey, nonce, aad),
                (sealed, key, changedNonce, aad), (sealed, key, nonce, changedData),
                (sealed, key, nonce, []), (short, key, nonce, aad),
                (sealed + [0], key, nonce, aad), ([], key, nonce, aad),
            ] {
                #expect(throws: CryptographyError.authenticationFailed, "seed \(seed), \(cipher)") {
                    try cipher.open(sealed, key: key, nonce: nonce, aad: aad)
                }
            }
        }
    }

    @Test("the key may come as an array or from locked memory")
    func keyForms() throws {
        var dice = SeededGenerator(seed: 5)
        let plain = dice.bytes(100)
        let key = dice.bytes(32)
        let nonce = dice.bytes(24)
        let sealed = XChaCha20Poly1305.seal(plain.span, key: key, nonce24: nonce)
        let again = XChaCha20Poly1305.seal(plain.span, key: SecretBytes(key), nonce24: nonce)
        #expect(sealed == again)
        let opened = try XChaCha20Poly1305.open(sealed.span, key: key, nonce24: nonce)
        #expect(opened == plain)
    }

    @Test("a key or nonce of another size is a mistake, and traps")
    func sizesTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = ChaCha20Poly1305.seal(Span(), key: [1], nonce: [UInt8](repeating: 0, count: 12))
        }
        await #expect(processExitsWith: .failure) {
            _ = XChaCha20Poly1305.seal(
                Span(), key: [UInt8](repeating: 0, count: 32), nonce24: [1, 2])
        }
    }
}

@Suite("AES-128-CBC")
struct AES128CBCTests {
    @Test("the vector of NIST SP 800-38A F.2.1 holds, with the padding behind it")
    func nistVector() throws {
        let key = try hex("2b7e151628aed2a6abf7158809cf4f3c")
        let iv = [UInt8](0...15)
        let plain = try hex(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
        let encrypted = AES128CBC.encrypt(plain.span, key: key, iv: iv)
        #expect(
            Hex.encode(encrypted)
                == "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
                + "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
                + "8cb82807230e1321d3fae00d18cc2012")
        let decrypted = try AES128CBC.decrypt(encrypted.span, key: key, iv: iv)
        #expect(decrypted == plain)
    }

    @Test("messages of every length come back, padded to the next block", arguments: 0...49)
    func roundTrip(count: Int) throws {
        var dice = SeededGenerator(seed: UInt64(count))
        let plain = dice.bytes(count)
        let key = dice.bytes(16)
        let iv = dice.bytes(16)
        let encrypted = AES128CBC.encrypt(plain.span, key: key, iv: iv)
        #expect(encrypted.count == (count / 16 + 1) * 16)
        let decrypted = try AES128CBC.decrypt(encrypted.span, key: key, iv: iv)
        #expect(decrypted == plain)
    }

    @Test(
        "a message that is no whole number of blocks, or none, is refused",
        arguments: [0, 1, 15, 17, 31])
    func refusesSizes(count: Int) {
        let bytes = [UInt8](repeating: 3, count: count)
        let key = [UInt8](repeating: 1, count: 16)
        #expect(throws: CryptographyError.authenticationFailed) {
            try AES128CBC.decrypt(bytes.span, key: key, iv: key)
        }
    }

    @Test("padding that encryption does not make is refused")
    func refusesPadding() {
        let key = [UInt8](repeating: 7, count: 16)
        let zeros = [UInt8](repeating: 0, count: 16)
        // The last of two blocks alone ends in 16 bytes of 16; under another vector it does not.
        let encrypted = Array(AES128CBC.encrypt(zeros.span, key: key, iv: zeros).suffix(16))
        #expect(throws: CryptographyError.authenticationFailed) {
            try AES128CBC.decrypt(encrypted.span, key: key, iv: key)
        }
        // A failure leaves nothing behind that spoils the next call.
        let again = AES128CBC.encrypt(zeros.span, key: key, iv: zeros)
        #expect(again.suffix(16) == encrypted[...])
    }

    @Test(
        "random bytes decrypt to no more than themselves or are refused", arguments: UInt64(0)..<100
    )
    func hostileBytes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.bytes(16 * (1 + Int(dice.number() % 20)))
        do {
            let key = dice.bytes(16)
            let plain = try AES128CBC.decrypt(bytes.span, key: key, iv: key)
            #expect(plain.count < bytes.count, "seed \(seed)")
        } catch {
            #expect(error == .authenticationFailed, "seed \(seed)")
        }
    }
}
