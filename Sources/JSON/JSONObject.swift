// SPDX-License-Identifier: Apache-2.0
//
// The fields of a JSON object, in their order.
//
// Invariant: `places` has one entry for each field, and no two fields have the same bytes as name.

/// Named JSON values in the order they were written, found by name in constant time.
package struct JSONObject: Sendable {
    /// One name and its value.
    package struct Field: Sendable {
        /// The field's name.
        package let name: String
        /// The field's value.
        package var value: JSONValue
    }

    /// Every field, in order.
    package private(set) var fields: [Field] = []

    // By bytes: Swift's own comparison would take two spellings of one accent for one name.
    private var places: [[UInt8]: Int] = [:]

    /// An object without fields.
    package init() {}

    /// An object of these fields; of several with one name, the last counts.
    package init(_ fields: [(String, JSONValue)]) {
        for (name, value) in fields {
            self[name] = value
        }
    }

    /// How many fields there are.
    package var count: Int { fields.count }

    /// Whether there are none.
    package var isEmpty: Bool { fields.isEmpty }

    /// The names, in order.
    package var names: [String] { fields.map { $0.name } }

    /// The value of a field; nil if there is none. Setting keeps the place of a field that is
    /// there, and adds others at the end; setting nil removes.
    package subscript(name: String) -> JSONValue? {
        get { places[Array(name.utf8)].map { fields[$0].value } }
        set {
            let key = Array(name.utf8)
            guard let newValue else { return remove(key) }
            if let place = places[key] {
                fields[place].value = newValue
            } else {
                places[key] = fields.count
                fields.append(Field(name: name, value: newValue))
            }
        }
    }

    private mutating func remove(_ key: [UInt8]) {
        guard let place = places.removeValue(forKey: key) else { return }
        fields.remove(at: place)
        for index in place..<fields.count {
            places[Array(fields[index].name.utf8)] = index
        }
    }
}

extension JSONObject: Equatable {
    /// Whether both have the same names with the same values, in any order.
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        return left.fields.allSatisfy { field in
            right[field.name].map { $0 == field.value } ?? false
        }
    }
}
