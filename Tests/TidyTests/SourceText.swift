// SPDX-License-Identifier: Apache-2.0
//
// One file, taken apart into code, comments and strings, so that a word in a string is not taken
// for code, nor code that was commented out for code. Not a parser: it knows comments, string
// literals and their interpolations, of Swift and of C.

/// A file and its parts.
struct SourceText {
    /// From the package's root.
    let path: String
    /// All lines, without their ends.
    let lines: [String]
    /// The lines with everything but code blanked.
    let code: [String]
    /// The lines with everything but comments blanked.
    let comments: [String]

    var isSwift: Bool { path.hasSuffix(".swift") }

    init(path: String, text: String) {
        self.path = path
        lines = SourceText.split(text)
        var splitter = Splitter(Array(text.utf8), isSwift: path.hasSuffix(".swift"))
        splitter.run()
        code = SourceText.split(String(decoding: splitter.code, as: UTF8.self))
        comments = SourceText.split(String(decoding: splitter.comments, as: UTF8.self))
    }

    /// The folder below `Sources` or `Tests`: the target a file belongs to.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : nil
    }

    /// Lines, of which the last is dropped if it is empty: a file ends with a newline.
    private static func split(_ text: String) -> [String] {
        // By bytes: to a string of characters, a carriage return and a newline are one.
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

/// Copies each byte to code or to comments, and blanks it in the other; strings are blanked in
/// both.
private struct Splitter {
    private let bytes: [UInt8]
    private let isSwift: Bool
    private(set) var code: [UInt8]
    private(set) var comments: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8], isSwift: Bool) {
        self.bytes = bytes
        self.isSwift = isSwift
        let blank = bytes.map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
        code = blank
        comments = blank
    }

    mutating func run() {
        while index < bytes.count { step() }
    }

    /// One token's worth: a comment, a string, or a byte of code.
    private mutating func step() {
        if starts("//") {
            while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { takeComment() }
        } else if starts("/*") {
            blockComment()
        } else if let hashes = rawStringStart() {
            string(hashes: hashes)
        } else if bytes[index] == UInt8(ascii: "\"") {
            string(hashes: 0)
        } else if !isSwift, bytes[index] == UInt8(ascii: "'") {
            character()
        } else {
            code[index] = bytes[index]
            index += 1
        }
    }

    private func starts(_ text: String, at position: Int? = nil) -> Bool {
        let start = position ?? index
        let wanted = Array(text.utf8)
        return start + wanted.count <= bytes.count
            && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }

    private mutating func takeComment() {
        comments[index] = bytes[index]
        index += 1
    }

    /// Swift's nest, C's do not.
    private mutating func blockComment() {
        var depth = 0
        while index < bytes.count {
            if starts("/*"), isSwift || depth == 0 {
                depth += 1
                takeComment()
            } else if starts("*/") {
                depth -= 1
                takeComment()
                takeComment()
                if depth == 0 { return }
                continue
            }
            takeComment()
        }
    }

    /// How many `#` open a string here; nil if none does.
    private func rawStringStart() -> Int? {
        guard isSwift, bytes[index] == UInt8(ascii: "#") else { return nil }
        var end = index
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - index : nil
    }

    private mutating func string(hashes: Int) {
        let marks = String(repeating: "#", count: hashes)
        index += hashes
        let quote = isSwift && starts("\"\"\"") ? "\"\"\"" : "\""
        index += quote.utf8.count
        while index < bytes.count {
            if starts(quote + marks) {
                index += quote.utf8.count + hashes
                return
            }
            if starts("\\" + marks + "(") {
                index += hashes + 2
                interpolation()
            } else if starts("\\" + marks) {
                index += hashes + 2
            } else {
                index += 1
            }
        }
    }

    /// Code inside a string, up to its closing parenthesis.
    private mutating func interpolation() {
        var depth = 1
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "(") { depth += 1 }
            if bytes[index] == UInt8(ascii: ")") { depth -= 1 }
            if depth == 0 {
                index += 1
                return
            }
            step()
        }
    }

    private mutating func character() {
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "'") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
    }
}
