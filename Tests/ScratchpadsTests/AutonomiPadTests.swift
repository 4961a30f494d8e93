// SPDX-License-Identifier: Apache-2.0
//
// Pads of the older Autonomi network: what another implementation made, and hostile bytes.

import Cryptography
import Foundation
import Primitives
import Scratchpads
import TestSupport
import Testing

/// `Vectors/bls_scratchpad.json`: made by py_ecc 8.0.0.
private struct PadVectors: Decodable {
    struct Case: Decodable {
        struct Encryption: Decodable {
            let plaintext: String
        }
        struct Pad: Decodable {
            let data_encoding: UInt64
            let counter: UInt64
            let encrypted_data: String
            let signed_bytes: String
            let signature: String
        }
        let sk: String
        let pk: String
        let encrypt: [Encryption]
        let scratchpad: [Pad]
    }
    let cases: [Case]

    static func read() throws -> [Case] {
        let url = try #require(
            Bundle.module.url(
                forResource: "bls_scratchpad", withExtension: "json", subdirectory: "Vectors"))
        return try JSONDecoder().decode(PadVectors.self, from: Data(contentsOf: url)).cases
    }
}

private func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }

private func key(_ last: UInt8) -> SecretBytes {
    SecretBytes([UInt8](repeating: 0, count: 31) + [last])
}

@Suite("Pads of the older Autonomi network")
struct AutonomiPadTests {
    @Test("records of another implementation are verified, opened, and read from every form")
    func vectors() throws {
        for vector in try PadVectors.read() {
            let secret = SecretBytes(try bytes(vector.sk))
            for (pad, encryption) in zip(vector.scratchpad, vector.encrypt) {
                let address = try #require(PadAddress(scheme: .autonomi, hex: vector.pk))
                let payload = try bytes(pad.encrypted_data)
                let record = try PadRecord(
                    address: address, encoding: pad.data_encoding, counter: pad.counter,
                    ciphertext: payload, signature: try bytes(pad.signature))
                try record.verify()
                let signed = AutonomiScheme.signedBytes(
                    address: address, encoding: pad.data_encoding, counter: pad.counter,
                    ciphertext: payload)
                #expect(Hex.encode(signed) == pad.signed_bytes)
                let owner = try #require(AutonomiPad(key: secret, record: record))
                #expect(owner.isEncrypted && owner.isWritable && owner.address == address)
                #expect(try owner.open(record) == bytes(encryption.plaintext))
                let reader = AutonomiPad(address: address)
                #expect(try reader.open(record) == payload && !reader.isWritable)
                #expect(try PadRecord(decoding: record.encoded()) == record)
                let own = AutonomiPadFile.encode(record)
                #expect(try AutonomiPadFile.decode(own) == record)
                #expect(try AutonomiPadFile.decode([0x91, 0x03] + own) == record)
            }
        }
    }

    @Test("the network's own form has the bytes that its serializer writes")
    func shape() throws {
        // The shape of the vector `msgpack_scratchpad_shape`: no valid points.
        let address = try #require(
            PadAddress(
                scheme: .autonomi, bytes: (0..<48).map { UInt8(truncatingIfNeeded: 5 * $0 + 1) }))
        let record = try PadRecord(
            address: address, encoding: 42, counter: 7,
            ciphertext: [UInt8](repeating: 0xAA, count: 150),
            signature: (0..<96).map { UInt8(truncatingIfNeeded: 3 * $0) })
        let bytes = AutonomiPadFile.encode(record)
        #expect(bytes.count == 370)
        let text = Hex.encode(bytes)
        #expect(text.hasPrefix("95dc003001060b10151a1f24292e33383d42474c51565b60656a6f74797ecc83"))
        #expect(text.contains("cce7ccec2ac496aaaa"))
        #expect(text.hasSuffix("ccf3ccf6ccf9ccfcccff0205080b0e1114171a1d"))
        #expect(try AutonomiPadFile.decode(bytes) == record)
    }

    @Test(
        "what is sealed verifies, opens, and is the same every time",
        arguments: [(0, true), (1, true), (64, true), (5000, true), (0, false), (5000, false)])
    func sealing(size: Int, isEncrypted: Bool) throws {
        var dice = SeededGenerator(seed: UInt64(size))
        let content = dice.bytes(size)
        let pad = try #require(AutonomiPad(key: key(7), isEncrypted: isEncrypted))
        let record = try pad.seal(content.span, encoding: 42, counter: 3)
        #expect(try pad.open(record) == content)
        #expect(try pad.seal(content.span, encoding: 42, counter: 3) == record)
        let next = try pad.seal(content.span, encoding: 42, counter: 4)
        #expect(next.signature != record.signature)
        #expect((next.ciphertext == record.ciphertext) == (size == 0 || !isEncrypted))
        #expect(record.ciphertext.count == size + (isEncrypted && size > 0 ? 144 : 0))
        // What a first record is told by.
        let known = try #require(AutonomiPad(key: key(7), record: record))
        #expect(known.isEncrypted == (isEncrypted || size == 0))
    }

    @Test("what the owner did not sign is not believed, and no other key opens it")
    func forgeries() throws {
        let pad = try #require(AutonomiPad(key: key(7), isEncrypted: true))
        let record = try pad.seal([1, 2, 3].span, encoding: 1, counter: 3)
        func changed(
            encoding: UInt64? = nil, counter: UInt64? = nil, ciphertext: [UInt8]? = nil
        ) throws -> PadRecord {
            try PadRecord(
                address: record.address, encoding: encoding ?? record.encoding,
                counter: counter ?? record.counter, ciphertext: ciphertext ?? record.ciphertext,
                signature: record.signature)
        }
        for forged in [
            try changed(encoding: 2), try changed(counter: 4), try changed(ciphertext: [1]),
        ] {
            #expect(throws: ScratchpadError.badSignature) { try pad.open(forged) }
        }
        let other = try #require(AutonomiPad(key: key(8), isEncrypted: true))
        #expect(throws: ScratchpadError.foreignPad) { try other.open(record) }
        #expect(AutonomiPad(key: key(8), record: record) == nil)
        #expect(AutonomiPad(key: key(0), isEncrypted: true) == nil)
        // Signed by the owner, but nothing that the owner can decrypt.
        let open = try #require(AutonomiPad(key: key(7), isEncrypted: false))
        let plain = try open.seal([UInt8](repeating: 5, count: 200).span, encoding: 1, counter: 4)
        #expect(throws: ScratchpadError.cannotOpen) { try pad.open(plain) }
    }

    @Test("without a key nothing is sealed, and nothing above the network's limit with one")
    func limits() throws {
        let pad = try #require(AutonomiPad(key: key(7), isEncrypted: true))
        let reader = AutonomiPad(address: pad.address)
        #expect(throws: ScratchpadError.noKey) {
            try reader.seal([1].span, encoding: 0, counter: 1)
        }
        #expect(AutonomiPad.maximumContentSize == 4_193_824)
        let largest = [UInt8](repeating: 1, count: AutonomiPad.maximumContentSize)
        let record = try pad.seal(largest.span, encoding: 0, counter: 1)
        #expect(record.ciphertext.count == 4_193_968)
        #expect(try AutonomiPadFile.decode(AutonomiPadFile.encode(record)) == record)
        #expect(throws: ScratchpadError.tooLarge(limit: AutonomiPad.maximumContentSize)) {
            try pad.seal((largest + [1]).span, encoding: 0, counter: 1)
        }
    }

    @Test("of hostile bytes every beginning, every lie about a size and every excess is refused")
    func hostileFiles() throws {
        let pad = try #require(AutonomiPad(key: key(7), isEncrypted: true))
        let record = try pad.seal(Array("content".utf8).span, encoding: 5, counter: 3)
        let bytes = AutonomiPadFile.encode(record)
        for count in 0..<bytes.count {
            #expect(throws: ScratchpadError.self) {
                try AutonomiPadFile.decode(Array(bytes.prefix(count)))
            }
        }
        #expect(throws: ScratchpadError.malformed) { try AutonomiPadFile.decode(bytes + [0]) }
        // A number in the key that is no byte.
        var large = bytes
        large.replaceSubrange(4..<5, with: [0xCD, 0x01, 0x00])
        #expect(throws: ScratchpadError.malformed) { try AutonomiPadFile.decode(large) }
        // An array of 2³² − 1 numbers, and a payload of as many bytes.
        #expect(throws: ScratchpadError.self) {
            try AutonomiPadFile.decode([0x95, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF])
        }
        var dice = SeededGenerator(seed: 31)
        for _ in 0..<2000 {
            var changed = bytes
            for _ in 0...dice.below(3) {
                changed[dice.below(changed.count)] = UInt8(truncatingIfNeeded: dice.next())
            }
            guard let read = try? AutonomiPadFile.decode(changed) else { continue }
            // What is read is written as what is read again; most of it nobody signed.
            #expect(try AutonomiPadFile.decode(AutonomiPadFile.encode(read)) == read)
        }
    }

    @Test("an address that is no point of the group verifies nothing")
    func badAddresses() throws {
        let pad = try #require(AutonomiPad(key: key(7), isEncrypted: true))
        let record = try pad.seal([1].span, encoding: 5, counter: 3)
        for bytes in [
            [0xC0] + [UInt8](repeating: 0, count: 47), [UInt8](repeating: 0xFF, count: 48),
            [0x80] + [UInt8](repeating: 0, count: 46) + [4],
        ] {
            let address = try #require(PadAddress(scheme: .autonomi, bytes: bytes))
            let forged = try PadRecord(
                address: address, encoding: 5, counter: 3, ciphertext: record.ciphertext,
                signature: record.signature)
            #expect(throws: ScratchpadError.badSignature) { try forged.verify() }
        }
    }
}
