// SPDX-License-Identifier: Apache-2.0
//
// Each rule finds what it is for, in a small bad sample, and leaves the good one alone.

import Testing

private func file(_ text: String, path: String = "Sources/Engine/Sample.swift") -> SourceText {
    SourceText(path: path, text: text)
}

private let head = LineChecks.license + "\n//\n// What it is for.\n\n"

struct LineRuleTests {
    @Test(
        "a wide line, a tab, a carriage return and blanks at the end are found",
        arguments: [
            String(repeating: "x", count: 101), "let\ta = 1", "let a = 1\r", "let a = 1 ",
        ])
    func badForm(line: String) {
        #expect(LineChecks.form(file(line + "\n")).count == 1)
    }

    @Test("a line of exactly the width is fine, whatever bytes its characters have")
    func widest() {
        #expect(LineChecks.form(file(String(repeating: "é", count: 100) + "\n")).isEmpty)
    }

    @Test("a long file is found, unless it is named")
    func longFile() {
        let long = file(String(repeating: "a\n", count: 401))
        #expect(LineChecks.length(long, exceptions: []).count == 1)
        #expect(LineChecks.length(long, exceptions: [long.path]).isEmpty)
        #expect(
            LineChecks.length(file(String(repeating: "a\n", count: 400)), exceptions: []).isEmpty)
    }

    @Test("a head without licence or without words is found")
    func heads() {
        #expect(LineChecks.head(file(head)).isEmpty)
        #expect(LineChecks.head(file("import Glibc\n")).count == 2)
        #expect(LineChecks.head(file(LineChecks.license + "\n//\n\nimport Glibc\n")).count == 1)
        #expect(LineChecks.head(file("// First.\n// What it is for.\n")).count == 1)
    }
}

struct FunctionRuleTests {
    private func function(_ opening: String, lines: Int) -> String {
        opening + "\n" + String(repeating: "    work()\n", count: lines) + "}\n"
    }

    @Test(
        "a long function is found in every spelling",
        arguments: [
            "func f() {", "    package static func f<T>(_ a: T) -> [T] {", "init(a: Int) {",
            "deinit {",
            "    subscript(i: Int) -> Int {",
            "func f(\n    a: Int,\n    b: Int = { 1 }()\n) throws {",
        ])
    func long(opening: String) {
        #expect(FunctionChecks.length(file(function(opening, lines: 70))).count == 1)
        #expect(FunctionChecks.length(file(function(opening, lines: 60))).isEmpty)
    }

    @Test("calls, requirements without a body, and braces in strings are no functions")
    func notLong() {
        let calls = function("let a = Thing.init(x) {", lines: 90)
        let requirement = "protocol P {\n    func f()\n    func g() -> Int\n}\n"
        let string =
            "func f() {\n    print(\"{\")\n}\n" + String(repeating: "let a = 1\n", count: 90)
        #expect(FunctionChecks.length(file(calls)).isEmpty)
        #expect(
            FunctionChecks.length(file(requirement + function("struct S {", lines: 90))).isEmpty)
        #expect(FunctionChecks.length(file(string)).isEmpty)
    }

    @Test("a long function of C is found, a prototype and a table are not")
    func inC() {
        let path = "Sources/CLinux/sample.c"
        let long = function("static int f(int a)\n{", lines: 70)
        let table = "static const int t[] = {\n" + String(repeating: "1,\n", count: 90) + "};\n"
        #expect(FunctionChecks.length(file(long, path: path)).count == 1)
        #expect(FunctionChecks.length(file("int f(int);\n" + table, path: path)).isEmpty)
    }
}

struct WordRuleTests {
    @Test(
        "forbidden words are found in code and comments",
        arguments: [
            "let a = try! f()", "fatalError()", "// TODO: later", "/* FIXME */", "let XXX = 1",
        ])
    func found(line: String) {
        #expect(WordChecks.forbidden(file(line + "\n")).count == 1)
    }

    @Test(
        "they are not found in strings, nor as parts of other words",
        arguments: [
            #"let a = "TODO fatalError( try!""#, "let notfatalErrors = 1",
            "// fatalError is not used",
            "let s = \"\"\"\n    TODO\n    \"\"\"", "let b = #\"\"quoted\" TODO\"#",
        ])
    func leftAlone(line: String) {
        #expect(WordChecks.forbidden(file(line + "\n")).isEmpty)
    }

    @Test("code in an interpolation is code, and the string goes on behind it")
    func interpolation() {
        let text = "let a = \"x \\(try! f(\"TODO\")) TODO\"\n"
        #expect(WordChecks.forbidden(file(text)).map { $0.problem } == ["try!"])
    }

    @Test("an unchecked Sendable needs a because")
    func unchecked() {
        let bare = "final class C: @unchecked Sendable {}\n"
        #expect(WordChecks.unchecked(file(bare)).count == 1)
        #expect(WordChecks.unchecked(file("// Because it is constant.\n" + bare)).isEmpty)
    }

    @Test("a closure in a lock is found, one in a structure is not meant")
    func lockedClosure() {
        for bad in ["Lock<(@Sendable (Int) -> Void)?>(nil)", "Monitor<() -> Int>({ 1 })"] {
            #expect(WordChecks.lockedClosure(file("let a = \(bad)\n")).count == 1)
        }
        for good in ["Lock<Function?>(nil)", "Lock<[Int]>([]).map { (a) -> Int in a }"] {
            #expect(WordChecks.lockedClosure(file("let a = \(good)\n")).isEmpty)
        }
    }

    @Test("a path of one machine is found, in strings too")
    func foreign() {
        #expect(WordChecks.foreign(file("let a = \"/wo" + "rk/x\"\n")).count == 1)
        #expect(WordChecks.foreign(file("let a = \"homework/x\"\n")).isEmpty)
    }
}

struct UnsafeRuleTests {
    private func count(_ text: String) -> Int {
        let sample = file(text)
        return UnsafeChecks.findings(sample, allowed: [sample.path]).count
    }

    @Test("a reason is needed, and a named file")
    func reason() {
        #expect(count("// SAFETY: ours.\nlet a = unsafe p.pointee\n") == 0)
        #expect(count("let a = unsafe p.pointee\n") == 1)
        let good = file("// SAFETY: ours.\nlet a = unsafe p.pointee\n")
        #expect(UnsafeChecks.findings(good, allowed: []).count == 1)
    }

    @Test("a reason does not reach far, nor into the next function")
    func reach() {
        #expect(
            count("// SAFETY: ours.\n" + String(repeating: "\n", count: 9) + "unsafe f()\n") == 1)
        let lines = String(repeating: "    work()\n", count: 5)
        let first = "func a() {\n    // SAFETY: ours.\n    unsafe f()\n" + lines
        #expect(count(first + "    unsafe g()\n}\n") == 0)
        #expect(count(first + "}\n\nfunc b() {\n    unsafe g()\n}\n") == 1)
    }

    @Test("a reason holds in the closures of an unsafe call")
    func nested() {
        let open = "// SAFETY: ours.\nunsafe p.with { q in\n"
        let lines = String(repeating: "    work()\n", count: 20)
        #expect(count(open + lines + "    unsafe q.f()\n}\n") == 0)
        #expect(count(open + lines + "}\nunsafe g()\n") == 1)
    }

    @Test("a reason for a block holds to its end")
    func block() {
        let lines = String(repeating: "    work()\n", count: 20)
        let text = "struct A {\n    // SAFETY, for all of these: ours.\n" + lines
        #expect(count(text + "    func f() { unsafe g() }\n}\n") == 0)
        #expect(count(text + "}\nfunc f() { unsafe g() }\n") == 1)
    }

    @Test("a word in a comment, a type and a contract are no use of it")
    func mentioned() {
        #expect(
            count("// unsafe would be wrong here\nlet a: UnsafePointer<Int>\n@unsafe func f()\n")
                == 0)
        #expect(count("nonisolated(unsafe) let a = 1\n") == 1)
        #expect(count("// Because it is constant.\nnonisolated(unsafe) let a = 1\n") == 0)
    }
}

struct ImportRuleTests {
    private let manifest = Manifest(
        text: """
            func library(_ name: String) -> Target { .target(name: name) }
            let package = Package(
                name: "x",
                targets: [
                    .systemLibrary(name: "CLow"),
                    .target(name: "CShim", cSettings: [.unsafeFlags(["-Wall"])]),
                    library("Low", []),
                    library(
                        "Engine",
                        [
                            "Low", "CLow",
                        ]),
                    .executableTarget(
                        name: "tool",
                        dependencies: [
                            "Engine",
                            .product(name: "Parser", package: "swift-parser"),
                        ],
                        swiftSettings: strict),
                    tests("LowTests", ["Low"], resources: [.copy("Vectors")]),
                ]
            )
            """)

    @Test("the manifest's table is read, products, shims and resources among it")
    func table() {
        #expect(
            manifest.targets.map { $0.name } == [
                "CLow", "CShim", "Low", "Engine", "tool", "LowTests",
            ])
        #expect(manifest["CShim"]?.kind == .c)
        #expect(manifest["Low"]?.dependencies == [])
        #expect(manifest["Engine"]?.dependencies == ["Low", "CLow"])
        #expect(manifest["tool"]?.dependencies == ["Engine", "Parser"])
        #expect(manifest["LowTests"]?.dependencies == ["Low"])
    }

    @Test("imports are read in every spelling, and words that only look like them are not")
    func spelling() {
        let text =
            "import A\ninternal import B\npackage import struct C.D\n@testable import E\n"
            + "// import F\nlet a = \"import G\"\nlet import1 = 2\n"
        #expect(ImportChecks.imports(file(text)).map { $0.module } == ["A", "B", "struct", "E"])
    }

    @Test("an import that is not declared, and a declaration nobody needs, are found")
    func declared() {
        let good = file("import Low\nimport CLow\nimport Glibc\n")
        #expect(ImportChecks.declared([good], manifest).isEmpty)
        let more = file("import Low\nimport CLow\nimport Other\n")
        #expect(ImportChecks.declared([more], manifest).count == 1)
        #expect(ImportChecks.declared([file("import Low\n")], manifest).count == 1)
        let lost = file("import Low\n", path: "Sources/Lost/A.swift")
        #expect(ImportChecks.declared([lost], manifest).map { $0.problem } == ["in no target"])
    }

    @Test("Foundation is for tests alone")
    func foundation() {
        let library = file("import Low\nimport CLow\nimport Foundation\n")
        let test = file("import Low\nimport Foundation\n", path: "Tests/LowTests/A.swift")
        #expect(ImportChecks.declared([library], manifest).count == 1)
        #expect(ImportChecks.declared([test], manifest).isEmpty)
    }

    @Test("an upward or sideward dependency is found, a named sideward one is not")
    func layers() {
        let layers = ["CLow": -1, "CShim": -1, "Low": 0, "Engine": 1, "tool": 2]
        #expect(ImportChecks.layers(manifest, layers: layers, peers: []).isEmpty)
        let flat = layers.merging(["Engine": 0]) { $1 }
        #expect(ImportChecks.layers(manifest, layers: flat, peers: []).count == 1)
        #expect(ImportChecks.layers(manifest, layers: flat, peers: [["Engine", "Low"]]).isEmpty)
        let upward = layers.merging(["Low": 5]) { $1 }
        #expect(ImportChecks.layers(manifest, layers: upward, peers: []).count == 1)
        #expect(ImportChecks.layers(manifest, layers: ["Low": 0], peers: []).count == 4)
    }

    @Test("a module of C is for named files")
    func modules() {
        let one = file("import CLow\n")
        let allowed = ["CLow": Set([one.path])]
        #expect(ImportChecks.foreign(one, modules: ["CLow"], allowed: allowed).isEmpty)
        #expect(ImportChecks.foreign(one, modules: ["CLow"], allowed: [:]).count == 1)
        #expect(ImportChecks.purity(file("let t = await f()\n")).count == 1)
        #expect(ImportChecks.purity(file("let awaited = \"await\"\n")).isEmpty)
    }
}

struct DocumentRuleTests {
    private func check(_ text: String) -> [Finding] {
        DocumentChecks.links(
            file(text, path: "docs/a/page.md"),
            exists: { ["docs/b.md", "docs/a/page.md", "README.md"].contains($0) },
            read: { $0 == "docs/b.md" ? "# One Heading: `x`\n" : text })
    }

    @Test(
        "a link to nothing is found",
        arguments: [
            "[x](c.md)", "[x](../../../README.md)", "[x](../b.md#other)", "[x](#nowhere)",
            "[a](../b.md) and [x](c.md)",
        ])
    func broken(text: String) {
        #expect(check(text + "\n").count == 1)
    }

    @Test(
        "a link that leads somewhere, or elsewhere, or is code, is left alone",
        arguments: [
            "[x](../b.md)", "[x](../../README.md)", "[x](../b.md#one-heading-x)",
            "[x](https://a.b/c)",
            "`[x](c.md)`", "```\n[x](c.md)\n```", "# Here\n[x](#here)",
        ])
    func whole(text: String) {
        #expect(check(text + "\n").isEmpty)
    }

    @Test("decisions must be numbered in a row and be in the index")
    func decisions() {
        let paths = ["docs/decisions/README.md", "docs/decisions/0001-a.md"]
        let index = "[a](0001-a.md)"
        #expect(DocumentChecks.decisions(paths: paths, index: index).isEmpty)
        #expect(DocumentChecks.decisions(paths: paths, index: "").count == 1)
        let gap = paths + ["docs/decisions/0003-c.md"]
        #expect(DocumentChecks.decisions(paths: gap, index: index + "[c](0003-c.md)").count == 1)
    }

    @Test("a citation of a document or section that is not there is found")
    func citations() {
        func check(_ text: String) -> Int {
            DocumentChecks.citations(
                file(text), exists: { $0 == "docs/b.md" }, read: { _ in "## 3. Things\n" }
            ).count
        }
        #expect(check("// docs/b.md §3 says so.\n") == 0)
        #expect(check("// As in docs/b.md\n// §3.\n") == 0)
        #expect(check("// docs/b.md §4 says so.\n") == 1)
        #expect(check("/// Source: docs/c.md\n") == 1)
        #expect(check("let a = \"docs/c.md\"\n") == 0)
    }
}

struct SemanticsRuleTests {
    private let document = file(
        "# A\n\n- One thing\n  is so.\n- Another.\n\nText.\n- A third.\n", path: "docs/S.md")

    private func problems(_ test: String, untested: [String] = []) -> [String] {
        SemanticsChecks.findings(
            document, [file(test, path: "Tests/ATests/A.swift")], untested: untested
        ).map(\.problem)
    }

    @Test("a point without a quote, a quote of nothing, and a stale exception are found")
    func found() {
        let mark = SemanticsChecks.mark
        let good = "\(mark)One thing is\n// so.\n\(mark)Another.\n@Test(\"a\")\nfunc a() {}\n"
        #expect(problems(good) == ["no test quotes it"])
        #expect(problems(good, untested: ["A third"]).isEmpty)
        #expect(problems(good, untested: ["A third", "A fourth"]).count == 1)
        #expect(problems(good, untested: ["A third", "Another"]).count == 1)
        #expect(problems("\(mark)A fourth.\n@Test(\"a\")\n", untested: ["One", "A"]).count == 1)
        #expect(problems("\(mark)One thing is so.\nfunc a() {}\n", untested: ["A"]).count == 1)
        #expect(problems("let a = \"\(mark)A third.\"\n@Test(\"a\")\n").count == 3)
    }

    @Test("a row of a table is a point, its head and its rule are none")
    func rows() {
        let table =
            "| errno | meaning | do |\n|---|---|---|\n| EIO | bad | wait |\n"
            + "| EFBIG | big | |\n"
        let document = file(table, path: "docs/S.md")
        #expect(SemanticsChecks.points(document).map(\.text) == ["EIO: bad", "EFBIG: big"])
        let test = "\(SemanticsChecks.mark)EIO: bad\n@Test(\"a\")\n"
        let found = SemanticsChecks.findings(document, [file(test)], untested: [])
        #expect(found.map(\.line) == [4])
    }
}
