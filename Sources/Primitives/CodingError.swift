// SPDX-License-Identifier: Apache-2.0
//
// What can be wrong with bytes that should have been one of our formats.

/// Why bytes could not be read.
package enum CodingError: Error, Equatable, Sendable {
    /// They end before the value does.
    case truncated
    /// A size or count in them is above what the reader takes.
    case tooLarge(limit: Int)
    /// They break a rule of their format; the text is a fixed sentence that names it.
    case malformed(String)
}
