// SPDX-License-Identifier: Apache-2.0
//
// The names IPFS gives to blocks.

import Cryptography
import Primitives

/// A CID over SHA-256.
///
/// - Source: the CID and multihash specifications of multiformats.
package struct ContentIdentifier: Hashable, Sendable {
    /// What the named block holds.
    package enum Codec: UInt8, Sendable {
        /// A node of a tree.
        case dagPB = 0x70
        /// Bytes of a file, and nothing else.
        case raw = 0x55
    }

    private static let multihashHead: [UInt8] = [0x12, 0x20]

    /// What the block holds.
    package let codec: Codec
    /// SHA-256 of the block: 32 bytes.
    package let digest: [UInt8]

    /// The name of a block.
    package init(codec: Codec, block: [UInt8]) {
        self.codec = codec
        digest = SHA2.sha256(block)
    }

    /// The CID that `text` spells, in either version; nil for other hashes, codecs and bases.
    package init?(_ text: String) {
        let bytes: [UInt8]
        if text.hasPrefix("Qm") {
            guard text.utf8.count <= 46, let decoded = Base58.decode(text) else { return nil }
            bytes = [0x01, Codec.dagPB.rawValue] + decoded
        } else {
            guard text.hasPrefix("b"), text.utf8.count == 59,
                let decoded = Base32.decode(String(text.dropFirst()))
            else { return nil }
            bytes = decoded
        }
        guard bytes.count == 36, bytes[0] == 0x01, let codec = Codec(rawValue: bytes[1]),
            Array(bytes[2..<4]) == ContentIdentifier.multihashHead
        else { return nil }
        self.codec = codec
        digest = Array(bytes[4...])
    }

    /// The text of version 0; a raw block has none, and is named by its version 1.
    package var version0: String {
        guard codec == .dagPB else { return version1 }
        return Base58.encode(ContentIdentifier.multihashHead + digest)
    }

    /// The text of version 1.
    package var version1: String {
        "b" + Base32.encode(bytes(version: 1))
    }

    /// The bytes with which a tree links to the block.
    func bytes(version: Int) -> [UInt8] {
        let multihash = ContentIdentifier.multihashHead + digest
        return version == 0 ? multihash : [0x01, codec.rawValue] + multihash
    }

    /// Whether this is the root of a file of these bytes, in any of the forms that IPFS tools
    /// make by default.
    package func isFile(_ bytes: [UInt8]) -> Bool {
        UnixFSLayout.allCases.contains { layout in
            var hasher = UnixFSHasher(layout: layout)
            hasher.update(bytes.span)
            return hasher.finalize().cid == self
        }
    }
}
