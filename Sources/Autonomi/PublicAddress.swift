// SPDX-License-Identifier: Apache-2.0
//
// The name of something public, as people write it.

package import Primitives

/// Why a text is no address.
package enum PublicAddressError: Error, Hashable, Sendable {
    /// Not 64 characters.
    case wrongLength(Int)
    /// A character that is no hexadecimal digit.
    case notHexadecimal
    /// An address but for its capital letters. Taking it would give one thing two names.
    case upperCase
}

extension PublicAddressError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .wrongLength(let count): "an address has 64 hexadecimal digits, not \(count)"
        case .notHexadecimal: "an address has hexadecimal digits only"
        case .upperCase: "an address is written in lower case"
        }
    }
}

/// The address of a chunk, without the digest's algorithm: a text does not say of which generation
/// of the network it is. The bytes that are found under it do.
package struct PublicAddress: Hashable, Sendable {
    /// Bytes of an address.
    package static let byteCount = Digest.byteCount
    /// Characters of an address's text.
    package static let textSize = 2 * byteCount

    private let name: Digest

    /// Reads 64 hexadecimal digits in lower case, and nothing else.
    package init(_ text: String) throws(PublicAddressError) {
        let count = text.utf8.count
        guard count == Self.textSize else { throw .wrongLength(count) }
        guard let digest = Digest(hex: text) else { throw .notHexadecimal }
        guard digest.hex == text else { throw .upperCase }
        name = digest
    }

    /// An address from its bytes; nil unless there are 32.
    package init?(_ bytes: [UInt8]) {
        guard let digest = Digest(bytes) else { return nil }
        name = digest
    }

    /// The address of a chunk that is known.
    package init(_ digest: Digest) {
        // 32 bytes are a digest of either algorithm.
        name = Digest(digest.bytes) ?? digest
    }

    /// The 32 bytes.
    package var bytes: [UInt8] { name.bytes }

    /// 64 hexadecimal digits, in lower case.
    package var text: String { name.hex }

    /// This address as the digest that `algorithm` made.
    package func digest(_ algorithm: DigestAlgorithm) -> Digest {
        guard let digest = Digest(name.bytes, algorithm: algorithm) else {
            preconditionFailure("an address of another size")
        }
        return digest
    }
}
