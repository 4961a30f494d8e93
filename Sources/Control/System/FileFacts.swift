// SPDX-License-Identifier: Apache-2.0
//
// What stat(2) tells, in our own types.

import Glibc
package import Namespace

/// The status of a file on this machine.
package struct FileFacts: Equatable, Sendable {
    /// Kind of file.
    package var kind: FileKind
    /// Permission bits, 07777.
    package var mode: UInt32
    /// Owner.
    package var user: UInt32
    /// Group.
    package var group: UInt32
    /// Bytes.
    package var size: UInt64
    /// Hard links.
    package var linkCount: UInt64
    /// The filesystem it is on, and its inode there: together its identity.
    package var filesystem: UInt64
    /// Inode number.
    package var inode: UInt64
    /// Device number of a device node.
    package var device: UInt64
    /// Last read.
    package var accessed: Timestamp
    /// Last written.
    package var modified: Timestamp

    /// The status of `path`, of the link itself where `path` is a symlink and `follows` is false.
    package static func of(
        _ path: String, follows: Bool = true
    ) throws(SystemError) -> FileFacts {
        var facts = stat()
        // SAFETY: the string lives through the call; `facts` is ours and as large as stat(2)
        // expects.
        let result = unsafe follows ? stat(path, &facts) : lstat(path, &facts)
        guard result == 0 else { throw SystemError.last("stat") }
        return FileFacts(facts)
    }

    /// The status of an open file.
    package static func of(_ descriptor: borrowing Descriptor) throws(SystemError) -> FileFacts {
        var facts = stat()
        // SAFETY: `facts` is ours and as large as fstat(2) expects.
        guard unsafe fstat(descriptor.number, &facts) == 0 else { throw SystemError.last("fstat") }
        return FileFacts(facts)
    }

    /// The status of `name` in an open directory; symlinks are not followed.
    package static func of(
        _ name: [UInt8], in directory: borrowing Descriptor
    ) throws(SystemError) -> FileFacts {
        var facts = stat()
        let number = directory.number
        // SAFETY: the pointer is NUL-terminated and lives through the call; `facts` is ours.
        let result = unsafe withCString(name) { pointer in
            unsafe fstatat(number, pointer, &facts, AT_SYMLINK_NOFOLLOW)
        }
        guard result == 0 else { throw SystemError.last("fstatat") }
        return FileFacts(facts)
    }

    private init(_ facts: stat) {
        kind = FileKind(statMode: facts.st_mode)
        mode = facts.st_mode & 0o7777
        user = facts.st_uid
        group = facts.st_gid
        size = UInt64(clamping: facts.st_size)
        linkCount = UInt64(facts.st_nlink)
        filesystem = UInt64(facts.st_dev)
        inode = UInt64(facts.st_ino)
        device = UInt64(facts.st_rdev)
        accessed = Timestamp(facts.st_atim)
        modified = Timestamp(facts.st_mtim)
    }
}

extension FileKind {
    /// The kind in the upper bits of st_mode. A kind Linux does not have counts as regular.
    init(statMode mode: mode_t) {
        self =
            switch mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symlink
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .regular
            }
    }
}

extension Timestamp {
    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(clamping: time.tv_nsec))
    }

    var asTimespec: timespec {
        timespec(tv_sec: time_t(seconds), tv_nsec: Int(nanoseconds))
    }
}
