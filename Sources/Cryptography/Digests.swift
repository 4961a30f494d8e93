// SPDX-License-Identifier: Apache-2.0
//
// Making and checking digests without caring which hash function they name.

package import Primitives

/// Digests by the algorithm they carry.
package enum Digests {
    /// The digest of `bytes` under `algorithm`.
    package static func of(_ bytes: Span<UInt8>, algorithm: DigestAlgorithm = .blake3) -> Digest {
        switch algorithm {
        case .blake3: Blake3.hash(bytes)
        case .sha3: SHA3.hash256(bytes)
        }
    }

    /// The digest of `bytes` under `algorithm`.
    package static func of(_ bytes: [UInt8], algorithm: DigestAlgorithm = .blake3) -> Digest {
        of(bytes.span, algorithm: algorithm)
    }

    /// Whether `digest` names these bytes.
    package static func matches(_ bytes: Span<UInt8>, _ digest: Digest) -> Bool {
        of(bytes, algorithm: digest.algorithm) == digest
    }

    /// Whether `digest` names these bytes.
    package static func matches(_ bytes: [UInt8], _ digest: Digest) -> Bool {
        matches(bytes.span, digest)
    }
}
