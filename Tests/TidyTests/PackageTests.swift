// SPDX-License-Identifier: Apache-2.0
//
// The rules, applied to this package. RuleTests shows that each of them can fail.

import Testing

/// Everything that is read, once for all tests.
private struct Package {
    let files: [SourceText]
    let manifest: Manifest

    static let here = Result { () throws in
        Package(
            files: try SourceTree.package.codeFiles(),
            manifest: Manifest(text: try SourceTree.package.text(of: "Package.swift")))
    }
}

/// Files as they are now.
struct PackageTests {
    private let tree = SourceTree.package
    private let files: [SourceText]
    private let manifest: Manifest

    init() throws {
        let package = try Package.here.get()
        files = package.files
        manifest = package.manifest
    }

    private func expectNone(_ findings: [Finding]) {
        #expect(findings.isEmpty, "\(Finding.list(findings))")
    }

    @Test("the package is where it is looked for")
    func found() {
        #expect(files.count > 200)
        #expect(manifest.targets.count > 25)
        #expect(manifest["Engine"]?.dependencies.contains("Metadata") == true)
    }

    @Test("lines are narrow, without tabs, and end where their text ends")
    func lines() {
        expectNone(files.flatMap { LineChecks.form($0) })
    }

    @Test("files are short, but for data")
    func fileLength() {
        expectNone(files.flatMap { LineChecks.length($0, exceptions: Named.data) })
    }

    @Test("functions are short")
    func functionLength() {
        expectNone(files.flatMap { FunctionChecks.length($0) })
    }

    @Test("a file begins with its licence and says what it is for")
    func heads() {
        expectNone(files.flatMap { LineChecks.head($0) })
    }

    @Test("nothing traps in disguise, and nothing is left for later")
    func words() {
        expectNone(files.flatMap { WordChecks.forbidden($0) })
    }

    @Test("unsafe stands in named files, under a reason")
    func unsafeCode() {
        expectNone(files.flatMap { UnsafeChecks.findings($0, allowed: Named.unsafeFiles) })
    }

    @Test("an unchecked Sendable says why")
    func unchecked() {
        expectNone(files.flatMap { WordChecks.unchecked($0) })
    }

    @Test("no closure lies in a lock as such")
    func lockedClosures() {
        expectNone(files.flatMap { WordChecks.lockedClosure($0) })
    }

    @Test("targets import what the manifest names, and name what they import")
    func imports() {
        expectNone(ImportChecks.declared(files.filter { $0.isSwift }, manifest))
    }

    @Test("dependencies point strictly downward")
    func layers() {
        expectNone(ImportChecks.layers(manifest, layers: Named.layers, peers: Named.peers))
        for (name, forbidden) in Named.forbidden {
            let found = manifest[name]?.dependencies.intersection(forbidden) ?? []
            #expect(found.isEmpty, "\(name) depends on \(found.sorted())")
        }
    }

    @Test("C is imported in named files only")
    func foreignModules() {
        let modules = Set(Named.cImports.keys)
        expectNone(
            files.flatMap {
                ImportChecks.foreign($0, modules: modules, allowed: Named.cImports)
            })
    }

    @Test("pure targets have no clock, no waiting and no system calls")
    func purity() {
        let pure = files.filter { file in
            file.path.hasPrefix("Sources/") && Named.pure.contains(file.target ?? "")
        }
        expectNone(pure.flatMap { ImportChecks.purity($0) })
        for file in pure where !Named.systemCallers.contains(file.path) {
            let isFree = !ImportChecks.imports(file).contains { $0.module == "Glibc" }
            #expect(isFree, "\(file.path) imports Glibc")
        }
    }

    @Test("the lists of named files name only files that need it")
    func namedFiles() {
        let byPath = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0) })
        for path in Named.unsafeFiles {
            let isUsed =
                byPath[path]?.code.contains(where: UnsafeChecks.contains) ?? false
            #expect(isUsed, "\(path) is named for unsafe and has none")
        }
        for (module, paths) in Named.cImports {
            for path in paths {
                let isUsed =
                    byPath[path].map { ImportChecks.imports($0).contains { $0.module == module } }
                    ?? false
                #expect(isUsed, "\(path) is named for \(module) and does not import it")
            }
        }
        for path in Named.data {
            let count = byPath[path]?.lines.count ?? 0
            #expect(count > LineChecks.fileLength, "\(path) is named as long data and is not")
        }
    }

    @Test("links in the documents lead somewhere")
    func links() throws {
        expectNone(
            try tree.documents().flatMap { document in
                DocumentChecks.links(
                    document, exists: tree.exists, read: { try? tree.text(of: $0) })
            })
    }

    @Test("decisions are numbered and in the index")
    func decisions() throws {
        let paths = try tree.paths(below: "docs/decisions")
        #expect(!paths.isEmpty)
        let index =
            tree.exists("docs/decisions/README.md")
            ? try tree.text(of: "docs/decisions/README.md") : ""
        expectNone(DocumentChecks.decisions(paths: paths, index: index))
    }

    @Test("documents and sections that comments cite are there")
    func citations() {
        expectNone(
            files.filter { $0.target != "TidyTests" }.flatMap { file in
                DocumentChecks.citations(
                    file, exists: tree.exists, read: { try? tree.text(of: $0) })
            })
    }

    @Test("each point of docs/SEMANTICS.md is quoted above a test, but for those named here")
    func semantics() throws {
        let path = "docs/SEMANTICS.md"
        let tests = files.filter { $0.path.hasPrefix("Tests/") && $0.target != "TidyTests" }
        let document = SourceText(path: path, text: try tree.text(of: path))
        #expect(SemanticsChecks.points(document).count > 80)
        expectNone(SemanticsChecks.findings(document, tests, untested: Named.untested))
    }

    @Test("the package speaks of no machine it was built on")
    func foreignPaths() throws {
        expectNone(try (files + tree.documents()).flatMap { WordChecks.foreign($0) })
    }
}
