// SPDX-License-Identifier: Apache-2.0
//
// The system calls of the comparison with a plain directory, with what they gave: a value or errno.
// Paths are Swift strings that live for the call.

import Glibc

/// How one system call ended.
enum CallResult: Equatable, CustomStringConvertible {
    case value(Int)
    case bytes([UInt8])
    case failed(Int32)

    var description: String {
        switch self {
        case .value(let value): "\(value)"
        case .bytes(let bytes): "\(bytes.count) bytes, \(bytes.prefix(16))"
        case .failed(let number): "errno \(number)"
        }
    }

    /// A call's answer: -1 means that errno says why.
    init(_ answer: Int) {
        self = answer == -1 ? .failed(errno) : .value(answer)
    }

    init(_ answer: Int32) { self.init(Int(answer)) }
}

/// What `lstat` shows that two filesystems must agree on.
struct FileFacts: Equatable {
    var mode: UInt32
    var user: UInt32
    var group: UInt32
    var links: Int
    /// Bytes; 0 for directories, whose size is the filesystem's own affair.
    var size: Int
    var device: Int
}

/// System calls by path or descriptor.
enum Calls {
    static func open(_ path: String, _ flags: Int32, _ mode: UInt32 = 0o644) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe Glibc.open(path, flags, mode))
    }

    static func close(_ descriptor: Int32) -> CallResult { CallResult(Glibc.close(descriptor)) }

    static func sync(_ descriptor: Int32) -> CallResult { CallResult(fsync(descriptor)) }

    static func write(_ descriptor: Int32, _ bytes: [UInt8], at offset: Int) -> CallResult {
        // SAFETY: the array lives for the call, which reads `count` bytes of it.
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: as above.
            CallResult(unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset)))
        }
    }

    /// As `write`, where the descriptor's own position says, or the end for O_APPEND.
    static func append(_ descriptor: Int32, _ bytes: [UInt8]) -> CallResult {
        // SAFETY: the array lives for the call, which reads `count` bytes of it.
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: as above.
            CallResult(unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count))
        }
    }

    static func read(_ descriptor: Int32, _ count: Int, at offset: Int) -> CallResult {
        var bytes = [UInt8](repeating: 0xEE, count: count)
        // SAFETY: the array lives for the call, which writes at most `count` bytes into it.
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            // SAFETY: as above.
            CallResult(unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)))
        }
        guard case .value(let got) = result else { return result }
        return .bytes(Array(bytes[..<got]))
    }

    static func truncate(_ path: String, _ size: Int) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe Glibc.truncate(path, off_t(size)))
    }

    static func truncate(_ descriptor: Int32, _ size: Int) -> CallResult {
        CallResult(ftruncate(descriptor, off_t(size)))
    }

    static func makeDirectory(_ path: String, _ mode: UInt32) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe mkdir(path, mode))
    }

    static func makeNode(_ path: String, _ mode: UInt32, _ device: UInt) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe mknod(path, mode, dev_t(device)))
    }

    static func removeDirectory(_ path: String) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe rmdir(path))
    }

    static func unlink(_ path: String) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe Glibc.unlink(path))
    }

    static func link(_ path: String, _ other: String) -> CallResult {
        // SAFETY: both paths live for the call; a symbolic link itself gets the name.
        CallResult(unsafe linkat(AT_FDCWD, path, AT_FDCWD, other, 0))
    }

    static func symlink(_ target: String, _ path: String) -> CallResult {
        // SAFETY: both texts live for the call.
        CallResult(unsafe Glibc.symlink(target, path))
    }

    static func readLink(_ path: String) -> CallResult {
        var bytes = [CChar](repeating: 0, count: 4096)
        // SAFETY: the path lives for the call, which writes at most `count` bytes.
        let result = CallResult(unsafe readlink(path, &bytes, bytes.count))
        guard case .value(let count) = result else { return result }
        return .bytes(bytes[..<count].map { UInt8(bitPattern: $0) })
    }

    static func rename(_ path: String, _ other: String) -> CallResult {
        // SAFETY: both paths live for the call.
        CallResult(unsafe Glibc.rename(path, other))
    }

    static func changeMode(_ path: String, _ mode: UInt32) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe chmod(path, mode))
    }

    static func changeOwner(_ path: String, _ user: UInt32, _ group: UInt32) -> CallResult {
        // SAFETY: the path lives for the call.
        CallResult(unsafe lchown(path, user, group))
    }

    static func setTimes(_ path: String, seconds: Int, nanoseconds: Int) -> CallResult {
        let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
        let times = [time, time]
        // SAFETY: the path and the two times live for the call.
        return CallResult(unsafe utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW))
    }

    /// The modification time, in nanoseconds.
    static func modified(_ path: String) -> CallResult {
        var status = stat()
        // SAFETY: the path lives for the call, and `status` is a local of the right type.
        let result = CallResult(unsafe lstat(path, &status))
        guard case .value = result else { return result }
        return .value(status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec)
    }

    static func facts(_ path: String) -> (CallResult, FileFacts?) {
        var status = stat()
        // SAFETY: the path lives for the call, and `status` is a local of the right type.
        let result = CallResult(unsafe lstat(path, &status))
        guard case .value = result else { return (result, nil) }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let facts = FileFacts(
            mode: status.st_mode, user: status.st_uid, group: status.st_gid,
            links: Int(status.st_nlink), size: isDirectory ? 0 : Int(status.st_size),
            device: Int(status.st_rdev))
        return (result, facts)
    }

    static func position(_ descriptor: Int32, _ offset: Int, _ whence: Int32) -> CallResult {
        CallResult(lseek(descriptor, off_t(offset), whence))
    }
}
