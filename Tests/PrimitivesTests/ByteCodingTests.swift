// SPDX-License-Identifier: Apache-2.0
//
// ByteWriter and ByteReader: what one writes the other reads, and nothing else is read.

import Primitives
import TestSupport
import Testing

/// One value of each kind the coding has.
private enum Value: Equatable {
    case u8(UInt8), u16(UInt16), u32(UInt32), u64(UInt64), u64be(UInt64), i64(Int64)
    case varint(UInt64), raw([UInt8]), prefixed([UInt8]), digest(Digest)

    static func random(using dice: inout SeededGenerator) -> Value {
        let number = dice.number()
        switch Int.random(in: 0...9, using: &dice) {
        case 0: return .u8(UInt8(truncatingIfNeeded: number))
        case 1: return .u16(UInt16(truncatingIfNeeded: number))
        case 2: return .u32(UInt32(truncatingIfNeeded: number))
        case 3: return .u64(number)
        case 4: return .u64be(number)
        case 5: return .i64(Int64(bitPattern: dice.next()))
        case 6: return .varint(number)
        case 7: return .raw(dice.bytes(Int(number % 20)))
        case 8: return .prefixed(dice.bytes(Int(number % 300)))
        default:
            guard let digest = Digest(dice.bytes(32), algorithm: .sha3) else { return .u8(0) }
            return .digest(digest)
        }
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .u8(let value): writer.u8(value)
        case .u16(let value): writer.u16le(value)
        case .u32(let value): writer.u32le(value)
        case .u64(let value): writer.u64le(value)
        case .u64be(let value): writer.u64be(value)
        case .i64(let value): writer.i64le(value)
        case .varint(let value): writer.varint(value)
        case .raw(let value): writer.raw(value.span)
        case .prefixed(let value): writer.lengthPrefixed(value)
        case .digest(let value): writer.digest(value)
        }
    }

    /// Reads a value of the same kind.
    func read(from reader: inout ByteReader) throws(CodingError) -> Value {
        switch self {
        case .u8: .u8(try reader.u8())
        case .u16: .u16(try reader.u16le())
        case .u32: .u32(try reader.u32le())
        case .u64: .u64(try reader.u64le())
        case .u64be: .u64be(try reader.u64be())
        case .i64: .i64(try reader.i64le())
        case .varint: .varint(try reader.varint())
        case .raw(let value): .raw(try reader.raw(value.count))
        case .prefixed: .prefixed(try reader.lengthPrefixed(limit: 300))
        case .digest: .digest(try reader.digest(algorithm: .sha3))
        }
    }
}

@Suite("Binary coding")
struct ByteCodingTests {
    @Test("what was written is read, in order, to the end", arguments: UInt64(0)..<100)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let values = (0..<50).map { _ in Value.random(using: &dice) }
        var writer = ByteWriter()
        for value in values {
            value.write(to: &writer)
        }
        #expect(writer.count == writer.bytes.count)
        var reader = ByteReader(writer.bytes)
        for value in values {
            #expect(try value.read(from: &reader) == value, "seed \(seed)")
        }
        try reader.expectEnd()
    }

    @Test("every beginning of a value is truncated, and the place stays", arguments: UInt64(0)..<50)
    func truncation(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let value = Value.random(using: &dice)
        var writer = ByteWriter()
        value.write(to: &writer)
        for count in 0..<writer.count {
            var reader = ByteReader(Array(writer.bytes.prefix(count)))
            #expect(throws: CodingError.truncated, "seed \(seed)") {
                try value.read(from: &reader)
            }
            #expect(reader.offset == 0, "seed \(seed)")
        }
    }

    @Test("numbers lie in memory as their names say")
    func byteOrder() {
        var writer = ByteWriter(capacity: 64)
        writer.u16le(0x0102)
        writer.u32le(0x0304_0506)
        writer.u64le(0x0708_090A_0B0C_0D0E)
        writer.u64be(0x0708_090A_0B0C_0D0E)
        writer.i64le(-2)
        #expect(
            Hex.encode(writer.bytes)
                == "0201" + "06050403" + "0e0d0c0b0a090807" + "0708090a0b0c0d0e"
                + "feffffffffffffff")
    }

    @Test(
        "variable-width numbers are LEB128",
        arguments: [
            (UInt64(0), "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"),
            (16383, "ff7f"), (16384, "808001"), (624_485, "e58e26"),
            (UInt64.max >> 1, "ffffffffffffffff7f"), (UInt64.max, "ffffffffffffffffff01"),
        ])
    func varintVectors(value: UInt64, hex: String) throws {
        var writer = ByteWriter()
        writer.varint(value)
        #expect(Hex.encode(writer.bytes) == hex)
        var reader = ByteReader(writer.bytes)
        #expect(try reader.varint() == value)
    }

    @Test(
        "a number in more bytes than it needs is refused", arguments: ["8000", "ff00", "80808000"])
    func overlongVarint(hex: String) throws {
        var reader = ByteReader(try #require(Hex.decode(hex)))
        #expect(throws: CodingError.malformed("number longer than needed")) {
            try reader.varint()
        }
        #expect(reader.offset == 0)
    }

    @Test(
        "a number above 64 bits is refused",
        arguments: ["ffffffffffffffffff02", "8080808080808080808001", "ffffffffffffffffff81"])
    func wideVarint(hex: String) throws {
        var reader = ByteReader(try #require(Hex.decode(hex)))
        #expect(throws: CodingError.malformed("number above 64 bits")) { try reader.varint() }
    }

    @Test("a length above its limit is refused before memory is taken for it")
    func lengthLimit() throws {
        var writer = ByteWriter()
        writer.varint(UInt64.max)
        var reader = ByteReader(writer.bytes)
        #expect(throws: CodingError.tooLarge(limit: 10)) { try reader.lengthPrefixed(limit: 10) }
        #expect(throws: CodingError.tooLarge(limit: .max)) {
            try reader.lengthPrefixed(limit: .max)
        }
        #expect(reader.offset == 0)
        // Within the limit, but more than there is.
        writer = ByteWriter()
        writer.varint(1 << 40)
        reader = ByteReader(writer.bytes)
        #expect(throws: CodingError.truncated) { try reader.lengthPrefixed(limit: 1 << 50) }
        #expect(reader.offset == 0)
    }

    @Test("bytes after the end are refused where the end is expected")
    func trailingBytes() throws {
        var reader = ByteReader([1, 2])
        _ = try reader.u8()
        #expect(reader.remaining == 1)
        #expect(throws: CodingError.malformed("bytes after the end")) { try reader.expectEnd() }
        try reader.skip(1)
        try reader.expectEnd()
        #expect(throws: CodingError.truncated) { try reader.skip(1) }
    }

    @Test("random bytes are read or refused, but never trap", arguments: UInt64(0)..<200)
    func hostileBytes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var reader = ByteReader(dice.bytes(100))
        for _ in 0..<30 {
            let before = reader.offset
            do {
                _ = try Value.random(using: &dice).read(from: &reader)
                #expect(reader.offset >= before, "seed \(seed)")
            } catch {
                #expect(reader.offset == before, "seed \(seed)")
            }
        }
    }
}
