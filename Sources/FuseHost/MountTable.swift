// SPDX-License-Identifier: Apache-2.0
//
// What is mounted where, as the kernel tells it. Reading the table asks no filesystem anything, so
// it answers even when a mount hangs.

import Glibc

/// One mount.
package struct MountEntry: Sendable, Hashable {
    /// The mount's own number.
    package var id: UInt64
    /// Major number of the filesystem's device; 0 for FUSE.
    package var major: UInt32
    /// Minor number; for FUSE, the number of its connection.
    package var minor: UInt32
    /// The directory of the filesystem that is mounted.
    package var root: [UInt8]
    /// Where it is mounted.
    package var mountPoint: [UInt8]
    /// Options of the mount, such as `rw` and `nosuid`.
    package var options: [UInt8]
    /// The type, such as `fuse.cairn`.
    package var type: [UInt8]
    /// The source; for Cairn, what `MountOptions.fsname` says.
    package var source: [UInt8]

    /// `mountPoint` as text; bytes that are no UTF-8 are replaced.
    package var path: String { String(decoding: mountPoint, as: UTF8.self) }

    /// True for every mount of libfuse, ours or another's.
    package var isFuse: Bool {
        let text = String(decoding: type, as: UTF8.self)
        return text == "fuse" || text == "fuseblk" || text.hasPrefix("fuse.")
    }

    /// The FUSE connection's number; nil when it is no FUSE.
    ///
    /// - Source: the kernel names a connection after its device, which has major number 0.
    package var connection: FuseConnection? {
        isFuse && major == 0 ? FuseConnection(number: UInt64(minor)) : nil
    }
}

/// All mounts this process sees.
package struct MountTable: Sendable, Hashable {
    /// In the order they were made: of two at one place the later hides the earlier.
    package var entries: [MountEntry]

    /// Longest table that is read, in bytes: some ten thousand mounts.
    package static let sizeLimit = 4 << 20

    /// The table of this process; empty when `/proc` is not there.
    package static func current() -> MountTable {
        MountTable(parsing: SystemFile.read("/proc/self/mountinfo", limit: sizeLimit) ?? [])
    }

    /// Reads the text of a `mountinfo`. Lines that are not as expected are left out.
    ///
    /// - Source: proc(5), `/proc/pid/mountinfo`.
    package init(parsing text: [UInt8]) {
        entries = text.split(separator: UInt8(ascii: "\n")).compactMap(Self.entry)
    }

    /// What is mounted exactly at a path; the topmost, if several are.
    ///
    /// - Parameter path: absolute, without links or dots, as `realpath` gives it.
    package func mount(at path: String) -> MountEntry? {
        let wanted = Self.withoutLastSlash(Array(path.utf8))
        return entries.last { $0.mountPoint == wanted }
    }

    /// Every mount somewhere below a path, which keeps what is mounted there busy.
    ///
    /// - Parameter path: as for `mount(at:)`.
    package func mounts(below path: String) -> [MountEntry] {
        let outer = Self.withoutLastSlash(Array(path.utf8))
        return entries.filter {
            $0.mountPoint != outer && BusyProcess.isInside($0.mountPoint, outer)
        }
    }

    /// Every mount of a type, such as `fuse.cairn`.
    package func mounts(ofType type: String) -> [MountEntry] {
        entries.filter { $0.type == Array(type.utf8) }
    }

    /// Every mount of Cairn, whatever its volume.
    package func cairnMounts() -> [MountEntry] { mounts(ofType: "fuse.cairn") }

    private static func withoutLastSlash(_ path: [UInt8]) -> [UInt8] {
        path.count > 1 && path.last == UInt8(ascii: "/") ? Array(path.dropLast()) : path
    }

    /// One line: `id parent major:minor root point options [tags…] - type source super-options`.
    private static func entry(_ line: ArraySlice<UInt8>) -> MountEntry? {
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard fields.count >= 10,
            let mark = fields.dropFirst(6).firstIndex(of: [UInt8(ascii: "-")]),
            mark + 2 < fields.endIndex
        else { return nil }
        let device = fields[2].split(separator: UInt8(ascii: ":"))
        guard device.count == 2, let id = number(fields[0]),
            let major = number(device[0]).flatMap(UInt32.init(exactly:)),
            let minor = number(device[1]).flatMap(UInt32.init(exactly:))
        else { return nil }
        return MountEntry(
            id: id, major: major, minor: minor, root: unescaped(fields[3]),
            mountPoint: unescaped(fields[4]), options: unescaped(fields[5]),
            type: unescaped(fields[mark + 1]), source: unescaped(fields[mark + 2]))
    }

    private static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
        UInt64(String(decoding: text, as: UTF8.self))
    }

    /// A field without the kernel's octal escapes: space, tab, line end and backslash are `\ooo`.
    static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(field.count)
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else {
                result.append(byte)
                continue
            }
            result.append(value)
            rest.removeFirst(3)
        }
        return result
    }
}
