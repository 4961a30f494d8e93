// SPDX-License-Identifier: Apache-2.0
//
// What can go wrong with keys, seals and signatures.

/// Why a cryptographic operation gave nothing.
///
/// No case carries key, password or plaintext bytes, so all of them may be logged.
package enum CryptographyError: Error, Equatable, Sendable {
    /// The bytes were not sealed with this key, nonce and associated data, or were changed since.
    case authenticationFailed
    /// The key has the wrong size or form.
    case invalidKey
    /// The signature has the wrong size or form.
    case invalidSignature
    /// Memory for the operation could not be had; argon2id asks for a lot of it.
    case outOfMemory
    /// The library refused what it was asked; the text is a fixed sentence.
    case libraryFailure(String)
}
