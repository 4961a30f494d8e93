// SPDX-License-Identifier: Apache-2.0
//
// One signed state of a pad, as it rests in stores.
//
// Invariant: the address and the signature have the sizes of their scheme, and the whole is at
// most `maximumSize`, so every record can be encoded.

internal import Cryptography
package import Primitives

/// One state of a pad: what its owner signed, and the signature.
///
/// Having one says nothing about its truth: `verify` does.
package struct PadRecord: Hashable, Sendable {
    /// The most bytes of an encoded record: 4 MiB, all of it counted.
    ///
    /// - Source: the limit of Autonomi's scratchpads.
    package static let maximumSize = 4 * 1024 * 1024

    /// The pad.
    package let address: PadAddress
    /// What kind of content it is. Signed, and never interpreted here.
    package let encoding: UInt64
    /// Which state it is: a later one has a larger number.
    package let counter: UInt64
    /// The sealed content.
    package let ciphertext: [UInt8]
    /// The owner's signature of all of the above.
    package let signature: [UInt8]

    /// Puts a record together; nothing is verified.
    ///
    /// - Throws: `malformed` if the signature has not the scheme's size; `tooLarge`.
    package init(
        address: PadAddress, encoding: UInt64, counter: UInt64, ciphertext: [UInt8],
        signature: [UInt8]
    ) throws(ScratchpadError) {
        let scheme = address.scheme.scheme
        guard signature.count == scheme.signatureSize else { throw .malformed }
        guard ciphertext.count <= PadRecord.maximumCiphertextSize(scheme) else {
            throw .tooLarge(limit: PadRecord.maximumSize)
        }
        self.address = address
        self.encoding = encoding
        self.counter = counter
        self.ciphertext = ciphertext
        self.signature = signature
    }

    /// Checks that the owner of the address signed this record.
    ///
    /// - Throws: `badSignature`.
    package func verify() throws(ScratchpadError) {
        let scheme = address.scheme.scheme
        let message = scheme.signedBytes(
            address: address, encoding: encoding, counter: counter, ciphertext: ciphertext)
        let isValid = scheme.isValid(
            signature: signature, message: message.span, address: address.bytes)
        guard isValid else { throw .badSignature }
    }

    /// The BLAKE3 digest of the encoded record.
    package var digest: Digest {
        var hasher = Blake3Hasher()
        hasher.update(encodedHead().span)
        hasher.update(ciphertext.span)
        hasher.update(signature.span)
        return hasher.finalize()
    }
}
