// SPDX-License-Identifier: Apache-2.0
//
// Sizes, times, JSON and moments as text.

import Control
import TestSupport
import Testing

struct TextTests {
    @Test(
        "a size is read in every unit",
        arguments: [
            ("0", 0), ("1000", 1000), ("1K", 1024), ("512m", 512 << 20), ("10GiB", 10 << 30),
            ("2TB", 2 << 40), ("16777215T", 16_777_215 << 40),
        ])
    func sizes(text: String, bytes: UInt64) {
        #expect(SizeText.parse(text) == bytes)
    }

    @Test(
        "what is no size, or too large for 64 bits, is none",
        arguments: [
            "", "K", "1.5G", "-1", "1 G", "1X", "16777216T", "99999999999999999999", "٣", "0x10",
        ])
    func noSizes(text: String) {
        #expect(SizeText.parse(text) == nil)
    }

    @Test("the exact form of a size reads back to it", arguments: 0..<200)
    func exactSizes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.next() >> UInt64.random(in: 0..<64, using: &dice)
        let shifted = bytes << 10
        for size in [bytes, shifted] {
            #expect(SizeText.parse(SizeText.exact(size)) == size, "seed \(seed)")
        }
    }

    @Test("sizes for people have one digit after the point")
    func roundedSizes() {
        #expect(SizeText.rounded(0) == "0 B")
        #expect(SizeText.rounded(1023) == "1023 B")
        #expect(SizeText.rounded(1536) == "1.5 KiB")
        #expect(SizeText.rounded(10 << 30) == "10.0 GiB")
    }

    @Test("a time is read in every unit, and a bare number is seconds")
    func times() {
        #expect(DurationText.parse("250ms") == .milliseconds(250))
        #expect(DurationText.parse("30") == .seconds(30))
        #expect(DurationText.parse("5m") == .seconds(300))
        #expect(DurationText.parse("24h") == .seconds(86_400))
        for text in ["", "s", "-1s", "1.5s", "25h", "1d", "9223372036854775807h"] {
            #expect(DurationText.parse(text) == nil, "\(text)")
        }
    }

    @Test("the exact form of a time reads back to it", arguments: 0..<100)
    func exactTimes(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let time = Duration.milliseconds(Int64.random(in: 0...86_400_000, using: &dice))
        #expect(DurationText.parse(DurationText.exact(time)) == time, "seed \(seed)")
    }

    @Test(
        "moments are written in UTC, leap days and years before 1970 too",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"), (4_107_542_399, "2100-02-28T23:59:59Z"),
            (1_769_850_300, "2026-01-31T09:05:00Z"),
        ])
    func moments(seconds: Int64, text: String) {
        #expect(UTCText.of(seconds) == text)
    }

    @Test("JSON escapes what must not stand in a string, and keeps the order of members")
    func json() {
        let value = JSONText.object([
            ("b", .string("a\"\\\n\u{1}ü")), ("a", .list([.count(1), .flag(false), .nothing])),
            ("c", .object([])),
        ])
        #expect(
            value.text == """
                {
                  "b": "a\\"\\\\\\n\\u0001ü",
                  "a": [
                    1,
                    false,
                    null
                  ],
                  "c": {}
                }
                """)
    }
}
