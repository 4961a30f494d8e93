// SPDX-License-Identifier: Apache-2.0
//
// Pads signed as those of the older Autonomi network are.

internal import BLS12381

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
        signedBytes(
            after: "", address: address, encoding: encoding, counter: counter,
            ciphertext: ciphertext)
    }

    /// Whether the key of `address` made `signature` over `message`.
    package static func isValid(
        signature: [UInt8], message: Span<UInt8>, address: [UInt8]
    ) -> Bool {
        BLSPublicKey(address)?.isValid(signature: signature, message: message) ?? false
    }
}
