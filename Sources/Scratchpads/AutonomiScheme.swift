// SPDX-License-Identifier: Apache-2.0
//
// Pads signed as those of the older Autonomi network are.

internal import BLS12381
internal import Primitives

/// BLS signatures over BLS12-381: the IETF's basic scheme, with keys in the first group.
///
/// Records of this scheme hold what the network's own scratchpads hold, and the signature is that
/// scratchpad's: nothing is signed anew when one becomes a record.
///
/// - Source: docs/format.md §4.
package enum AutonomiScheme: SignatureScheme {
    /// The scheme's number: 2.
    package static let tag: UInt8 = 2
    /// An address is a public key: 48 bytes.
    package static let addressSize = BLSPublicKey.byteCount
    /// A signature is 96 bytes.
    package static let signatureSize = BLSPublicKey.signatureSize

    /// BE64(encoding) ‖ lower-case hexadecimal address ‖ BE64(counter) ‖ payload.
    package static func signedBytes(
        address: PadAddress, encoding: UInt64, counter: UInt64, ciphertext: [UInt8]
    ) -> [UInt8] {
        var writer = ByteWriter(capacity: 2 * addressSize + 16 + ciphertext.count)
        writer.u64be(encoding)
        writer.raw(Array(address.hex.utf8))
        writer.u64be(counter)
        writer.raw(ciphertext)
        return writer.bytes
    }

    /// Whether the key of `address` made `signature` over `message`.
    package static func isValid(
        signature: [UInt8], message: Span<UInt8>, address: [UInt8]
    ) -> Bool {
        BLSPublicKey(address)?.isValid(signature: signature, message: message) ?? false
    }
}
