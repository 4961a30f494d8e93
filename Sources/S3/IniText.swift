// SPDX-License-Identifier: Apache-2.0
//
// Files of sections and settings, as `~/.aws` has them. Pure.

/// The settings of an ini file, by section.
struct IniText {
    /// The most bytes of a file.
    static let sizeLimit = 1 << 20

    private var sections: [String: [String: String]] = [:]

    /// Reads a file. Lines that are neither a section nor a setting are passed over, as the tools
    /// that share these files do; so are settings that belong to one above them (indented).
    ///
    /// Settings before the first section count as those of `default`.
    init(_ text: String) {
        var section = "default"
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = IniText.trimmed(line)
            guard let first = trimmed.first, first != "#", first != ";" else { continue }
            if first == "[" {
                guard let end = trimmed.firstIndex(of: "]") else { continue }
                let name = IniText.trimmed(trimmed[trimmed.index(after: trimmed.startIndex)..<end])
                section = name.split(separator: " ").joined(separator: " ")
                continue
            }
            guard line.first?.isWhitespace != true, let equals = trimmed.firstIndex(of: "=") else {
                continue
            }
            let name = IniText.trimmed(trimmed[..<equals]).lowercased()
            let value = IniText.trimmed(trimmed[trimmed.index(after: equals)...])
            sections[section, default: [:]][name] = String(value)
        }
    }

    /// The value of a setting; nil if it is not there, or empty.
    subscript(section: String, name: String) -> String? {
        sections[section]?[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether there is such a section.
    func has(_ section: String) -> Bool { sections[section] != nil }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0.isWhitespace }
        let end = start.lastIndex { !$0.isWhitespace }
        return end.map { start[...$0] } ?? ""
    }
}
