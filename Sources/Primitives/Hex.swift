// SPDX-License-Identifier: Apache-2.0
//
// Bytes as hexadecimal digits.

/// Bytes written as pairs of hexadecimal digits.
package enum Hex {
    /// Two lower-case digits a byte.
    package static func encode(_ bytes: [UInt8]) -> String {
        let digits = [UInt8](capacity: 2 * bytes.count) { output in
            for byte in bytes {
                output.append(digit(byte >> 4))
                output.append(digit(byte & 15))
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The bytes that the digits stand for, in either case; nil if anything else is in the text or
    /// a digit is left over.
    package static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        let values = valueOfCharacter.span
        var seen: UInt8 = 0
        let bytes = [UInt8](capacity: digits.count / 2) { output in
            let digits = digits.span
            for index in stride(from: 0, to: digits.count, by: 2) {
                let high = values[Int(digits[index])]
                let low = values[Int(digits[index + 1])]
                seen |= high | low
                output.append(high << 4 | low & 15)
            }
        }
        return seen < 16 ? bytes : nil
    }

    /// Marks a character that is no digit. Any digit's value has no bit above the fourth.
    private static let invalid: UInt8 = 0xFF

    private static let valueOfCharacter: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        for value in UInt8(0)..<16 {
            values[Int(digit(value))] = value
        }
        for value in UInt8(10)..<16 {
            values[Int(UInt8(ascii: "A") + value - 10)] = value
        }
        return values
    }()

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
