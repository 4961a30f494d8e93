// SPDX-License-Identifier: Apache-2.0
//
// The table the shim calls: each function makes a value of its arguments and hands it to the host.
// The functions are global, and so on no actor: a table built in top-level code would belong to the
// main actor, which the session loop blocks.
//
// SAFETY, for every function here: `host` is the `RequestHost` given to `cfuse_session_new`, which
// the session keeps alive until it has destroyed libfuse's; names end with a zero and, like all
// bytes, live until the function returns, so they are copied into the operation, but for those of
// a write, which copies them itself if it outlives the call; `request` is answered by the host.

import CFuse
import Engine
import Glibc

private typealias Host = UnsafeMutableRawPointer
private typealias Name = UnsafePointer<CChar>

/// The functions of one mount, for the shim.
func makeCallbacks() -> cfuse_callbacks {
    unsafe cfuse_callbacks(
        init: onInit, lookup: onLookup, forget: onForget, getattr: onGetattr,
        setattr: onSetattr, access: onAccess, readlink: onReadlink, mknod: onMknod, mkdir: onMkdir,
        unlink: onUnlink, rmdir: onRmdir, symlink: onSymlink, rename: onRename, link: onLink,
        open: onOpen, create: onCreate, read: onRead, write: onWrite, release: onRelease,
        flush: onFlush, fsync: onFsync, opendir: onOpendir, readdir: onReaddir,
        releasedir: onReleasedir, statfs: onStatfs, setxattr: onSetxattr,
        getxattr: onGetxattr, listxattr: onListxattr, removexattr: onRemovexattr,
        fallocate: onFallocate, lseek: onLseek, copy_file_range: onCopyFileRange,
        ioctl: onIoctl, interrupted: onInterrupted, failed: onFailed)
}

/// Calls `body` with the host, without counting a reference: it outlives every call.
@inline(__always)
private func with(_ host: Host, _ body: (RequestHost) -> Void) {
    unsafe Unmanaged<RequestHost>.fromOpaque(host)._withUnsafeGuaranteedRef { body($0) }
}

private func bytes(_ name: Name) -> [UInt8] {
    let count = unsafe strlen(name)
    return unsafe name.withMemoryRebound(to: UInt8.self, capacity: count) {
        unsafe Array(UnsafeBufferPointer(start: $0, count: count))
    }
}

private func onInit(_ host: Host, _ connection: UnsafeMutablePointer<cfuse_connection>) {
    unsafe with(host) { unsafe connection.pointee = $0.begin(connection.pointee) }
}

private func onLookup(_ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, Lookup(parent: $0.inodes.engine(parent), name: bytes(name)))
    }
}

private func onForget(_ host: Host, _ ino: UInt64, _ count: UInt64) {
    unsafe with(host) { $0.engine.forget($0.inodes.engine(ino), count: count) }
}

private func onGetattr(_ host: Host, _ request: cfuse_request, _ ino: UInt64) {
    unsafe with(host) {
        unsafe $0.dispatch(request, GetAttributes(ino: $0.inodes.engine(ino)))
    }
}

private func onSetattr(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64,
    _ change: UnsafePointer<cfuse_change>
) {
    unsafe with(host) {
        let isOpen = unsafe change.pointee.is_open != 0
        guard let change = unsafe AttributeChange(change.pointee) else {
            return unsafe $0.fail(Request(request), .invalid)
        }
        unsafe $0.dispatch(
            request,
            SetAttributes(ino: $0.inodes.engine(ino), change: change, isOpen: isOpen))
    }
}

private func onAccess(_ host: Host, _ request: cfuse_request, _ ino: UInt64, _ mask: UInt32) {
    unsafe with(host) {
        unsafe $0.dispatch(request, CheckAccess(ino: $0.inodes.engine(ino), mask: mask))
    }
}

private func onReadlink(_ host: Host, _ request: cfuse_request, _ ino: UInt64) {
    unsafe with(host) { unsafe $0.dispatch(request, ReadLink(ino: $0.inodes.engine(ino))) }
}

private func onMknod(
    _ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name, _ mode: UInt32,
    _ device: UInt64
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            MakeNode(
                parent: $0.inodes.engine(parent), name: bytes(name), mode: mode,
                device: device))
    }
}

private func onMkdir(
    _ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name, _ mode: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            MakeDirectory(parent: $0.inodes.engine(parent), name: bytes(name), mode: mode))
    }
}

private func onUnlink(_ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, Unlink(parent: $0.inodes.engine(parent), name: bytes(name)))
    }
}

private func onRmdir(_ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, RemoveDirectory(parent: $0.inodes.engine(parent), name: bytes(name)))
    }
}

private func onSymlink(
    _ host: Host, _ request: cfuse_request, _ target: Name, _ parent: UInt64, _ name: Name
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            MakeSymlink(
                parent: $0.inodes.engine(parent), name: bytes(name), target: bytes(target)))
    }
}

private func onRename(
    _ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name,
    _ newParent: UInt64, _ newName: Name, _ flags: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            Rename(
                parent: $0.inodes.engine(parent), name: bytes(name),
                newParent: $0.inodes.engine(newParent), newName: bytes(newName),
                flags: flags))
    }
}

private func onLink(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ parent: UInt64, _ name: Name
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            MakeLink(
                ino: $0.inodes.engine(ino), parent: $0.inodes.engine(parent),
                name: bytes(name)))
    }
}

private func onOpen(_ host: Host, _ request: cfuse_request, _ ino: UInt64, _ flags: UInt32) {
    unsafe with(host) {
        unsafe $0.dispatch(request, Open(ino: $0.inodes.engine(ino), flags: flags))
    }
}

private func onCreate(
    _ host: Host, _ request: cfuse_request, _ parent: UInt64, _ name: Name, _ mode: UInt32,
    _ flags: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            Create(
                parent: $0.inodes.engine(parent), name: bytes(name), mode: mode, flags: flags))
    }
}

private func onRead(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ handle: UInt64, _ offset: UInt64,
    _ size: Int
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            Read(ino: $0.inodes.engine(ino), handle: handle, offset: offset, size: size))
    }
}

private func onWrite(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ handle: UInt64, _ offset: UInt64,
    _ start: UnsafePointer<UInt8>, _ size: Int, _ isFromCache: UInt32
) {
    unsafe with(host) {
        let bytes = unsafe WriteBytes(
            borrowing: UnsafeBufferPointer(start: start, count: size))
        unsafe $0.dispatch(
            request,
            Write(
                ino: $0.inodes.engine(ino), handle: handle, offset: offset, bytes: bytes,
                isFromCache: isFromCache != 0))
    }
}

private func onRelease(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ handle: UInt64
) {
    unsafe with(host) {
        unsafe $0.dispatch(request, Release(ino: $0.inodes.engine(ino), handle: handle))
    }
}

private func onFlush(_ host: Host, _ request: cfuse_request, _ handle: UInt64) {
    unsafe with(host) {
        // The kernel asks once, and then never again.
        guard $0.engine.hearsCloses else {
            return unsafe Request(request).fail(HostRefusal.noFlush)
        }
        unsafe $0.dispatch(request, Flush(handle: handle))
    }
}

private func onFsync(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ isDataOnly: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, Synchronize(ino: $0.inodes.engine(ino), isDataOnly: isDataOnly != 0))
    }
}

private func onOpendir(_ host: Host, _ request: cfuse_request, _ ino: UInt64) {
    unsafe with(host) {
        unsafe $0.dispatch(request, OpenDirectory(ino: $0.inodes.engine(ino)))
    }
}

private func onReaddir(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ handle: UInt64, _ offset: UInt64,
    _ size: Int, _ wantsStatus: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            ReadDirectory(
                ino: $0.inodes.engine(ino), handle: handle, offset: offset, size: size,
                wantsStatus: wantsStatus != 0))
    }
}

private func onReleasedir(_ host: Host, _ request: cfuse_request, _ handle: UInt64) {
    unsafe with(host) { unsafe $0.dispatch(request, ReleaseDirectory(handle: handle)) }
}

private func onStatfs(_ host: Host, _ request: cfuse_request) {
    unsafe with(host) { unsafe $0.dispatch(request, Statistics()) }
}

private func onSetxattr(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ name: Name,
    _ value: UnsafePointer<UInt8>, _ size: Int, _ flags: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            SetExtendedAttribute(
                ino: $0.inodes.engine(ino), name: bytes(name),
                value: Array(UnsafeBufferPointer(start: value, count: size)), flags: flags))
    }
}

private func onGetxattr(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ name: Name, _ size: Int
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            GetExtendedAttribute(
                ino: $0.inodes.engine(ino), name: bytes(name), limit: size))
    }
}

private func onListxattr(_ host: Host, _ request: cfuse_request, _ ino: UInt64, _ size: Int) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, ListExtendedAttributes(ino: $0.inodes.engine(ino), limit: size))
    }
}

private func onRemovexattr(_ host: Host, _ request: cfuse_request, _ ino: UInt64, _ name: Name) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            RemoveExtendedAttribute(ino: $0.inodes.engine(ino), name: bytes(name)))
    }
}

private func onFallocate(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ handle: UInt64, _ mode: UInt32,
    _ offset: UInt64, _ count: UInt64
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            Allocate(
                ino: $0.inodes.engine(ino), handle: handle, mode: mode, offset: offset,
                count: count))
    }
}

private func onLseek(
    _ host: Host, _ request: cfuse_request, _ ino: UInt64, _ offset: UInt64, _ whence: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request, Seek(ino: $0.inodes.engine(ino), offset: offset, whence: whence))
    }
}

private func onCopyFileRange(
    _ host: Host, _ request: cfuse_request, _ from: UInt64, _ fromHandle: UInt64,
    _ fromOffset: UInt64, _ to: UInt64, _ toHandle: UInt64, _ toOffset: UInt64,
    _ count: UInt64, _ flags: UInt32
) {
    unsafe with(host) {
        unsafe $0.dispatch(
            request,
            CopyRange(
                from: (fromHandle, $0.inodes.engine(from), fromOffset),
                to: (toHandle, $0.inodes.engine(to), toOffset), count: count, flags: flags))
    }
}

private func onIoctl(_ host: Host, _ request: cfuse_request) {
    unsafe Request(request).fail(HostRefusal.noIoctl)
}

private func onFailed(_ host: Host) {
    unsafe with(host) { $0.whenFailed() }
}

private func onInterrupted(_ host: Host, _ data: UnsafeMutableRawPointer) {
    unsafe Unmanaged<WaitingRequest>.fromOpaque(data).takeUnretainedValue()
        .callerWasInterrupted()
}
