// SPDX-License-Identifier: Apache-2.0
//
// What commands advise can be done, and what the helpers beside them do when it goes wrong.

import Foundation
import TestSupport
import Testing

@Suite("what commands advise, and their helpers", .serialized, .mounting)
struct CommandAdviceTests {
    private static let helpers =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path + "/mount-helpers"

    @Test("a lost key file is made again from the phrase, and what was not published is kept")
    func keyAgain() throws {
        try withVolume { volume in
            try volume.shell("mv \"$STORE\" \"$STORE.away\"; echo mine > \"$MNT/files/mine\"")
            try volume.done("unmount", "test", "--now")
            let whole = try volume.tried("recover", "test", input: volume.phrase)
            expectRefusal(whole, .volumeExists, "there is a volume")
            try volume.shell("rm \"$CAIRN_STATE/volumes/test/key\"; mv \"$STORE.away\" \"$STORE\"")
            let missing = try volume.tried("mount", "test", volume.mountPoint)
            expectRefusal(missing, .invalidConfiguration, "“cairn recover”")
            let other = try volume.done("init", "other", "--store", volume.root + "/other")
            let foreign = try volume.tried("recover", "test", input: other)
            expectRefusal(foreign, .volumeExists, "there is a volume")
            try volume.done("recover", "test", input: volume.phrase)
            try volume.mount()
            #expect(try volume.shell("cat \"$MNT/files/mine\"") == "mine\n")
            try volume.sync()
            // A passphrase that is lost.
            try volume.done("unmount", "test")
            try volume.shell("echo secret > \"$ROOT/secret\"; rm \"$CAIRN_STATE/volumes/test/key\"")
            try volume.done(
                "recover", "test", "--passphrase-file", volume.root + "/secret",
                input: volume.phrase)
            let sealed = try volume.tried("mount", "test", volume.mountPoint, input: "")
            #expect(sealed.status == 64)
            try volume.done("recover", "test", input: volume.phrase)
            try volume.mount()
            #expect(try volume.shell("cat \"$MNT/files/mine\"") == "mine\n")
        }
    }

    @Test("a disk of this machine that fails ends no daemon, and nothing is called safe then")
    func failingDisk() throws {
        try withVolume(mounts: false) { volume in
            // As a service manager starts it; a test may be run by what ignores the signal.
            try volume.shell("env --default-signal=XFSZ \"$CAIRN\" mount test \"$MNT\"")
            try volume.shell("echo a > \"$MNT/files/a\"")
            try volume.sync()
            let process = try volume.daemonPID()
            // What a full quota of the disk or a limit of the service does to its writes.
            try volume.shell("prlimit --pid \(process) --fsize=4096:unlimited")
            try volume.shell("head -c 20000 /dev/zero > \"$MNT/files/b\"; :")
            let sync = try volume.tried("sync", "test")
            #expect(sync.status != 0, "\(sync.errors)")
            #expect(!sync.errors.contains("safe on this machine"), "\(sync.errors)")
            #expect(isRunning(process))
            // Its own thread commits, and is told with a signal as well.
            let left = try volume.tried("unmount", "test", "--now")
            expectRefusal(left, .failure, "in memory only", "“kill \(process)” unmounts")
            try volume.shell("kill \(process)")
            #expect(eventually(within: .seconds(60)) { !isRunning(process) })
        }
    }

    @Test("of two folders whose names look alike, the one that is named is unmounted")
    func lookalikes() throws {
        try withVolume(mounts: false) { volume in
            try volume.done("init", "other", "--store", volume.root + "/other")
            let places = ["\u{E9}", "e\u{301}"].map { volume.root + "/" + $0 }
            for (name, place) in zip(["test", "other"], places) {
                try volume.shell("mkdir '\(place)'")
                try volume.done("mount", name, place)
            }
            for (name, place) in zip(["other", "test"], places.reversed()) {
                try volume.done("unmount", place)
                #expect(try volume.done("status", name, "--json").contains("\"mounted\": false"))
            }
            // A combining mark after a slash is the beginning of a name.
            try volume.done("put", "-", "test:files/\u{301}x", input: "marked")
            #expect(try volume.done("get", "test:files/\u{301}x", "-") == "marked")
        }
    }

    @Test("mount -a finds what it has mounted already, and nothing else in its place")
    func mountAll() throws {
        try withVolume { volume in
            try volume.shell("mkdir \"$ROOT/bin\"; ln -s \"$CAIRN\" \"$ROOT/bin/cairn\"")
            let helper = """
                PATH="$ROOT/bin:$PATH" '\(Self.helpers)/mount.cairn'
                """
            try volume.shell("\(helper) test \"$MNT\" -o rw")
            try volume.done("init", "other", "--store", volume.root + "/other")
            let taken = try volume.shell("\(helper) other \"$MNT\" 2> /dev/null || echo $?")
            #expect(taken == "32\n")
            let elsewhere = try volume.shell(
                "mkdir \"$ROOT/b\"; \(helper) test \"$ROOT/b\" 2> /dev/null || echo $?")
            #expect(elsewhere == "32\n")
        }
    }

    @Test("a first mount whose words nobody can read makes no volume")
    func firstMount() throws {
        try withVolume(mounts: false) { volume in
            let script = """
                '\(Self.helpers)/first-mount' "$CAIRN" fresh "$ROOT/fresh"
                """
            let lost = try volume.shell("\(script) > /dev/full 2>&1 || echo failed")
            #expect(lost == "failed\n")
            #expect(try volume.done("list") == "test\n")
            let shown = try volume.shell(script)
            #expect(shown.contains("24 words") && shown.contains("is mounted at"))
            #expect(shown.split(separator: "\n").contains { $0.split(separator: " ").count == 24 })
            try volume.done("unmount", "fresh")
        }
    }
}
