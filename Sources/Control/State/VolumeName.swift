// SPDX-License-Identifier: Apache-2.0
//
// What a volume may be called on this machine. Pure.

/// A volume's name on this machine; also the name of its folder.
///
/// Letters, digits, `-`, `_` and `.`, at most 64, not beginning with a dot or a dash: so it is one
/// path component, no option, and never hidden. The store does not know it.
package struct VolumeName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest name.
    package static let maximumLength = 64
    /// The name used where none is given.
    package static let standard = VolumeName(unchecked: "home")

    /// The name.
    package let text: String

    package var description: String { text }

    /// - Throws: exit code `usage` when it is not a name.
    package init(_ text: String) throws(CommandFailure) {
        let isAllowed = text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || "-_.".unicodeScalars.contains(scalar))
        }
        guard isAllowed, !text.isEmpty, text.utf8.count <= Self.maximumLength,
            !text.hasPrefix("."), !text.hasPrefix("-")
        else {
            throw CommandFailure(
                .usage, "“\(text)” cannot be a volume's name",
                advice: "use 1 to \(Self.maximumLength) of the characters A-Z a-z 0-9 - _ . and"
                    + " begin with a letter, a digit or _")
        }
        self.text = text
    }

    private init(unchecked text: String) {
        self.text = text
    }

    package static func < (left: VolumeName, right: VolumeName) -> Bool { left.text < right.text }
}
