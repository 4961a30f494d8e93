// SPDX-License-Identifier: Apache-2.0
//
// Parts of the daemon that need no mount: its log, its queue, its words, and who keeps a place
// busy.

@testable import Control
import Engine
import Glibc
import Stores
import TestSupport
import Testing

struct DaemonPartsTests {
    @Test("the log is for its owner, is bounded, and keeps the newest lines whole")
    func log() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("log")
        let log = try EventLog(path: path, takesStandardError: false)
        let long = String(repeating: "x", count: 5000)
        for index in 0..<1500 { log.write(.note, "\(index) \(long)") }
        log.write(.error, "two\nlines")
        #expect(try FileFacts.of(path).mode == 0o600)
        let sizes = try [path, path + ".1"].map { try FileFacts.of($0).size }
        #expect(sizes.allSatisfy { $0 > 0 && $0 < 600_000 })
        let text = try Descriptor.open(path, O_RDONLY).readAll(limit: 1 << 20)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        #expect(lines.last?.hasSuffix(" error: two lines") == true)
        #expect(lines.allSatisfy { $0.hasPrefix("20") && $0.utf8.count < 1100 })
        #expect(!Files.exists(path + ".2"))
    }

    @Test("a log that cannot be written is said")
    func noLog() throws {
        let folder = try TemporaryFolder()
        let failure = #expect(throws: CommandFailure.self) {
            try EventLog(path: folder.path("missing/log"), takesStandardError: false)
        }
        #expect(failure?.code == .failure)
    }

    @Test("a mailbox gives values in their order, and waits no longer than it is told")
    func mailbox() throws {
        let box = try Mailbox<Int>()
        #expect(box.receive(within: .milliseconds(1)) == nil)
        for value in 0..<Mailbox<Int>.capacity { #expect(box.send(value)) }
        #expect(!box.send(-1))
        for value in 0..<Mailbox<Int>.capacity { #expect(box.receive(within: .zero) == value) }
        #expect(box.receive(within: .zero) == nil)
    }

    @Test("what is left is counted in words")
    func remainder() {
        var state = EngineStatus()
        #expect(StatusText.remainder(of: state) == "everything is on the store")
        #expect(StatusText.leftover(of: state) == nil)
        state.hasUnpublishedChanges = true
        #expect(StatusText.remainder(of: state) == "the newest revision is not on the store yet")
        state.dirtyFiles = 2
        state.dirtyBytes = 3 << 20
        #expect(StatusText.remainder(of: state) == "3.0 MiB in 2 files not on the store yet")
        state.pendingPads = 1
        #expect(StatusText.remainder(of: state).contains(" and 1 pad not on the store yet"))
        #expect(StatusText.leftover(of: state)?.contains("safe on this machine") == true)
    }

    @Test("what waits beside the volume's own is counted in words, and never called stored")
    func foreign() {
        var state = EngineStatus()
        state.pendingForeign = 1
        #expect(StatusText.remainder(of: state) == "1 file of aleph/me/ not published yet")
        #expect(StatusText.leftover(of: state)?.contains("goes out at the next mount") == true)
        #expect(StatusText.published(state).contains("but 1 file of aleph/me/ not published"))
        let refused = Daemon.unpublished("the account cannot pay.", state)
        #expect(refused.sentence.hasSuffix("pay; 1 file of aleph/me/ not published yet"))
        #expect(refused.advice.contains("“cairn sync” tries it again"))
        let unmount = Daemon.stillMounted(refused)
        #expect(unmount.sentence.hasSuffix("it is still mounted"))
        #expect(unmount.advice.contains("--now") && unmount.code == .unpublished)
        state.pendingForeign = 2
        state.pendingPads = 1
        #expect(
            StatusText.remainder(of: state)
                == "1 pad not on the store yet; 2 files of aleph/me/ not published yet")
        #expect(StatusText.published(EngineStatus()) == "everything is on the store, as revision 0")
    }

    @Test("a sync that failed says once what is missing, and never that nothing is")
    func unpublished() {
        var state = EngineStatus()
        let whole = Daemon.unpublished("the account cannot pay.", state)
        #expect(whole.sentence == "not everything is on the store: the account cannot pay")
        #expect(!StatusText.progress(of: state).contains("everything is on the store"))
        state.pendingPads = 1
        let part = Daemon.unpublished("the time is up", state)
        #expect(part.sentence.hasSuffix("the time is up; 1 pad not on the store yet"))
        #expect(part.advice.hasPrefix(StatusText.safe))
    }

    @Test("what may be lost here, or never goes out, is not called safe")
    func notSafe() {
        var state = EngineStatus()
        state.pendingPads = 1
        let local = Daemon.unpublished("the local database failed", state, isLocal: true)
        state.halted = "another machine has published revision 7, this one knows 5"
        let halted = Daemon.unpublished(state.halted, state)
        #expect(halted.advice == StatusText.wayOn)
        for failure in [local, halted] {
            let refused = Daemon.stillMounted(failure)
            #expect(refused.advice.hasPrefix(failure.advice), "\(refused)")
            #expect(refused.advice.contains("“cairn unmount --now”"), "\(refused)")
            for said in [failure.rendered, refused.rendered] {
                #expect(!said.contains(StatusText.safe) && !said.contains("go out"), "\(said)")
            }
        }
        let left = StatusText.leftover(of: state)
        #expect(left?.contains(StatusText.wayOn) == true && left?.contains("goes out") == false)
        var dice = SeededGenerator(seed: 4)
        var status = Samples.daemon(&dice)
        status.engine.halted = state.halted
        let lines = StatusText.lines(volume: .standard, store: "/srv", status: status, now: 0)
        #expect(lines.contains("superseded") && lines.contains(StatusText.wayOn))
    }

    @Test("an advice that is a question ends with its own mark")
    func question() {
        let failure = CommandFailure(.failure, "it failed", advice: "is it mounted?")
        #expect(failure.rendered == "cairn: it failed.\n       is it mounted?\n")
    }

    @Test("paths are split at slashes and compared by bytes, whatever marks follow")
    func marks() throws {
        let (composed, decomposed) = ("/m/\u{E9}", "/m/e\u{301}")
        #expect(Files.isPath(composed + "/a", atOrUnder: composed))
        #expect(Files.isPath(composed, atOrUnder: composed))
        #expect(!Files.isPath(decomposed + "/a", atOrUnder: composed))
        #expect(!Files.isPath(composed + "x", atOrUnder: composed))
        #expect(Files.isPath("/a", atOrUnder: "/"))
        #expect(Files.lastComponent(of: "/m/\u{301}x").utf8.elementsEqual("\u{301}x".utf8))
        #expect(Files.parent(of: "/m/\u{301}x") == "/m")
        let path = try VolumePath("home:files/\u{301}x")
        #expect(path.names.map { Array($0.utf8) } == ["files", "\u{301}x"].map { Array($0.utf8) })
    }

    @Test("what is in memory only is never called safe")
    func inMemoryOnly() {
        var state = EngineStatus()
        state.hasUnpublishedChanges = true
        state.uncommitted = UncommittedChanges(
            count: 3, cause: "the disk of the local state is full; make room there",
            isLasting: false)
        let refused = Daemon.stillMounted(Daemon.unpublished("the time is up", state))
        #expect(refused.sentence.hasPrefix("3 changes would be lost with this mount"))
        #expect(refused.code == .failure && refused.advice.contains("kill \(getpid())"))
        #expect(!refused.rendered.contains("safe") && !refused.rendered.contains("--now"))
        state.uncommitted?.isLasting = true
        #expect(Daemon.unpublished("", state).advice.hasPrefix("copy what you need of them"))
        let lost = Daemon.lost(UncommittedChanges(count: 1, cause: "it failed", isLasting: true))
        #expect(lost.sentence.hasPrefix("1 change could not be kept on this machine"))
    }

    @Test("a status shows what a person asks first")
    func status() throws {
        var dice = SeededGenerator(seed: 3)
        var status = Samples.daemon(&dice)
        status.phase = .serving
        let text = StatusText.lines(volume: .standard, store: "/srv", status: status, now: 0)
        for word in ["mounted", status.mountPoint, "revision", "cache", "store health"] {
            #expect(text.contains(word), "\(word)")
        }
        let json = StatusText.json(volume: .standard, store: "/srv", status: status).text
        #expect(json.contains("\"mounted\": true"))
        #expect(json.contains("\"dirtyBytes\": \(status.engine.dirtyBytes)"))
        var puts = OperationMetrics()
        puts.note(.milliseconds(3), sent: 100, received: 0, failure: nil)
        puts.note(.seconds(100), sent: 7, received: 0, failure: .busy(retryAfter: nil))
        status.engine.storeMetrics = [.put: puts]
        let counted = StatusText.json(volume: .standard, store: "/srv", status: status).text
        let words = [
            "\"put\": {", "\"calls\": 2", "\"sentBytes\": 100", "\"busy\": 1", "\"5\": 1",
            "\"more\": 1", "\"milliseconds\": 100003",
        ]
        for word in words { #expect(counted.contains(word), "\(word)") }
        let idle = StatusText.json(volume: .standard, store: "/srv", status: nil).text
        #expect(idle.contains("\"mounted\": false"))
    }

    @Test("a program with an open file under a place is found by its name")
    func users() throws {
        let folder = try TemporaryFolder()
        try folder.file("held", "x")
        let before = MountUsers.find(of: folder.path)
        #expect(before.isEmpty)
        // A shell that waits for its standard input with the file open.
        let script = "sleep 30 < held & echo $! > pid; sleep 0.01"
        _ = try ProcessLaunch.run("sh", ["-c", "cd \(folder.path) && { \(script); } && cd /"])
        let text = try Descriptor.open(folder.path("pid"), O_RDONLY).readAll(limit: 32)
        let process = try #require(Int32(String(decoding: text.dropLast(), as: UTF8.self)))
        defer { kill(process, SIGKILL) }
        let users = MountUsers.find(of: folder.path)
        #expect(users.map(\.process) == [process])
        #expect(users.first?.name == "sleep")
        #expect(MountUsers.find(of: folder.path + "x").isEmpty)
    }

    @Test("a program's outcome is its exit code, or its signal")
    func outcomes() throws {
        #expect(try ProcessLaunch.run("sh", ["-c", "exit 3"]) == 3)
        #expect(try ProcessLaunch.run("sh", ["-c", "kill -9 $$"]) == 137)
        #expect(throws: SystemError.self) { try ProcessLaunch.run("no-such-program-here", []) }
    }

    @Test("a file is replaced as a whole, and leaves nothing beside it")
    func replace() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a", "old")
        try folder.file("a.new", "left by a crash")
        try Files.replace(path, with: Array("new".utf8), mode: 0o640)
        #expect(try Descriptor.open(path, O_RDONLY).readAll(limit: 10) == Array("new".utf8))
        #expect(try FileFacts.of(path).mode == 0o640)
        #expect(!Files.exists(path + ".new"))
        #expect(throws: SystemError.self) { try Descriptor.open(path, O_RDONLY).readAll(limit: 2) }
    }

    @Test("a path becomes absolute, also when its last name is missing")
    func absolute() throws {
        let folder = try TemporaryFolder()
        try Files.makeDirectories(folder.path("a/b"), mode: 0o700)
        _ = try ProcessLaunch.run("ln", ["-s", "a/b", folder.path("link")])
        #expect(try Files.absolute(folder.path("link")) == folder.path("a/b"))
        #expect(try Files.absolute(folder.path("link/")) == folder.path("a/b"))
        #expect(try Files.absolute(folder.path("link/new")) == folder.path("a/b/new"))
        #expect(throws: SystemError.self) { try Files.absolute(folder.path("none/new")) }
    }
}
