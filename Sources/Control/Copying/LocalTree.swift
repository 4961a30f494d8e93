// SPDX-License-Identifier: Apache-2.0
//
// This machine's files, as a copy sees them. Everything is done from an open folder by a single
// name: depth has no limit, and nobody who renames a folder meanwhile leads us elsewhere.

internal import CLinux
import Glibc
import Namespace

/// The files of this machine.
package struct LocalTree: FileTree {
    /// An open folder, closed when nobody uses it any more.
    package final class Folder: Sendable {
        let descriptor: Descriptor
        /// How it was reached, from the first folder's path on; only to make hard links with.
        let path: [UInt8]

        init(_ descriptor: consuming Descriptor, path: [UInt8]) {
            self.descriptor = descriptor
            self.path = path
        }

        func path(of name: [UInt8]) -> [UInt8] { path + [UInt8(ascii: "/")] + name }
    }

    /// An open file.
    package final class File: Sendable {
        let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) {
            self.descriptor = descriptor
        }
    }

    /// A file's path: a million open folders could not be kept.
    package typealias Link = [UInt8]

    private static let folderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
    /// Only to look at it, which needs no right to list it.
    ///
    /// - Source: open(2), asm-generic/fcntl.h: O_PATH, which Glibc's module does not have.
    private static let levelFlags = 0o10_000_000 | O_DIRECTORY
    /// Folders above a folder that are looked at; nobody has so many.
    private static let maximumLevels = 100_000

    let isRoot = ProcessIdentity.current.isRoot

    package init() {}

    /// Opens a folder by its path; symlinks on the way are followed.
    package func folder(at path: String) throws(TreeError) -> Folder {
        try system { () throws(SystemError) in
            Folder(try Descriptor.open(path, O_RDONLY | O_DIRECTORY), path: Array(path.utf8))
        }
    }

    package func names(in folder: Folder) throws(TreeError) -> [[UInt8]] {
        try system { () throws(SystemError) in
            try Files.names(in: folder.descriptor).map(\.name)
        }
    }

    package func entry(_ name: [UInt8], in folder: Folder) throws(TreeError) -> TreeEntry? {
        do {
            let facts = try FileFacts.of(name, in: folder.descriptor)
            let isShared = facts.linkCount > 1 && facts.kind != .directory
            let place = TreeIdentity(filesystem: facts.filesystem, inode: facts.inode)
            return TreeEntry(
                kind: facts.kind, mode: facts.mode, user: facts.user, group: facts.group,
                size: facts.size, device: facts.device, accessed: facts.accessed,
                modified: facts.modified, identity: isShared ? place : nil, place: place)
        } catch {
            if error.code == ENOENT { return nil }
            throw .system(error)
        }
    }

    package func folder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder {
        try system { () throws(SystemError) in
            Folder(try folder.descriptor.open(name, Self.folderFlags), path: folder.path(of: name))
        }
    }

    package func places(of folder: Folder) throws(TreeError) -> [TreeIdentity] {
        try system { () throws(SystemError) in
            var places: [TreeIdentity] = []
            var current = try folder.descriptor.duplicate()
            while true {
                let facts = try FileFacts.of(current)
                let place = TreeIdentity(filesystem: facts.filesystem, inode: facts.inode)
                // The root lies in itself.
                if place == places.last { return places }
                places.append(place)
                guard places.count <= Self.maximumLevels else {
                    throw SystemError("open", code: ELOOP)
                }
                current = try current.open(Array("..".utf8), Self.levelFlags)
            }
        }
    }

    package func makeFolder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder {
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("mkdirat", folder, name) { unsafe mkdirat($0, $1, 0o700) }
        return try self.folder(name, in: folder)
    }

    package func target(of name: [UInt8], in folder: Folder) throws(TreeError) -> [UInt8] {
        try system { () throws(SystemError) in
            try Files.linkTarget(of: name, in: folder.descriptor)
        }
    }

    package func makeSymlink(
        _ name: [UInt8], to target: [UInt8], in folder: Folder
    ) throws(TreeError) {
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("symlinkat", folder, name) { number, pointer in
            unsafe withCString(target) { unsafe symlinkat($0, number, pointer) }
        }
    }

    package func makeSpecial(
        _ name: [UInt8], like entry: TreeEntry, in folder: Folder
    ) throws(TreeError) {
        let kind: mode_t =
            switch entry.kind {
            case .fifo: S_IFIFO
            case .socket: S_IFSOCK
            case .characterDevice: S_IFCHR
            default: S_IFBLK
            }
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("mknodat", folder, name) {
            unsafe mknodat($0, $1, kind | 0o600, dev_t(entry.device))
        }
    }

    package func remove(_ name: [UInt8], in folder: Folder) throws(TreeError) {
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("unlinkat", folder, name) { unsafe unlinkat($0, $1, 0) }
    }

    package func openFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File {
        try system { () throws(SystemError) in
            File(try folder.descriptor.open(name, O_RDONLY | O_NOFOLLOW))
        }
    }

    package func createFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File {
        try system { () throws(SystemError) in
            let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW
            return File(try folder.descriptor.open(name, flags, mode: 0o600))
        }
    }

    package func read(
        _ file: File, at offset: UInt64, into out: inout MutableSpan<UInt8>
    ) throws(TreeError) -> Int {
        do {
            return try file.descriptor.read(at: offset, into: &out)
        } catch {
            throw .system(error)
        }
    }

    package func write(
        _ file: File, at offset: UInt64, _ bytes: Span<UInt8>
    ) throws(TreeError) {
        do {
            try file.descriptor.writeAll(bytes, at: offset)
        } catch {
            throw .system(error)
        }
    }

    package func data(
        in file: File, from offset: UInt64, size: UInt64
    ) throws(TreeError) -> Range<UInt64>? {
        guard offset < size else { return nil }
        let start = cairn_seek_data(file.descriptor.number, Int64(clamping: offset))
        guard start >= 0 else {
            switch errno {
            case ENXIO: return nil
            // A filesystem that knows no holes: all of it is data.
            case EINVAL, EOPNOTSUPP: return offset..<size
            default: throw .system(SystemError.last("lseek"))
            }
        }
        let end = cairn_seek_hole(file.descriptor.number, start)
        guard end >= 0 else { throw .system(SystemError.last("lseek")) }
        let (from, to) = (UInt64(start), min(UInt64(end), size))
        return from < to ? from..<to : nil
    }

    package func setSize(_ file: File, _ size: UInt64) throws(TreeError) {
        guard ftruncate(file.descriptor.number, off_t(clamping: size)) == 0 else {
            throw .system(SystemError.last("ftruncate"))
        }
    }

    package func close(_ file: File) throws(TreeError) {
        // On some filesystems a full disk shows when the file is closed; a duplicate's close tells.
        let number = fcntl(file.descriptor.number, F_DUPFD_CLOEXEC, 0)
        guard number >= 0, Glibc.close(number) == 0 else {
            throw .system(SystemError.last("close"))
        }
    }

    package func link(to name: [UInt8], in folder: Folder) throws(TreeError) -> Link {
        folder.path(of: name)
    }

    package func add(_ name: [UInt8], as link: Link, in folder: Folder) throws(TreeError) {
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("linkat", folder, name) { number, pointer in
            unsafe withCString(link) { unsafe linkat(AT_FDCWD, $0, number, pointer, 0) }
        }
    }

    package func setOwner(
        _ entry: TreeEntry, of name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        guard isRoot else { return }
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("fchownat", folder, name) {
            unsafe fchownat($0, $1, entry.user, entry.group, AT_SYMLINK_NOFOLLOW)
        }
    }

    package func apply(
        _ entry: TreeEntry, to name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        // A symlink has no permissions.
        if entry.kind != .symlink {
            // SAFETY: `call` lends a NUL-terminated name for the one system call.
            try unsafe call("fchmodat", folder, name) { unsafe fchmodat($0, $1, entry.mode, 0) }
        }
        let times = [entry.accessed.asTimespec, entry.modified.asTimespec]
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("utimensat", folder, name) {
            unsafe utimensat($0, $1, times, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// One system call on a name in a folder.
    func call(
        _ what: String, _ folder: Folder, _ name: [UInt8],
        _ body: (Int32, UnsafePointer<CChar>) -> Int32
    ) throws(TreeError) {
        let number = folder.descriptor.number
        // SAFETY: the pointer is NUL-terminated and lives through the call.
        guard unsafe withCString(name, { unsafe body(number, $0) }) >= 0 else {
            throw .system(SystemError.last(what))
        }
    }

    private func system<R>(_ body: () throws(SystemError) -> R) throws(TreeError) -> R {
        do {
            return try body()
        } catch {
            throw .system(error)
        }
    }
}
