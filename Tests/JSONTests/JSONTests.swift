// SPDX-License-Identifier: Apache-2.0
//
// JSON in and out: exact, bounded, and never a crash.

import JSON
import TestSupport
import Testing

struct JSONReadingTests {
    @Test(
        "texts that are JSON are written back as they were",
        arguments: [
            "null", "true", "false", "0", "-0", "1.50", "1e9", "-1.5E+10", "\"\"", "[]", "{}",
            #"{"b":1,"a":[1,2,{"c":null}],"é":"🌍"}"#, #""\"\\\n\r\t\b\f\u0001""#,
            "1750000000.5", "123456789012345678901234567890",
        ])
    func exact(text: String) throws {
        #expect(try JSONValue(parsing: text).text() == text)
    }

    @Test(
        "texts that are not JSON are refused",
        arguments: [
            "", " ", "nul", "tru", "+1", "01", "1.", ".5", "1e", "--1", "1.2.3", "[1,]", "[1 2]",
            "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "\"", "\"\\x\"", "\"\\u12\"",
            "\"\\u12g4\"", "\"a\nb\"", "1 2", "[", "{", "{\"a\"", "[1", "NaN", "Infinity", "'a'",
            "\"\\", "[}", "\u{FEFF}1", "/*x*/1",
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test("bytes that are no UTF-8 are refused")
    func notUTF8() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0xFF]] {
            #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        }
    }

    @Test("escapes are read, pairs of surrogates too, and a lone one becomes U+FFFD")
    func escapes() throws {
        let text = #""\u00e9\ud83c\udf0d\/\ud83cx\ude00\ud83c\u0041""#
        #expect(try JSONValue(parsing: text).string == "é🌍/\u{FFFD}x\u{FFFD}\u{FFFD}A")
    }

    @Test("of two fields with one name the last counts, at the place of the first")
    func duplicates() throws {
        #expect(try JSONValue(parsing: #"{"a":1,"b":2,"a":3}"#).text() == #"{"a":3,"b":2}"#)
    }

    @Test("names that differ in bytes are two, though they look the same")
    func spellings() throws {
        let value = try JSONValue(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value.object?.count == 2)
        #expect(value["\u{E9}"]?.int == 1)
        #expect(value["e\u{301}"]?.int == 2)
        #expect(JSONValue.string("\u{E9}") != JSONValue.string("e\u{301}"))
    }

    @Test("depth, size and number of values have limits")
    func limits() {
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(throws: JSONError.tooDeep(limit: 128)) { try JSONValue(parsing: deep) }
        #expect(throws: JSONError.tooLarge(limit: 3)) {
            try JSONValue(parsing: "1234", limits: JSONLimits(size: 3))
        }
        #expect(throws: JSONError.tooManyValues(limit: 3)) {
            try JSONValue(parsing: "[1,2,3]", limits: JSONLimits(size: 100, values: 3))
        }
        let open = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.tooDeep(limit: 128)) { try JSONValue(parsing: open) }
        let long = String(repeating: "1", count: 300)
        #expect(throws: JSONError.self) { try JSONValue(parsing: long) }
    }

    @Test("no cut and no changed byte of a document crashes the reader", arguments: 1...20)
    func hostile(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let document = Array(#"{"a":[1,2.5e3,"x\u00e9\ud83c\udf0d",null,true],"b":{"c":""}}"#.utf8)
        for _ in 0..<500 {
            var bytes = Array(document.prefix(random.below(document.count + 1)))
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            // Either outcome is right; what is read must be written as something that is read.
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect((try? JSONValue(parsing: value.bytes())) == value, "seed \(seed)")
        }
    }
}

struct JSONWritingTests {
    private let value: JSONValue = [
        "b": 1, "a": ["x", true, .null], "é": "h\u{E9} 🌍\u{7F}", "empty": [:],
    ]

    @Test("the four styles")
    func styles() {
        #expect(
            value.text(.compact)
                == "{\"b\":1,\"a\":[\"x\",true,null],\"é\":\"hé 🌍\u{7F}\",\"empty\":{}}")
        #expect(
            value.text(.compactASCII)
                == #"{"b":1,"a":["x",true,null],"\u00e9":"h\u00e9 \ud83c\udf0d\u007f","empty":{}}"#)
        #expect(
            value.text(.canonical)
                == "{\"a\":[\"x\",true,null],\"b\":1,\"empty\":{},\"é\":\"hé 🌍\u{7F}\"}")
        #expect(
            value.text(.pretty).hasPrefix(
                "{\n  \"a\": [\n    \"x\",\n    true,\n    null\n  ],\n  \"b\": 1,\n"))
    }

    @Test("numbers keep their spelling, doubles are as short as they can be")
    func numbers() {
        #expect(JSONNumber(1_750_000_000.5).text == "1750000000.5")
        #expect(JSONNumber(1_795_223_692.536653).text == "1795223692.536653")
        #expect(JSONNumber(5.404154454231e-06).double == 5.404154454231e-06)
        #expect(JSONNumber(text: "1.0") != JSONNumber(text: "1"))
        #expect(JSONNumber(text: "1.0")?.isSameValue(as: JSONNumber(1)) == true)
        #expect(JSONNumber(text: "9007199254740993")?.int == 9_007_199_254_740_993)
        #expect(JSONNumber(text: "1e3")?.int == nil)
        #expect(JSONNumber(text: "0x10") == nil)
    }

    @Test("setting a field keeps its place, setting nil removes it")
    func fields() {
        var object = JSONObject([("a", 1), ("b", 2), ("c", 3)])
        object["b"] = 5
        object["a"] = nil
        object["d"] = 6
        #expect(JSONValue.object(object).text() == #"{"b":5,"c":3,"d":6}"#)
        #expect(object["c"]?.int == 3)
        #expect(object["a"] == nil)
    }
}
