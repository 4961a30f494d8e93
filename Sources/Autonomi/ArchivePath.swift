// SPDX-License-Identifier: Apache-2.0
//
// A path inside an archive, checked.
//
// Invariants: at least one name, at most `ArchiveLimits.depth`; no name is empty, `.` or `..`, has
// a slash or a NUL, or is longer than `ArchiveLimits.nameSize`.

/// Why a text is no path inside an archive.
package enum ArchivePathError: Error, Hashable, Sendable, CaseIterable {
    /// There is no text.
    case empty
    /// It begins with a slash.
    case absolute
    /// It has `..` in it.
    case leaves
    /// It has `.`, an empty name, or a slash at its end: another spelling of another path.
    case notPlain
    /// It has a NUL.
    case hasNUL
    /// It is longer than `ArchiveLimits.pathSize`.
    case tooLong
    /// One of its names is longer than `ArchiveLimits.nameSize`.
    case nameTooLong
    /// It has more names than `ArchiveLimits.depth`.
    case tooDeep
}

extension ArchivePathError: CustomStringConvertible {
    /// What the entry does, to go on after its number.
    package var description: String {
        switch self {
        case .empty: "has no path"
        case .absolute: "has an absolute path"
        case .leaves: "has a path that leaves the archive"
        case .notPlain: "has a path with an empty name or “.” in it"
        case .hasNUL: "has a path with a NUL in it"
        case .tooLong: "has a path of more than \(ArchiveLimits.pathSize) bytes"
        case .nameTooLong: "has a name of more than \(ArchiveLimits.nameSize) bytes"
        case .tooDeep: "lies more than \(ArchiveLimits.depth) directories deep"
        }
    }
}

/// A path inside an archive: names from the top down.
///
/// Ordered as the archives of the network are: name by name, each by its bytes, so that `a/b` comes
/// before `a!`.
package struct ArchivePath: Hashable, Sendable, Comparable {
    /// The path with slashes between its names.
    package let text: String

    /// Checks a path from outside.
    package init(_ text: String) throws(ArchivePathError) {
        let utf8 = text.utf8
        guard !utf8.isEmpty else { throw .empty }
        guard utf8.count <= ArchiveLimits.pathSize else { throw .tooLong }
        guard utf8.first != UInt8(ascii: "/") else { throw .absolute }
        guard !utf8.contains(0) else { throw .hasNUL }
        let names = utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard names.count <= ArchiveLimits.depth else { throw .tooDeep }
        for name in names {
            if name.elementsEqual("..".utf8) { throw .leaves }
            if name.isEmpty || name.elementsEqual(".".utf8) { throw .notPlain }
            guard name.count <= ArchiveLimits.nameSize else { throw .nameTooLong }
        }
        self.text = text
    }

    /// Checks a path made of names of this system, which may be any bytes.
    ///
    /// - Parameter entry: the number that an error names, counted from 1.
    /// - Throws: `malformed` if it is not UTF-8; `path`.
    package init(bytes: [UInt8], entry: Int) throws(ArchiveError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("entry \(entry) has a name that is not UTF-8")
        }
        do throws(ArchivePathError) {
            self = try ArchivePath(text)
        } catch {
            throw .path(entry: entry, error)
        }
    }

    /// The bytes of each name, from the top down.
    package var names: [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    /// Name by name: a slash comes before every other byte.
    package static func < (left: ArchivePath, right: ArchivePath) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8) { rank($0) < rank($1) }
    }

    /// Equal bytes, not equal letters: Swift takes two spellings of an accented letter for one.
    package static func == (left: ArchivePath, right: ArchivePath) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    /// As `==`: of the bytes.
    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }

    private static func rank(_ byte: UInt8) -> Int { byte == UInt8(ascii: "/") ? 0 : Int(byte) + 1 }
}
