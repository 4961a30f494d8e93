// SPDX-License-Identifier: Apache-2.0
//
// Making, encoding, reading and opening records.

import Cryptography
import Primitives
import Scratchpads
import TestSupport
import Testing

@Suite("Records")
struct RecordTests {
    @Test("a record is what the format says, byte for byte", arguments: RecordVector.all)
    func frozenVectors(vector: RecordVector) throws {
        let seed = try #require(Hex.decode(vector.seed))
        let plain = try #require(Hex.decode(vector.plain))
        let pad = WriteCapability(seed: SecretBytes(seed))
        let record = try pad.seal(plain, encoding: vector.encoding, counter: vector.counter)
        #expect(pad.address.hex == vector.address)
        #expect(pad.reading.readKey.withBytes { Hex.encode(Array(copying: $0)) } == vector.readKey)
        #expect(Hex.encode(record.encoded()) == vector.record)
        #expect(record.digest.hex == vector.digest)
        #expect(record.encodedSize == record.encoded().count)
    }

    @Test("a frozen record opens with its read key alone", arguments: RecordVector.all)
    func frozenVectorsOpen(vector: RecordVector) throws {
        let bytes = try #require(Hex.decode(vector.record))
        let key = try #require(Hex.decode(vector.readKey))
        let address = try #require(PadAddress(scheme: .ed25519, hex: vector.address))
        let record = try PadRecord(decoding: bytes)
        let content = try ReadCapability(address: address, readKey: SecretBytes(key)).open(record)
        #expect(Hex.encode(content) == vector.plain)
        #expect(record.encoding == vector.encoding)
        #expect(record.counter == vector.counter)
    }

    @Test("a long record has the digest of its bytes, and of the frozen one")
    func longVector() throws {
        let plain = (0..<100_000).map { UInt8(truncatingIfNeeded: 7 * $0 + 3) }
        let pad = WriteCapability(testSeed: 0)
        let record = try pad.seal(plain, encoding: 13_349_407_710_129_720_357, counter: 1)
        #expect(
            record.digest.hex == "e24805f8a20e1ea1a69dbcbb594cf7c4b510d944da4d598722a7b3a5eacb6a29")
        #expect(record.digest == Blake3.hash(record.encoded()))
    }

    @Test("what is sealed, encoded, decoded and opened is what it was", arguments: 0..<40)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let pad = WriteCapability(seed: SecretBytes(dice.bytes(32)))
        let plain = dice.bytes(Int.random(in: 0...3000, using: &dice))
        let encoding = UInt64.random(in: .min ... .max, using: &dice)
        let counter = UInt64.random(in: .min ... .max, using: &dice)
        let record = try pad.seal(plain, encoding: encoding, counter: counter)
        let decoded = try PadRecord(decoding: record.encoded())
        #expect(decoded == record, "seed \(seed)")
        #expect(try pad.reading.open(decoded) == plain, "seed \(seed)")
        #expect(try pad.seal(plain, encoding: encoding, counter: counter) == record)
    }

    @Test("the largest content fits in 4 MiB to the byte, and one byte more is refused")
    func sizeLimit() throws {
        let pad = WriteCapability(testSeed: 1)
        let largest = [UInt8](repeating: 7, count: WriteCapability.maximumPlaintextSize)
        let record = try pad.seal(largest, counter: 1)
        let encoded = record.encoded()
        #expect(encoded.count == PadRecord.maximumSize)
        #expect(PadRecord.maximumSize == 4_194_304)
        #expect(try pad.reading.open(try PadRecord(decoding: encoded)) == largest)
        let limit = WriteCapability.maximumPlaintextSize
        #expect(throws: ScratchpadError.tooLarge(limit: limit)) {
            try pad.seal(largest + [0], counter: 1)
        }
        #expect(throws: ScratchpadError.tooLarge(limit: PadRecord.maximumSize)) {
            try PadRecord(decoding: encoded + [0])
        }
        #expect(throws: ScratchpadError.tooLarge(limit: PadRecord.maximumSize)) {
            try PadRecord(
                address: pad.address, encoding: 0, counter: 0,
                ciphertext: record.ciphertext + [0], signature: record.signature)
        }
    }

    @Test("different content, counter or encoding never shares a nonce")
    func noncesDiffer() throws {
        let pad = WriteCapability(testSeed: 2)
        var nonces: Set<[UInt8]> = []
        var count = 0
        for content in [[], [0], [0, 0], [1]] as [[UInt8]] {
            for counter in 0..<4 as Range<UInt64> {
                for encoding in 0..<4 as Range<UInt64> {
                    let record = try pad.seal(content, encoding: encoding, counter: counter)
                    nonces.insert(Array(record.ciphertext.prefix(24)))
                    count += 1
                }
            }
        }
        #expect(nonces.count == count)
    }

    @Test("the signing key and the read key of a pad are unrelated to its seed and each other")
    func keysAreApart() {
        let seed = SecretBytes([UInt8](repeating: 3, count: 32))
        let pad = WriteCapability(seed: seed)
        #expect(pad.reading.readKey != seed)
        let fromReadKey = WriteCapability(seed: pad.reading.readKey)
        #expect(fromReadKey.address != pad.address)
        #expect(Ed25519KeyPair(seed: seed).publicKey != pad.address.bytes)
        #expect(Ed25519KeyPair(seed: pad.reading.readKey).publicKey != pad.address.bytes)
    }

    @Test("a foreign pad's record is refused before its signature is looked at")
    func foreignPad() throws {
        let record = try WriteCapability(testSeed: 4).seal([1], counter: 1)
        #expect(throws: ScratchpadError.foreignPad) {
            try WriteCapability(testSeed: 5).reading.open(record)
        }
    }

    @Test("the right address with another read key opens nothing")
    func wrongReadKey() throws {
        let pad = WriteCapability(testSeed: 6)
        let record = try pad.seal([1, 2, 3], counter: 1)
        let reader = ReadCapability(
            address: pad.address, readKey: WriteCapability(testSeed: 7).reading.readKey)
        #expect(throws: ScratchpadError.cannotOpen) { try reader.open(record) }
    }

    @Test("a well-signed record whose payload is too short to be sealed opens to nothing")
    func shortPayload() throws {
        // Only the owner can make one, by signing something else than seal does.
        let scheme = Ed25519Scheme.self
        let signer = scheme.signer(
            signingSeed: SecretBytes([UInt8](repeating: 8, count: 32)))
        let address = try #require(PadAddress(scheme: .ed25519, bytes: signer.address))
        let key = SecretBytes([UInt8](repeating: 0, count: 32))
        for size in [0, 1, 24, 39] {
            let ciphertext = [UInt8](repeating: 0, count: size)
            let message = scheme.signedBytes(
                address: address, encoding: 0, counter: 1, ciphertext: ciphertext)
            let record = try PadRecord(
                address: address, encoding: 0, counter: 1, ciphertext: ciphertext,
                signature: signer.sign(message.span))
            try record.verify()
            #expect(throws: ScratchpadError.cannotOpen) {
                try ReadCapability(address: address, readKey: key).open(record)
            }
        }
    }

    @Test("addresses are read from exactly their size, in digits of either case, and are ordered")
    func addresses() throws {
        let address = WriteCapability(testSeed: 9).address
        #expect(PadAddress(scheme: .ed25519, hex: address.hex.uppercased()) == address)
        #expect(PadAddress(scheme: .ed25519, bytes: address.bytes + [0]) == nil)
        #expect(PadAddress(scheme: .ed25519, bytes: []) == nil)
        #expect(PadAddress(scheme: .ed25519, hex: "zz") == nil)
        let low = try #require(
            PadAddress(scheme: .ed25519, bytes: [UInt8](repeating: 0, count: 32)))
        #expect(low < address && !(address < low))
    }

    @Test("a seed of another size than 32 bytes traps")
    func wrongSeedSize() async {
        await #expect(processExitsWith: .failure) {
            _ = WriteCapability(seed: SecretBytes([1, 2, 3]))
        }
    }
}

extension Array where Element == UInt8 {
    init(copying span: Span<UInt8>) {
        self = span.indices.map { span[$0] }
    }
}
