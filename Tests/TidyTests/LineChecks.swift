// SPDX-License-Identifier: Apache-2.0
//
// What every line and every file looks like.

/// Rules of one file at a time.
enum LineChecks {
    /// Most characters of a line.
    static let lineWidth = 100
    /// Most lines of a file.
    static let fileLength = 400
    static let license = "// SPDX-License-Identifier: Apache-2.0"

    /// Lines that are too wide, have tabs, or end in blanks.
    static func form(_ file: SourceText) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in file.lines.enumerated() {
            func add(_ problem: String) {
                findings.append(Finding(path: file.path, line: index + 1, problem: problem))
            }
            if line.count > lineWidth { add("\(line.count) columns, more than \(lineWidth)") }
            if line.contains("\t") { add("a tab") }
            if line.contains("\r") { add("a carriage return") }
            if line.last == " " { add("blanks at the end") }
        }
        return findings
    }

    /// A file that is too long and is not named as data.
    static func length(_ file: SourceText, exceptions: Set<String>) -> [Finding] {
        if file.lines.count <= fileLength || exceptions.contains(file.path) { return [] }
        return [
            Finding(
                path: file.path, line: 0,
                problem: "\(file.lines.count) lines, more than \(fileLength)")
        ]
    }

    /// The licence first, then what the file is for.
    static func head(_ file: SourceText) -> [Finding] {
        var findings: [Finding] = []
        if file.lines.first != license {
            findings.append(Finding(path: file.path, line: 1, problem: "no SPDX line first"))
        }
        let said = file.lines.dropFirst().prefix { $0.hasPrefix("//") }
            .contains { $0.dropFirst(2).contains { $0.isLetter } }
        if !said {
            findings.append(Finding(path: file.path, line: 2, problem: "no comment at the head"))
        }
        return findings
    }
}
