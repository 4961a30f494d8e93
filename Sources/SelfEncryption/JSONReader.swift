// SPDX-License-Identifier: Apache-2.0
//
// Reads the JSON of data maps from bytes that nobody vouches for, value after value, without
// building a tree. It knows JSON, not the maps.
//
// Escapes in strings are stepped over and left as they are: no name and no digest of a data map
// needs one, so a string that has any is simply none of those.

import Primitives

/// A place in a JSON text, from which value after value is read.
///
/// A read that throws may have moved the place; there is nothing to go on with after it.
struct JSONReader {
    /// How deep values may nest in what `skip` steps over.
    static let maximumDepth = 32

    private let bytes: [UInt8]
    private var offset = 0

    /// Reads from the first of `bytes` on.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The first byte of the next value, which stays unread.
    mutating func peek() throws(CodingError) -> UInt8 {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return bytes[offset]
            }
        }
        throw .truncated
    }

    /// Reads an object, and hands each of its names, with the place of its value, to `field`,
    /// which must read exactly that value.
    ///
    /// - Parameter limit: the most fields that are taken; more throws `tooLarge`.
    mutating func object(
        limit: Int, _ field: (inout JSONReader, String) throws(CodingError) -> Void
    ) throws(CodingError) {
        try expect(UInt8(ascii: "{"))
        try sequence(limit: limit, end: UInt8(ascii: "}")) { reader throws(CodingError) in
            // Names longer than any that is known are still names of fields to step over.
            let name = try reader.string(limit: reader.bytes.count)
            try reader.expect(UInt8(ascii: ":"))
            try field(&reader, name)
        }
    }

    /// Reads an array, and calls `element` at the place of each value, which it must read.
    ///
    /// - Parameter limit: the most values that are taken; more throws `tooLarge`.
    mutating func array(
        limit: Int, _ element: (inout JSONReader) throws(CodingError) -> Void
    ) throws(CodingError) {
        try expect(UInt8(ascii: "["))
        try sequence(limit: limit, end: UInt8(ascii: "]"), element)
    }

    /// Reads a whole number that is not negative.
    mutating func number() throws(CodingError) -> UInt64 {
        _ = try peek()
        let start = offset
        var value: UInt64 = 0
        while offset < bytes.count, case let digit = bytes[offset] &- UInt8(ascii: "0"), digit < 10
        {
            let (product, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isStillOver) = product.addingReportingOverflow(UInt64(digit))
            guard !isOver, !isStillOver else { throw .malformed("a number above 64 bits") }
            value = sum
            offset += 1
        }
        guard offset > start else { throw .malformed("not a whole number") }
        guard offset == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw .malformed("a number begins with zero")
        }
        // A fraction or an exponent would be left behind, and misread as the next thing.
        if offset < bytes.count, ".eE".utf8.contains(bytes[offset]) {
            throw .malformed("not a whole number")
        }
        return value
    }

    /// Reads a string, its escapes unresolved.
    ///
    /// - Parameter limit: the most bytes that are taken; more throws `tooLarge`.
    mutating func string(limit: Int) throws(CodingError) -> String {
        try expect(UInt8(ascii: "\""))
        let start = offset
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
            guard bytes[offset] >= 0x20 else { throw .malformed("a control byte in a string") }
            offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard offset < bytes.count else { throw .truncated }
        guard offset - start <= limit else { throw .tooLarge(limit: limit) }
        defer { offset += 1 }
        guard let text = String(validating: bytes[start..<offset], as: UTF8.self) else {
            throw .malformed("text that is not UTF-8")
        }
        return text
    }

    /// Reads `null` if it comes next, and says whether it did.
    mutating func isNull() throws(CodingError) -> Bool {
        guard try peek() == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    /// Steps over one value of any type.
    ///
    /// - Throws: `tooLarge` when values nest deeper than `maximumDepth`.
    mutating func skip() throws(CodingError) {
        try skip(depth: 0)
    }

    /// Throws `malformed` unless only white space is left.
    mutating func expectEnd() throws(CodingError) {
        do {
            _ = try peek()
        } catch {
            return  // Nothing is left, which is what was hoped for.
        }
        throw .malformed("bytes after the end")
    }

    private mutating func skip(depth: Int) throws(CodingError) {
        guard depth < Self.maximumDepth else { throw .tooLarge(limit: Self.maximumDepth) }
        let anyCount = bytes.count
        switch try peek() {
        case UInt8(ascii: "{"):
            try object(limit: anyCount) { reader, _ throws(CodingError) in
                try reader.skip(depth: depth + 1)
            }
        case UInt8(ascii: "["):
            try array(limit: anyCount) { reader throws(CodingError) in
                try reader.skip(depth: depth + 1)
            }
        case UInt8(ascii: "\""): _ = try string(limit: anyCount)
        case UInt8(ascii: "n"): try word("null")
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        default: try skipNumber()
        }
    }

    private mutating func skipNumber() throws(CodingError) {
        let start = offset
        while offset < bytes.count, "+-.0123456789Ee".utf8.contains(bytes[offset]) {
            offset += 1
        }
        guard offset > start else { throw .malformed("not a JSON value") }
    }

    private mutating func word(_ text: StaticString) throws(CodingError) {
        for byte in text.description.utf8 {
            guard offset < bytes.count else { throw .truncated }
            guard bytes[offset] == byte else { throw .malformed("not a JSON value") }
            offset += 1
        }
    }

    private mutating func sequence(
        limit: Int, end: UInt8, _ element: (inout JSONReader) throws(CodingError) -> Void
    ) throws(CodingError) {
        if try peek() == end {
            offset += 1
            return
        }
        for _ in 0..<limit {
            try element(&self)
            if try peek() == end {
                offset += 1
                return
            }
            try expect(UInt8(ascii: ","))
        }
        throw .tooLarge(limit: limit)
    }

    private mutating func expect(_ byte: UInt8) throws(CodingError) {
        guard try peek() == byte else { throw .malformed("not the JSON that was expected") }
        offset += 1
    }
}
