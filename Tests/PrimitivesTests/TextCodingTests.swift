// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal, base-58 and base-64 text: published vectors, round trips, and text that is none.

import Primitives
import TestSupport
import Testing

@Suite("Hexadecimal text")
struct HexTests {
    @Test("every byte is two lower-case digits, and comes back", arguments: UInt64(0)..<32)
    func roundTrip(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.bytes(Int(seed) * 3)
        let text = Hex.encode(bytes)
        #expect(text.utf8.count == 2 * bytes.count)
        #expect(Hex.decode(text) == bytes, "seed \(seed)")
        #expect(Hex.decode(text.uppercased()) == bytes, "seed \(seed)")
    }

    @Test("all 256 bytes have the digits everybody knows")
    func knownDigits() {
        #expect(Hex.encode([0x00, 0x09, 0x0A, 0x9F, 0xF0, 0xFF]) == "00090a9ff0ff")
        #expect((0...255).allSatisfy { Hex.decode(Hex.encode([UInt8($0)])) == [UInt8($0)] })
    }

    @Test(
        "text with anything but pairs of digits is refused",
        arguments: [
            "0", "abc", "0g", "g0", " 00", "0x00", "00\n", "é0", "٠٠", "-1", "+1", "/0", ":0", "@0",
            "`0",
        ])
    func refuses(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}

@Suite("Base-58 text")
struct Base58Tests {
    @Test(
        "the published vectors hold, both ways",
        arguments: [
            ("48656c6c6f20576f726c6421", "2NEpo7TZRRrLZSi2U"),
            (
                """
                54686520717569636b2062726f776e20666f78206a756d7073206f7665722074\
                6865206c617a7920646f672e
                """,
                "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
            ),
            ("0000287fb4cd", "11233QC4"),
            ("", ""),
            ("00", "1"),
            ("39", "z"),
            ("3a", "21"),
        ])
    func vectors(hex: String, text: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(Base58.encode(bytes) == text)
        #expect(Base58.decode(text) == bytes)
    }

    @Test("bytes come back, zeros in front among them", arguments: UInt64(0)..<64)
    func roundTrip(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let zeros = [UInt8](repeating: 0, count: Int.random(in: 0...5, using: &dice))
        let bytes = zeros + dice.bytes(Int.random(in: 0...80, using: &dice))
        #expect(Base58.decode(Base58.encode(bytes)) == bytes, "seed \(seed)")
    }

    @Test(
        "letters that look alike are not in the alphabet",
        arguments: ["0", "O", "I", "l", "2 2", "ü", "1\n"])
    func refuses(text: String) {
        #expect(Base58.decode(text) == nil)
    }

    @Test("the largest value is read, and one byte more is refused")
    func limit() {
        let largest = [UInt8](repeating: 0xFF, count: Base58.maximumSize)
        let text = Base58.encode(largest)
        #expect(Base58.decode(text) == largest)
        #expect(Base58.decode(String(repeating: "1", count: Base58.maximumSize + 1)) == nil)
        #expect(Base58.decode(text + "1") == nil)
        // Would take minutes if it were read first.
        #expect(Base58.decode(String(repeating: "z", count: 1 << 20)) == nil)
    }

    @Test("encoding more than the limit is a mistake, and traps")
    func encodingLimitTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = Base58.encode([UInt8](repeating: 1, count: Base58.maximumSize + 1))
        }
    }
}

@Suite("Base-64 text")
struct Base64Tests {
    @Test(
        "the vectors of RFC 4648 hold, both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test("bytes of every length come back", arguments: 0..<70)
    func roundTrip(count: Int) {
        var dice = SeededGenerator(seed: UInt64(count))
        let bytes = dice.bytes(count)
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }

    @Test("the two letters that differ between alphabets are the standard ones")
    func standardAlphabet() {
        #expect(Base64.encode([0xFB, 0xEF, 0xFF]) == "++//")
        #expect(Base64.decode("--__") == nil)
    }

    @Test(
        "text that encoding would not give is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zh==",
            "Zm9=",
            "Zm9v=", "Z=g=", "=Zg=", "Zmé=", "Zg=\u{0}",
        ])
    func refuses(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("one text stands for one value: changing any character changes or breaks it")
    func isInjective() throws {
        let text = Array("Zm9vYg==".utf8)
        for index in text.indices {
            for character in UInt8.min...UInt8.max where character != text[index] {
                var changed = text
                changed[index] = character
                #expect(Base64.decode(utf8: changed.span) != Array("foob".utf8))
            }
        }
    }
}
