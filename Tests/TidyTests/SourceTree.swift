// SPDX-License-Identifier: Apache-2.0
//
// The files of this package as the checks see them: found from the place of this very file, read
// once, and named by their path from the package's root.

import Foundation

/// The package on the disk.
struct SourceTree {
    /// The folder that has Package.swift.
    let root: URL

    /// The package this test was compiled in.
    static let package = SourceTree(
        root: URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent())

    /// Extensions of what people write here and a compiler reads.
    static let codeExtensions: Set<String> = ["swift", "c", "h"]

    /// All Swift and C files of `Sources` and `Tests`, sorted.
    func codeFiles() throws -> [SourceText] {
        let paths = try paths(below: "Sources") + paths(below: "Tests")
        return try paths.filter {
            SourceTree.codeExtensions.contains(($0 as NSString).pathExtension)
        }
        .map { SourceText(path: $0, text: try text(of: $0)) }
    }

    /// The README, the changelog if there is one, and all of `docs`.
    func documents() throws -> [SourceText] {
        let top = ["README.md", "CHANGELOG.md"].filter(exists)
        let paths = try top + paths(below: "docs").filter { $0.hasSuffix(".md") }
        return try paths.map { SourceText(path: $0, text: try text(of: $0)) }
    }

    /// Paths of all files below a folder, from the root, sorted; none if there is no such folder.
    func paths(below folder: String) throws -> [String] {
        guard exists(folder) else { return [] }
        let start = root.appendingPathComponent(folder)
        return try FileManager.default.subpathsOfDirectory(atPath: start.path)
            .map { folder + "/" + $0 }
            .filter { !$0.contains("/.") && !isFolder($0) }
            .sorted()
    }

    func text(of path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    private func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        // SAFETY: the flag is a local, written during the call only.
        let isThere = unsafe FileManager.default.fileExists(
            atPath: root.appendingPathComponent(path).path, isDirectory: &isFolder)
        return isThere && isFolder.boolValue
    }
}
