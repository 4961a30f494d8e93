// SPDX-License-Identifier: Apache-2.0
//
// How pads are signed, and the register of the ways there are. A new scheme is one file with one
// type that conforms to `SignatureScheme`, and one line in `SignatureSchemeID.registered`.

package import Cryptography
internal import Primitives

/// One way of signing pads: the sizes, the signed bytes, and the two operations.
///
/// A conforming type has no instances; everything is static.
package protocol SignatureScheme: Sendable {
    /// The scheme's number in records and file names. It never changes, and is never used again.
    static var tag: UInt8 { get }
    /// Bytes of an address, which is the owner's public key.
    static var addressSize: Int { get }
    /// Bytes of a signature.
    static var signatureSize: Int { get }

    /// The bytes that are signed.
    ///
    /// They bind everything a record says, and no two different records give the same.
    static func signedBytes(
        address: PadAddress, encoding: UInt64, counter: UInt64, ciphertext: [UInt8]
    ) -> [UInt8]

    /// Whether `signature` was made over `message` by the key of `address`.
    ///
    /// Answers false, never traps, for an address that is no key.
    static func isValid(
        signature: [UInt8], message: Span<UInt8>, address: [UInt8]
    ) -> Bool
}

extension SignatureScheme {
    /// `prefix` ‖ BE64(encoding) ‖ lower-case hexadecimal address ‖ BE64(counter) ‖ ciphertext.
    ///
    /// All but the last part have fixed sizes within a scheme, so no two of its records give the
    /// same bytes. The order and the textual address are those of Autonomi's pads.
    static func signedBytes(
        after prefix: String, address: PadAddress, encoding: UInt64, counter: UInt64,
        ciphertext: [UInt8]
    ) -> [UInt8] {
        let fixedSize = prefix.utf8.count + 2 * addressSize + 16
        var writer = ByteWriter(capacity: fixedSize + ciphertext.count)
        writer.raw(Array(prefix.utf8))
        writer.u64be(encoding)
        writer.raw(Array(address.hex.utf8))
        writer.u64be(counter)
        writer.raw(ciphertext)
        return writer.bytes
    }
}

/// A scheme for pads of this volume's making: any seed makes a key.
package protocol SeedScheme: SignatureScheme {
    /// Who signs with the key that this seed makes.
    ///
    /// - Parameter signingSeed: 32 bytes, any of which make a key.
    static func signer(signingSeed: SecretBytes) -> any PadSigner
}

/// A signing key at work. What it signs, it signs the same every time: sealing the same content
/// again gives the same record.
package protocol PadSigner: Sendable {
    /// The public key, in the size of the scheme's addresses.
    var address: [UInt8] { get }
    /// The signature of `message`, in the size of the scheme's signatures.
    func sign(_ message: Span<UInt8>) -> [UInt8]
}

/// Which scheme a pad is signed under: the tag that is stored, and the code behind it.
///
/// Equal if the tags are.
package struct SignatureSchemeID: RawRepresentable, Hashable, Sendable {
    /// The code.
    package let scheme: any SignatureScheme.Type

    /// Ed25519, the scheme of all pads that this version makes.
    package static let ed25519 = SignatureSchemeID(Ed25519Scheme.self)

    /// BLS12-381 in the way of the older Autonomi network, for pads that come from there.
    package static let autonomi = SignatureSchemeID(AutonomiScheme.self)

    /// Every scheme that this version reads.
    package static let registered = [ed25519, autonomi]

    /// A scheme, registered or not.
    package init(_ scheme: any SignatureScheme.Type) {
        self.scheme = scheme
    }

    /// The registered scheme with this tag; nil if there is none.
    package init?(rawValue: UInt8) {
        self.init(rawValue: rawValue, among: SignatureSchemeID.registered)
    }

    /// The scheme with this tag; nil if it is not in `schemes`.
    package init?(rawValue: UInt8, among schemes: [SignatureSchemeID]) {
        guard let found = schemes.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = found
    }

    /// The tag.
    package var rawValue: UInt8 { scheme.tag }

    /// Whether the tags are equal.
    package static func == (left: SignatureSchemeID, right: SignatureSchemeID) -> Bool {
        left.rawValue == right.rawValue
    }

    /// Hashes the tag.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(rawValue)
    }
}
