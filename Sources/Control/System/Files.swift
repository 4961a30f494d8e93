// SPDX-License-Identifier: Apache-2.0
//
// Small operations on local paths. Each is one system call or a well-known sequence of them.

import Glibc
import Namespace

/// Operations on paths of this machine.
package enum Files {
    /// Paths are looked at as bytes: to Swift a slash and a combining mark after it are one
    /// character, and no slash.
    private static let slash = UInt8(ascii: "/")

    /// True when something is at `path`, even a broken symlink.
    package static func exists(_ path: String) -> Bool {
        do {
            _ = try FileFacts.of(path, follows: false)
            return true
        } catch {
            // Whoever then uses the path meets the same error, and says it.
            return false
        }
    }

    /// Makes one directory; it is no error when it exists and is a directory.
    package static func makeDirectory(_ path: String, mode: UInt32) throws(SystemError) {
        // SAFETY: the string lives through the call.
        guard unsafe mkdir(path, mode) != 0 else { return }
        let error = SystemError.last("mkdir")
        guard error.code == EEXIST, try FileFacts.of(path).kind == .directory else { throw error }
    }

    /// Makes `path` and what is missing above it; the names are on the disk when this returns.
    package static func makeDirectories(_ path: String, mode: UInt32) throws(SystemError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        var built = path.hasPrefix("/") ? "" : "."
        for part in parts {
            built += "/" + part
            guard !exists(built) else { continue }
            try makeDirectory(built, mode: mode)
            try syncNames(in: built + "/..")
        }
    }

    /// Waits until the names in a folder are on the disk.
    ///
    /// A folder that may be written to and not be read cannot be synced; some network filesystems
    /// need no sync and refuse it. Both are let go.
    private static func syncNames(in folder: String) throws(SystemError) {
        do throws(SystemError) {
            try Descriptor.open(folder, O_RDONLY | O_DIRECTORY).sync()
        } catch {
            guard [EACCES, EINVAL, EOPNOTSUPP].contains(error.code) else { throw error }
        }
    }

    /// Sets permission bits.
    package static func setMode(_ path: String, _ mode: UInt32) throws(SystemError) {
        // SAFETY: the string lives through the call.
        guard unsafe chmod(path, mode) == 0 else { throw SystemError.last("chmod") }
    }

    /// Removes a file. Nothing there is no error.
    package static func remove(_ path: String) throws(SystemError) {
        // SAFETY: the string lives through the call.
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw SystemError.last("unlink") }
    }

    /// Removes an empty directory. Nothing there is no error.
    package static func removeDirectory(_ path: String) throws(SystemError) {
        // SAFETY: the string lives through the call.
        guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw SystemError.last("rmdir") }
    }

    /// Renames, replacing what is at `new`.
    package static func rename(_ old: String, to new: String) throws(SystemError) {
        // SAFETY: both strings live through the call.
        guard unsafe Glibc.rename(old, new) == 0 else { throw SystemError.last("rename") }
    }

    /// Replaces the file as one step: whoever reads it, even after a power cut, finds the old bytes
    /// or the new ones.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32
    ) throws(SystemError) {
        let temporary = path + ".new"
        try remove(temporary)
        do {
            let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            try file.writeAll(bytes.span)
            try file.sync()
        }
        try rename(temporary, to: path)
        try Descriptor.open(parent(of: path), O_RDONLY | O_DIRECTORY).sync()
    }

    /// The names in a directory without `.` and `..`, in the filesystem's own order.
    package static func names(
        in directory: borrowing Descriptor
    ) throws(SystemError) -> [(name: [UInt8], ino: UInt64)] {
        // A new open file: the position of a duplicate would be shared with other readers.
        let number = try directory.open(Array(".".utf8), O_RDONLY | O_DIRECTORY).released()
        // SAFETY: fdopendir takes over the descriptor when it succeeds.
        guard let stream = unsafe fdopendir(number) else {
            let error = SystemError.last("fdopendir")
            _ = close(number)
            throw error
        }
        // SAFETY: the stream is ours and closed once.
        defer { _ = unsafe closedir(stream) }
        var found: [(name: [UInt8], ino: UInt64)] = []
        while true {
            errno = 0
            // SAFETY: the entry belongs to the stream until the next call; its name is copied here.
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw SystemError.last("readdir") }
                return found
            }
            // SAFETY: d_name is NUL-terminated within the entry the stream keeps.
            let name: [UInt8] = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            unsafe found.append((name, UInt64(entry.pointee.d_ino)))
        }
    }

    /// The target of the symlink `name` in a directory.
    package static func linkTarget(
        of name: [UInt8], in directory: borrowing Descriptor
    ) throws(SystemError) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let number = directory.number
        // SAFETY: the buffer is ours, and at most its count is written.
        let count = unsafe withCString(name) { pointer in
            unsafe readlinkat(number, pointer, &buffer, buffer.count)
        }
        guard count >= 0 else { throw SystemError.last("readlinkat") }
        return buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    /// The absolute path without symlinks. The last component may be missing or unreachable.
    package static func absolute(_ path: String) throws(SystemError) -> String {
        let isFolder = path.utf8.count > 1 && path.utf8.last == slash
        let trimmed = isFolder ? String(decoding: path.utf8.dropLast(), as: UTF8.self) : path
        do {
            return try real(trimmed)
        } catch {
            // A mount whose daemon died answers ENOTCONN, a new file ENOENT: its folder tells.
            let name = lastComponent(of: trimmed)
            guard !name.isEmpty, name != ".", name != ".." else { throw error }
            let folder = try real(parent(of: trimmed))
            return folder == "/" ? "/" + name : folder + "/" + name
        }
    }

    private static func real(_ path: String) throws(SystemError) -> String {
        // SAFETY: realpath allocates the result, which is copied and freed here.
        guard let resolved = unsafe realpath(path, nil) else { throw SystemError.last("realpath") }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// The folder a path is in: "." where it names none.
    package static func parent(of path: String) -> String {
        guard let last = path.utf8.lastIndex(of: slash) else { return "." }
        return last == path.startIndex ? "/" : String(decoding: path.utf8[..<last], as: UTF8.self)
    }

    /// What follows the last slash.
    package static func lastComponent(of path: String) -> String {
        guard let last = path.utf8.lastIndex(of: slash) else { return path }
        return String(decoding: path.utf8[path.utf8.index(after: last)...], as: UTF8.self)
    }

    /// True for `folder` itself, and for what is below it. Bytes are compared: two ways to write a
    /// letter are two names.
    package static func isPath(_ path: String, atOrUnder folder: String) -> Bool {
        guard path.utf8.starts(with: folder.utf8) else { return false }
        let rest = path.utf8.dropFirst(folder.utf8.count)
        return rest.isEmpty || rest.first == slash || folder.utf8.last == slash
    }

    /// The target of a symlink at `path`.
    package static func linkTarget(of path: String) throws(SystemError) -> String {
        let folder = try Descriptor.open(parent(of: path), O_RDONLY | O_DIRECTORY)
        let target = try linkTarget(of: Array(lastComponent(of: path).utf8), in: folder)
        return String(decoding: target, as: UTF8.self)
    }
}

extension Descriptor {
    /// Gives up the descriptor without closing it.
    consuming func released() -> Int32 {
        let number = self.number
        discard self
        return number
    }
}

extension Environment {
    /// The directory relative paths start from.
    package static func currentDirectory() throws(SystemError) -> String {
        // SAFETY: getcwd allocates the result, which is copied and freed here.
        guard let path = unsafe getcwd(nil, 0) else { throw SystemError.last("getcwd") }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}

/// What the process was started with.
package enum Environment {
    /// The value of an environment variable; nil when unset or empty.
    package static func value(_ name: String) -> String? {
        // SAFETY: nobody changes the environment; the value is copied at once.
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// The user's home directory, from $HOME or the user database.
    package static var home: String? {
        if let home = value("HOME") { return home }
        // SAFETY: getpwuid's record is static; it is read at once, before other threads exist.
        guard let record = unsafe getpwuid(getuid()), let path = unsafe record.pointee.pw_dir else {
            return nil
        }
        return unsafe String(cString: path)
    }

    /// The machine's name.
    package static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        // SAFETY: the buffer is ours; gethostname writes at most its count, less one to end it.
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "cairn" }
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return bytes.isEmpty ? "cairn" : String(decoding: bytes, as: UTF8.self)
    }
}
