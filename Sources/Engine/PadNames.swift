// SPDX-License-Identifier: Apache-2.0
//
// Which names in `scratchpads/` are an editor's own, and stay on this machine. Pure.

/// The patterns of temporary names: `*` is any run of bytes, `?` any one byte. Trees of which files
/// are published have them too.
package struct PadNames: Sendable {
    /// What vim, nano, emacs, sed, rsync, GNOME and others leave beside a file while they save it.
    ///
    /// - Source: docs/ARCHITECTURE.md §2, "Editors".
    package static let standard = [
        ".*.sw?", "*~", ".#*", "#*#", "4913", ".goutputstream-*", "sed??????", ".*.??????", "*.tmp",
    ]

    private let patterns: [[UInt8]]

    /// - Parameter patterns: all that count.
    package init(patterns: [String] = PadNames.standard) {
        self.patterns = patterns.map { Array($0.utf8) }
    }

    /// True when a file of this name is never a pad.
    package func isTemporary(_ name: [UInt8]) -> Bool {
        patterns.contains { PadNames.matches($0, name) }
    }

    /// Glob matching with one remembered star: linear in practice, quadratic at worst, on 255
    /// bytes.
    static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        let star = UInt8(ascii: "*")
        let any = UInt8(ascii: "?")
        var p = 0
        var n = 0
        var retry: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == star {
                retry = (p, n)
                p += 1
            } else if p < pattern.count, pattern[p] == any || pattern[p] == name[n] {
                p += 1
                n += 1
            } else if let last = retry {
                retry = (last.pattern, last.name + 1)
                p = last.pattern + 1
                n = last.name + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == star }
    }
}
