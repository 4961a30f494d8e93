// SPDX-License-Identifier: Apache-2.0
//
// One open folder. Everything below it is named relative to it, so that a folder that is renamed
// or mounted over while a store is open stays the one that was opened.

internal import CLinux
internal import Glibc

/// An open folder; closed when the last reference goes.
///
/// No descriptor made here is inherited by a program that is started, and no last part of a path is
/// followed if it is a symbolic link: a store has none.
final class Folder: Sendable {
    let descriptor: Int32

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        // A folder is only read, or synced with its own answer; closing has nothing to say.
        _ = close(descriptor)
    }

    /// Opens the folder at `path`, which may be reached through symbolic links.
    convenience init(path: String) throws(SystemError) {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        // SAFETY: the text is lent for the call.
        self.init(descriptor: try retrying { unsafe open(path, flags) })
    }

    /// What is at `path` now, which may be reached through symbolic links.
    static func status(ofPath path: String) throws(SystemError) -> FileStatus {
        var status = stat()
        // SAFETY: the text is lent for the call; `status` is written during it only.
        guard unsafe stat(path, &status) == 0 else { throw .last }
        return FileStatus(status)
    }

    /// Makes a folder at `path`, whose parent is there; its name is on the disk when this returns.
    static func make(path: String, permissions: mode_t) throws(SystemError) {
        // SAFETY: the text is lent for the call.
        guard unsafe mkdir(path, permissions) == 0 else { throw .last }
        do throws(SystemError) {
            try Folder(path: path + "/..").syncNames()
        } catch {
            guard error.code == EACCES else { throw error }
            // A parent that may be written to and not be read.
            try Folder(path: path).syncFilesystem()
        }
    }

    /// Opens a folder in this one.
    func folder(_ name: RelativePath) throws(SystemError) -> Folder {
        Folder(descriptor: try openDescriptor(name, O_RDONLY | O_DIRECTORY, 0))
    }

    /// Makes a folder in this one; one that is there is fine.
    func makeFolder(_ name: RelativePath, permissions: mode_t) throws(SystemError) {
        // SAFETY: the path is NUL-terminated, and lent for the call.
        guard unsafe mkdirat(descriptor, name.bytes, permissions) == 0 || errno == EEXIST else {
            throw .last
        }
    }

    /// Opens a file for reading. What is not a regular file gives ENXIO.
    func file(_ name: RelativePath) throws(SystemError) -> OpenFile {
        // Not blocking, or a pipe of that name would wait for a writer that never comes.
        let file = OpenFile(descriptor: try openDescriptor(name, O_RDONLY | O_NONBLOCK, 0))
        guard try file.status().isRegular else { throw SystemError(code: ENXIO) }
        return file
    }

    /// Makes a file for writing that was not there.
    func newFile(_ name: RelativePath, permissions: mode_t) throws(SystemError) -> OpenFile {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        return OpenFile(descriptor: try openDescriptor(name, flags, permissions))
    }

    /// Opens a file to lock it, and makes it if it is not there.
    func lockFile(_ name: RelativePath, permissions: mode_t) throws(SystemError) -> OpenFile {
        OpenFile(descriptor: try openDescriptor(name, O_RDWR | O_CREAT | O_NONBLOCK, permissions))
    }

    /// Gives the file `name` the name `newName` in `target`, in one step, and in place of what had
    /// that name.
    func rename(
        _ name: RelativePath, to newName: RelativePath, in target: Folder
    ) throws(SystemError) {
        _ = try retrying {
            // SAFETY: both paths are NUL-terminated, and lent for the call.
            unsafe renameat(descriptor, name.bytes, target.descriptor, newName.bytes)
        }
    }

    /// Takes away the name of a file.
    func remove(_ name: RelativePath) throws(SystemError) {
        // SAFETY: the path is NUL-terminated, and lent for the call.
        _ = try retrying { unsafe unlinkat(descriptor, name.bytes, 0) }
    }

    /// What is under `name`; nil if nothing is.
    func status(of name: RelativePath) throws(SystemError) -> FileStatus? {
        var status = stat()
        // SAFETY: the path is NUL-terminated and lent for the call; `status` is written during it.
        guard unsafe fstatat(descriptor, name.bytes, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return nil }
            throw .last
        }
        return FileStatus(status)
    }

    /// What is known of this folder itself.
    func status() throws(SystemError) -> FileStatus {
        var status = stat()
        // SAFETY: `status` is written during the call only.
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last }
        return FileStatus(status)
    }

    /// Waits until the names in this folder are on the disk.
    func syncNames() throws(SystemError) {
        do {
            _ = try retrying { fsync(descriptor) }
        } catch {
            // Some network filesystems refuse this, because there a name is with the server by the
            // time the call that made it returns.
            guard error.code == EINVAL || error.code == EOPNOTSUPP else { throw error }
        }
    }

    /// Waits until everything written to the filesystem that this folder is on is on the disk, if
    /// `syncsWhole` says that this filesystem keeps the promise.
    func syncFilesystem() throws(SystemError) {
        _ = try retrying { cairn_sync_filesystem(descriptor) }
    }

    /// Filesystems whose syncfs waits for the disk: ext2 to ext4, XFS, Btrfs, F2FS, bcachefs, tmpfs
    /// (which has none), overlayfs (which asks the one below).
    ///
    /// - Source: the kernel's linux/magic.h, and fs/bcachefs/bcachefs_format.h.
    private static let wholeSyncing: Set<Int64> = [
        0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0xCA45_1A4E, 0x0102_1994, 0x794C_7630,
    ]

    /// Whether `syncFilesystem` makes everything durable here. FUSE is never told of a syncfs, and
    /// network filesystems only hand over their pages: there every file is synced by itself.
    func syncsWhole() throws(SystemError) -> Bool {
        // The kinds are positive 32-bit numbers.
        Folder.wholeSyncing.contains(try retrying { cairn_filesystem_kind(descriptor) })
    }

    /// Filesystems of a disk of this machine that take writes from a caller's memory: ext2 to ext4
    /// and XFS. Others copy them all the same, or have a server that each waits for.
    ///
    /// - Source: as above.
    private static let directlyWritten: Set<Int64> = [0xEF53, 0x5846_5342]

    /// Whether `OpenFile.writeDirectly` gains anything here.
    func isDirectlyWritten() throws(SystemError) -> Bool {
        Folder.directlyWritten.contains(try retrying { cairn_filesystem_kind(descriptor) })
    }

    /// Total bytes of the filesystem, and those this user may still take.
    func room() throws(SystemError) -> (total: UInt64, free: UInt64) {
        var status = statvfs()
        // SAFETY: `status` is written during the call only.
        _ = try retrying { unsafe fstatvfs(descriptor, &status) }
        let unit = UInt64(status.f_frsize)
        let total = UInt64(status.f_blocks).multipliedReportingOverflow(by: unit)
        let free = UInt64(status.f_bavail).multipliedReportingOverflow(by: unit)
        // Filesystems without an end of their own answer with the largest numbers there are.
        return (
            total.overflow ? .max : total.partialValue, free.overflow ? .max : free.partialValue
        )
    }

    /// Hands over each name in this folder, in no order, until `body` answers false; whether it
    /// always answered true.
    func forEachName(_ body: ([UInt8]) -> Bool) throws(SystemError) -> Bool {
        // Opened anew: a place in the listing belongs to a descriptor, and this one is shared.
        let copy = try openDescriptor(RelativePath("."), O_RDONLY | O_DIRECTORY, 0)
        // SAFETY: the stream takes over the descriptor, and is closed below.
        guard let stream = unsafe fdopendir(copy) else {
            let error = SystemError.last
            _ = close(copy)
            throw error
        }
        // SAFETY: opened above; nothing refers to it afterwards. It was only read from.
        defer { _ = unsafe closedir(stream) }
        while true {
            errno = 0
            // SAFETY: the entry is valid until the next call on this stream; its name is copied.
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw .last }
                return true
            }
            // SAFETY: as above; the system ends the name with a NUL within the array.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if name == [UInt8(ascii: ".")] || name == Array("..".utf8) { continue }
            guard body(name) else { return false }
        }
    }

    private func openDescriptor(
        _ name: RelativePath, _ flags: Int32, _ permissions: mode_t
    ) throws(SystemError) -> Int32 {
        try retrying {
            // SAFETY: the path is NUL-terminated, and lent for the call.
            unsafe openat(
                descriptor, name.bytes, flags | O_CLOEXEC | O_NOFOLLOW, permissions)
        }
    }
}
