// SPDX-License-Identifier: Apache-2.0
//
// A parser of bytes that nobody vouches for, and what must hold of it whatever the bytes are. The
// same list serves libFuzzer (`make fuzz`) and the seeded mutations of the normal tests.

/// A property of a parser that some bytes have broken.
struct BrokenProperty: Error, CustomStringConvertible {
    let description: String
}

/// One parser under test.
struct Parser: Sendable {
    /// What the corpus folder, and `CAIRN_PARSER`, call it.
    let name: String
    /// Encodings that are valid, for mutations to start from.
    let seeds: @Sendable () throws -> [[UInt8]]
    /// Parses the bytes, which may fail, and checks what came out, which must not: it throws
    /// `BrokenProperty` and nothing else.
    let check: @Sendable ([UInt8]) throws -> Void

    /// All of them.
    static let all: [Parser] =
        namespace + dataMaps + [padRecord] + autonomi + local + command + texts + aleph
}

/// What `parse` gives; nil when it refuses, which is its right.
func parsed<Value>(_ parse: () throws -> Value) -> Value? {
    do { return try parse() } catch { return nil }
}

/// A value that has one encoding: what was read is written as it was, and written bytes are read as
/// the same value.
///
/// - Parameter isCanonical: there is no second encoding that is read as the same value.
func checkCoding<Value: Equatable>(
    _ bytes: [UInt8], isCanonical: Bool, decode: ([UInt8]) throws -> Value,
    encode: (Value) throws -> [UInt8]
) throws {
    guard let value = parsed({ try decode(bytes) }) else { return }
    guard let again = parsed({ try encode(value) }) else {
        throw BrokenProperty(description: "what was read cannot be written")
    }
    if isCanonical && again != bytes {
        throw BrokenProperty(description: "what was read is written as other bytes")
    }
    guard let second = parsed({ try decode(again) }) else {
        throw BrokenProperty(description: "what was written is not read")
    }
    if second != value { throw BrokenProperty(description: "what was written is another value") }
}
