// SPDX-License-Identifier: Apache-2.0
//
// Copies: what arrives is what was there, names, links, holes, times and all.

import Control
import Glibc
import Namespace
import Synchronization
import Testing

struct TreeCopierTests {
    private let folder: TemporaryFolder
    private let local = LocalTree()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func run(_ script: String) throws {
        let status = try ProcessLaunch.run("sh", ["-ec", "cd \(folder.path); " + script])
        #expect(status == 0, "\(script)")
    }

    /// Copies `source` to `target`, and gives what was reported.
    private func copy(
        _ isRecursive: Bool = true, to name: String = "target", in place: String = "."
    ) throws -> (reports: [String], files: UInt64) {
        let reports = Mutex<[String]>([])
        let root = try local.folder(at: folder.path)
        let into = try local.folder(at: folder.path(place))
        var copier = TreeCopier(from: local, to: local, isRecursive: isRecursive) { path, words in
            reports.withLock { $0.append("\(path): \(words)") }
        }
        copier.copy(
            Array("source".utf8), in: root, path: "source", to: Array(name.utf8), in: into)
        return (reports.withLock { $0 }, copier.copiedCount)
    }

    @Test("a tree arrives whole")
    func wholeTree() throws {
        try run(
            """
            mkdir -p source/d/empty; echo one > source/one; ln source/one source/d/hard
            ln -s ../nowhere source/link; mkfifo source/d/pipe; : > source/d/nothing
            head -c 3000000 /dev/urandom > source/d/big; chmod 4751 source/d/big
            truncate -s 5M source/sparse
            printf x | dd of=source/sparse bs=1 seek=4000000 conv=notrunc
            touch -d @1000000000.123456789 source/one source/d/empty; touch -h -d @5 source/link
            chmod 555 source/d/empty; chmod 710 source/d
            printf '\\344 \\n' > "source/$(printf 'a\\344b\\nc')"
            """)
        let (reports, files) = try copy()
        #expect(reports.isEmpty)
        #expect(files == 8)
        try run(
            """
            diff -r --no-dereference source target 2>/dev/null || [ -p target/d/pipe ]
            cmp source/d/big target/d/big; cmp source/sparse target/sparse
            list() { (cd $1; find . -printf '%P %y %m %n %T@ %l\\0' | sort -z); }
            list source > a; list target > b; cmp a b
            [ "$(stat -c %i target/one)" = "$(stat -c %i target/d/hard)" ]
            [ "$(stat -c %b target/sparse)" -lt 1000 ]
            """)
    }

    @Test("a second copy over the first changes what changed, and leaves one tree")
    func again() throws {
        try run("mkdir source; echo long text > source/a; ln source/a source/b; ln -s a source/l")
        _ = try copy()
        try run("echo short > source/a; ln -sfn b source/l; echo new > source/c")
        #expect(try copy().reports.isEmpty)
        try run(
            "diff -r --no-dereference source target; [ target/a -ef target/b ]"
        )
    }

    @Test("a folder is refused without -r, and nothing is made")
    func notRecursive() throws {
        try run("mkdir source")
        let (reports, _) = try copy(false)
        #expect(reports.count == 1)
        #expect(!Files.exists(folder.path("target")))
    }

    @Test("one file's failure does not stop the rest")
    func partial() throws {
        try run("mkdir -p source target/b; echo a > source/a; echo b > source/b; echo c > source/c")
        let (reports, files) = try copy()
        #expect(reports.count == 1)
        #expect(reports.first?.hasPrefix("source/b: ") == true)
        #expect(files == 2)
        try run("cmp source/a target/a; cmp source/c target/c")
    }

    @Test("what is not there is reported")
    func missing() throws {
        let (reports, files) = try copy()
        #expect(reports == ["source: there is no such file"])
        #expect(files == 0)
    }

    @Test("extended attributes are kept, but for those Cairn answers itself")
    func attributes() throws {
        try run("mkdir source; echo a > source/a")
        let root = try local.folder(at: folder.path("source"))
        let name = Array("a".utf8)
        let kept = ExtendedAttribute(name: Array("user.colour".utf8), value: [0, 255, 1])
        let own = ExtendedAttribute(name: Array("user.cairn.address".utf8), value: [1])
        do {
            try local.setAttribute(kept, of: name, in: root)
            try local.setAttribute(own, of: name, in: root)
        } catch TreeError.system(let error) where error.code == EOPNOTSUPP {
            // A /tmp without extended attributes has nothing to copy; the mount's tests have one.
            return
        }
        #expect(try copy().reports.isEmpty)
        let target = try local.folder(at: folder.path("target"))
        #expect(try local.attributes(of: name, in: target) == [kept])
    }

    /// What the folder holds: names, inodes, sizes, and the bytes of its files.
    private func listing() throws -> [UInt8] {
        let list = folder.path + ".list"
        try run("{ find . -printf '%P %i %s %n %l\\n'; grep -r '' . || :; } | sort > \(list)")
        let lines = try Descriptor.open(list, O_RDONLY).readAll(limit: 1 << 20)
        try Files.remove(list)
        return lines
    }

    @Test(
        "what is copied onto itself is reported, and stays as it was",
        arguments: [
            ("echo bytes > source", "source"), ("echo bytes > source; ln source target", "target"),
            ("echo bytes > to; ln -s to source", "source"),
            ("mkdir source; echo bytes > source/a; ln source/a other", "source"),
        ])
    func ontoItself(make: String, target: String) throws {
        try run(make)
        let before = try listing()
        let (reports, files) = try copy(to: target)
        #expect(reports.count == 1 && files == 0)
        #expect(reports.first?.contains("itself") == true)
        #expect(try listing() == before)
    }

    @Test("a folder is not copied into itself, at any depth, and nothing is made there")
    func intoItself() throws {
        try run("mkdir -p source/a/b; echo x > source/file; ln -s source/a short")
        for place in ["source", "source/a/b", "short"] {
            let (reports, files) = try copy(to: "new", in: place)
            #expect(reports.count == 1 && files == 0, "\(place)")
            #expect(reports.first?.contains("lies in it") == true, "\(place)")
            #expect(!Files.exists(folder.path(place + "/new")))
        }
        // What only begins with the same name is another folder.
        try run("mkdir source2")
        #expect(try copy(to: "new", in: "source2").reports.isEmpty)
    }

    @Test("a file that has more bytes than its size says is copied whole")
    func moreThanItsSize() throws {
        let processes = try local.folder(at: "/proc")
        let root = try local.folder(at: folder.path)
        var copier = TreeCopier(from: local, to: local, isRecursive: false) { path, words in
            Issue.record("\(path): \(words)")
        }
        copier.copy(
            Array("version".utf8), in: processes, path: "version", to: Array("target".utf8),
            in: root)
        try run("[ -s target ]; cmp /proc/version target")
    }

    @Test(
        "the capabilities of a program are kept, although it changes its owner",
        .enabled(if: geteuid() == 0, "only root sets capabilities"))
    func capabilities() throws {
        try run("echo program > source; chown 1234:1234 source; chmod 4755 source")
        let root = try local.folder(at: folder.path)
        // Version 2, effective, CAP_NET_BIND_SERVICE: linux/capability.h.
        let value: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let kept = ExtendedAttribute(name: Array("security.capability".utf8), value: value)
        do {
            try local.setAttribute(kept, of: Array("source".utf8), in: root)
        } catch TreeError.system(let error) where [EOPNOTSUPP, EPERM].contains(error.code) {
            // A /tmp, or a container, without capabilities has nothing to copy.
            return
        }
        try run("chmod 4755 source")
        #expect(try copy().reports.isEmpty)
        #expect(try local.attributes(of: Array("target".utf8), in: root).contains(kept))
        try run("[ \"$(stat -c %u:%g:%a target)\" = 1234:1234:4755 ]")
    }
}
