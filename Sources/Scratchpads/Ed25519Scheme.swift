// SPDX-License-Identifier: Apache-2.0
//
// Pads signed with Ed25519.

package import Cryptography

/// Ed25519 (RFC 8032), with a domain tag so that no signature of a pad means anything elsewhere.
package enum Ed25519Scheme: SeedScheme {
    /// What every signed message begins with.
    ///
    /// - Source: docs/format.md §4.
    static let domainTag = "cairn.scratchpad.v1"

    /// The scheme's number: 1.
    package static let tag: UInt8 = 1
    /// An address is a public key: 32 bytes.
    package static let addressSize = 32
    /// A signature is 64 bytes.
    package static let signatureSize = 64

    /// Who signs with the key pair of this seed.
    package static func signer(signingSeed: SecretBytes) -> any PadSigner {
        Signer(keys: Ed25519KeyPair(seed: signingSeed))
    }

    /// Domain tag ‖ BE64(encoding) ‖ lower-case hexadecimal address ‖ BE64(counter) ‖ ciphertext.
    package static func signedBytes(
        address: PadAddress, encoding: UInt64, counter: UInt64, ciphertext: [UInt8]
    ) -> [UInt8] {
        signedBytes(
            after: domainTag, address: address, encoding: encoding, counter: counter,
            ciphertext: ciphertext)
    }

    /// Whether the key of `address` made `signature` over `message`.
    package static func isValid(
        signature: [UInt8], message: Span<UInt8>, address: [UInt8]
    ) -> Bool {
        Ed25519.isValid(signature: signature, message: message, publicKey: address)
    }

    private struct Signer: PadSigner {
        let keys: Ed25519KeyPair
        var address: [UInt8] { keys.publicKey }
        func sign(_ message: Span<UInt8>) -> [UInt8] { keys.sign(message) }
    }
}
