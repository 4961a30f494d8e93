// SPDX-License-Identifier: Apache-2.0
//
// Who imports whom: what the manifest says is what the files do, and it points strictly downward.

/// Rules about imports and layers.
enum ImportChecks {
    /// Comes with the toolchain; every target may use it.
    static let everywhere: Set<String> = ["Glibc", "Synchronization"]
    /// Comes with the toolchain; for tests only.
    static let testsOnly: Set<String> = ["Testing", "Foundation"]

    /// The modules a file imports, with their lines.
    static func imports(_ file: SourceText) -> [(module: String, line: Int)] {
        guard file.isSwift else { return [] }
        return file.code.enumerated().compactMap { index, line in
            let words = line.split { $0 == " " || $0 == "." }
            guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { return nil }
            let isDeclaration = words[..<at].allSatisfy {
                ["internal", "package", "public", "private", "fileprivate"].contains($0)
                    || $0.hasPrefix("@")
            }
            return isDeclaration ? (String(words[at + 1]), index + 1) : nil
        }
    }

    /// Whether a file is of a test, or of what tests share.
    private static func isTested(_ file: SourceText, _ target: ManifestTarget) -> Bool {
        target.kind == .test || file.path.hasPrefix("Tests/")
    }

    /// Imports that the manifest does not name, and names in it that nobody imports.
    static func declared(_ files: [SourceText], _ manifest: Manifest) -> [Finding] {
        var findings: [Finding] = []
        var used: [String: Set<String>] = [:]
        for file in files {
            guard let name = file.target, let target = manifest[name] else {
                findings.append(Finding(path: file.path, line: 0, problem: "in no target"))
                continue
            }
            for (module, line) in imports(file) {
                used[name, default: []].insert(module)
                let isOfTheToolchain =
                    everywhere.contains(module)
                    || (testsOnly.contains(module) && isTested(file, target))
                if isOfTheToolchain || target.dependencies.contains(module) { continue }
                findings.append(
                    Finding(
                        path: file.path, line: line,
                        problem: "imports \(module), which \(name) does not depend on"))
            }
        }
        for target in manifest.targets where used[target.name] != nil {
            for unused in target.dependencies.subtracting(used[target.name] ?? []).sorted() {
                findings.append(
                    Finding(
                        path: "Package.swift", line: 0,
                        problem: "\(target.name) depends on \(unused) and never imports it"))
            }
        }
        return findings
    }

    /// Dependencies that do not point downward. Within a layer only the named pairs may.
    static func layers(
        _ manifest: Manifest, layers: [String: Int], peers: Set<[String]>
    ) -> [Finding] {
        func finding(_ problem: String) -> Finding {
            Finding(path: "Package.swift", line: 0, problem: problem)
        }
        var findings: [Finding] = []
        for target in manifest.targets where target.kind != .test {
            guard let own = layers[target.name] else {
                findings.append(finding("\(target.name) is in no layer"))
                continue
            }
            for dependency in target.dependencies.sorted() {
                // A product of another package is below everything.
                guard manifest[dependency] != nil else { continue }
                guard let other = layers[dependency] else { continue }
                let isPeer = other == own && peers.contains([target.name, dependency])
                if other < own || isPeer { continue }
                findings.append(finding("\(target.name) depends on \(dependency), not below it"))
            }
        }
        return findings
    }

    /// C modules imported by files that are not named for it.
    static func foreign(
        _ file: SourceText, modules: Set<String>, allowed: [String: Set<String>]
    ) -> [Finding] {
        imports(file).compactMap { module, line in
            guard modules.contains(module), allowed[module]?.contains(file.path) != true else {
                return nil
            }
            return Finding(
                path: file.path, line: line, problem: "imports \(module) and is not named for it")
        }
    }

    /// Words that a pure target has no business with.
    static func purity(_ file: SourceText) -> [Finding] {
        let words = ["async", "await", "ContinuousClock", "clock_gettime", "getenv", "connect"]
        return file.code.enumerated().flatMap { index, line in
            words.filter { Words.contains($0, in: line) }.map {
                Finding(path: file.path, line: index + 1, problem: "\($0) in a pure target")
            }
        }
    }
}
