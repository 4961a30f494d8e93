// SPDX-License-Identifier: Apache-2.0
//
// What tells one content of a scratchpad from another. Pure.

import Cryptography
import Primitives

/// The digest by which a pad's row remembers what was sealed last.
package enum PadDigest {
    /// No content's: in the row of a pad whose content was replaced here before it ever came.
    ///
    /// - Source: docs/format.md §15, `published_digest`.
    static let replaced = [UInt8](repeating: 0, count: 32)

    /// BLAKE3 of the encoding and the content: a pad whose digest stands in its row already is not
    /// sealed again.
    ///
    /// - Source: docs/format.md §15, `published_digest`.
    package static func of(_ content: [UInt8], encoding: UInt64) -> [UInt8] {
        var hasher = Blake3Hasher()
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: encoding >> (8 * UInt64($0))) }
        hasher.update(prefix.span)
        hasher.update(content.span)
        return hasher.finalize().bytes
    }
}
