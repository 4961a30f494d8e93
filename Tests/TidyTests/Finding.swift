// SPDX-License-Identifier: Apache-2.0
//
// What a check reports, and the words all checks search with.

/// One breach of one rule.
struct Finding: Hashable, CustomStringConvertible {
    let path: String
    /// Counted from 1; 0 where no line is meant.
    let line: Int
    let problem: String

    var description: String { line == 0 ? "\(path): \(problem)" : "\(path):\(line): \(problem)" }

    /// All findings as one text, a line each: what a failing test shows.
    static func list(_ findings: [Finding]) -> String {
        findings.map { $0.description }.joined(separator: "\n")
    }
}

/// Searching for whole words.
enum Words {
    /// True if `word` stands in `text` with no letter, digit or underscore beside it.
    static func contains(_ word: String, in text: String) -> Bool {
        let wanted = Array(word.utf8)
        let bytes = Array(text.utf8)
        guard let first = wanted.first, bytes.count >= wanted.count else { return false }
        for start in 0...(bytes.count - wanted.count) where bytes[start] == first {
            let end = start + wanted.count
            guard bytes[start..<end].elementsEqual(wanted) else { continue }
            let isOpenBefore = start == 0 || !isPart(bytes[start - 1])
            let isOpenBehind = end == bytes.count || !isPart(bytes[end])
            if isOpenBefore && isOpenBehind { return true }
        }
        return false
    }

    /// Bytes beyond ASCII count as letters.
    private static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }
}
