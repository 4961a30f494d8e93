// SPDX-License-Identifier: Apache-2.0
//
// A JSON number that keeps its spelling.

/// A number as JSON writes it.
///
/// The text is kept, because a sum over `1750000000.5` is not one over `1.7500000005e9`, and
/// because no binary type holds every number that JSON can write.
package struct JSONNumber: Sendable, Equatable {
    /// The most characters of a number that is read. A double needs 24, an amount of money 40.
    package static let maximumSize = 256

    /// The number's text, which follows the grammar of RFC 8259 §6.
    package let text: String

    /// The number that `text` spells; nil unless it follows the grammar and the limit.
    package init?(text: String) {
        guard text.utf8.count <= JSONNumber.maximumSize, JSONNumber.isNumber(text.utf8) else {
            return nil
        }
        self.text = text
    }

    /// A whole number.
    package init(_ value: Int) {
        text = String(value)
    }

    /// The shortest text that reads back as this value.
    ///
    /// - Parameter value: must be finite: JSON has no other numbers.
    package init(_ value: Double) {
        precondition(value.isFinite, "JSON has no infinities")
        text = value.description
    }

    /// The value, if it is whole, written without fraction or exponent, and fits.
    package var int: Int? { text == "-0" ? 0 : Int(text) }

    /// The nearest value; infinite if it is out of range.
    package var double: Double { Double(text) ?? .nan }

    /// Follows: minus, then 0 or digits, then a fraction, then an exponent.
    private static func isNumber(_ text: String.UTF8View) -> Bool {
        var rest = text[...]
        func digits() -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let begins = rest.first
        let whole = digits()
        guard whole > 0, whole == 1 || begins != UInt8(ascii: "0") else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") {
                rest = rest.dropFirst()
            }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}

extension JSONNumber: Comparable {
    /// The order of the values: exact for whole numbers that fit an `Int`, else that of the
    /// nearest doubles.
    package static func < (left: JSONNumber, right: JSONNumber) -> Bool {
        if let left = left.int, let right = right.int { return left < right }
        return left.double < right.double
    }

    /// Whether both stand for the same value, however they are spelled.
    package func isSameValue(as other: JSONNumber) -> Bool {
        if let own = int, let other = other.int { return own == other }
        return double == other.double
    }
}
