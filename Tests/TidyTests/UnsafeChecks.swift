// SPDX-License-Identifier: Apache-2.0
//
// Every `unsafe` has its reason: a comment that begins with SAFETY. It reaches as far as a reader
// remembers it: a few lines, on through the `unsafe` lines that follow each other in the same
// block, and into the closures of an `unsafe` call. One that begins with "SAFETY, for" reaches to
// the end of the block it stands in; at the head of a file, to the file's end.

/// Rules about `unsafe`.
struct UnsafeChecks {
    /// Lines from a SAFETY comment, or from an `unsafe` it covers, to the next `unsafe`.
    static let reach = 8

    private let file: SourceText
    private let depths: [Int?]
    /// Lines with a covered `unsafe`.
    private var covered: [Int] = []

    /// `unsafe` outside the named files, or without a reason.
    static func findings(_ file: SourceText, allowed: Set<String>) -> [Finding] {
        guard file.isSwift else { return [] }
        var checks = UnsafeChecks(file)
        var findings: [Finding] = []
        for index in file.lines.indices where contains(file.code[index]) {
            func add(_ problem: String) {
                findings.append(Finding(path: file.path, line: index + 1, problem: problem))
            }
            if !allowed.contains(file.path) { add("unsafe in a file not named for it") }
            if !checks.cover(index) { add("unsafe without SAFETY") }
        }
        return findings
    }

    /// True for code that uses something unsafe. `@unsafe` declares it, and has its contract in
    /// the doc comment.
    static func contains(_ code: String) -> Bool {
        Words.contains("unsafe", in: code.replacing("@unsafe", with: ""))
    }

    private init(_ file: SourceText) {
        self.file = file
        depths = file.code.map { line in
            line.firstIndex { $0 != " " }.map { line.distance(from: line.startIndex, to: $0) }
        }
    }

    /// Whether the line's `unsafe` has a reason.
    private mutating func cover(_ index: Int) -> Bool {
        let isCovered = isSaidNear(index) || isSaidForBlock(index) || followsCovered(index)
        if isCovered { covered.append(index) }
        return isCovered
    }

    private func isSaidNear(_ index: Int) -> Bool {
        let near = file.comments[max(index - UnsafeChecks.reach, 0)...index]
        if near.contains(where: { $0.contains("SAFETY:") }) { return true }
        // A variable that is not isolated says why in a sentence.
        return file.code[index].contains("nonisolated(unsafe)")
            && near.contains { $0.lowercased().contains("because") }
    }

    private func isSaidForBlock(_ index: Int) -> Bool {
        guard
            let said = file.comments[..<index].lastIndex(where: { $0.contains("SAFETY, for") }),
            let start = file.comments[said].firstIndex(of: "/")
        else { return false }
        let depth = file.comments[said].distance(
            from: file.comments[said].startIndex, to: start)
        return isInside(depth, said..<index)
    }

    private func followsCovered(_ index: Int) -> Bool {
        guard let own = depths[index] else { return false }
        return covered.contains { before in
            guard let depth = depths[before] else { return false }
            let isNested = depth < own && isInside(depth + 1, before + 1..<index)
            let isNext =
                index - before <= UnsafeChecks.reach && isInside(min(depth, own), before..<index)
            return isNested || isNext
        }
    }

    /// True if no line of code in the range begins left of `depth`.
    private func isInside(_ depth: Int, _ range: Range<Int>) -> Bool {
        range.allSatisfy { depths[$0].map { $0 >= depth } ?? true }
    }
}
