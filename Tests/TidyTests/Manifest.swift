// SPDX-License-Identifier: Apache-2.0
//
// The table of targets in Package.swift, read as text: asking the package manager for it takes
// longer than all other checks together.

/// A target and what it may import.
struct ManifestTarget: Hashable {
    enum Kind { case library, executable, test, systemLibrary, c }

    let name: String
    let kind: Kind
    let dependencies: Set<String>
}

/// All targets of a manifest.
struct Manifest {
    let targets: [ManifestTarget]

    /// How each kind of target begins in our Package.swift.
    private static let openings: [(text: String, kind: ManifestTarget.Kind)] = [
        ("library(", .library), ("tests(", .test), ("testPart(", .test),
        (".executableTarget(", .executable),
        (".systemLibrary(", .systemLibrary), (".target(", .c),
    ]

    init(text: String) {
        // The helper functions at the top have the same words; the table comes after this one.
        let table = text.firstRange(of: "targets: [\n").map { text[$0.upperBound...] } ?? text[...]
        var found: [(start: String.Index, ManifestTarget)] = []
        for opening in Manifest.openings {
            var rest = table
            while let range = rest.firstRange(of: opening.text) {
                rest = rest[range.upperBound...]
                // `.systemLibrary(` and `.target(` are told from words that end like them.
                let before = table[..<range.lowerBound].last ?? " "
                guard before == " " || before == "\n" else { continue }
                let body = Manifest.parenthesised(rest)
                guard let target = Manifest.target(body, opening.kind) else { continue }
                found.append((range.lowerBound, target))
            }
        }
        targets = found.sorted { $0.start < $1.start }.map { $0.1 }
    }

    subscript(name: String) -> ManifestTarget? { targets.first { $0.name == name } }

    private static func parenthesised(_ text: Substring) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }

    private static func target(_ body: Substring, _ kind: ManifestTarget.Kind) -> ManifestTarget? {
        guard let name = quoted(body).first else { return nil }
        guard kind != .systemLibrary, kind != .c else {
            return ManifestTarget(name: name, kind: kind, dependencies: [])
        }
        guard let open = body.firstIndex(of: "["), let close = body.lastIndex(of: "]") else {
            return ManifestTarget(name: name, kind: kind, dependencies: [])
        }
        // A test's resources stand behind its dependencies.
        let list = body[open...close]
        let end = list.firstRange(of: "resources:")?.lowerBound ?? list.endIndex
        let own = list[..<end].split(separator: "\n").flatMap { line in
            // `.product(name: "X", package: "y")`: the product is what is imported.
            quoted(line.firstRange(of: "package:").map { line[..<$0.lowerBound] } ?? line)
        }
        return ManifestTarget(name: name, kind: kind, dependencies: Set(own))
    }

    private static func quoted(_ text: Substring) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
