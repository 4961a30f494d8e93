// SPDX-License-Identifier: Apache-2.0
//
// Signing and encrypting: what holds, and what hostile keys, signatures and ciphertexts get.

import BLS12381
import Cryptography
import Primitives
import TestSupport
import Testing

@Suite("BLS signatures and encryption")
struct SignatureTests {
    /// Secret key, public key, message, signature: made by blspy 2.0.3 (`BasicSchemeMPL`).
    @Test(
        "signatures are those of a third implementation",
        arguments: [
            [
                "472a033ad1ca4c9327b0a542d6d45e01da1d0c812b353ec3394c7f614b20ff37",
                "8c1a41fa05ff619c0553189c3dc16aeea26767f8dbe34c8b583fe4445d520a3f"
                    + "c54da3aa1f81f5919a06985ce73a902e", "",
                "924a8421a22ced09e24bebb91e5e5f880e5085a38a8c304818d1fecbd94c9e24"
                    + "bb3f5abad7e5ffeedea3caa8f8d4e59b02ef91fd29531f07ddb9d354fc98b6eb"
                    + "8897beeb15976aff0b90123406ff591d4ce471fc5aae17e4eb0946109c563f67",
            ],
            [
                "6e4c1ffb6b4ec718d5a9092790fc40bd278980736e9fa63670e800c3f908239d",
                "87459e625e2cf12cb0a2d520928a1b6fb81bc81a4f306b9f7e6563cab226d282"
                    + "1e38715f16820036c6e134e86501d761", "cairn ",
                "a4f18d9566b4edd9c3be889a593e9e0aafb0ce67bc59587584fd893404ce0a49"
                    + "80a34a70a57be8a3697555defde065df021468fdb66bc8e15573d550ee1400cb"
                    + "4119b3d97ef888e0e2158e8d5973a84b9cf38f09e3f133faae8eef10e435fd25",
            ],
            [
                "73d25d006ef452e83ed14dbb41b71eb19fa5aa5628eb7d8aff9052819786e5b0",
                "8fa7949b533630cf40bb6ee332dec8b333d9276a3e6200a597ef5be3542c9920"
                    + "7a71422bf1e9893c7359897556736715", "cairn cairn ",
                "87ab932a9c2f6719101f291584454b142e464db07fd0e86cb82628c2368b6f20"
                    + "aa62e396b4d9d4e8655637ca6a32489500312f195e49b1b723571672038eb7ad"
                    + "1262e59e35307e86e634a834a144a3acb53cdd90638895b8bdebcc45d9742f61",
            ],
        ])
    func thirdImplementation(vector: [String]) throws {
        let key = try secretKey(vector[0])
        #expect(Hex.encode(key.publicKey.bytes) == vector[1])
        #expect(Hex.encode(key.sign(Array(vector[2].utf8))) == vector[3])
    }

    @Test("a signature is valid for its key and message alone")
    func forgeries() throws {
        var dice = SeededGenerator(seed: 21)
        let (key, other) = (dice.secretKey(), dice.secretKey())
        let message = dice.bytes(100)
        let signature = key.sign(message)
        let publicKey = key.publicKey
        #expect(publicKey.isValid(signature: signature, message: message))
        #expect(!other.publicKey.isValid(signature: signature, message: message))
        #expect(!publicKey.isValid(signature: signature, message: Array(message.dropLast())))
        var negated = signature
        negated[0] ^= 0x20
        #expect(!publicKey.isValid(signature: negated, message: message))
        for bit in stride(from: 0, to: 8 * signature.count, by: 37) {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!publicKey.isValid(signature: changed, message: message), "bit \(bit)")
        }
        let infinity = [0xC0] + [UInt8](repeating: 0, count: 95)
        #expect(!publicKey.isValid(signature: infinity, message: message))
        #expect(!publicKey.isValid(signature: [], message: message))
        #expect(!publicKey.isValid(signature: signature + [0], message: message))
    }

    @Test("the point at infinity, points outside the group and other bytes are no keys")
    func badKeys() throws {
        #expect(BLSPublicKey([0xC0] + [UInt8](repeating: 0, count: 47)) == nil)
        #expect(BLSPublicKey([0x80] + [UInt8](repeating: 0, count: 46) + [4]) == nil)
        #expect(BLSPublicKey([]) == nil && BLSPublicKey([UInt8](repeating: 7, count: 48)) == nil)
        #expect(BLSSecretKey(SecretBytes([UInt8](repeating: 0, count: 32))) == nil)
        #expect(BLSSecretKey(SecretBytes([UInt8](repeating: 0xFF, count: 32))) == nil)
        #expect(BLSSecretKey(SecretBytes([UInt8](repeating: 1, count: 33))) == nil)
    }

    @Test(
        "what is encrypted to a key, that key decrypts",
        arguments: [1, 2, 63, 64, 65, 4095, 4096, 4097, 100_000])
    func encryption(size: Int) throws {
        var dice = SeededGenerator(seed: UInt64(size))
        let key = dice.secretKey()
        let plain = dice.bytes(size)
        let nonce = SecretBytes(dice.bytes(BLSPublicKey.nonceSize))
        let sealed = key.publicKey.encrypt(plain.span, nonce: nonce)
        #expect(sealed.count == size + BLSPublicKey.encryptionOverhead)
        #expect(try key.decrypt(sealed) == plain)
        #expect(try dice.secretKey().decrypt(sealed) != plain)
    }

    @Test("a changed ciphertext does not decrypt")
    func changedCiphertexts() throws {
        var dice = SeededGenerator(seed: 22)
        let key = dice.secretKey()
        let nonce = SecretBytes(dice.bytes(BLSPublicKey.nonceSize))
        for size in [20, 200] {
            let sealed = key.publicKey.encrypt(dice.bytes(size).span, nonce: nonce)
            for position in stride(from: 0, to: sealed.count, by: 13) {
                var changed = sealed
                changed[position] ^= 0x04
                #expect(throws: CryptographyError.authenticationFailed, "byte \(position)") {
                    try key.decrypt(changed)
                }
            }
            for count in [0, 47, 48, 143, 144] {
                #expect(throws: CryptographyError.authenticationFailed) {
                    try key.decrypt(Array(sealed.prefix(count)))
                }
            }
        }
        let infinities =
            [0xC0] + [UInt8](repeating: 0, count: 47) + [0xC0] + [UInt8](repeating: 0, count: 100)
        #expect(throws: CryptographyError.authenticationFailed) {
            try key.decrypt(infinities)
        }
    }
}
