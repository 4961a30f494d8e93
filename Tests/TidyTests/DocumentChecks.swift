// SPDX-License-Identifier: Apache-2.0
//
// The documents: links lead somewhere, decisions are numbered and listed, and what comments cite
// is there.

import Foundation

/// Rules of Markdown files, and of references to them.
enum DocumentChecks {
    /// Links to files of this package that are not there, or to headings that are not in them.
    ///
    /// - Parameter read: the text of a file, by its path from the root; nil if there is none.
    static func links(
        _ document: SourceText, exists: (String) -> Bool, read: (String) -> String?
    ) -> [Finding] {
        let folder = document.path.split(separator: "/").dropLast().joined(separator: "/")
        var findings: [Finding] = []
        for (index, line) in prose(document.lines) {
            for target in targets(line) {
                let parts = target.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let path =
                    parts[0].isEmpty
                    ? document.path : resolve(String(parts[0]), from: folder)
                func add(_ problem: String) {
                    findings.append(
                        Finding(path: document.path, line: index + 1, problem: problem))
                }
                guard let path, exists(path) else {
                    add("a link to \(target), which is not there")
                    continue
                }
                guard parts.count == 2, path.hasSuffix(".md") else { continue }
                let known = anchors(of: read(path) ?? "")
                if !known.contains(String(parts[1])) { add("a link to \(target): no such heading") }
            }
        }
        return findings
    }

    /// Lines outside code blocks, with code spans blanked.
    private static func prose(_ lines: [String]) -> [(Int, String)] {
        var isCode = false
        return lines.enumerated().compactMap { index, line in
            if line.hasPrefix("```") {
                isCode.toggle()
                return nil
            }
            if isCode { return nil }
            let parts = line.split(separator: "`", omittingEmptySubsequences: false)
            return (
                index,
                parts.enumerated().map { $0.offset % 2 == 0 ? String($0.element) : "`" }.joined()
            )
        }
    }

    /// What the links of a line lead to, those of other places left out.
    static func targets(_ line: String) -> [String] {
        line.split(separator: "](", omittingEmptySubsequences: false).dropFirst()
            .compactMap { rest in rest.firstIndex(of: ")").map { String(rest[..<$0]) } }
            .filter { !$0.contains("://") && !$0.hasPrefix("mailto:") }
    }

    /// A relative path from the root; nil when it leaves the package.
    private static func resolve(_ path: String, from folder: String) -> String? {
        var parts = folder.split(separator: "/").map(String.init)
        for part in path.split(separator: "/") {
            switch part {
            case ".": continue
            case "..":
                if parts.isEmpty { return nil }
                parts.removeLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors of a document's headings, as the usual readers of Markdown make them.
    static func anchors(of text: String) -> Set<String> {
        let headings = text.split(separator: "\n").filter { $0.hasPrefix("#") }
        return Set(
            headings.map { heading in
                heading.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
                    .compactMap { character -> Character? in
                        if character.isLetter || character.isNumber { return character }
                        if character == "-" || character == "_" { return character }
                        return character == " " ? "-" : nil
                    }.map(String.init).joined()
            })
    }

    /// Decision records that are not numbered in a row, or that the index does not link to.
    static func decisions(paths: [String], index: String) -> [Finding] {
        let records = paths.filter {
            $0.hasPrefix("docs/decisions/") && !$0.hasSuffix("/README.md")
        }
        var findings: [Finding] = []
        for (position, path) in records.sorted().enumerated() {
            let name = String(path.split(separator: "/").last ?? "")
            let number = String(position + 1)
            let wanted = String(repeating: "0", count: 4 - number.count) + number + "-"
            if !name.hasPrefix(wanted) || !name.hasSuffix(".md") {
                findings.append(Finding(path: path, line: 0, problem: "not numbered \(wanted)….md"))
            }
            if !targets(index).contains(name) {
                findings.append(Finding(path: path, line: 0, problem: "not in the index"))
            }
        }
        return findings
    }

    /// `docs/NAME.md`, and a section after it, named in a comment, that are not there.
    static func citations(
        _ file: SourceText, exists: (String) -> Bool, read: (String) -> String?
    ) -> [Finding] {
        var findings: [Finding] = []
        // A citation may be broken over two lines.
        let text = file.comments.map {
            String($0.drop { $0 == " " || $0 == "/" }).trimmingCharacters(in: .whitespaces)
        }.joined(separator: " ")
        for match in text.matches(of: /(docs\/[A-Za-z0-9\/_-]+\.md)(?: §([0-9]+))?/) {
            let path = String(match.output.1)
            guard exists(path) else {
                findings.append(
                    Finding(path: file.path, line: 0, problem: "cites \(path): not there"))
                continue
            }
            guard let section = match.output.2 else { continue }
            let isThere = (read(path) ?? "").split(separator: "\n")
                .contains { $0.hasPrefix("## \(section). ") }
            if !isThere {
                findings.append(
                    Finding(
                        path: file.path, line: 0, problem: "cites \(path) §\(section): not there"))
            }
        }
        return findings
    }
}
