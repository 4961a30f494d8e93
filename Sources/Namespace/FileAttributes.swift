// SPDX-License-Identifier: Apache-2.0
//
// The part of `struct stat` a volume keeps for every inode, and extended attributes.

/// Permissions, owners and times of one inode.
package struct FileAttributes: Hashable, Sendable {
    /// Permission, set-id and sticky bits: nothing outside `modeMask`. The kind is the body's.
    package var mode: UInt32
    /// Owner.
    package var uid: UInt32
    /// Group.
    package var gid: UInt32
    /// Last read (`st_atim`).
    package var accessed: Timestamp
    /// Last change of the bytes (`st_mtim`).
    package var modified: Timestamp
    /// Last change of bytes or attributes (`st_ctim`).
    package var changed: Timestamp
    /// Birth (`stx_btime`).
    package var created: Timestamp

    /// The bits `mode` may have.
    package static let modeMask: UInt32 = 0o7777

    /// No permission, owner 0, 1970: what a `Body.link` carries, whose own are in the table.
    package static let none = FileAttributes(
        mode: 0, uid: 0, gid: 0, accessed: .zero, modified: .zero, changed: .zero, created: .zero)

    package init(
        mode: UInt32, uid: UInt32, gid: UInt32, accessed: Timestamp, modified: Timestamp,
        changed: Timestamp, created: Timestamp
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.created = created
    }
}

/// One extended attribute, name with its namespace prefix (`user.colour`).
package struct ExtendedAttribute: Hashable, Sendable {
    /// 1 to `NamespaceLimits.maximumXattrNameSize` bytes without NUL.
    package var name: [UInt8]
    /// At most `NamespaceLimits.maximumXattrValueSize` bytes.
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}
