// SPDX-License-Identifier: Apache-2.0
//
// Which programs keep a mount busy, as /proc shows them.

import Glibc
import Namespace

/// Finds the programs that use a mount.
package enum MountUsers {
    /// Programs that are named; of more, only the number.
    static let shownCount = 5
    /// Most bytes of a process's list of mapped files that are looked at.
    private static let mapLimit = 8 << 20

    /// A program.
    package struct User: Equatable, Sendable {
        /// Its process id.
        package let process: Int32
        /// Its name, as `ps` shows it.
        package let name: String
    }

    /// The programs with an open file, a mapped file, their directory or their root under a path.
    /// Those of other users are seen by root only.
    ///
    /// - Parameter mountPoint: absolute, without symlinks.
    package static func find(of mountPoint: String) -> [User] {
        let own = getpid()
        return processes().filter { $0 != own && uses($0, mountPoint) }
            .map { User(process: $0, name: name(of: $0)) }
    }

    private static func processes() -> [Int32] {
        names(in: "/proc").compactMap { Int32($0) }.sorted()
    }

    private static func uses(_ process: Int32, _ mountPoint: String) -> Bool {
        let folder = "/proc/\(process)"
        let links =
            ["cwd", "root", "exe"].map { "\(folder)/\($0)" }
            + names(in: "\(folder)/fd").map { "\(folder)/fd/\($0)" }
        for link in links where Files.isPath(target(of: link), atOrUnder: mountPoint) {
            return true
        }
        let maps = String(decoding: read("\(folder)/maps", limit: mapLimit), as: UTF8.self)
        return maps.split(separator: "\n").contains { line in
            guard let slash = line.firstIndex(of: "/") else { return false }
            return Files.isPath(String(line[slash...]), atOrUnder: mountPoint)
        }
    }

    private static func name(of process: Int32) -> String {
        let text = String(decoding: read("/proc/\(process)/comm", limit: 256), as: UTF8.self)
        return String(text.trimmed)
    }

    // Processes come and go, and most of another user's cannot be looked at: what cannot be read is
    // taken for a process that does not use the mount. The kernel has the last word at the unmount.

    private static func names(in path: String) -> [String] {
        do {
            let folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
            return try Files.names(in: folder).map { String(decoding: $0.name, as: UTF8.self) }
        } catch {
            return []
        }
    }

    private static func target(of link: String) -> String {
        do {
            return try Files.linkTarget(of: link)
        } catch {
            return ""
        }
    }

    private static func read(_ path: String, limit: Int) -> [UInt8] {
        do {
            return try Descriptor.open(path, O_RDONLY).readAll(limit: limit)
        } catch {
            return []
        }
    }
}
