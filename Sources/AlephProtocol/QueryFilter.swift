// SPDX-License-Identifier: Apache-2.0
//
// Which JSON values a query asks for. The network has no such queries: what it can narrow down it
// is asked, and the rest is decided here.

package import JSON

/// Why a query was refused. Each text is a fixed sentence, an operator, or a field of the query.
package enum QueryError: Error, Equatable, Sendable {
    /// The filter is not an object, or one of its parts is of the wrong kind.
    case malformed(String)
    /// No such operator is known.
    case unknownOperator(String)
    /// A pattern is wrong.
    case pattern(PatternError)
    /// Conditions nest deeper, or are more, than is taken.
    case tooLarge(limit: Int)
}

extension QueryError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .malformed(let reason): "the query is wrong: \(reason)"
        case .unknownOperator(let name): "there is no operator \(name)"
        case .pattern(let error): error.description
        case .tooLarge(let limit): "the query has more than \(limit) conditions"
        }
    }
}

/// A condition on a JSON value, in the operators of the network's guide.
///
/// `{"age":{"$gt":25},"name":"x"}` asks for both. A field's name may lead inwards by dots
/// (`address.city`), also into arrays, by number or into each of their values. Where a field
/// holds an array, one of its values that fits is enough, but for `$ne` and `$nin`, which ask that
/// none does. Numbers are compared with numbers and texts with texts, by code points; what has
/// no order is in none. `null` also fits a field that is not there.
///
/// Operators: `$eq $ne $gt $gte $lt $lte $in $nin $exists $regex` (with `$options`: `i`, `s`) and
/// `$not` on a field, `$and $or $nor` on conditions.
package struct QueryFilter: Sendable {
    /// The most conditions of a query, all levels together.
    package static let maximumConditionCount = 500
    /// How deep conditions may nest.
    package static let maximumDepth = 32

    fileprivate indirect enum Condition: Sendable {
        case all([Condition])
        case any([Condition])
        case not(Condition)
        case field([String], Test)
    }

    fileprivate enum Test: Sendable {
        case equal(JSONValue)
        case ordered(JSONValue, isLess: Bool, orEqual: Bool)
        case among([JSONValue])
        case exists
        case matches(BoundedPattern)
    }

    private let condition: Condition

    /// Reads a filter.
    package init(_ json: JSONValue) throws(QueryError) {
        var parser = FilterParser()
        condition = try parser.filter(json, depth: 0)
    }

    /// Whether a value fits.
    package func matches(_ value: JSONValue) -> Bool {
        condition.holds(for: value)
    }
}

extension QueryFilter.Condition {
    fileprivate func holds(for value: JSONValue) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.holds(for: value) }
        case .any(let parts): parts.contains { $0.holds(for: value) }
        case .not(let part): !part.holds(for: value)
        case .field(let path, let test):
            test.holds(for: FieldPath.values(at: path[...], of: value))
        }
    }
}

extension QueryFilter.Test {
    fileprivate func holds(for found: [JSONValue]) -> Bool {
        if case .exists = self { return !found.isEmpty }
        if found.isEmpty { return holdsForNothing }
        return found.contains { value in
            holds(for: value) || (value.array?.contains { holds(for: $0) } ?? false)
        }
    }

    private var holdsForNothing: Bool {
        switch self {
        case .equal(let wanted): wanted.isNull
        case .among(let wanted): wanted.contains { $0.isNull }
        default: false
        }
    }

    private func holds(for value: JSONValue) -> Bool {
        switch self {
        case .equal(let wanted): return JSONOrder.isSame(value, wanted)
        case .among(let wanted): return wanted.contains { JSONOrder.isSame(value, $0) }
        case .exists: return true
        case .matches(let pattern): return value.string.map { pattern.isFound(in: $0) } ?? false
        case .ordered(let limit, let isLess, let orEqual):
            guard JSONOrder.isComparable(value, limit) else { return false }
            if JSONOrder.isSame(value, limit) { return orEqual }
            return JSONOrder.precedes(value, limit) == isLess
        }
    }
}

/// Reads filters, and counts their conditions.
private struct FilterParser {
    private typealias Condition = QueryFilter.Condition
    private var conditionCount = 0

    mutating func filter(
        _ json: JSONValue, depth: Int
    ) throws(QueryError) -> QueryFilter.Condition {
        guard depth <= QueryFilter.maximumDepth else {
            throw .tooLarge(limit: QueryFilter.maximumDepth)
        }
        guard let object = json.object else { throw .malformed("a filter is an object") }
        var parts: [Condition] = []
        for field in object.fields {
            switch field.name {
            case "$and": parts.append(.all(try filters(field.value, depth: depth)))
            case "$or": parts.append(.any(try filters(field.value, depth: depth)))
            case "$nor": parts.append(.not(.any(try filters(field.value, depth: depth))))
            case _ where field.name.hasPrefix("$"): throw .unknownOperator(field.name)
            default:
                let path = try FieldPath.parse(field.name)
                parts.append(try test(field.value, path: path, depth: depth))
            }
        }
        return .all(parts)
    }

    private mutating func filters(
        _ json: JSONValue, depth: Int
    ) throws(QueryError) -> [QueryFilter.Condition] {
        guard let values = json.array, !values.isEmpty else {
            throw .malformed("$and, $or and $nor take an array of filters")
        }
        var parts: [Condition] = []
        for value in values { parts.append(try filter(value, depth: depth + 1)) }
        return parts
    }

    /// What stands behind a field's name: operators, or the value it must have.
    private mutating func test(
        _ json: JSONValue, path: [String], depth: Int
    ) throws(QueryError) -> QueryFilter.Condition {
        guard depth <= QueryFilter.maximumDepth else {
            throw .tooLarge(limit: QueryFilter.maximumDepth)
        }
        guard let object = json.object, object.names.contains(where: { $0.hasPrefix("$") }) else {
            return try one(.equal(json), path)
        }
        var parts: [Condition] = []
        for field in object.fields {
            let value = field.value
            switch field.name {
            case "$eq": parts.append(try one(.equal(value), path))
            case "$ne": parts.append(.not(try one(.equal(value), path)))
            case "$gt": parts.append(try one(.ordered(value, isLess: false, orEqual: false), path))
            case "$gte": parts.append(try one(.ordered(value, isLess: false, orEqual: true), path))
            case "$lt": parts.append(try one(.ordered(value, isLess: true, orEqual: false), path))
            case "$lte": parts.append(try one(.ordered(value, isLess: true, orEqual: true), path))
            case "$in": parts.append(try one(.among(try values(value)), path))
            case "$nin": parts.append(.not(try one(.among(try values(value)), path)))
            case "$exists":
                guard let isWanted = value.bool else {
                    throw .malformed("$exists takes true or false")
                }
                let exists = try one(.exists, path)
                parts.append(isWanted ? exists : .not(exists))
            case "$regex":
                let pattern = try pattern(value, options: object["$options"])
                parts.append(try one(.matches(pattern), path))
            case "$options":
                guard object["$regex"] != nil else { throw .malformed("$options needs $regex") }
            case "$not":
                parts.append(.not(try test(value, path: path, depth: depth + 1)))
            default: throw .unknownOperator(field.name)
            }
        }
        return .all(parts)
    }

    private mutating func one(
        _ test: QueryFilter.Test, _ path: [String]
    ) throws(QueryError) -> QueryFilter.Condition {
        conditionCount += 1
        guard conditionCount <= QueryFilter.maximumConditionCount else {
            throw .tooLarge(limit: QueryFilter.maximumConditionCount)
        }
        return .field(path, test)
    }

    private func values(_ json: JSONValue) throws(QueryError) -> [JSONValue] {
        guard let values = json.array else { throw .malformed("$in and $nin take an array") }
        return values
    }

    private func pattern(
        _ json: JSONValue, options: JSONValue?
    ) throws(QueryError) -> BoundedPattern {
        guard let text = json.string else { throw .malformed("$regex takes a text") }
        let flags = options?.string ?? ""
        guard options == nil || options?.string != nil, flags.allSatisfy({ "is".contains($0) })
        else { throw .malformed("$options takes the letters i and s") }
        do {
            return try BoundedPattern(flags.isEmpty ? text : "(?\(flags))" + text)
        } catch {
            throw .pattern(error)
        }
    }
}
