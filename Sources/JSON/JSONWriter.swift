// SPDX-License-Identifier: Apache-2.0
//
// JSON values as text, in the spellings that others hash.

/// How a value is spelled.
package struct JSONStyle: Sendable {
    /// Whether the fields of each object are written in the order of their names' code points.
    package var isSorted = false
    /// Whether everything beyond ASCII is written as an escape.
    package var isASCII = false
    /// Whether each field and each value of a row has a line of its own.
    package var isIndented = false

    /// Nothing between the values, fields in their order, text as UTF-8.
    package static let compact = JSONStyle()
    /// As compact, with everything beyond ASCII escaped: what Python's `json.dumps` makes with
    /// separators `,` and `:`.
    package static let compactASCII = JSONStyle(isASCII: true)
    /// As compact, with sorted fields: equal objects become equal bytes.
    package static let canonical = JSONStyle(isSorted: true)
    /// For people: two spaces a level, fields sorted.
    package static let pretty = JSONStyle(isSorted: true, isIndented: true)

    private init(isSorted: Bool = false, isASCII: Bool = false, isIndented: Bool = false) {
        self.isSorted = isSorted
        self.isASCII = isASCII
        self.isIndented = isIndented
    }
}

extension JSONValue {
    /// The value's text.
    package func text(_ style: JSONStyle = .compact) -> String {
        String(decoding: bytes(style), as: UTF8.self)
    }

    /// The value's text as UTF-8.
    package func bytes(_ style: JSONStyle = .compact) -> [UInt8] {
        var writer = JSONWriter(style: style)
        writer.value(self, depth: 0)
        return writer.bytes
    }
}

private struct JSONWriter {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    let style: JSONStyle
    var bytes: [UInt8] = []

    init(style: JSONStyle) {
        self.style = style
    }

    mutating func value(_ value: JSONValue, depth: Int) {
        switch value {
        case .null: raw("null")
        case .bool(let value): raw(value ? "true" : "false")
        case .number(let number): raw(number.text)
        case .string(let text): string(text)
        case .array(let values):
            sequence("[", "]", count: values.count, depth: depth) { writer, index in
                writer.value(values[index], depth: depth + 1)
            }
        case .object(let object):
            let fields = style.isSorted ? sorted(object.fields) : object.fields
            sequence("{", "}", count: fields.count, depth: depth) { writer, index in
                writer.string(fields[index].name)
                writer.raw(writer.style.isIndented ? ": " : ":")
                writer.value(fields[index].value, depth: depth + 1)
            }
        }
    }

    private func sorted(_ fields: [JSONObject.Field]) -> [JSONObject.Field] {
        // The order of UTF-8 bytes is that of code points.
        fields.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private mutating func sequence(
        _ open: String, _ close: String, count: Int, depth: Int,
        _ element: (inout JSONWriter, Int) -> Void
    ) {
        raw(open)
        for index in 0..<count {
            if index > 0 { raw(",") }
            line(depth + 1)
            element(&self, index)
        }
        if count > 0 { line(depth) }
        raw(close)
    }

    private mutating func line(_ depth: Int) {
        guard style.isIndented else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: [UInt8](repeating: UInt8(ascii: " "), count: 2 * depth))
    }

    private mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if style.isASCII {
            for scalar in text.unicodeScalars {
                if let byte = UInt8(exactly: scalar.value), byte < 0x7F {
                    character(byte)
                } else {
                    for unit in String(scalar).utf16 { escape(unit) }
                }
            }
        } else {
            for byte in text.utf8 { character(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes one byte of a string's UTF-8, escaped where it must be.
    private mutating func character(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): raw("\\\"")
        case UInt8(ascii: "\\"): raw("\\\\")
        case 0x0A: raw("\\n")
        case 0x0D: raw("\\r")
        case 0x09: raw("\\t")
        case 0x08: raw("\\b")
        case 0x0C: raw("\\f")
        case 0..<0x20: escape(UInt16(byte))
        default: bytes.append(byte)
        }
    }

    private mutating func escape(_ unit: UInt16) {
        raw("\\u")
        for shift in [12, 8, 4, 0] {
            bytes.append(JSONWriter.hexDigits[Int(unit >> UInt16(shift)) & 15])
        }
    }
}
