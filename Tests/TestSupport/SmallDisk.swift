// SPDX-License-Identifier: Apache-2.0
//
// A disk that is soon full, for tests of what happens then.

import Foundation

/// A disk of its own in memory, on a folder of its own. Tests that make one have the trait
/// `.smallDisks`.
package struct SmallDisk: Sendable {
    /// The folder; only its owner may enter it.
    package let path: String

    private var filler: String { path + "/filler" }

    /// Whether this machine lets us mount one: not if we are not root, and in some containers not
    /// even then.
    static let isPossible: Bool = {
        guard geteuid() == 0 else { return false }
        do {
            try SmallDisk(bytes: 1 << 20).remove()
            return true
        } catch let error as POSIXError {
            // Whatever else is wrong is for the tests to say.
            return error.code != .EPERM && error.code != .EACCES
        } catch {
            return true
        }
    }()

    /// Makes the folder and mounts the disk there; `remove` takes both away.
    package init(bytes: Int) throws {
        path = NSTemporaryDirectory() + "cairn-disk-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // SAFETY: the texts are lent for the call.
        guard unsafe mount("cairn-test", path, "tmpfs", 0, "size=\(bytes),mode=0700") == 0 else {
            let code = errno
            try FileManager.default.removeItem(atPath: path)
            throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
        }
    }

    /// Has every change refused from now on.
    package func makeReadOnly() throws {
        // SAFETY: the texts are lent for the call.
        let code = unsafe mount("cairn-test", path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), "")
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    /// Takes all room that is left.
    package func fill() throws {
        // Ends where the disk does, with an error that is the point of it.
        _ = try run("/bin/sh", ["-c", "cat /dev/zero > \"$0\"", filler])
        let left = try freeBytes()
        if left > 0 { throw NotFull(bytes: left) }
    }

    /// Takes the room that is left but for some bytes.
    package func fill(leaving bytes: Int) throws {
        let count = try freeBytes() - bytes
        _ = try run("/bin/sh", ["-c", "head -c \(count) /dev/zero > \"$0\"", filler])
    }

    /// Room that is left.
    package func freeBytes() throws -> Int {
        var disk = statvfs()
        // SAFETY: writes into a local of the right type; the path is lent for the call.
        guard unsafe statvfs(path, &disk) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        return Int(disk.f_bavail) * Int(disk.f_frsize)
    }

    /// Something else than a full disk ended the filling of it.
    package struct NotFull: Error {
        /// That are left.
        package let bytes: Int
    }

    /// Gives back what `fill` took.
    package func empty() throws { try FileManager.default.removeItem(atPath: filler) }

    /// Takes the disk away, from under files that are still open too, and its folder.
    ///
    /// - Returns: whether it could be unmounted.
    @discardableResult
    package func remove() -> Bool {
        // SAFETY: the path is lent for the call.
        guard unsafe umount2(path, Int32(MNT_DETACH)) == 0 else { return false }
        // An empty folder that stays is no reason to fail a test that passed.
        try? FileManager.default.removeItem(atPath: path)
        return true
    }
}
