// SPDX-License-Identifier: Apache-2.0
//
// SHA-3, which version 1 of the data map names its chunks with.

package import Primitives

/// SHA-3.
///
/// - Source: FIPS 202.
package enum SHA3 {
    /// The SHA3-256 digest of `bytes`.
    package static func hash256(_ bytes: Span<UInt8>) -> Digest {
        var output = InlineArray<32, UInt8>(repeating: 0)
        var span = output.mutableSpan
        HashFunction.sha3.hash(bytes, into: &span)
        guard let digest = Digest(output.span, algorithm: .sha3) else {
            preconditionFailure("a digest of another size")
        }
        return digest
    }

    /// The SHA3-256 digest of `bytes`.
    package static func hash256(_ bytes: [UInt8]) -> Digest {
        hash256(bytes.span)
    }
}
