// SPDX-License-Identifier: Apache-2.0
//
// What can be wrong with a scratchpad record, or with what is asked of one.

/// Why a record was not read, believed, opened or made.
///
/// No case carries keys or plaintext, so all of them may be logged.
package enum ScratchpadError: Error, Equatable, Sendable {
    /// The bytes are not a record, or a part of it has a size its scheme does not have.
    case malformed
    /// A newer version of Cairn wrote the record: its format has this number.
    case unsupportedVersion(UInt8)
    /// The record was signed under a scheme with this tag, which this version does not know.
    case unknownScheme(UInt8)
    /// The owner of the address did not sign this.
    case badSignature
    /// The record is another pad's than the capability's.
    case foreignPad
    /// The signature is right, but the payload was not sealed with this read key.
    case cannotOpen
    /// There is no key to sign the pad with.
    case noKey
    /// The record would be, or is, above the limit, in bytes of what was measured.
    case tooLarge(limit: Int)
    /// The counter cannot grow any more; no later record is possible.
    case counterExhausted
}
