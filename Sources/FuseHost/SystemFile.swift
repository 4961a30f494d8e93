// SPDX-License-Identifier: Apache-2.0
//
// The few system calls on files, links and folders that mounting needs, each with its limit.

import Glibc

/// Small files of the system, such as those under `/proc` and `/sys`.
enum SystemFile {
    private static let pieceSize = 64 << 10

    /// What a file holds; nil when it cannot be read, or is longer than `limit`.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        // SAFETY: `path` is alive for the call, and the descriptor is closed on every way out.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var result: [UInt8] = []
        while result.count <= limit {
            // SAFETY: the call writes at most `room.count` bytes, and says how many it did write.
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: pieceSize) { room, count in
                count = unsafe max(0, Glibc.read(file, room.baseAddress, room.count))
            }
            if piece.isEmpty { return result }
            result += piece
        }
        return nil
    }

    /// Writes a short text into a file that is there; whether it was taken.
    static func write(_ text: String, to path: String) -> Bool {
        // SAFETY: as above.
        let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        let bytes = Array(text.utf8)
        return unsafe Glibc.write(file, bytes, bytes.count) == bytes.count
    }

    /// Where a symbolic link points, as text; nil when it cannot be read.
    ///
    /// Of the links under `/proc` this asks the kernel only, never the filesystem they lead to.
    static func link(_ path: String) -> [UInt8]? {
        var count = 0
        // SAFETY: the call writes at most `room.count` bytes, and says how many it did write.
        let target = unsafe [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { room, used in
            count = unsafe room.withMemoryRebound(to: CChar.self) {
                guard let start = $0.baseAddress else { return -1 }
                return unsafe readlink(path, start, $0.count)
            }
            used = max(0, count)
        }
        return count >= 0 ? target : nil
    }

    /// The names in a folder, without the two dots; nil when it cannot be read.
    static func names(in path: String) -> [String]? {
        // SAFETY: the stream is ours until it is closed, and an entry is read before the next
        // call replaces it. `d_name` ends with a zero.
        guard let folder = unsafe opendir(path) else { return nil }
        defer { unsafe closedir(folder) }
        var result: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { result.append(name) }
        }
        return result
    }

    /// A path without links, dots or a last slash; nil when it leads nowhere, and why is
    /// `SystemFailure.last`.
    static func resolved(_ path: String) -> String? {
        // SAFETY: `realpath` gives memory of its own, or nil; freed here.
        guard let found = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }
}
