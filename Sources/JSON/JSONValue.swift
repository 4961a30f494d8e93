// SPDX-License-Identifier: Apache-2.0
//
// A JSON document in memory. Numbers stay the text they were, fields stay in their order, and text
// is compared by its bytes, because hashes and signatures of others are made over exactly these.

/// One JSON value.
///
/// Equal values have equal bytes in every string and every number (`1` and `1.0` differ), and
/// their objects have the same fields in any order.
///
/// - Source: RFC 8259.
package enum JSONValue: Sendable, Equatable {
    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number, as it was written.
    case number(JSONNumber)
    /// Text.
    case string(String)
    /// Values in a row.
    case array([JSONValue])
    /// Named values.
    case object(JSONObject)

    /// Whether both are the same value; see the type.
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        // Swift's own comparison holds é and e with an accent for one.
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension JSONValue {
    /// The text, if this is text.
    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number, if this is one.
    package var number: JSONNumber? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    /// The number as an `Int`, if this is a whole number that fits.
    package var int: Int? { number?.int }

    /// The number as a `Double`, if this is a number.
    package var double: Double? { number?.double }

    /// The truth value, if this is one.
    package var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The values in a row, if this is an array.
    package var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    /// The named values, if this is an object.
    package var object: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    /// Whether this is `null`.
    package var isNull: Bool {
        guard case .null = self else { return false }
        return true
    }

    /// The value of a field, if this is an object that has it.
    package subscript(name: String) -> JSONValue? { object?[name] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Text.
    package init(stringLiteral value: String) { self = .string(value) }
    /// `true` or `false`.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A whole number.
    package init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
    /// Values in a row.
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Named values, in the order of the literal.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements))
    }
}
