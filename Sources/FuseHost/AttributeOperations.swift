// SPDX-License-Identifier: Apache-2.0
//
// Operations on attributes, extended attributes, and the volume. Inode numbers are the engine's
// already.

import CFuse
import Engine
import Glibc
import Namespace

/// getattr(ino).
struct GetAttributes: Operation {
    let ino: UInt64

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .attributes(try call.engine.status(of: ino, call.context))
    }
}

/// access(ino, mask), for root, to whom all is allowed but to run what nobody may run. Asked only
/// where the kernel does not check permissions itself (`MountOptions.checksPermissions`).
struct CheckAccess: Operation {
    let ino: UInt64
    let mask: UInt32

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        guard mask & UInt32(X_OK) != 0 else { return .done }
        let status = try call.engine.status(of: ino, call.context)
        if status.kind == .directory || status.attributes.mode & FileMode.execution != 0 {
            return .done
        }
        throw .accessDenied
    }
}

/// setattr(ino, change).
struct SetAttributes: Operation {
    let ino: UInt64
    let change: AttributeChange
    /// It is of a file that the caller has open.
    let isOpen: Bool

    /// With the last close, whose ever it is, the kernel brings the times that it kept.
    var isForHolders: Bool {
        isOpen && change.mode == nil && change.user == nil && change.group == nil
            && change.size == nil && change.accessed == nil
    }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        var change = change
        change.isKept = isForHolders
        return .attributes(try call.engine.setAttributes(of: ino, change, call.context))
    }
}

extension AttributeChange {
    /// What the kernel asks for, in the engine's words.
    ///
    /// Times with nanoseconds that do not fit a second are refused: nil.
    init?(_ change: cfuse_change) {
        self.init()
        func has(_ field: UInt32) -> Bool { change.valid & field != 0 }
        func time(_ seconds: Int64, _ nanoseconds: UInt32) -> Timestamp? {
            nanoseconds < Timestamp.nanosecondsPerSecond
                ? Timestamp(seconds: seconds, nanoseconds: nanoseconds) : nil
        }
        if has(CFUSE_SET_MODE) { mode = change.mode & FileAttributes.modeMask }
        if has(CFUSE_SET_USER) { user = change.user }
        if has(CFUSE_SET_GROUP) { group = change.group }
        if has(CFUSE_SET_SIZE) { size = change.size }
        if has(CFUSE_SET_ACCESSED_NOW) {
            accessed = .now
        } else if has(CFUSE_SET_ACCESSED) {
            guard let at = time(change.accessed_seconds, change.accessed_nanoseconds) else {
                return nil
            }
            accessed = .at(at)
        }
        if has(CFUSE_SET_MODIFIED_NOW) {
            modified = .now
        } else if has(CFUSE_SET_MODIFIED) {
            guard let at = time(change.modified_seconds, change.modified_nanoseconds) else {
                return nil
            }
            modified = .at(at)
        }
        if has(CFUSE_SET_CHANGED) {
            guard let at = time(change.changed_seconds, change.changed_nanoseconds) else {
                return nil
            }
            changed = at
        }
        clearsPrivileges = has(CFUSE_SET_KILL_USER_ID) || has(CFUSE_SET_KILL_GROUP_ID)
    }
}

/// setxattr(ino, name, value, flags).
struct SetExtendedAttribute: Operation {
    let ino: UInt64
    let name: [UInt8]
    let value: [UInt8]
    let flags: UInt32

    /// XATTR_CREATE.
    ///
    /// - Source: setxattr(2), linux/xattr.h; so the next.
    private static let create: UInt32 = 1
    /// XATTR_REPLACE.
    private static let replace: UInt32 = 2

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let expectation: AttributeExpectation =
            switch flags {
            case 0: .any
            case Self.create: .absent
            case Self.replace: .present
            default: throw .invalid
            }
        try call.engine.setExtendedAttribute(
            name, of: ino, to: value, expectation, call.context)
        return .done
    }
}

/// getxattr(ino, name, size).
struct GetExtendedAttribute: Operation {
    let ino: UInt64
    let name: [UInt8]
    let limit: Int

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .value(try call.engine.extendedAttribute(name, of: ino, call.context), limit: limit)
    }
}

/// listxattr(ino, size).
struct ListExtendedAttributes: Operation {
    let ino: UInt64
    let limit: Int

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let names = try call.engine.extendedAttributeNames(of: ino, call.context)
        return .value(Self.list(names), limit: limit)
    }

    /// Names as `listxattr` gives them: each with an end.
    static func list(_ names: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(names.reduce(0) { $0 + $1.count + 1 })
        for name in names {
            bytes += name
            bytes.append(0)
        }
        return bytes
    }
}

/// removexattr(ino, name).
struct RemoveExtendedAttribute: Operation {
    let ino: UInt64
    let name: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        try call.engine.removeExtendedAttribute(name, of: ino, call.context)
        return .done
    }
}

/// statfs.
struct Statistics: Operation {
    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .statistics(call.engine.statistics())
    }
}
