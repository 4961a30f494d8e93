// SPDX-License-Identifier: Apache-2.0
//
// MessagePack: the shortest form is written, every form is read, hostile bytes are refused.

import Primitives
import TestSupport
import Testing

@Suite("MessagePack")
struct MessagePackTests {
    @Test(
        "numbers are written in their shortest form and read back",
        arguments: [
            (UInt64(0), "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"),
            (65535, "cdffff"), (65536, "ce00010000"), (0xFFFF_FFFF, "ceffffffff"),
            (0x1_0000_0000, "cf0000000100000000"), (UInt64.max, "cfffffffffffffffff"),
        ])
    func numbers(value: UInt64, hex: String) throws {
        var writer = MessagePack.Writer()
        writer.uint(value)
        #expect(Hex.encode(writer.bytes) == hex)
        var reader = MessagePack.Reader(writer.bytes)
        #expect(try reader.peek() == .uint)
        #expect(try reader.uint() == value)
        try reader.expectEnd()
    }

    @Test(
        "a number in a longer form than it needs is read",
        arguments: ["cc05", "cd0005", "ce00000005", "cf0000000000000005"])
    func longNumbers(hex: String) throws {
        var reader = MessagePack.Reader(try #require(Hex.decode(hex)))
        #expect(try reader.uint() == 5)
    }

    @Test(
        "heads of arrays and maps are written in their shortest form and read back",
        arguments: [
            (0, "90", "80"), (15, "9f", "8f"), (16, "dc0010", "de0010"),
            (65535, "dcffff", "deffff"), (65536, "dd00010000", "df00010000"),
        ])
    func containers(count: Int, array: String, map: String) throws {
        var arrays = MessagePack.Writer()
        arrays.array(count: count)
        #expect(Hex.encode(arrays.bytes) == array)
        var maps = MessagePack.Writer()
        maps.map(count: count)
        #expect(Hex.encode(maps.bytes) == map)
        let content = [UInt8](repeating: 0, count: 2 * count)
        var arrayReader = MessagePack.Reader(arrays.bytes + content)
        #expect(try arrayReader.peek() == .array)
        #expect(try arrayReader.array(limit: count) == count)
        var mapReader = MessagePack.Reader(maps.bytes + content)
        #expect(try mapReader.peek() == .map)
        #expect(try mapReader.map(limit: count) == count)
        #expect(mapReader.remaining == content.count)
    }

    @Test(
        "text and bytes of every form come back",
        arguments: [
            (0, "a0", "c400"), (31, "bf", "c41f"), (32, "d920", "c420"), (255, "d9ff", "c4ff"),
            (256, "da0100", "c50100"), (65536, "db00010000", "c600010000"),
        ])
    func strings(count: Int, textHead: String, binaryHead: String) throws {
        let text = String(repeating: "x", count: count)
        var writer = MessagePack.Writer(capacity: count)
        writer.string(text)
        #expect(Hex.encode(writer.bytes).hasPrefix(textHead))
        var reader = MessagePack.Reader(writer.bytes)
        #expect(try reader.peek() == .string)
        #expect(try reader.string(limit: count) == text)
        try reader.expectEnd()

        var binaryWriter = MessagePack.Writer()
        binaryWriter.binary(Array(text.utf8))
        #expect(Hex.encode(binaryWriter.bytes).hasPrefix(binaryHead))
        var binaryReader = MessagePack.Reader(binaryWriter.bytes)
        #expect(try binaryReader.peek() == .binary)
        #expect(try binaryReader.binary(limit: count) == Array(text.utf8))
        try binaryReader.expectEnd()
    }

    @Test("nil is one byte")
    func null() throws {
        var writer = MessagePack.Writer()
        writer.null()
        #expect(writer.bytes == [0xC0])
        var reader = MessagePack.Reader(writer.bytes)
        #expect(try reader.peek() == .null)
        try reader.null()
        #expect(throws: CodingError.truncated) { try reader.peek() }
    }

    @Test("a value of another type is refused")
    func wrongTypes() {
        let signed = MessagePack.Reader([0xFF])
        #expect(throws: CodingError.malformed("not an unsigned number")) {
            var reader = signed
            _ = try reader.uint()
        }
        #expect(throws: CodingError.malformed("not an array")) {
            var reader = signed
            _ = try reader.array(limit: 9)
        }
        #expect(throws: CodingError.malformed("not a map")) {
            var reader = signed
            _ = try reader.map(limit: 9)
        }
        #expect(throws: CodingError.malformed("not text")) {
            var reader = signed
            _ = try reader.string(limit: 9)
        }
        #expect(throws: CodingError.malformed("not binary")) {
            var reader = signed
            _ = try reader.binary(limit: 9)
        }
        #expect(throws: CodingError.malformed("not nil")) {
            var reader = signed
            try reader.null()
        }
    }

    @Test("text that is not UTF-8 is refused, not repaired")
    func invalidText() {
        var reader = MessagePack.Reader([0xA2, 0xC3, 0x28])
        #expect(throws: CodingError.malformed("text that is not UTF-8")) {
            try reader.string(limit: 9)
        }
    }

    @Test(
        "a count beyond the bytes that are left is truncated before memory is taken for it",
        arguments: ["dd7fffffff00", "df7fffffff00", "dbffffffff00", "c6ffffffff00", "dcffff"])
    func hostileCounts(hex: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(throws: CodingError.truncated) {
            var reader = MessagePack.Reader(bytes)
            switch try reader.peek() {
            case .array: _ = try reader.array(limit: .max)
            case .map: _ = try reader.map(limit: .max)
            case .string: _ = try reader.string(limit: .max)
            default: _ = try reader.binary(limit: .max)
            }
        }
        #expect(throws: CodingError.truncated) {
            var reader = MessagePack.Reader(bytes)
            try reader.skip()
        }
    }

    @Test("a count above the caller's limit is refused")
    func limits() {
        #expect(throws: CodingError.tooLarge(limit: 2)) {
            var reader = MessagePack.Reader([0x93, 0, 0, 0])
            _ = try reader.array(limit: 2)
        }
        #expect(throws: CodingError.tooLarge(limit: 0)) {
            var reader = MessagePack.Reader([0x81, 0, 0])
            _ = try reader.map(limit: 0)
        }
        #expect(throws: CodingError.tooLarge(limit: 2)) {
            var reader = MessagePack.Reader([0xA3, 0x61, 0x61, 0x61])
            _ = try reader.string(limit: 2)
        }
        #expect(throws: CodingError.tooLarge(limit: 1)) {
            var reader = MessagePack.Reader([0xC4, 2, 0, 0])
            _ = try reader.binary(limit: 1)
        }
    }

    @Test(
        "a value of any type can be stepped over, with all that is in it",
        arguments: [
            "00", "ff", "c0", "c2", "c3", "cc01", "d001", "cd0001", "d10001", "ce00000001",
            "d200000001", "cf0000000000000001", "d30000000000000001", "ca00000000",
            "cb0000000000000000", "a161", "d90161", "da000161", "db0000000161", "c40161",
            "c5000161", "c60000000161", "d40100", "d5010000", "d60100000000",
            "d7010000000000000000", "d80100000000000000000000000000000000", "c7020100aa",
            "c800020100aa", "c9000000020100aa", "9301c0a161", "8201029303c00405", "dc000101",
            "dd0000000101", "de00010102", "df000000010102", "90", "80",
        ])
    func skipping(hex: String) throws {
        let bytes = try #require(Hex.decode(hex))
        var reader = MessagePack.Reader(bytes + [0x2A])
        try reader.skip()
        #expect(try reader.uint() == 42)
        for count in 0..<bytes.count {
            var short = MessagePack.Reader(Array(bytes.prefix(count)))
            #expect(throws: CodingError.truncated) { try short.skip() }
        }
    }

    @Test("nesting has a limit, and one level less is stepped over")
    func nesting() throws {
        let deepest = MessagePack.maximumDepth - 1
        var fits = MessagePack.Reader([UInt8](repeating: 0x91, count: deepest) + [0x01])
        try fits.skip()
        try fits.expectEnd()
        var tooDeep = MessagePack.Reader([UInt8](repeating: 0x91, count: 1 << 20) + [0x01])
        #expect(throws: CodingError.tooLarge(limit: MessagePack.maximumDepth)) {
            try tooDeep.skip()
        }
    }

    @Test("the type that does not exist is refused")
    func unknownType() throws {
        var reader = MessagePack.Reader([0xC1])
        #expect(try reader.peek() == .other)
        #expect(throws: CodingError.malformed("a type that does not exist")) { try reader.skip() }
    }

    @Test("random bytes are stepped over or refused, but never trap", arguments: UInt64(0)..<300)
    func hostileBytes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var reader = MessagePack.Reader(dice.bytes(200))
        while reader.remaining > 0 {
            let before = reader.remaining
            do {
                try reader.skip()
            } catch {
                return
            }
            #expect(reader.remaining < before, "seed \(seed)")
        }
    }
}
