// SPDX-License-Identifier: Apache-2.0
//
// The forms in which other programs keep an account's key.

package import Cryptography
import JSON
import Primitives

/// A key as it was found in a file.
package struct AccountKeyText: Sendable {
    /// The form it had.
    package enum Form: Sendable, Equatable {
        /// 32 bytes, as aleph's own SDK keeps them.
        case raw
        /// A JSON array of 32 or 64 numbers, as Solana's command line keeps them.
        case numbers
        /// 32 or 64 bytes in base 58, as Phantom exports them.
        case base58
        /// 32 bytes in hex, with or without `0x`, as wallets of Ethereum export them.
        case hex
    }

    /// The most bytes of a key file; the longest form needs some 400.
    package static let maximumSize = 4096

    /// The form the key had.
    package let form: Form
    /// The 32 bytes.
    package let secret: SecretBytes

    /// Reads a key in any of the forms.
    ///
    /// Where the public key is beside the secret, as in the forms of 64 bytes, it must belong to
    /// it: else the file is damaged, or the two were mixed up.
    ///
    /// - Throws: `malformedKey`; it says nothing about the bytes.
    package init(_ bytes: [UInt8]) throws(AlephProtocolError) {
        guard bytes.count <= AccountKeyText.maximumSize else { throw .malformedKey }
        if bytes.count == AlephAccount.secretSize {
            form = .raw
            secret = SecretBytes(bytes)
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformedKey }
        let word = text.split(whereSeparator: { $0.isWhitespace }).joined(separator: " ")
        let digits = word.hasPrefix("0x") ? String(word.dropFirst(2)) : word
        if word.hasPrefix("[") {
            form = .numbers
            secret = try AccountKeyText.checked(AccountKeyText.numbers(word))
        } else if digits.utf8.count == 2 * AlephAccount.secretSize, let key = Hex.decode(digits) {
            form = .hex
            secret = try AccountKeyText.checked(key)
        } else {
            form = .base58
            secret = try AccountKeyText.checked(Base58.decode(word))
        }
    }

    private static func numbers(_ text: String) -> [UInt8]? {
        let limits = JSONLimits(size: maximumSize, depth: 1, values: 65)
        // Whatever does not parse is no key.
        guard let values = try? JSONValue(parsing: text, limits: limits).array else { return nil }
        let bytes = values.compactMap { $0.int.flatMap { UInt8(exactly: $0) } }
        return bytes.count == values.count ? bytes : nil
    }

    private static func checked(_ bytes: [UInt8]?) throws(AlephProtocolError) -> SecretBytes {
        let size = AlephAccount.secretSize
        guard let bytes, bytes.count == size || bytes.count == 2 * size else {
            throw .malformedKey
        }
        let secret = SecretBytes(Array(bytes.prefix(size)))
        guard bytes.count == 2 * size else { return secret }
        guard Ed25519KeyPair(seed: secret).publicKey.elementsEqual(bytes.suffix(size)) else {
            throw .malformedKey
        }
        return secret
    }
}
