// SPDX-License-Identifier: Apache-2.0
//
// Accounts, the forms their keys come in, and what is sealed for them.

import AlephProtocol
import Cryptography
import JSON
import Primitives
import Testing

struct AccountTests {
    private let vectors: JSONValue

    init() throws {
        vectors = try VectorFile.read("accounts")
    }

    private func read(_ text: String) throws -> AccountKeyText {
        try AccountKeyText(Array(text.utf8))
    }

    @Test("a key makes the address that other clients make of it")
    func addresses() throws {
        #expect(TestAccount.solana.address == vectors["SOL"]?["address_base58"]?.string)
        #expect(TestAccount.ethereum.address == vectors["ETH"]?["address"]?.string)
        let compressed = try #require(vectors["ETH"]).bytes("public_key_compressed_hex")
        let key = try #require(Secp256k1.publicKey(compressed))
        #expect(TestAccount.ethereum.recipient == "0x" + Hex.encode(key))
    }

    @Test("one key is read from all forms that programs keep it in")
    func forms() throws {
        let seed = try #require(vectors["SOL"]).bytes("seed_hex")
        let publicKey = try #require(vectors["SOL"]).bytes("ed25519_public_key_hex")
        let numbers = (seed + publicKey).map { "\($0)" }.joined(separator: ", ")
        let forms: [(AccountKeyText.Form, AccountKeyText)] = [
            (.raw, try AccountKeyText(seed)),
            (.numbers, try read("[\(numbers)]\n")),
            (.numbers, try read("[" + seed.map { "\($0)" }.joined(separator: ",") + "]")),
            (.base58, try read(try #require(vectors["SOL"]).text("phantom_export_base58") + "\n")),
            (.base58, try read(Base58.encode(seed))),
            (.hex, try read(Hex.encode(seed))),
            (.hex, try read("  0x" + Hex.encode(seed).uppercased() + "\n")),
        ]
        for (form, key) in forms {
            #expect(key.form == form)
            #expect(
                try AlephAccount(secret: key.secret, chain: .solana).address
                    == TestAccount.solana.address)
        }
    }

    @Test(
        "what is no key is refused",
        arguments: [
            "", "[]", "[1,2,3]", "[256\(String(repeating: ",1", count: 31))]", "0x12", "hello",
            String(repeating: "f", count: 66), "[1.5\(String(repeating: ",1", count: 31))]",
            String(repeating: "1", count: 5000), "{\"key\":1}",
        ])
    func noKey(text: String) {
        #expect(throws: AlephProtocolError.malformedKey) { try read(text) }
    }

    @Test("a public key that is not the secret's is noticed")
    func mixedUp() throws {
        let seed = try #require(vectors["SOL"]).bytes("seed_hex")
        let other = [UInt8](repeating: 7, count: 32)
        #expect(throws: AlephProtocolError.malformedKey) {
            try read(Base58.encode(seed + other))
        }
    }

    @Test("a secret of zeros is no Ethereum key")
    func zero() {
        #expect(throws: AlephProtocolError.malformedKey) {
            try AlephAccount(
                secret: SecretBytes([UInt8](repeating: 0, count: 32)), chain: .ethereum)
        }
        #expect(throws: AlephProtocolError.unsupportedChain("DOT")) {
            try AlephAccount(
                secret: SecretBytes(randomCount: 32), chain: AlephChain(name: "DOT"))
        }
    }

    @Test("a volume's accounts are fixed for ever, and apart from each other")
    func derived() throws {
        let seed = SecretBytes([UInt8](repeating: 1, count: 32))
        let solana = try AlephAccount(derivingFrom: seed, chain: .solana)
        let ethereum = try AlephAccount(derivingFrom: seed, chain: .ethereum)
        #expect(solana.address == "DMmikSJt89ZkGr7Asu8bP2HPEjYJLE4acZAVBBgdD8ez")
        #expect(ethereum.address == "0xD14dFA41a3bfcF73dCea0523d2e15CC946a1707C")
        #expect(
            try AlephAccount(derivingFrom: SecretBytes(randomCount: 32), chain: .solana).address
                != solana.address)
    }

    @Test("addresses of both kinds are told apart, and bad ones refused")
    func texts() {
        #expect(AlephAddress(TestAccount.solana.address)?.text == TestAccount.solana.address)
        let ethereum = TestAccount.ethereum.address
        #expect(AlephAddress(ethereum.lowercased())?.text == ethereum)
        // One wrong capital is a wrong address.
        #expect(AlephAddress("0x6370EF2f4Db3611D657b90667De398a2Cc2a370C") == nil)
        for wrong in ["", "0x", "nobody", "0x6370eF2f4Db3611D657b90667De398a2Cc2a37", "I0Ol"] {
            #expect(AlephAddress(wrong) == nil)
        }
    }
}

struct SealingTests {
    private let vectors: JSONValue

    init() throws {
        vectors = try VectorFile.read("encryption")
    }

    @Test("sealed boxes are libsodium's, byte for byte")
    func boxes() throws {
        let boxes = try #require(vectors["sol_sealed_box"]?["vectors"]?.array)
        #expect(boxes.count == 3)
        for box in boxes {
            let publicKey = try box.bytes("ed25519_pk_hex")
            #expect(try SealedBox.agreementKey(publicKey) == box.bytes("x25519_pk_hex"))
            let seed = SecretBytes(try box.bytes("ed25519_seed_hex"))
            #expect(
                try SealedBox.agreementSecret(seed) == SecretBytes(box.bytes("x25519_sk_hex")))
            let plain = try box.bytes("plaintext_hex")
            let ephemeral = SecretBytes(try box.bytes("ephemeral_sk_hex"))
            let sealed = try SealedBox.seal(plain.span, to: publicKey, ephemeral: ephemeral)
            #expect(sealed == (try box.bytes("sealed_hex")))
            #expect(
                try TestAccount.solana.open(box.bytes("sealed_hex")) == box.bytes("plaintext_hex"))
        }
    }

    @Test("ECIES messages are eciespy's, byte for byte, and all of them open")
    func ecies() throws {
        let messages = try #require(vectors["secp256k1_eciespy_default"]?["vectors"]?.array)
        #expect(messages.count == 5)
        var sealedCount = 0
        for message in messages {
            let key = try Secp256k1Key(SecretBytes(try message.bytes("receiver_sk_hex")))
            let plain = try message.bytes("plaintext_hex")
            #expect(try ECIES.open(message.bytes("ciphertext_hex"), with: key) == plain)
            guard message["ephemeral_sk_hex"] != nil else { continue }
            sealedCount += 1
            #expect(key.publicKey == (try message.bytes("receiver_pk_uncompressed_hex")))
            let ephemeral = try Secp256k1Key(SecretBytes(try message.bytes("ephemeral_sk_hex")))
            #expect(
                try ephemeral.sharedPoint(with: key.publicKey)
                    == message.bytes("shared_point_uncompressed_hex"))
            #expect(
                SHA2.hkdfSHA256(try message.bytes("hkdf_ikm_hex"), count: 32)
                    == (try message.bytes("aes_key_hex")))
            for form in ["receiver_pk_compressed_hex", "receiver_pk_uncompressed_hex"] {
                let recipient = try message.bytes(form)
                let nonce = try message.bytes("nonce16_hex")
                let sealed = try ECIES.seal(
                    plain.span, to: recipient, ephemeral: ephemeral, nonce: nonce)
                #expect(sealed == (try message.bytes("ciphertext_hex")))
            }
        }
        #expect(sealedCount == 4)
    }

    @Test("what is sealed for an account opens there and nowhere else", arguments: [0, 1, 5000])
    func roundTrip(size: Int) throws {
        let plain = [UInt8](repeating: 7, count: size)
        for account in [TestAccount.solana, TestAccount.ethereum] {
            let recipient = try Recipient(account.recipient)
            #expect(recipient.address == account.address)
            let sealed = try recipient.seal(plain)
            #expect(sealed.count == size + recipient.overhead)
            #expect(try account.open(sealed) == plain)
            #expect(sealed != (try recipient.seal(plain)))
            let other = TestAccount.numbered(3, chain: account.chain)
            #expect(throws: CryptographyError.authenticationFailed) { try other.open(sealed) }
        }
    }

    @Test("no byte of a sealed message can be changed, and none be missing")
    func tampered() throws {
        for account in [TestAccount.solana, TestAccount.ethereum] {
            let sealed = try Recipient(account.recipient).seal(Array("hello".utf8))
            for index in sealed.indices {
                var changed = sealed
                changed[index] ^= 1
                #expect(throws: CryptographyError.authenticationFailed, "\(index)") {
                    try account.open(changed)
                }
            }
            for count in 0..<sealed.count {
                #expect(throws: CryptographyError.authenticationFailed) {
                    try account.open(Array(sealed.prefix(count)))
                }
            }
        }
    }

    @Test(
        "what nobody can read is not sealed",
        arguments: [
            "", "nobody", "11111111111111111111111111111111", TestAccount.ethereum.address,
            "0x04" + String(repeating: "00", count: 64),
        ])
    func noRecipient(text: String) {
        #expect(throws: AlephProtocolError.malformedRecipient) { try Recipient(text) }
    }
}
