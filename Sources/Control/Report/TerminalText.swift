// SPDX-License-Identifier: Apache-2.0
//
// Text as a terminal shows it: how many columns it takes, and as much of it as fits. Pure.

/// Columns of text on a terminal.
package enum TerminalText {
    /// Columns of one character: 0, 1 or 2.
    ///
    /// - Source: Unicode's EastAsianWidth.txt, the ranges that are wide or full-width, and emoji;
    ///   what a character is made of besides its first scalar takes no room.
    static func columns(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// Columns of a text without control characters.
    package static func columns(of text: String) -> Int {
        text.reduce(0) { $0 + columns(of: $1) }
    }

    /// The text without what moves a terminal's cursor or changes its state: names may have that.
    package static func printable(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .surrogate, .lineSeparator, .paragraphSeparator:
                shown.unicodeScalars.append("?")
            // Marks that turn the direction of all that follows.
            case .format where scalar.value != 0x200D: shown.unicodeScalars.append("?")
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// As much of a text as fits, without control characters; what is cut off is marked.
    ///
    /// - Parameter width: columns; none or fewer give nothing.
    package static func fitted(_ text: String, to width: Int) -> String {
        let text = printable(text)
        guard columns(of: text) > width else { return text }
        guard width > 2 else { return String(repeating: ".", count: max(0, width)) }
        var shown = ""
        var left = width - 2
        for character in text {
            left -= columns(of: character)
            if left < 0 { break }
            shown.append(character)
        }
        return shown + ".."
    }
}
