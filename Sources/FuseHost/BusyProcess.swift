// SPDX-License-Identifier: Apache-2.0
//
// Who keeps a mount busy. Everything is read from /proc, and nothing asks the mounted filesystem:
// so the answer also comes when the mount is dead or hangs.

import Glibc

/// A process that keeps a mount from being taken away.
package struct BusyProcess: Sendable, Hashable {
    /// What it has of the mount.
    package enum Use: Sendable, Hashable, CaseIterable {
        /// Its working directory lies in it.
        case workingDirectory
        /// Its root directory lies in it.
        case rootDirectory
        /// It runs a program from it.
        case program
        /// It has a file or directory of it open.
        case openFile
        /// It has a file of it mapped into memory.
        case mappedFile
    }

    /// Its number.
    package var id: Int32
    /// Its name, as `ps` shows it; bytes that are no UTF-8 are replaced.
    package var command: String
    /// All it has of the mount; never empty.
    package var uses: Set<Use>

    /// Longest of the kernel's lists that is read, in bytes; processes with longer ones are taken
    /// for not having the mount mapped.
    private static let listLimit = 16 << 20

    /// Every process this user may look at that keeps a mount busy, by number.
    package static func all(using mount: MountEntry) -> [BusyProcess] {
        let ids = (SystemFile.names(in: "/proc") ?? []).compactMap { Int32($0) }.sorted()
        return ids.compactMap { id in
            let uses = uses(of: mount, by: id)
            guard !uses.isEmpty else { return nil }
            let name = SystemFile.read("/proc/\(id)/comm", limit: 256) ?? []
            let command = String(
                decoding: name.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            return BusyProcess(id: id, command: command, uses: uses)
        }
    }

    private static func uses(of mount: MountEntry, by id: Int32) -> Set<Use> {
        var uses: Set<Use> = []
        let links: [(String, Use)] = [
            ("cwd", .workingDirectory), ("root", .rootDirectory), ("exe", .program),
        ]
        for (name, use) in links {
            let target = SystemFile.link("/proc/\(id)/\(name)")
            if let target, isInside(target, mount.mountPoint) { uses.insert(use) }
        }
        // `fdinfo` names the mount itself, so a file of another mount at the same place is not
        // taken for one of this.
        for descriptor in SystemFile.names(in: "/proc/\(id)/fdinfo") ?? [] {
            let text = SystemFile.read("/proc/\(id)/fdinfo/\(descriptor)", limit: 4096) ?? []
            guard mountID(inDescription: text) == mount.id else { continue }
            uses.insert(.openFile)
            break
        }
        let maps = SystemFile.read("/proc/\(id)/maps", limit: listLimit) ?? []
        if hasMapping(maps, major: mount.major, minor: mount.minor) { uses.insert(.mappedFile) }
        return uses
    }

    /// Whether a path is a directory, or lies in it.
    static func isInside(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
        guard path.starts(with: directory) else { return false }
        return path.count == directory.count || directory.last == UInt8(ascii: "/")
            || path[directory.count] == UInt8(ascii: "/")
    }

    /// The mount a descriptor belongs to.
    ///
    /// - Source: proc(5), `/proc/pid/fdinfo`: a line `mnt_id:` and the number.
    static func mountID(inDescription text: [UInt8]) -> UInt64? {
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let words = line.split { $0 == ":" || $0 == " " || $0 == "\t" }
            if words.count == 2, words[0] == "mnt_id" { return UInt64(words[1]) }
        }
        return nil
    }

    /// Whether a list of mappings has one of a device.
    ///
    /// - Source: proc(5), `/proc/pid/maps`: the fourth field is `major:minor`, in hexadecimal.
    static func hasMapping(_ text: [UInt8], major: UInt32, minor: UInt32) -> Bool {
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count >= 5 else { continue }
            let device = fields[3].split(separator: UInt8(ascii: ":"))
            guard device.count == 2 else { continue }
            let numbers = device.map { UInt32(String(decoding: $0, as: UTF8.self), radix: 16) }
            // An anonymous mapping has device 0:0 and inode 0, and is nobody's.
            if numbers == [major, minor] && fields[4] != [UInt8(ascii: "0")] { return true }
        }
        return false
    }
}
