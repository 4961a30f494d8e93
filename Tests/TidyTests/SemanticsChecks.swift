// SPDX-License-Identifier: Apache-2.0
//
// docs/SEMANTICS.md and its tests: each point of a list there, and each row of a table, is quoted
// above a test that would fail if it were not so, and what is quoted is there. A quote looks like
// this, and ends where the comment does or the next quote begins:
//
//     // SEMANTICS: Directories have no hard links: EPERM.
//     @Test("…")
//
// A row of a table is quoted too, by its first two cells: `EMLINK: more than 65 000 names`.

/// Rules about what the document promises.
enum SemanticsChecks {
    /// What a quote begins with.
    static let mark = "// SEMANTICS: "

    /// A point of a list, or a quote of one, with its line counted from 1.
    struct Sentence: Hashable {
        let path: String
        let line: Int
        let text: String
    }

    /// The points of all lists and the rows of all tables of a document, each as one line.
    static func points(_ document: SourceText) -> [Sentence] {
        var points: [Sentence] = []
        var isOpen = false
        for (index, line) in document.lines.enumerated() {
            if let row = row(of: line, after: index, document) {
                points.append(Sentence(path: document.path, line: index + 1, text: row))
                isOpen = false
            } else if line.hasPrefix("- ") {
                points.append(
                    Sentence(
                        path: document.path, line: index + 1, text: String(line.dropFirst(2))))
                isOpen = true
            } else if isOpen, line.hasPrefix("  "), let last = points.popLast() {
                points.append(
                    Sentence(
                        path: last.path, line: last.line, text: last.text + " " + trimmed(line)))
            } else {
                isOpen = false
            }
        }
        return points
    }

    /// What a line of a table says, but for its head: the first cell, a colon, the second.
    private static func row(
        of line: String, after index: Int, _ document: SourceText
    ) -> String? {
        func cells(_ line: String) -> [String]? {
            guard line.hasPrefix("|") else { return nil }
            return line.dropFirst().split(separator: "|", omittingEmptySubsequences: false)
                .map { trimmed(String($0)) }
        }
        func isRule(_ cells: [String]?) -> Bool {
            cells?.first?.hasPrefix("--") ?? false
        }
        guard let found = cells(line), found.count > 2, !isRule(found) else { return nil }
        let next = index + 1 < document.lines.count ? cells(document.lines[index + 1]) : nil
        return isRule(next) ? nil : found[0] + ": " + found[1]
    }

    /// The quotes above the tests of a file, each as one line.
    static func quotes(_ file: SourceText) -> [Sentence] {
        var quotes: [Sentence] = []
        var open: Sentence?
        for (index, comment) in file.comments.enumerated() {
            let text = trimmed(comment)
            if text.hasPrefix(mark) {
                if let open { quotes.append(open) }
                open = Sentence(
                    path: file.path, line: index + 1,
                    text: trimmed(String(text.dropFirst(mark.count))))
            } else if let quote = open {
                if text.hasPrefix("// ") {
                    open = Sentence(
                        path: quote.path, line: quote.line,
                        text: quote.text + " " + trimmed(String(text.dropFirst(3))))
                } else {
                    // A quote that stands above no test proves nothing.
                    if trimmed(file.code[index]).hasPrefix("@Test") { quotes.append(quote) }
                    open = nil
                }
            }
        }
        return quotes
    }

    /// Points without a test, quotes of what is not there, and exceptions that are none.
    ///
    /// - Parameter untested: points, or how they begin, that no test shows; each with a reason in
    ///   the list.
    static func findings(
        _ document: SourceText, _ tests: [SourceText], untested: [String]
    ) -> [Finding] {
        let points = points(document)
        let quotes = tests.flatMap { self.quotes($0) }
        let quoted = Set(quotes.map(\.text))
        let known = Set(points.map(\.text))
        var findings: [Finding] = []
        for point in points {
            let isExcepted = untested.contains { point.text.hasPrefix($0) }
            if quoted.contains(point.text) == isExcepted {
                findings.append(
                    Finding(
                        path: point.path, line: point.line,
                        problem: isExcepted ? "named as untested, and quoted" : "no test quotes it")
                )
            }
        }
        for quote in quotes where !known.contains(quote.text) {
            findings.append(
                Finding(
                    path: quote.path, line: quote.line,
                    problem: "quotes what \(document.path) does not say: \(quote.text)"))
        }
        for exception in untested where !points.contains(where: { $0.text.hasPrefix(exception) }) {
            findings.append(
                Finding(
                    path: document.path, line: 0, problem: "untested, and not there: \(exception)"))
        }
        return findings
    }

    private static func trimmed(_ text: String) -> String {
        var text = Substring(text)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
