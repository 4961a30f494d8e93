// SPDX-License-Identifier: Apache-2.0
//
// What a POSIX access list says about a file's mode: the two are one thing seen twice, so setting
// the list sets the mode. Enforcing the list is the kernel's. Pure.

/// An access list as `system.posix_acl_access` carries it.
///
/// - Source: Linux, include/uapi/linux/posix_acl_xattr.h: version 2, then entries of 8 bytes: tag,
///   permissions (both 16-bit little endian), id.
struct AccessList: Sendable {
    private static let attribute = Array("system.posix_acl_access".utf8)
    private static let version: UInt8 = 2
    private static let headerSize = 4
    private static let entrySize = 8

    private enum Tag {
        static let owner: UInt16 = 0x01
        static let group: UInt16 = 0x04
        static let mask: UInt16 = 0x10
        static let other: UInt16 = 0x20
    }

    private var permissions: [UInt16: UInt32] = [:]
    private var entryCount = 0

    /// Nil for another attribute or a value that is no access list.
    init?(name: [UInt8], value: [UInt8]) {
        guard name == AccessList.attribute, value.count >= AccessList.headerSize,
            value[0] == AccessList.version, value[1] == 0, value[2] == 0, value[3] == 0,
            (value.count - AccessList.headerSize) % AccessList.entrySize == 0
        else { return nil }
        for start in stride(
            from: AccessList.headerSize, to: value.count, by: AccessList.entrySize)
        {
            let tag = UInt16(value[start]) | UInt16(value[start + 1]) << 8
            permissions[tag] = UInt32(value[start + 2]) & 0o7
            entryCount += 1
        }
        let isComplete = [Tag.owner, Tag.group, Tag.other].allSatisfy { permissions[$0] != nil }
        if !isComplete { return nil }
    }

    /// True when the list says no more than nine mode bits do.
    var isPlainMode: Bool { entryCount == 3 }

    /// Sets the nine bits: where there is a mask, it is what the group bits show.
    func apply(to mode: inout UInt32) {
        let owner = permissions[Tag.owner] ?? 0
        let group = permissions[Tag.mask] ?? permissions[Tag.group] ?? 0
        let other = permissions[Tag.other] ?? 0
        mode = mode & ~0o777 | owner << 6 | group << 3 | other
    }
}
