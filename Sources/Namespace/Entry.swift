// SPDX-License-Identifier: Apache-2.0
//
// One name in one directory and the inode behind it, as a page holds it. Values only: what is
// allowed in them is decided in Entry+Validation.swift, how they are written in Entry+Coding.swift.

package import Primitives
package import Scratchpads
package import SelfEncryption

/// Where a sealed page is and what opens it: 64 bytes when written.
///
/// Who has a reference can read the page and everything below it, so references stand only inside
/// sealed pages and the root pad.
package struct PageReference: Hashable, Sendable {
    /// BLAKE3 of the sealed page, which is a chunk.
    package let address: Digest
    /// The page's own key, `keySize` bytes.
    package let key: [UInt8]

    /// Bytes of `key`.
    package static let keySize = 32

    /// - Parameters:
    ///   - address: of the chunk.
    ///   - key: exactly `keySize` bytes; anything else traps.
    package init(address: Digest, key: [UInt8]) {
        precondition(key.count == Self.keySize, "a page key has 32 bytes")
        self.address = address
        self.key = key
    }
}

/// One run of a regular file's bytes that is one self-encrypted data map.
package struct Segment: Hashable, Sendable {
    /// Where in the file the run begins.
    package var offset: UInt64
    /// Bytes of the run; at least 1.
    package var size: UInt64
    /// The packed root map: at most three chunks unless somebody else made it.
    package var map: DataMap

    package init(offset: UInt64, size: UInt64, map: DataMap) {
        self.offset = offset
        self.size = size
        self.map = map
    }
}

/// Where the bytes of a regular file are.
package enum Content: Hashable, Sendable {
    /// Here. Exactly as many bytes as the file's size, `NamespaceLimits.maximumInlineSize` at most.
    case inline([UInt8])
    /// In chunks. Sorted and apart from each other; a gap is a hole, and none at all is all hole.
    case segments([Segment])
    /// In chunks, and the list of segments is too long for an entry: it is a page of its own.
    case indirect(PageReference, count: Int)
}

/// Which scratchpad a name in `scratchpads/` stands for, and the state in which it was published.
package struct PadReference: Hashable, Sendable {
    /// 32 random bytes drawn when the pad was made, which `VolumeKeys.pad(identity:)` turns to
    /// keys; or of a pad from elsewhere its masked key: `VolumeKeys.identity(of:)`.
    package var identity: [UInt8]
    /// The public address.
    package var address: PadAddress
    /// The owner's content-type number, signed with the pad.
    package var encoding: UInt64
    /// The pad's counter as of this revision.
    package var counter: UInt64
    /// Bytes of its plaintext as of this revision.
    package var size: UInt64

    /// Bytes of `identity`.
    package static let identitySize = 32

    package init(
        identity: [UInt8], address: PadAddress, encoding: UInt64, counter: UInt64, size: UInt64
    ) {
        self.identity = identity
        self.address = address
        self.encoding = encoding
        self.counter = counter
        self.size = size
    }
}

/// What an inode is, and everything that only its kind has.
package enum Body: Hashable, Sendable {
    /// A file: its size in bytes, holes included, and where they are.
    case regular(size: UInt64, Content)
    /// A directory: its tree of pages (nil when empty), how many names are in it, and `st_nlink`.
    case directory(pages: PageReference?, entryCount: UInt64, linkCount: UInt32)
    /// A symbolic link: the path it holds, 1 to `NamespaceLimits.maximumSymlinkSize` bytes.
    case symlink([UInt8])
    /// A pipe, socket or device node. `device` is 0 unless the kind is a device.
    case special(FileKind, device: UInt64)
    /// A scratchpad.
    case pad(PadReference)
    /// One of several names of an inode: all but name and number is in the hard-link table.
    case link
}

/// One name and what is behind it.
///
/// The hard-link table is made of the same entries: there `name` is `hardLinkName(of: ino)`.
package struct Entry: Hashable, Sendable {
    /// The name's bytes, in no particular encoding; `isValidName` says which are allowed.
    package var name: [UInt8]
    /// The inode number, unique in the volume; 1 to `NamespaceLimits.maximumInode`.
    package var ino: UInt64
    /// Permissions, owners, times; `.none` when the body is a link.
    package var attributes: FileAttributes
    /// `st_nlink`: the names of the inode, or what its kernel counts for a directory. At least 1.
    package var linkCount: UInt32
    /// Kind and content.
    package var body: Body
    /// Sorted by name, each name once.
    package var xattrs: [ExtendedAttribute]

    package init(
        name: [UInt8], ino: UInt64, attributes: FileAttributes, linkCount: UInt32, body: Body,
        xattrs: [ExtendedAttribute] = []
    ) {
        self.name = name
        self.ino = ino
        self.attributes = attributes
        self.linkCount = linkCount
        self.body = body
        self.xattrs = xattrs
    }

    /// One of several names of `ino`, whose attributes and body stand in the hard-link table.
    package static func link(name: [UInt8], ino: UInt64) -> Entry {
        Entry(name: name, ino: ino, attributes: .none, linkCount: 1, body: .link)
    }

    /// The key of `ino` in the hard-link table: eight bytes, most significant first.
    ///
    /// Inode numbers end below 2^56, so the first byte is NUL, which no file name has: the two
    /// kinds of key can not be mistaken for each other.
    package static func hardLinkName(of ino: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: ino >> (56 - 8 * UInt64($0))) }
    }

    /// The kind of the inode; nil for a link, whose kind is in the table. A pad is a regular file.
    package var kind: FileKind? {
        switch body {
        case .regular, .pad: .regular
        case .directory: .directory
        case .symlink: .symlink
        case .special(let kind, _): kind
        case .link: nil
        }
    }
}
