// SPDX-License-Identifier: Apache-2.0
//
// Ed25519: the vectors of RFC 8032, forgeries, and keys nobody may use.

import Cryptography
import Primitives
import TestSupport
import Testing

private func isValid(_ signature: [UInt8], _ message: [UInt8], _ publicKey: [UInt8]) -> Bool {
    Ed25519.isValid(signature: signature, message: message.span, publicKey: publicKey)
}

@Suite("Ed25519")
struct Ed25519Tests {
    @Test(
        "keys and signatures are those of RFC 8032 §7.1",
        arguments: [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                    + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                    + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                    + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
            (
                "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
                    + "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
            ),
        ])
    func vectors(seed: String, publicKey: String, message: String, signature: String) throws {
        let pair = Ed25519KeyPair(seed: SecretBytes(try hex(seed)))
        let message = try hex(message)
        #expect(Hex.encode(pair.publicKey) == publicKey)
        let made = pair.sign(message.span)
        #expect(Hex.encode(made) == signature)
        #expect(isValid(made, message, pair.publicKey))
    }

    @Test("a signature holds for its message and key only", arguments: UInt64(0)..<20)
    func forgeries(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let pair = Ed25519KeyPair(seed: SecretBytes(dice.bytes(32)))
        let message = dice.bytes(1 + Int(dice.number() % 200))
        let signature = pair.sign(message.span)
        #expect(isValid(signature, message, pair.publicKey), "seed \(seed)")
        #expect(!isValid(flippingBit(of: signature, using: &dice), message, pair.publicKey))
        #expect(!isValid(signature, flippingBit(of: message, using: &dice), pair.publicKey))
        #expect(!isValid(signature, message, flippingBit(of: pair.publicKey, using: &dice)))
        #expect(!isValid(signature, message + [0], pair.publicKey))
    }

    @Test("one message has one signature")
    func isDeterministic() {
        let message = sunscreen
        let pair = Ed25519KeyPair(seed: SecretBytes(randomCount: 32))
        let first = pair.sign(message.span)
        let second = pair.sign(message.span)
        #expect(first == second)
    }

    @Test(
        "signatures and keys of another size are invalid, not a trap",
        arguments: [0, 1, 31, 33, 63, 65])
    func refusesSizes(count: Int) {
        let message = sunscreen
        let pair = Ed25519KeyPair(seed: SecretBytes(randomCount: 32))
        let signature = pair.sign(message.span)
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(!isValid(bytes, message, pair.publicKey))
        #expect(!isValid(signature, message, bytes))
    }

    @Test("adding the group's order to a signature does not give another valid one")
    func refusesMalleability() throws {
        let message = sunscreen
        let pair = Ed25519KeyPair(seed: SecretBytes(randomCount: 32))
        var signature = pair.sign(message.span)
        // The order, 2^252 + 27742317777372353535851937790883648493, lowest byte first.
        let order = try hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var carry = 0
        for index in 0..<32 {
            carry += Int(signature[32 + index]) + Int(order[index])
            signature[32 + index] = UInt8(truncatingIfNeeded: carry)
            carry >>= 8
        }
        #expect(!isValid(signature, message, pair.publicKey))
    }

    @Test(
        "a public key of small order is refused, whatever the signature",
        arguments: [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ])
    func refusesSmallOrder(publicKey: String) throws {
        // With the neutral element as key, this would verify for every message.
        let signature = try hex(
            "0100000000000000000000000000000000000000000000000000000000000000"
                + "0000000000000000000000000000000000000000000000000000000000000000")
        #expect(!isValid(signature, sunscreen, try hex(publicKey)))
    }

    @Test("a seed of another size is a mistake, and traps")
    func seedSizeTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = Ed25519KeyPair(seed: SecretBytes([1, 2, 3]))
        }
    }
}
