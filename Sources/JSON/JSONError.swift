// SPDX-License-Identifier: Apache-2.0
//
// Why a text is no JSON that is taken.

/// Why bytes were not read as JSON. `offset` is where in them, in bytes from the start.
package enum JSONError: Error, Equatable, Sendable {
    /// The text ends within a value.
    case truncated
    /// The text breaks the grammar here; the reason is a fixed sentence.
    case malformed(offset: Int, reason: String)
    /// Values nest deeper than is taken.
    case tooDeep(limit: Int)
    /// There are more bytes than are taken.
    case tooLarge(limit: Int)
    /// There are more values than are taken.
    case tooManyValues(limit: Int)
}

extension JSONError: CustomStringConvertible {
    /// One sentence for a person; it never quotes the text.
    package var description: String {
        switch self {
        case .truncated: "the JSON text ends too early"
        case .malformed(let offset, let reason): "not JSON at byte \(offset): \(reason)"
        case .tooDeep(let limit): "the JSON text nests deeper than \(limit)"
        case .tooLarge(let limit): "the JSON text is larger than \(limit) bytes"
        case .tooManyValues(let limit): "the JSON text has more than \(limit) values"
        }
    }
}

/// How much of a JSON text is taken.
package struct JSONLimits: Sendable {
    /// Bytes of text.
    package var size: Int
    /// Arrays and objects within each other.
    package var depth: Int
    /// Values of all kinds together: what bounds the memory, at some 100 bytes each.
    package var values: Int

    /// Limits of one's own.
    package init(size: Int, depth: Int = 128, values: Int = 1_000_000) {
        self.size = size
        self.depth = depth
        self.values = values
    }

    /// 16 MiB, 128 deep, a million values.
    package static let standard = JSONLimits(size: 16 << 20)
}
