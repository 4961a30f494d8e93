// SPDX-License-Identifier: Apache-2.0
//
// Records from people who wish us harm, and from disks that forget.

import Primitives
import Scratchpads
import TestSupport
import Testing

@Suite("Hostile records")
struct HostileRecordTests {
    private let pad = WriteCapability(testSeed: 11)

    @Test("every beginning of a record is refused")
    func truncation() throws {
        let bytes = try pad.seal(Array("content".utf8), counter: 3).encoded()
        for size in 0..<bytes.count {
            #expect(throws: ScratchpadError.malformed, "\(size) bytes") {
                try PadRecord(decoding: Array(bytes.prefix(size)))
            }
        }
    }

    @Test("bytes after a record are refused")
    func trailingBytes() throws {
        let bytes = try pad.seal([], counter: 3).encoded()
        #expect(throws: ScratchpadError.malformed) { try PadRecord(decoding: bytes + [0]) }
    }

    @Test(
        "a size that lies is refused, however large",
        arguments: [
            0, 46, 48, 4_194_304, UInt64(Int.max), UInt64(Int.max) + 1, UInt64.max,
        ])
    func lyingSize(size: UInt64) throws {
        var bytes = try pad.seal(Array("content".utf8), counter: 3).encoded()
        let field = (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * UInt64($0))) }
        bytes.replaceSubrange(54..<62, with: field)
        #expect(throws: ScratchpadError.malformed) { try PadRecord(decoding: bytes) }
    }

    @Test("a newer version and an unknown scheme are named, and version 0 is nothing")
    func versionsAndSchemes() throws {
        var bytes = try pad.seal([], counter: 3).encoded()
        bytes[5] = 3
        #expect(throws: ScratchpadError.unknownScheme(3)) { try PadRecord(decoding: bytes) }
        bytes[4] = 2
        #expect(throws: ScratchpadError.unsupportedVersion(2)) { try PadRecord(decoding: bytes) }
        bytes[4] = 0
        #expect(throws: ScratchpadError.malformed) { try PadRecord(decoding: bytes) }
        bytes[0] = 0
        #expect(throws: ScratchpadError.malformed) { try PadRecord(decoding: bytes) }
    }

    @Test("a change of any byte is either refused or not believed")
    func everyByteCounts() throws {
        let bytes = try pad.seal(Array("content".utf8), encoding: 5, counter: 3).encoded()
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x10
            #expect(throws: ScratchpadError.self, "byte \(index)") {
                try PadRecord(decoding: changed).verify()
            }
        }
    }

    @Test("no field can be exchanged for another's")
    func everyFieldCounts() throws {
        let record = try pad.seal(Array("content".utf8), encoding: 5, counter: 3)
        let other = try WriteCapability(testSeed: 12).seal([1], encoding: 6, counter: 4)
        let forged = [
            try PadRecord(
                address: other.address, encoding: 5, counter: 3, ciphertext: record.ciphertext,
                signature: record.signature),
            try PadRecord(
                address: record.address, encoding: 6, counter: 3, ciphertext: record.ciphertext,
                signature: record.signature),
            try PadRecord(
                address: record.address, encoding: 5, counter: 4, ciphertext: record.ciphertext,
                signature: record.signature),
            try PadRecord(
                address: record.address, encoding: 5, counter: 3, ciphertext: other.ciphertext,
                signature: record.signature),
            try PadRecord(
                address: record.address, encoding: 5, counter: 3, ciphertext: record.ciphertext,
                signature: other.signature),
            try PadRecord(
                address: record.address, encoding: 5, counter: 3, ciphertext: [],
                signature: record.signature),
        ]
        for (index, record) in forged.enumerated() {
            #expect(throws: ScratchpadError.badSignature, "forgery \(index)") {
                try record.verify()
            }
        }
        #expect(throws: ScratchpadError.badSignature) { try pad.reading.open(forged[2]) }
    }

    @Test("a signature of another size is no signature")
    func signatureSize() throws {
        let record = try pad.seal([], counter: 3)
        for size in [0, 63, 65] {
            #expect(throws: ScratchpadError.malformed) {
                try PadRecord(
                    address: record.address, encoding: 0, counter: 3,
                    ciphertext: record.ciphertext, signature: [UInt8](repeating: 0, count: size))
            }
        }
    }

    @Test("an address that is no key verifies nothing", arguments: [0, 1, 0xFF] as [UInt8])
    func addressIsNoKey(byte: UInt8) throws {
        let bytes = [byte] + [UInt8](repeating: byte == 1 ? 0 : byte, count: 31)
        let address = try #require(PadAddress(scheme: .ed25519, bytes: bytes))
        let record = try PadRecord(
            address: address, encoding: 0, counter: 0, ciphertext: [],
            signature: [UInt8](repeating: 0, count: 64))
        #expect(throws: ScratchpadError.badSignature) { try record.verify() }
    }

    @Test("random bytes and random changes never trap and never verify", arguments: 0..<50)
    func randomBytes(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let genuine = try pad.seal(Array("content".utf8), encoding: 5, counter: 3).encoded()
        for _ in 0..<40 {
            var bytes =
                Bool.random(using: &dice)
                ? genuine : genuine.prefix(6) + dice.bytes(Int.random(in: 0...300, using: &dice))
            for _ in 0..<Int.random(in: 1...6, using: &dice) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &dice)
                switch UInt8.random(in: 0..<3, using: &dice) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &dice)
                case 1: bytes.remove(at: index)
                default: bytes.insert(0, at: index)
                }
            }
            guard bytes != genuine else { continue }
            #expect(throws: ScratchpadError.self, "seed \(seed)") {
                try PadRecord(decoding: bytes).verify()
            }
        }
    }
}
