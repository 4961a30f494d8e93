// SPDX-License-Identifier: Apache-2.0
//
// Reads JSON from bytes that nobody vouches for: size, depth and number of values have limits, and
// nothing but the grammar is taken.

extension JSONValue {
    /// The value that `bytes` hold, with nothing but white space around it.
    ///
    /// Of several fields with one name the last counts, as for most readers. A lone surrogate in
    /// an escape becomes U+FFFD: one stranger's bad text must not hide a page of others.
    ///
    /// - Throws: what `JSONError` lists.
    package init(
        parsing bytes: [UInt8], limits: JSONLimits = .standard
    ) throws(JSONError) {
        guard bytes.count <= limits.size else { throw .tooLarge(limit: limits.size) }
        var reader = JSONReader(bytes: bytes, limits: limits)
        self = try reader.document()
    }

    /// The value that `text` spells; see `init(parsing:limits:)` for bytes.
    package init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }
}

/// A place in a JSON text.
private struct JSONReader {
    let bytes: [UInt8]
    let limits: JSONLimits
    var offset = 0
    var valueCount = 0

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard offset == bytes.count else { throw malformed("bytes after the end") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        valueCount += 1
        guard valueCount <= limits.values else { throw .tooManyValues(limit: limits.values) }
        switch try next() {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        guard depth <= limits.depth else { throw .tooDeep(limit: limits.depth) }
        offset += 1
        var object = JSONObject()
        if try take(UInt8(ascii: "}")) { return object }
        while true {
            guard try next() == UInt8(ascii: "\"") else { throw malformed("a name is missing") }
            let name = try string()
            guard try take(UInt8(ascii: ":")) else { throw malformed("a colon is missing") }
            object[name] = try value(depth: depth)
            if try take(UInt8(ascii: "}")) { return object }
            guard try take(UInt8(ascii: ",")) else { throw malformed("a comma is missing") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        guard depth <= limits.depth else { throw .tooDeep(limit: limits.depth) }
        offset += 1
        var values: [JSONValue] = []
        if try take(UInt8(ascii: "]")) { return values }
        while true {
            values.append(try value(depth: depth))
            if try take(UInt8(ascii: "]")) { return values }
            guard try take(UInt8(ascii: ",")) else { throw malformed("a comma is missing") }
        }
    }

    private mutating func number() throws(JSONError) -> JSONNumber {
        let start = offset
        // The grammar is checked by the number; here only its end is looked for.
        while offset < bytes.count, isOfNumber(bytes[offset]) { offset += 1 }
        guard let number = JSONNumber(text: String(decoding: bytes[start..<offset], as: UTF8.self))
        else {
            offset = start
            throw malformed("not a value")
        }
        return number
    }

    private func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// Reads a string from its opening quote on.
    private mutating func string() throws(JSONError) -> String {
        offset += 1
        let start = offset
        // Most strings have no escape: these are copied in one go.
        while offset < bytes.count, !isSpecial(bytes[offset]) { offset += 1 }
        guard offset < bytes.count else { throw .truncated }
        if bytes[offset] == UInt8(ascii: "\"") {
            let text = try text(of: bytes[start..<offset])
            offset += 1
            return text
        }
        var utf8 = Array(bytes[start..<offset])
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                let text = try text(of: utf8[...])
                offset += 1
                return text
            case UInt8(ascii: "\\"):
                offset += 1
                utf8.append(contentsOf: Array(Character(try escape()).utf8))
            case 0..<0x20: throw malformed("a control byte in a string")
            default:
                utf8.append(byte)
                offset += 1
            }
        }
        throw .truncated
    }

    private func isSpecial(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20
    }

    private func text(of utf8: ArraySlice<UInt8>) throws(JSONError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else {
            throw malformed("text that is not UTF-8")
        }
        return text
    }

    /// Reads an escape from behind its backslash on.
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard offset < bytes.count else { throw .truncated }
        let letter = bytes[offset]
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try codePoint()
        default: throw malformed("an unknown escape")
        }
    }

    private mutating func codePoint() throws(JSONError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A surrogate: the low one must follow at once.
        guard (0xD800...0xDBFF).contains(first), offset + 1 < bytes.count,
            bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
        else { return replacement }
        let place = offset
        offset += 2
        let second = try fourDigits()
        guard (0xDC00...0xDFFF).contains(second) else {
            offset = place
            return replacement
        }
        return Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            ?? replacement
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw .truncated }
        var value: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte - 0x41 + 10)
            case 0x61...0x66: value = value << 4 | UInt32(byte - 0x61 + 10)
            default: throw malformed("an escape without four digits")
            }
        }
        offset += 4
        return value
    }

    private mutating func word(_ text: StaticString) throws(JSONError) {
        let word = Array(text.description.utf8)
        guard bytes.count - offset >= word.count else { throw .truncated }
        guard bytes[offset..<offset + word.count].elementsEqual(word) else {
            throw malformed("not a value")
        }
        offset += word.count
    }

    private mutating func skipSpace() {
        while offset < bytes.count, isSpace(bytes[offset]) {
            offset += 1
        }
    }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private mutating func next() throws(JSONError) -> UInt8 {
        skipSpace()
        guard offset < bytes.count else { throw .truncated }
        return bytes[offset]
    }

    private mutating func take(_ byte: UInt8) throws(JSONError) -> Bool {
        guard try next() == byte else { return false }
        offset += 1
        return true
    }

    private func malformed(_ reason: String) -> JSONError {
        .malformed(offset: offset, reason: reason)
    }
}
