// SPDX-License-Identifier: Apache-2.0
//
// Short ways to bytes, for tests.

import Cryptography
import Primitives
import TestSupport
import Testing

/// The bytes of hexadecimal digits in a test's own text.
func hex(_ digits: String) throws -> [UInt8] {
    try #require(Hex.decode(digits))
}

/// The sentence that RFC 8439 and the XChaCha draft seal.
let sunscreen = Array(
    """
    Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
    sunscreen would be it.
    """.utf8)

/// Changes one bit, chosen by the dice, of bytes that are not empty.
func flippingBit(of bytes: [UInt8], using dice: inout SeededGenerator) -> [UInt8] {
    var changed = bytes
    let index = Int.random(in: changed.indices, using: &dice)
    changed[index] ^= 1 << UInt8.random(in: 0...7, using: &dice)
    return changed
}

extension SecretBytes {
    /// A copy of the bytes, to compare.
    var copy: [UInt8] {
        withBytes { bytes in bytes.indices.map { bytes[$0] } }
    }
}
