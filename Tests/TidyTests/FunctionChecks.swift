// SPDX-License-Identifier: Apache-2.0
//
// How long a function is: from the line it begins on to the line of its closing brace.

/// Rules of functions.
enum FunctionChecks {
    /// Most lines of a function.
    static let functionLength = 70

    /// Functions that are too long.
    static func length(_ file: SourceText) -> [Finding] {
        let starts = file.isSwift ? swiftStarts(file.code) : cStarts(file.code)
        return starts.compactMap { start in
            guard let end = end(of: start, in: file.code) else { return nil }
            let count = end - start + 1
            if count <= functionLength { return nil }
            return Finding(
                path: file.path, line: start + 1,
                problem: "a function of \(count) lines, more than \(functionLength)")
        }
    }

    private static let swiftWords = ["func", "init", "deinit", "subscript"]

    /// Indexes of lines on which a declaration begins.
    private static func swiftStarts(_ code: [String]) -> [Int] {
        code.indices.filter { index in
            let words = code[index].split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." }
            guard let word = words.first(where: { swiftWords.contains(String($0)) }) else {
                return false
            }
            // Before a declaration's keyword stand only modifiers and attributes, never an
            // operator: `x.init(…)` has a dot, `= init(…)` an equals sign.
            let before = code[index][..<word.startIndex]
            return !before.contains { "=({[,:?".contains($0) } || before.contains("@")
        }
    }

    /// In C a function's body opens on a line that begins in the first column, or follows one.
    private static func cStarts(_ code: [String]) -> [Int] {
        code.indices.filter { index in
            guard let first = code[index].first, first.isLetter || first == "_" else {
                return false
            }
            guard code[index].contains("(") else { return false }
            let words = ["struct", "enum", "union", "typedef", "extern"]
            return !words.contains { code[index].hasPrefix($0) && !code[index].contains(")") }
        }
    }

    /// The line of the brace that closes the first one opened from `start` on; nil when the
    /// declaration has no body.
    private static func end(of start: Int, in code: [String]) -> Int? {
        var depth = 0
        var parentheses = 0
        for index in start..<code.count {
            // A requirement of a protocol, or a C prototype: over before any brace.
            let isNext = index > start && depth == 0 && parentheses == 0
            if isNext, begins(code[index]) { return nil }
            for character in code[index] {
                switch character {
                case "(": parentheses += 1
                case ")": parentheses -= 1
                case "{" where parentheses == 0: depth += 1
                case "}" where parentheses == 0:
                    depth -= 1
                    if depth == 0 { return index }
                    if depth < 0 { return nil }
                case ";" where depth == 0 && parentheses == 0: return nil
                default: break
                }
            }
        }
        return nil
    }

    /// Another declaration begins, so the one before had no body.
    private static func begins(_ line: String) -> Bool {
        let words = line.split { !$0.isLetter }
        guard let first = words.first else { return line.allSatisfy { $0 == " " } }
        return ["func", "init", "var", "let", "static", "package", "private", "case", "struct"]
            .contains(String(first))
    }
}
