// SPDX-License-Identifier: Apache-2.0
//
// The order of names: of their bytes, shorter first where one begins with the other. It is the
// order SQLite gives to blobs, so a page and the database never disagree.

/// Whether `left` stands strictly before `right`.
package func bytesPrecede(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let left = left.span
    let right = right.span
    let shared = min(left.count, right.count)
    var index = 0
    while index < shared {
        if left[index] != right[index] { return left[index] < right[index] }
        index += 1
    }
    return left.count < right.count
}

/// What the sorted keys of a tree of pages are.
package enum KeySpace: Sendable, Hashable {
    /// The names in a directory.
    case names
    /// The inode numbers of the hard-link table, as `Entry.hardLinkName` writes them.
    case inodes

    /// Whether `key` can stand in such a tree.
    package func isValid(_ key: [UInt8]) -> Bool {
        switch self {
        case .names: Entry.isValidName(key)
        case .inodes: Entry.inode(ofHardLinkName: key) != nil
        }
    }

    /// The space `key` belongs to: NUL begins every inode key and no name.
    static func of(_ key: [UInt8]) -> KeySpace {
        key.first == 0 ? .inodes : .names
    }
}

extension Entry {
    /// Whether a directory can have an entry of this name: 1 to `maximumNameSize` bytes, neither
    /// slash nor NUL in them, and not the directory itself or its parent.
    package static func isValidName(_ name: [UInt8]) -> Bool {
        guard (1...NamespaceLimits.maximumNameSize).contains(name.count) else { return false }
        if name == [UInt8(ascii: ".")] || name == Array("..".utf8) { return false }
        return !name.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
    }

    /// The inode number a key of the hard-link table stands for; nil if it is none.
    package static func inode(ofHardLinkName key: [UInt8]) -> UInt64? {
        guard key.count == 8 else { return nil }
        let ino = key.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return (1...NamespaceLimits.maximumInode).contains(ino) ? ino : nil
    }
}
