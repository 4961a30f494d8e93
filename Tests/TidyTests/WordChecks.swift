// SPDX-License-Identifier: Apache-2.0
//
// What may not be written, and what must be said beside what may.

/// Rules about single words and the comments beside them.
enum WordChecks {
    /// Lines around an `@unchecked Sendable` among which its reason stands.
    static let reasonReach = 8

    /// Traps in disguise, and promises to finish later.
    static func forbidden(_ file: SourceText) -> [Finding] {
        var findings: [Finding] = []
        for index in file.lines.indices {
            func add(_ problem: String) {
                findings.append(Finding(path: file.path, line: index + 1, problem: problem))
            }
            let code = file.code[index]
            if code.contains("try!") { add("try!") }
            if Words.contains("fatalError", in: code) { add("fatalError") }
            for word in ["TODO", "FIXME", "XXX"]
            where Words.contains(word, in: code) || Words.contains(word, in: file.comments[index]) {
                add(word)
            }
        }
        return findings
    }

    /// An `@unchecked Sendable` that does not say why.
    static func unchecked(_ file: SourceText) -> [Finding] {
        file.lines.indices.compactMap { index in
            guard file.code[index].contains("@unchecked Sendable") else { return nil }
            let from = max(index - reasonReach, 0)
            let to = min(index + reasonReach, file.lines.count - 1)
            let isSaid = file.comments[from...to].contains { $0.lowercased().contains("because") }
            return isSaid
                ? nil
                : Finding(
                    path: file.path, line: index + 1,
                    problem: "@unchecked Sendable without a because")
        }
    }

    /// A closure that lies in a lock as such: generic code wraps it once more at each look.
    static func lockedClosure(_ file: SourceText) -> [Finding] {
        file.lines.indices.compactMap { index in
            let code = file.code[index]
            let isLocked = ["Lock<", "Monitor<", "Mutex<"].contains { name in
                code.ranges(of: name).contains { holdsClosure(code[$0.upperBound...]) }
            }
            guard isLocked else { return nil }
            return Finding(path: file.path, line: index + 1, problem: "a closure in a lock")
        }
    }

    /// Whether what stands up to the closing bracket has an arrow outside further brackets.
    private static func holdsClosure(_ rest: Substring) -> Bool {
        var depth = 0
        var last: Character = " "
        for character in rest {
            switch character {
            case "<": depth += 1
            case ">" where last == "-":
                if depth == 0 { return true }
            case ">":
                if depth == 0 { return false }
                depth -= 1
            default: break
            }
            last = character
        }
        return false
    }

    /// Paths of some machine on which the project was built: it speaks of itself alone.
    static func foreign(_ file: SourceText) -> [Finding] {
        // Put together here, so that this file does not have them.
        let words = ["/wo" + "rk/", "/tmp" + "/wt", "/tmp" + "/brief", "/home" + "/user"]
        return file.lines.enumerated().flatMap { index, line in
            words.filter { line.contains($0) }.map {
                Finding(path: file.path, line: index + 1, problem: "a path of one machine: \($0)")
            }
        }
    }
}
