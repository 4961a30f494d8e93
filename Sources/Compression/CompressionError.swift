// SPDX-License-Identifier: Apache-2.0
//
// What can be wrong with compressed bytes.

/// Why bytes could not be decompressed.
package enum CompressionError: Error, Equatable, Sendable {
    /// They are not one whole stream, or more than one.
    case malformed
    /// What they stand for is larger than the caller takes.
    case tooLarge(limit: Int)
}
