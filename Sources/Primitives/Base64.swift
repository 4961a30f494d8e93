// SPDX-License-Identifier: Apache-2.0
//
// Bytes as base-64 text, for the JSON interfaces of gateways.

/// Base-64 text in the standard alphabet, with padding.
///
/// Fast enough for chunks: gateways carry whole ones this way.
///
/// - Source: RFC 4648 §4.
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Marks a character that is not in the alphabet. Any value has bits outside the six.
    private static let invalid: UInt8 = 0xFF

    private static let valueOfCharacter: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(value)
        }
        return values
    }()

    private static let padding = UInt8(ascii: "=")

    /// Four characters for every three bytes, the last four padded with `=`.
    package static func encode(_ bytes: [UInt8]) -> String {
        let source = bytes.span
        let letters = alphabet.span
        let characters = [UInt8](capacity: (source.count + 2) / 3 * 4) { output in
            var index = 0
            while index < source.count {
                let left = source.count - index
                let first = source[index]
                let second = left > 1 ? source[index + 1] : 0
                let third = left > 2 ? source[index + 2] : 0
                output.append(letters[Int(first >> 2)])
                output.append(letters[Int(first << 4 & 0x30 | second >> 4)])
                output.append(left > 1 ? letters[Int(second << 2 & 0x3C | third >> 6)] : padding)
                output.append(left > 2 ? letters[Int(third & 0x3F)] : padding)
                index += 3
            }
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// The bytes the text stands for; nil if it is not exactly what `encode` would write.
    ///
    /// Line breaks, missing padding and stray bits in the last character are refused: one text
    /// for one value, so that nothing is signed or compared in two forms.
    package static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { buffer in
            // SAFETY: the buffer lives until this closure ends; nothing keeps the span.
            decode(utf8: unsafe Span(_unsafeElements: buffer))
        }
    }

    /// The bytes that base-64 characters stand for, under the rules of `decode(_:)`.
    package static func decode(utf8 text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        guard text.count > 0 else { return [] }
        let padded = text[text.count - 1] == padding ? text[text.count - 2] == padding ? 2 : 1 : 0
        let groups = text.count / 4
        let values = valueOfCharacter.span
        var seen: UInt8 = 0
        var stray = false
        let bytes = [UInt8](capacity: groups * 3 - padded) { output in
            for group in 0..<groups {
                let isLast = group == groups - 1
                let kept = isLast ? 3 - padded : 3
                let first = values[Int(text[4 * group])]
                let second = values[Int(text[4 * group + 1])]
                let third = kept > 1 ? values[Int(text[4 * group + 2])] : 0
                let fourth = kept > 2 ? values[Int(text[4 * group + 3])] : 0
                seen |= first | second | third | fourth
                output.append(first << 2 | second >> 4)
                if kept > 1 { output.append(second << 4 | third >> 2) }
                if kept > 2 { output.append(third << 6 | fourth) }
                if kept == 1 { stray = second & 0x0F != 0 }
                if kept == 2 { stray = third & 0x03 != 0 }
            }
        }
        return seen < 0x40 && !stray ? bytes : nil
    }
}
