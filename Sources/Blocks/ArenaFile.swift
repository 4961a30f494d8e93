// SPDX-License-Identifier: Apache-2.0
//
// The arena's file descriptor and the system calls on it. Knows offsets and bytes, not slots.
//
// - The descriptor is opened once, locked while it is open, and closed by deinit alone.
// - Every call retries EINTR and short transfers, and tells a full disk from other errors.

internal import CLinux
internal import Glibc
internal import Primitives

/// An open, locked arena file. Any thread may call anything.
final class ArenaFile: Sendable {
    private let descriptor: Int32

    /// Opens the file at `path`, making it (mode 0600) if there is none, and locks it.
    ///
    /// - Throws: `locked` when it is open elsewhere, `notAnArena` for anything but a regular
    ///   file, `io` for what else the system says.
    init(path: String) throws(ArenaError) {
        // SAFETY: open reads `path` as a C string made for this call.
        let opened = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw ArenaError(errno) }
        descriptor = opened
        // From here on deinit closes it, whatever is thrown.
        let code = FileLock.take(opened)
        guard code == 0 else { throw code == EWOULDBLOCK ? .locked : ArenaError(code) }
        let status = try status()
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAnArena }
        if status.st_mode & 0o077 != 0, fchmod(opened, 0o600) != 0 { throw ArenaError(errno) }
    }

    deinit {
        // Nothing can be done about an error here, and what must be durable was synced before.
        _ = close(descriptor)
    }

    /// The header's page of the file at `path`, read without a lock; nil if the file is missing,
    /// or was made and never written.
    static func firstPage(ofFileAt path: String) throws(ArenaError) -> [UInt8]? {
        // SAFETY: open reads `path` as a C string made for this call.
        let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else {
            if errno == ENOENT { return nil }
            throw ArenaError(errno)
        }
        let file = ArenaFile(adopting: opened)
        var page = [UInt8](repeating: 0, count: ArenaHeader.encodedSize)
        var span = page.mutableSpan
        let got = try file.read(into: &span, at: 0)
        if got < page.count || page.allSatisfy({ $0 == 0 }) { return nil }
        return page
    }

    /// Owns `descriptor` from here on.
    private init(adopting descriptor: Int32) { self.descriptor = descriptor }

    /// Bytes from the start of the file to its end.
    func size() throws(ArenaError) -> UInt64 { UInt64(max(0, try status().st_size)) }

    /// Reads into `out` from `offset` on; returns how many bytes there were before the file's end.
    ///
    /// - Parameter willWait: called once, before the first byte that only the disk has.
    func read(
        into out: inout MutableSpan<UInt8>, at offset: UInt64, willWait: (() -> Void)? = nil
    ) throws(ArenaError) -> Int {
        var done = 0
        var failure: Int32 = 0
        // SAFETY: the buffer is `out`'s own memory, used only inside the closure, and pread is
        // told no more than what is left of it.
        unsafe out.withUnsafeMutableBytes { buffer in
            if let willWait {
                // Where the system can not tell, it refuses, which is a wait that may be none.
                let cached = unsafe cairn_read_cached(
                    descriptor, buffer.baseAddress, buffer.count, Int64(offset))
                done = max(0, Int(cached))
                if done < buffer.count { willWait() }
            }
            while done < buffer.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                let got = unsafe pread(
                    descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
                if got > 0 {
                    done += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    failure = errno
                    return
                }
            }
        }
        if failure != 0 { throw ArenaError(failure) }
        return done
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// - Parameter done: how many were written, also when this throws.
    func write(
        _ bytes: Span<UInt8>, at offset: UInt64, count done: inout Int
    ) throws(ArenaError) {
        done = 0
        var failure: Int32 = 0
        // SAFETY: the buffer is `bytes`'s own memory, used only inside the closure, and pwrite is
        // told no more than what is left of it.
        unsafe bytes.withUnsafeBytes { buffer in
            while done < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
                let put = unsafe pwrite(
                    descriptor, rest.baseAddress, min(rest.count, FileWriting.callSize),
                    off_t(offset) + off_t(done))
                if put > 0 {
                    done += put
                } else if put == 0 {
                    // A regular file that takes nothing and says nothing has no room.
                    failure = ENOSPC
                    return
                } else if errno != EINTR {
                    failure = errno
                    return
                }
            }
        }
        if failure != 0 { throw ArenaError(failure) }
    }

    /// Makes what was written durable (fdatasync).
    func sync() throws(ArenaError) {
        while fdatasync(descriptor) != 0 {
            if errno != EINTR { throw ArenaError(errno) }
        }
    }

    /// Has the system begin to write what of `range` is not on the disk; waits for none of it.
    ///
    /// Nothing is promised by it, and no error is told or forgotten: `sync` meets each.
    func startWriting(_ range: Range<UInt64>) {
        // No bytes would be all up to the end.
        if range.isEmpty { return }
        cairn_start_writing(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    /// Has the system begin to read what of `range` is not in its memory. No error is told: who
    /// asks for the bytes meets it.
    func startReading(_ range: Range<UInt64>) {
        // No bytes would be all up to the end.
        if range.isEmpty { return }
        _ = posix_fadvise(
            descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
    }

    /// Waits until the end of a range is in the system's memory.
    func awaitEnd(of range: Range<UInt64>) {
        guard let last = range.last else { return }
        var byte: UInt8 = 0
        // SAFETY: one byte is read into one of ours.
        _ = unsafe pread(descriptor, &byte, 1, off_t(last))
    }

    /// Has the system drop what of `range` is in its memory and on the disk, and begin to write the
    /// rest.
    func forget(_ range: Range<UInt64>) {
        // No bytes would be all up to the end.
        if range.isEmpty { return }
        _ = posix_fadvise(
            descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
    }

    /// Gives the disk blocks of `range` back; the file keeps its size and reads zeros there.
    ///
    /// - Throws: `io(EOPNOTSUPP)` where the filesystem cannot.
    func punch(_ range: Range<UInt64>) throws(ArenaError) {
        while cairn_punch_hole(descriptor, Int64(range.lowerBound), Int64(range.count)) != 0 {
            if errno != EINTR { throw ArenaError(errno) }
        }
    }

    /// Cuts the file off at `size`.
    func truncate(to size: UInt64) throws(ArenaError) {
        while ftruncate(descriptor, off_t(size)) != 0 {
            if errno != EINTR { throw ArenaError(errno) }
        }
    }

    /// Bytes that an ordinary user can still write on this disk.
    func freeDiskBytes() throws(ArenaError) -> UInt64 {
        var values = statvfs()
        // SAFETY: fstatvfs fills the struct it is given, for the time of the call.
        guard unsafe fstatvfs(descriptor, &values) == 0 else { throw ArenaError(errno) }
        let (bytes, overflow) = UInt64(values.f_bavail)
            .multipliedReportingOverflow(by: UInt64(values.f_frsize))
        return overflow ? UInt64.max : bytes
    }

    /// Calls `body` with each range of the file that has disk blocks, in order.
    ///
    /// Where the filesystem cannot tell, the whole file is one such range.
    func forEachDataRange(_ body: (Range<UInt64>) -> Void) throws(ArenaError) {
        var position: Int64 = 0
        while true {
            let start = cairn_seek_data(descriptor, position)
            if start < 0 {
                // ENXIO: nothing but a hole from here to the end.
                if errno == ENXIO { return }
                throw ArenaError(errno)
            }
            let end = cairn_seek_hole(descriptor, start)
            guard end > start else { return }
            body(UInt64(start)..<UInt64(end))
            position = end
        }
    }

    private func status() throws(ArenaError) -> stat {
        var status = stat()
        // SAFETY: fstat fills the struct it is given, for the time of the call.
        guard unsafe fstat(descriptor, &status) == 0 else { throw ArenaError(errno) }
        return status
    }
}

/// Makes the name of the file or folder at `path` durable: syncs the folder it is in.
///
/// - Returns: 0, or the errno of what failed.
func syncFolder(of path: String) -> Int32 {
    let name = path.last == "/" ? path.dropLast() : path[...]
    let folder: Substring
    if let slash = name.lastIndex(of: "/") {
        folder = slash == name.startIndex ? "/" : name[..<slash]
    } else {
        folder = "."
    }
    // SAFETY: open reads `folder` as a C string made for this call.
    let descriptor = unsafe open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return errno }
    let code = fsync(descriptor) == 0 ? 0 : errno
    // Only read through: closing it cannot lose anything.
    _ = close(descriptor)
    // EINVAL: a filesystem whose folders need no sync.
    return code == EINVAL ? 0 : code
}

extension ArenaError {
    /// The error that `code` of the operating system means here.
    init(_ code: Int32) {
        switch code {
        case ENOSPC, EDQUOT: self = .diskFull
        default: self = .io(errno: code)
        }
    }
}
