// SPDX-License-Identifier: Apache-2.0
//
// The names of messages and files.

import Cryptography
import Primitives

/// Where a message's content, or a file, is kept.
package enum ItemType: String, Sendable, CaseIterable {
    /// In the message itself.
    case inline
    /// In the network's own storage, named by SHA-256.
    case storage
    /// In IPFS, named by a CID.
    case ipfs
}

/// The name of a message or a file: a SHA-256 digest, or a CID.
///
/// Of CIDs the network takes version 0 (`Qm…`) and those of version 1 that name a dag-pb block
/// (`bafy…`). What IPFS tools make of small files with `--cid-version=1` (`bafkrei…`) it refuses.
package struct ItemHash: Hashable, Sendable {
    /// The hash as messages have it.
    package let text: String
    /// Which of the two it is; never `inline`, which is told by the message alone.
    package let type: ItemType

    /// The hash that `text` spells; nil if the network would refuse it.
    ///
    /// - Source: `ItemType.from_hash` of aleph-message 1.7.0.
    package init?(_ text: String) {
        let utf8 = Array(text.utf8)
        switch utf8.count {
        case 64 where utf8.allSatisfy(ItemHash.isHex): type = .storage
        case 44...46 where text.hasPrefix("Qm") && Base58.decode(text) != nil: type = .ipfs
        case 59 where text.hasPrefix("bafy") && utf8.allSatisfy(ItemHash.isBase32): type = .ipfs
        default: return nil
        }
        self.text = text
    }

    /// The name of these bytes in the network's own storage, and of an inline content.
    package init(sha256Of bytes: [UInt8]) {
        self.init(sha256: SHA2.sha256(bytes))
    }

    /// The name that belongs to a SHA-256 digest, of 32 bytes.
    package init(sha256 digest: [UInt8]) {
        precondition(digest.count == 32, "a digest of another size")
        text = Hex.encode(digest)
        type = .storage
    }

    /// The name of a file in IPFS.
    package init(_ cid: ContentIdentifier) {
        text = cid.version0
        type = .ipfs
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isBase32(_ byte: UInt8) -> Bool {
        (0x32...0x37).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

extension ItemHash: CustomStringConvertible {
    /// The hash as messages have it.
    package var description: String { text }
}
