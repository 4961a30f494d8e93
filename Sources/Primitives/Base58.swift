// SPDX-License-Identifier: Apache-2.0
//
// Bytes as base-58 text in Bitcoin's alphabet, for keys and content identifiers.

/// Base-58 text: a number written with letters that are hard to mistake for one another.
///
/// The cost grows with the square of the length: it is for names, not for data. `maximumSize` is
/// the limit in both directions.
///
/// - Source: draft-msporny-base58-03, with the alphabet of Bitcoin.
package enum Base58 {
    /// The most bytes that text is read into. Longer text is refused unread, because hostile text
    /// of a megabyte would keep a core busy for minutes.
    package static let maximumSize = 1024

    private static let alphabet = Array(
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    private static let valueOfCharacter: [UInt8] = {
        var values = [UInt8](repeating: .max, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(value)
        }
        return values
    }()

    /// The text of the bytes; each zero byte at the front becomes one `1`.
    ///
    /// - Parameter bytes: at most `maximumSize`; more is a mistake of the caller's, and traps.
    package static func encode(_ bytes: [UInt8]) -> String {
        precondition(bytes.count <= maximumSize, "base-58 is for names, not for data")
        let zeros = bytes.prefix { $0 == 0 }.count
        let digits = convert(bytes.dropFirst(zeros), from: 256, to: 58)
        let text = [UInt8](repeating: alphabet[0], count: zeros) + digits.map { alphabet[Int($0)] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes the text stands for; nil if a character is not in the alphabet, or the bytes
    /// would be more than `maximumSize`.
    package static func decode(_ text: String) -> [UInt8]? {
        // 1024 bytes take 1399 digits, so a longer text can only be one of too many bytes.
        guard text.utf8.count <= maximumSize * 1399 / 1024 else { return nil }
        var digits: [UInt8] = []
        for character in text.utf8 {
            let value = valueOfCharacter[Int(character)]
            guard value != .max else { return nil }
            digits.append(value)
        }
        let zeros = digits.prefix { $0 == 0 }.count
        let bytes = convert(digits.dropFirst(zeros), from: 58, to: 256)
        guard zeros + bytes.count <= maximumSize else { return nil }
        return [UInt8](repeating: 0, count: zeros) + bytes
    }

    /// Writes a number, most significant digit first, in another base.
    private static func convert(_ digits: ArraySlice<UInt8>, from: Int, to: Int) -> [UInt8] {
        var reversed: [UInt8] = []
        for digit in digits {
            var carry = Int(digit)
            for index in reversed.indices {
                carry += Int(reversed[index]) * from
                reversed[index] = UInt8(carry % to)
                carry /= to
            }
            while carry > 0 {
                reversed.append(UInt8(carry % to))
                carry /= to
            }
        }
        return reversed.reversed()
    }
}
