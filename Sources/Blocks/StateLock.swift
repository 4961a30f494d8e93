// SPDX-License-Identifier: Apache-2.0
//
// Invariant 10: two daemons never open one state folder. The folder is ours alone (mode 0700),
// and the lock file in it is locked for as long as a `StateLock` of it lives.

internal import Glibc

/// Why a state folder could not be taken.
package enum StateLockError: Error, Equatable, Sendable {
    /// Another process has it; `pid` is what it wrote down, nil if that cannot be read.
    case locked(pid: Int32?)
    /// The folder belongs to another user, whose files we must not trust.
    case notOwned(uid: UInt32)
    /// There is something else of that name.
    case notAFolder
    /// The operating system refused.
    case io(errno: Int32)
}

/// The exclusive right to one state folder, held until the value goes.
///
/// The lock belongs to the open file: a child that is forked holds it too, and it is let go when
/// the last process that has it exits or closes it. So a daemon may lock first, tell the user
/// about errors, then fork and let its parent exit; the child calls `recordHolder()`. Programs
/// that are executed do not inherit it.
package final class StateLock: Sendable {
    /// The lock file's name in the folder.
    package static let fileName = "lock"
    /// Bytes read of a lock file at most: a decimal process id and a newline.
    private static let holderLimit = 16

    private let descriptor: Int32

    /// Makes the folder if there is none, with its missing parents, tightens it to mode 0700, and
    /// locks it, waiting half a second at most.
    package init(folder: String) throws(StateLockError) {
        try Self.makeFolder(folder)
        // SAFETY: open reads `folder` as a C string made for this call.
        let opened = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else {
            throw errno == ENOTDIR ? .notAFolder : .io(errno: errno)
        }
        // Only looked through: closing it cannot lose anything.
        defer { _ = close(opened) }
        try Self.tighten(opened)
        descriptor = try Self.lock(in: opened)
        // From here on deinit closes it, whatever is thrown.
        try recordHolder()
    }

    deinit {
        // Closed, not unlocked: a forked child that has it too keeps the lock.
        _ = close(descriptor)
    }

    /// Writes this process's id into the lock file, for the one who finds it locked.
    package func recordHolder() throws(StateLockError) {
        let text = Array("\(getpid())\n".utf8)
        var written = 0
        // SAFETY: pwrite reads `text.count` bytes of the buffer, within the closure.
        unsafe text.withUnsafeBytes { buffer in
            written = unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        guard written == text.count else { throw .io(errno: written < 0 ? errno : ENOSPC) }
        guard ftruncate(descriptor, off_t(text.count)) == 0 else { throw .io(errno: errno) }
    }

    private static func makeFolder(_ folder: String) throws(StateLockError) {
        // SAFETY: mkdir reads its path as a C string made for this call.
        var result = unsafe mkdir(folder, 0o700)
        if result != 0, errno == ENOENT, let slash = folder.lastIndex(of: "/"),
            slash > folder.startIndex
        {
            try makeFolder(String(folder[..<slash]))
            // SAFETY: as above.
            result = unsafe mkdir(folder, 0o700)
        }
        if result != 0 {
            guard errno == EEXIST else { throw .io(errno: errno) }
            return
        }
        let code = syncFolder(of: folder)
        if code != 0 { throw .io(errno: code) }
    }

    private static func tighten(_ folder: Int32) throws(StateLockError) {
        let status = try status(of: folder)
        guard status.st_uid == geteuid() else { throw .notOwned(uid: status.st_uid) }
        if status.st_mode & 0o777 != 0o700, fchmod(folder, 0o700) != 0 { throw .io(errno: errno) }
    }

    private static func lock(in folder: Int32) throws(StateLockError) -> Int32 {
        while true {
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
            // SAFETY: openat reads the name as a C string made for this call.
            let file = unsafe openat(folder, fileName, flags, 0o600)
            guard file >= 0 else { throw .io(errno: errno) }
            do throws(StateLockError) {
                let code = FileLock.take(file)
                guard code == 0 else {
                    throw code == EWOULDBLOCK
                        ? StateLockError.locked(pid: holder(of: file)) : .io(errno: code)
                }
                // Somebody may have removed the file meanwhile: then another can lock its
                // successor, and this lock is worth nothing.
                if try isCurrent(file, in: folder) { return file }
            } catch {
                _ = close(file)
                throw error
            }
            _ = close(file)
        }
    }

    /// Whether the lock file's name still leads to `file`.
    private static func isCurrent(_ file: Int32, in folder: Int32) throws(StateLockError) -> Bool {
        let held = try status(of: file)
        var named = stat()
        // SAFETY: fstatat reads the name and fills the struct, for the time of the call.
        guard unsafe fstatat(folder, fileName, &named, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return false }
            throw .io(errno: errno)
        }
        return held.st_dev == named.st_dev && held.st_ino == named.st_ino
    }

    private static func status(of file: Int32) throws(StateLockError) -> stat {
        var status = stat()
        // SAFETY: fstat fills the struct it is given, for the time of the call.
        guard unsafe fstat(file, &status) == 0 else { throw .io(errno: errno) }
        return status
    }

    private static func holder(of file: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: holderLimit)
        var got = 0
        // SAFETY: pread fills at most `holderLimit` bytes of the buffer, within the closure.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            got = unsafe pread(file, buffer.baseAddress, buffer.count, 0)
        }
        let digits = bytes.prefix(max(0, got)).prefix { $0 >= 0x30 && $0 <= 0x39 }
        return Int32(String(decoding: digits, as: UTF8.self))
    }
}
