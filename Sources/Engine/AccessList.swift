// SPDX-License-Identifier: Apache-2.0
//
// POSIX access lists: what the kernel leaves to a filesystem when it enforces them itself. It
// checks access by the list; keeping list and mode in step, and handing a directory's default list
// down to what is made in it, is done here. Pure.

/// An access list as `system.posix_acl_access` and `system.posix_acl_default` carry it.
///
/// - Source: Linux, include/uapi/linux/posix_acl_xattr.h: version 2, then entries of 8 bytes: tag,
///   permissions (both 16-bit little endian), id. acl(5) has the rules.
struct AccessList: Sendable, Hashable {
    /// The list that the kernel checks access by.
    static let accessName = Array("system.posix_acl_access".utf8)
    /// The list of a directory that new entries start with.
    static let defaultName = Array("system.posix_acl_default".utf8)

    private static let version: UInt8 = 2
    private static let headerSize = 4
    private static let entrySize = 8

    private enum Tag {
        static let owner: UInt16 = 0x01
        static let user: UInt16 = 0x02
        static let group: UInt16 = 0x04
        static let namedGroup: UInt16 = 0x08
        static let mask: UInt16 = 0x10
        static let other: UInt16 = 0x20
        static let known: Set<UInt16> = [owner, user, group, namedGroup, mask, other]
    }

    private struct Item: Sendable, Hashable {
        var tag: UInt16
        var permissions: UInt32
        var id: UInt32
    }

    private var items: [Item] = []

    /// The list in an attribute's value; nil for a value that is none: a wrong version or length,
    /// an unknown tag, one of the three necessary entries missing or there twice, or names of users
    /// or groups without a mask.
    init?(decoding value: [UInt8]) {
        guard value.count >= AccessList.headerSize,
            value[0] == AccessList.version, value[1] == 0, value[2] == 0, value[3] == 0,
            (value.count - AccessList.headerSize) % AccessList.entrySize == 0
        else { return nil }
        for start in stride(
            from: AccessList.headerSize, to: value.count, by: AccessList.entrySize)
        {
            func number(_ offset: Int) -> UInt32 { UInt32(value[start + offset]) }
            let item = Item(
                tag: UInt16(number(0) | number(1) << 8), permissions: number(2) | number(3) << 8,
                id: number(4) | number(5) << 8 | number(6) << 16 | number(7) << 24)
            guard Tag.known.contains(item.tag), item.permissions <= 0o7 else { return nil }
            items.append(item)
        }
        func count(_ tag: UInt16) -> Int { items.count { $0.tag == tag } }
        let isComplete = [Tag.owner, Tag.group, Tag.other].allSatisfy { count($0) == 1 }
        let hasNames = count(Tag.user) + count(Tag.namedGroup) > 0
        guard isComplete, count(Tag.mask) <= 1, !hasNames || count(Tag.mask) == 1 else {
            return nil
        }
    }

    /// The attribute's value.
    var encoded: [UInt8] {
        var bytes: [UInt8] = [AccessList.version, 0, 0, 0]
        bytes.reserveCapacity(AccessList.headerSize + items.count * AccessList.entrySize)
        for item in items {
            bytes += [UInt8(truncatingIfNeeded: item.tag), UInt8(item.tag >> 8)]
            bytes += [UInt8(item.permissions), 0]
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: item.id >> shift))
            }
        }
        return bytes
    }

    /// True when the list says no more than nine mode bits do.
    var isPlainMode: Bool { items.count == 3 }

    /// The nine bits that the list shows: where there is a mask, it is what the group bits show.
    var mode: UInt32 {
        permissions(Tag.owner) << 6
            | (hasMask ? permissions(Tag.mask) : permissions(Tag.group)) << 3
            | permissions(Tag.other)
    }

    /// What chmod does to the list: its three entries behind the nine bits become these bits.
    mutating func setMode(_ mode: UInt32) {
        replace(Tag.owner) { _ in mode >> 6 & 0o7 }
        replace(hasMask ? Tag.mask : Tag.group) { _ in mode >> 3 & 0o7 }
        replace(Tag.other) { _ in mode & 0o7 }
    }

    /// What a new entry starts with, of a directory whose default list this is: the list, with no
    /// more than `mode` asks for. The umask has no part in it.
    ///
    /// - Source: acl(5), "Object creation and default ACLs".
    func inherited(by mode: UInt32) -> AccessList {
        var list = self
        list.replace(Tag.owner) { $0 & mode >> 6 }
        list.replace(hasMask ? Tag.mask : Tag.group) { $0 & mode >> 3 }
        list.replace(Tag.other) { $0 & mode }
        return list
    }

    private var hasMask: Bool { items.contains { $0.tag == Tag.mask } }

    private func permissions(_ tag: UInt16) -> UInt32 {
        items.first { $0.tag == tag }?.permissions ?? 0
    }

    private mutating func replace(_ tag: UInt16, _ change: (UInt32) -> UInt32) {
        for index in items.indices where items[index].tag == tag {
            items[index].permissions = change(items[index].permissions) & 0o7
        }
    }
}
