// SPDX-License-Identifier: Apache-2.0
//
// Keys, tags and names of strangers as names in a directory, and back.

import Cryptography
import Primitives

/// Any text as one name of a directory.
///
/// What a name cannot hold, and what would hide it or pass for something else, is written as `%`
/// and two hexadecimal digits: NUL, `/`, `%`, control characters, and a `.` or `~` at the front.
/// Two texts never have one name. A text whose name would be too long is named by `~` and its
/// digest, which leads back only by comparing.
///
/// - Source: docs/aleph.md §6.
package enum AlephName {
    /// The most bytes of a name, its suffix included.
    package static let maximumSize = 255
    private static let digestDigits = 32

    /// The name for a text.
    ///
    /// - Parameter suffix: ends the name as it is, such as `.json`.
    package static func name(for text: String, suffix: String = "") -> String {
        var name = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            let isFirst = index == 0 && (scalar == "." || scalar == "~")
            let isBad = scalar == "/" || scalar == "%" || scalar.value < 0x20 || scalar == "\u{7F}"
            if isFirst || isBad {
                name += "%" + Hex.encode([UInt8(scalar.value)]).uppercased()
            } else {
                name.unicodeScalars.append(scalar)
            }
        }
        if name.isEmpty || name.utf8.count + suffix.utf8.count > maximumSize {
            let digest = Hex.encode(SHA2.sha256(Array(text.utf8)))
            name = "~" + digest.prefix(digestDigits)
        }
        return name + suffix
    }

    /// The text of a name; nil for names that `name(for:suffix:)` does not make, and for those
    /// that are digests.
    package static func text(of name: String, suffix: String = "") -> String? {
        guard name.hasSuffix(suffix), name.utf8.count <= maximumSize else { return nil }
        var utf8: [UInt8] = []
        var rest = Array(name.utf8.dropLast(suffix.utf8.count))[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                utf8.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard rest.count >= 2, let decoded = Hex.decode(digits) else { return nil }
            utf8 += decoded
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: utf8, as: UTF8.self),
            self.name(for: text, suffix: suffix) == name
        else { return nil }
        return text
    }
}
