// SPDX-License-Identifier: Apache-2.0
//
// Keccak-256 and Ethereum's addresses, against published values.

import Cryptography
import Primitives
import Testing

struct EthereumTests {
    @Test(
        "Keccak-256 has its known digests",
        arguments: [
            ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            (
                "The quick brown fox jumps over the lazy dog",
                "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"
            ),
        ])
    func keccak(text: String, digest: String) {
        #expect(Hex.encode(Keccak256.hash(Array(text.utf8))) == digest)
    }

    @Test("Keccak-256 differs from itself at every length around its block")
    func keccakLengths() {
        let digests = (130...280).map { Keccak256.hash([UInt8](repeating: 1, count: $0)) }
        #expect(Set(digests).count == digests.count)
    }

    @Test(
        "addresses have the capitals of EIP-55",
        arguments: [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ])
    func addresses(text: String) {
        #expect(Ethereum.address(text) == text)
        #expect(Ethereum.address(text.lowercased()) == text)
        #expect(Ethereum.address("0x" + text.dropFirst(2).uppercased()) == text)
        let digits = Array(text)
        for index in digits.indices.dropFirst(2) where digits[index].isLetter {
            var changed = digits
            changed[index] = Character(
                changed[index].isUppercase
                    ? changed[index].lowercased() : changed[index].uppercased())
            #expect(Ethereum.address(String(changed)) == nil)
        }
    }

    @Test("a signature gives back its signer, and a changed one or message another or none")
    func signatures() throws {
        let key = try Secp256k1Key(SecretBytes([UInt8](repeating: 5, count: 32)))
        let address = Ethereum.address(publicKey: key.publicKey)
        let message = Array("hello".utf8)
        let signature = Ethereum.sign(message: message, with: key)
        #expect([27, 28].contains(signature[64]))
        #expect(Ethereum.sign(message: message, with: key) == signature)
        #expect(Ethereum.signer(ofMessage: message, signature: signature) == address)
        var short = signature
        short[64] -= 27
        #expect(Ethereum.signer(ofMessage: message, signature: short) == address)
        #expect(Ethereum.signer(ofMessage: Array("hellO".utf8), signature: signature) != address)
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(Ethereum.signer(ofMessage: message, signature: changed) != address)
        }
        for hostile in [[], [UInt8](repeating: 0, count: 65), [UInt8](repeating: 255, count: 65)] {
            #expect(Ethereum.signer(ofMessage: message, signature: hostile) == nil)
        }
    }

    @Test("a public key is read in both forms, and what is no point of the curve is not")
    func points() throws {
        let key = try Secp256k1Key(SecretBytes([UInt8](repeating: 5, count: 32)))
        let short = [key.publicKey[64] % 2 == 0 ? 2 : 3] + key.publicKey[1...32]
        #expect(Secp256k1.publicKey(short) == key.publicKey)
        #expect(Secp256k1.publicKey(key.publicKey) == key.publicKey)
        #expect(Secp256k1.publicKey([4] + [UInt8](repeating: 1, count: 64)) == nil)
        #expect(Secp256k1.publicKey([]) == nil)
        #expect(throws: CryptographyError.invalidKey) {
            try key.sharedPoint(with: [UInt8](repeating: 0, count: 65))
        }
    }

    @Test("secrets out of range are no keys")
    func range() {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
        for hex in [order, String(repeating: "0", count: 64), String(repeating: "f", count: 64)] {
            #expect(throws: CryptographyError.invalidKey) {
                try Secp256k1Key(SecretBytes(Hex.decode(hex) ?? []))
            }
        }
        #expect(throws: CryptographyError.invalidKey) {
            try Secp256k1Key(SecretBytes([1, 2, 3]))
        }
    }

    @Test("HKDF gives what RFC 5869 says for no salt")
    func hkdf() {
        let key = SHA2.hkdfSHA256([UInt8](repeating: 0x0B, count: 22), count: 42)
        #expect(
            Hex.encode(key)
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                + "9d201395faa4b61a96c8")
    }

    @Test("SHA-256 in pieces is SHA-256, and a copy goes its own way")
    func pieces() {
        var hasher = SHA256Hasher()
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        hasher.update(bytes.span.extracting(0..<333))
        var copy = hasher
        hasher.update(bytes.span.extracting(333..<1000))
        #expect(hasher.finalize() == SHA2.sha256(bytes))
        #expect(hasher.finalize() == SHA2.sha256(bytes))
        copy.update([1].span)
        #expect(copy.finalize() == SHA2.sha256(Array(bytes.prefix(333)) + [1]))
    }
}
