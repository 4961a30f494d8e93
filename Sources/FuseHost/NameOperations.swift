// SPDX-License-Identifier: Apache-2.0
//
// Operations on names: looking them up, making, moving and removing them. Inode numbers are the
// engine's already.

import Engine
import Glibc
import Namespace

/// lookup(parent, name).
struct Lookup: Operation {
    let parent: UInt64
    let name: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        call.host.habit.note(lookupIn: parent)
        // Only the kernel's NFS server asks for these two, to find its way from a bare handle.
        if name == Engine.dot { return try inode(parent, call) }
        if name == Engine.dotDot {
            let root = call.host.inodes.root
            return try inode(parent == root ? root : parentDirectory(call), call)
        }
        do throws(FileError) {
            return .entry(try call.engine.lookup(name, in: parent, call.context))
        } catch .notFound {
            return .noEntry
        }
    }

    private func inode(_ ino: UInt64, _ call: Call) throws(FileError) -> FuseReply {
        let status = try call.engine.status(of: ino, call.context)
        call.engine.countReference(ino)
        return .entry(status)
    }

    private func parentDirectory(_ call: Call) throws(FileError) -> UInt64 {
        let engine = call.engine
        let handle = try engine.openDirectory(parent, call.context).handle
        defer { engine.releaseDirectory(handle) }
        var found: UInt64?
        try engine.readDirectory(handle, ino: parent, from: 0, withStatus: false, call.context) {
            if $0.name == Engine.dotDot { found = $0.ino }
            return found == nil
        }
        guard let found else { throw .stale }
        return found
    }
}

/// mknod(parent, name, mode, device).
struct MakeNode: Operation {
    let parent: UInt64
    let name: [UInt8]
    let mode: UInt32
    let device: UInt64

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        guard let kind = FileKind(mode: mode) else { throw .invalid }
        return .entry(
            try call.engine.makeNode(
                name, in: parent, kind: kind, mode: mode & FileAttributes.modeMask,
                device: device, call.context))
    }
}

/// mkdir(parent, name, mode).
struct MakeDirectory: Operation {
    let parent: UInt64
    let name: [UInt8]
    let mode: UInt32

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .entry(
            try call.engine.makeDirectory(
                name, in: parent, mode: mode & FileAttributes.modeMask, call.context))
    }
}

/// symlink(target, parent, name).
struct MakeSymlink: Operation {
    let parent: UInt64
    let name: [UInt8]
    let target: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .entry(try call.engine.makeSymlink(name, in: parent, target: target, call.context))
    }
}

/// readlink(ino).
struct ReadLink: Operation {
    let ino: UInt64

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .target(try call.engine.readLink(ino))
    }
}

/// unlink(parent, name).
struct Unlink: Operation {
    let parent: UInt64
    let name: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        try call.engine.unlink(name, in: parent, call.context)
        return .done
    }
}

/// rmdir(parent, name).
struct RemoveDirectory: Operation {
    let parent: UInt64
    let name: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        try call.engine.removeDirectory(name, in: parent, call.context)
        return .done
    }
}

/// rename(parent, name, newParent, newName, flags).
struct Rename: Operation {
    let parent: UInt64
    let name: [UInt8]
    let newParent: UInt64
    let newName: [UInt8]
    let flags: UInt32

    /// RENAME_NOREPLACE.
    ///
    /// - Source: rename(2), linux/fs.h; so the next.
    private static let noReplace: UInt32 = 1 << 0
    /// RENAME_EXCHANGE.
    private static let exchange: UInt32 = 1 << 1
    /// RENAME_WHITEOUT.
    private static let whiteout: UInt32 = 1 << 2

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let mode: RenameMode =
            switch flags & ~Self.whiteout {
            case 0: .replace
            case Self.noReplace: .noReplace
            case Self.exchange: .exchange
            default: throw .invalid
            }
        try call.engine.rename(
            name, in: parent, to: newName, in: newParent, mode,
            leavesWhiteout: flags & Self.whiteout != 0, call.context)
        return .done
    }
}

/// link(ino, newParent, newName).
struct MakeLink: Operation {
    let ino: UInt64
    let parent: UInt64
    let name: [UInt8]

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .entry(try call.engine.link(ino, as: name, in: parent, call.context))
    }
}
