// SPDX-License-Identifier: Apache-2.0
//
// Where a query looks, and how it compares.

package import JSON

/// Comparing JSON values by what they mean, not by how they are spelled.
enum JSONOrder {
    /// Whether two values are the same; `1`, `1.0` and `1e0` are.
    static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.number(let left), .number(let right)): left.isSameValue(as: right)
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { isSame($0, $1) }
        case (.object(let left), .object(let right)):
            left.count == right.count
                && left.fields.allSatisfy { field in
                    right[field.name].map { isSame(field.value, $0) } ?? false
                }
        default: left == right
        }
    }

    /// Whether one of two values can come before the other.
    static func isComparable(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.number, .number), (.string, .string), (.bool, .bool): true
        default: false
        }
    }

    /// Whether `left` comes before `right`. Kinds come one behind the other: nothing and null,
    /// numbers, texts, objects, arrays, truth values; within the last but truth there is no order.
    static func precedes(_ left: JSONValue?, _ right: JSONValue?) -> Bool {
        switch (left, right) {
        case (.number(let left)?, .number(let right)?): left < right
        case (.string(let left)?, .string(let right)?):
            left.utf8.lexicographicallyPrecedes(right.utf8)
        case (.bool(let left)?, .bool(let right)?): !left && right
        default: rank(left) < rank(right)
        }
    }

    private static func rank(_ value: JSONValue?) -> Int {
        switch value {
        case nil, .null?: 0
        case .number?: 1
        case .string?: 2
        case .object?: 3
        case .array?: 4
        case .bool?: 5
        }
    }
}

/// Names of fields that lead inwards.
enum FieldPath {
    /// The most steps of a path.
    static let maximumDepth = 32

    /// The names that a path is made of.
    static func parse(_ text: String) throws(QueryError) -> [String] {
        let names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy({ !$0.isEmpty }), !names.isEmpty else {
            throw .malformed("a field's name is empty")
        }
        guard names.count <= maximumDepth else { throw .tooLarge(limit: maximumDepth) }
        return names
    }

    /// All values at a path; several where it leads through an array.
    static func values(at path: ArraySlice<String>, of value: JSONValue) -> [JSONValue] {
        guard let name = path.first else { return [value] }
        let rest = path.dropFirst()
        switch value {
        case .object(let object):
            return object[name].map { values(at: rest, of: $0) } ?? []
        case .array(let elements):
            if let index = Int(name), elements.indices.contains(index) {
                return values(at: rest, of: elements[index])
            }
            return elements.flatMap { element in
                // Arrays within arrays are not looked through: that could multiply without end.
                element.object == nil ? [] : values(at: path, of: element)
            }
        default: return []
        }
    }
}

/// In which order the results of a query come.
package struct QueryOrder: Sendable {
    private struct Key: Sendable {
        let path: [String]
        let isDescending: Bool
    }

    /// The most fields to sort by.
    package static let maximumKeyCount = 8

    private let keys: [Key]

    /// Reads fields with commas between them; a minus before one turns its order around.
    package init(_ text: String) throws(QueryError) {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard words.count <= QueryOrder.maximumKeyCount else {
            throw .tooLarge(limit: QueryOrder.maximumKeyCount)
        }
        var keys: [Key] = []
        for word in words {
            let isDescending = word.hasPrefix("-")
            let name = isDescending || word.hasPrefix("+") ? word.dropFirst() : word
            keys.append(Key(path: try FieldPath.parse(String(name)), isDescending: isDescending))
        }
        self.keys = keys
    }

    /// Whether one value comes before another. Equal ones keep the order they had.
    package func precedes(_ left: JSONValue, _ right: JSONValue) -> Bool {
        for key in keys {
            let first = FieldPath.values(at: key.path[...], of: left).first
            let second = FieldPath.values(at: key.path[...], of: right).first
            if JSONOrder.precedes(first, second) { return !key.isDescending }
            if JSONOrder.precedes(second, first) { return key.isDescending }
        }
        return false
    }
}

/// A whole query: what fits, in which order, and how many of it.
package struct Query: Sendable {
    /// What fits; nil is everything.
    package var filter: QueryFilter?
    /// The order of results; nil is that of the source.
    package var order: QueryOrder?
    /// The most results; nil is all.
    package var limit: Int?

    /// A query of these parts.
    package init(filter: QueryFilter? = nil, order: QueryOrder? = nil, limit: Int? = nil) {
        self.filter = filter
        self.order = order
        self.limit = limit
    }

    /// The results among `items`.
    ///
    /// - Parameter value: what of an item is asked about.
    package func run<Item>(_ items: [Item], value: (Item) -> JSONValue) -> [Item] {
        var results: [(item: Item, value: JSONValue)] = []
        for item in items {
            let candidate = value(item)
            if filter?.matches(candidate) ?? true { results.append((item, candidate)) }
        }
        if let order {
            // The standard sort keeps the order of equals, though it does not promise to.
            results = results.enumerated().sorted { left, right in
                if order.precedes(left.element.value, right.element.value) { return true }
                if order.precedes(right.element.value, left.element.value) { return false }
                return left.offset < right.offset
            }.map { $0.element }
        }
        return results.prefix(limit ?? results.count).map { $0.item }
    }
}
