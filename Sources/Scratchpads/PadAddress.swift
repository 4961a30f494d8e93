// SPDX-License-Identifier: Apache-2.0
//
// The name of a pad.

internal import Primitives

/// The public key of a pad's owner, and the scheme it is a key of. Who has it can verify the pad.
///
/// Ordered by scheme, then by bytes.
package struct PadAddress: Hashable, Sendable, Comparable {
    /// The scheme the pad is signed under.
    package let scheme: SignatureSchemeID
    /// The public key, in the scheme's address size.
    package let bytes: [UInt8]

    /// An address from its bytes; nil unless they have the scheme's size.
    ///
    /// Whether the bytes are a key that signed anything is only found out by verifying.
    package init?(scheme: SignatureSchemeID, bytes: [UInt8]) {
        guard bytes.count == scheme.scheme.addressSize else { return nil }
        self.scheme = scheme
        self.bytes = bytes
    }

    /// An address from hexadecimal digits of either case; nil unless they have the scheme's size.
    package init?(scheme: SignatureSchemeID, hex: String) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(scheme: scheme, bytes: bytes)
    }

    /// The bytes as lower-case hexadecimal digits.
    package var hex: String { Hex.encode(bytes) }

    /// The order of the schemes' tags, then of the bytes.
    package static func < (left: PadAddress, right: PadAddress) -> Bool {
        if left.scheme != right.scheme { return left.scheme.rawValue < right.scheme.rawValue }
        return left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
