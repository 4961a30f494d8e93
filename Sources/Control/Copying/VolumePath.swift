// SPDX-License-Identifier: Apache-2.0
//
// A place in a volume, as `put`, `get` and `info` are given it: `home:files/photos`. Pure.

/// A path in a volume.
package struct VolumePath: Equatable, Sendable {
    /// The volume's name on this machine.
    package let volume: VolumeName
    /// The names from the volume's root down; `.` and empty ones left out.
    package let names: [String]

    /// - Throws: `usage` when it is not `VOLUME:PATH`, or has a `..`.
    package init(_ text: String) throws(CommandFailure) {
        // Bytes throughout: a name that begins with a combining mark makes one character of the
        // slash and itself.
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw CommandFailure(
                .usage, "“\(text)” is no path in a volume",
                advice: "write VOLUME:PATH, such as home:files/photos")
        }
        volume = try VolumeName(String(text[..<colon]))
        names = text.utf8[text.utf8.index(after: colon)...].split(separator: UInt8(ascii: "/"))
            .map { String(decoding: $0, as: UTF8.self) }.filter { $0 != "." }
        guard !names.contains("..") else {
            throw CommandFailure(
                .usage, "“\(text)” has a “..”", advice: "write the path without it")
        }
    }

    /// True when the text has the form of a path in a volume, and not of one on this machine.
    package static func isMeant(by text: String) -> Bool {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
        return !text.utf8[..<colon].contains(UInt8(ascii: "/")) && colon != text.startIndex
    }

    /// The path from the volume's root: `/files/photos`.
    package var path: String { "/" + names.joined(separator: "/") }

    /// The folder the last name is in; nil for the root.
    package var parent: [[UInt8]]? {
        names.isEmpty ? nil : names.dropLast().map { Array($0.utf8) }
    }
}
