// SPDX-License-Identifier: Apache-2.0
//
// A second scheme is one file: here it is, with sizes unlike those of the first.

import Cryptography
import Primitives
import Scratchpads
import Testing

/// "Signs" with a hash that anybody can make. It has the sizes of BLS12-381 keys and signatures.
private enum SealingWax: SeedScheme {
    static let tag: UInt8 = 200
    static let addressSize = 48
    static let signatureSize = 96

    struct Signer: PadSigner {
        let address: [UInt8]
        func sign(_ message: Span<UInt8>) -> [UInt8] {
            SealingWax.impression(of: message, address: address)
        }
    }

    static func signer(signingSeed: SecretBytes) -> any PadSigner {
        let address = signingSeed.withBytes {
            Blake3.deriveKey(context: "cairn test wax", material: $0, count: addressSize)
        }
        return Signer(address: address)
    }

    static func signedBytes(
        address: PadAddress, encoding: UInt64, counter: UInt64, ciphertext: [UInt8]
    ) -> [UInt8] {
        var writer = ByteWriter()
        writer.u64be(encoding)
        writer.u64be(counter)
        writer.raw(ciphertext)
        return writer.bytes
    }

    static func isValid(
        signature: [UInt8], message: Span<UInt8>, address: [UInt8]
    ) -> Bool {
        signature == impression(of: message, address: address)
    }

    static func impression(of message: Span<UInt8>, address: [UInt8]) -> [UInt8] {
        var material = ByteWriter()
        material.raw(address)
        material.raw(message)
        return Blake3.deriveKey(
            context: "cairn test wax", material: material.bytes.span, count: signatureSize)
    }
}

@Suite("Schemes")
struct SchemeTests {
    private let wax = SignatureSchemeID(SealingWax.self)

    @Test("a second scheme seals, encodes, verifies, opens and settles like the first")
    func secondScheme() throws {
        let pad = WriteCapability(testSeed: 31, scheme: wax)
        let record = try pad.seal([1, 2, 3], encoding: 4, counter: 5)
        let schemes = SignatureSchemeID.registered + [wax]
        let decoded = try PadRecord(decoding: record.encoded(), schemes: schemes)
        #expect(decoded == record)
        #expect(decoded.address.bytes.count == 48 && decoded.signature.count == 96)
        #expect(try pad.reading.open(decoded) == [1, 2, 3])
        let later = try pad.seal([1, 2, 3], encoding: 4, counter: 6)
        #expect(settle(ours: record, theirs: later) == .theirs)
    }

    @Test("a second scheme's forgeries are found by its own rule")
    func secondSchemeVerifies() throws {
        let record = try WriteCapability(testSeed: 31, scheme: wax).seal([1], counter: 5)
        let forged = try PadRecord(
            address: record.address, encoding: 0, counter: 6, ciphertext: record.ciphertext,
            signature: record.signature)
        #expect(throws: ScratchpadError.badSignature) { try forged.verify() }
    }

    @Test("a scheme that is not registered is unknown to readers")
    func unregistered() throws {
        let record = try WriteCapability(testSeed: 31, scheme: wax).seal([1], counter: 5)
        #expect(throws: ScratchpadError.unknownScheme(200)) {
            try PadRecord(decoding: record.encoded())
        }
        #expect(SignatureSchemeID(rawValue: 200) == nil)
    }

    @Test("one seed under two schemes is two unrelated pads, with unrelated read keys")
    func schemesAreApart() {
        let first = WriteCapability(testSeed: 31)
        let second = WriteCapability(testSeed: 31, scheme: wax)
        #expect(first.address != second.address)
        #expect(first.reading.readKey != second.reading.readKey)
        #expect(first.address < second.address)
    }

    @Test("a larger signature leaves less room for content, and the whole stays within 4 MiB")
    func sizes() throws {
        let pad = WriteCapability(testSeed: 31, scheme: wax)
        let room = WriteCapability.maximumPlaintextSize - 16 - 32
        let record = try pad.seal([UInt8](repeating: 0, count: room), counter: 1)
        #expect(record.encoded().count == PadRecord.maximumSize)
        #expect(throws: ScratchpadError.tooLarge(limit: room)) {
            try pad.seal([UInt8](repeating: 0, count: room + 1), counter: 1)
        }
    }

    @Test("registered tags are distinct and are what is stored")
    func registry() {
        let tags = SignatureSchemeID.registered.map(\.rawValue)
        #expect(Set(tags).count == tags.count)
        #expect(SignatureSchemeID.ed25519.rawValue == 1)
        #expect(SignatureSchemeID(rawValue: 1) == .ed25519)
        #expect(SignatureSchemeID.autonomi.rawValue == 2)
        #expect(SignatureSchemeID(rawValue: 2) == .autonomi)
        #expect(SignatureSchemeID(rawValue: 3) == nil)
    }
}
