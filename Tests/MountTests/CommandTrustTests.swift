// SPDX-License-Identifier: Apache-2.0
//
// What commands must not take for granted: that what is mounted at a place is the volume, that two
// paths are two files, that somebody reads what they print.

import Foundation
import TestSupport
import Testing

@Suite("what commands look at before they believe it", .serialized, .mounting)
struct CommandTrustTests {
    @Test("a phrase that nobody can have read makes no volume")
    func closedOutput() throws {
        try withVolume(mounts: false) { volume in
            let status = try volume.shell(
                """
                "$CAIRN" init late --store "$ROOT/late" 2> /dev/null >&- || echo -n $?
                """)
            #expect(status == "1")
            #expect(try volume.done("list") == "test\n")
        }
    }

    @Test("standard input that is closed is no empty file")
    func closedInput() throws {
        try withVolume(mounts: false) { volume in
            try volume.done("put", "-", "test:files/kept", input: "precious")
            let status = try volume.shell(
                "\"$CAIRN\" put - test:files/kept 2> /dev/null <&- || echo -n $?")
            #expect(status == "16")
            #expect(try volume.done("get", "test:files/kept", "-") == "precious")
        }
    }

    @Test("a file of the mount is not copied onto itself, in either direction")
    func ontoItself() throws {
        try withVolume { volume in
            try volume.shell(
                """
                mkdir "$MNT/files/d"; head -c 3000000 /dev/urandom > "$ROOT/kept"
                cp "$ROOT/kept" "$MNT/files/a"; echo x > "$MNT/files/d/x"
                ln "$MNT/files/a" "$MNT/files/b"
                """)
            let file = volume.mountPoint + "/files/a"
            for arguments in [
                ["put", file, "test:files/a"], ["put", file, "test:files"],
                ["put", file, "test:files/b"], ["get", "test:files/a", file],
                ["get", "test:files/a", volume.mountPoint + "/files/"],
                ["put", "-r", volume.mountPoint + "/files/d", "test:files/d"],
                ["put", "-r", volume.mountPoint + "/files", "test:"],
            ] {
                #expect(try volume.cairn(arguments).status == 18, "\(arguments)")
            }
            let streamed = try volume.shell(
                """
                "$CAIRN" put - test:files/a < "$MNT/files/a" 2> /dev/null || echo $?
                "$CAIRN" get test:files/a - >> "$MNT/files/a" 2> /dev/null || echo $?
                """)
            #expect(streamed == "16\n16\n")
            try volume.shell(
                """
                cmp "$ROOT/kept" "$MNT/files/a"; cmp "$ROOT/kept" "$MNT/files/b"
                test "$(ls "$MNT/files")" = "$(printf 'a\nb\nd')"
                test "$(ls "$MNT/files/d")" = x
                """)
        }
    }

    @Test(
        "where something else is mounted over a volume, nothing is written to it, nor unmounted",
        .enabled(if: geteuid() == 0, "only root mounts over it"))
    func covered() throws {
        try withVolume { volume in
            try volume.shell(
                """
                echo volume > "$MNT/files/a"; mount -t tmpfs none "$MNT"
                mkdir "$MNT/files"; echo precious > "$MNT/files/other"; echo b > "$ROOT/b"
                """)
            for arguments in [
                ["put", volume.root + "/b", "test:files"], ["get", "test:files/other", "-"],
                ["sync", "test"], ["unmount", "test"], ["unmount", "test", "--now"],
            ] {
                let result = try volume.cairn(arguments)
                #expect(result.status == 10, "\(arguments)")
                #expect(result.errors.contains("something else is mounted"), "\(result.errors)")
            }
            try volume.shell(
                """
                test "$(cat "$MNT/files/other")" = precious; test "$(ls "$MNT/files")" = other
                umount "$MNT"; test "$(cat "$MNT/files/a")" = volume
                """)
            try volume.done("unmount", "test")
        }
    }

    @Test(
        "a volume that was taken away from its place while a program uses it gets nothing there",
        .enabled(if: geteuid() == 0, "only root unmounts lazily"))
    func takenAway() throws {
        try withVolume { volume in
            try volume.shell("echo b > \"$ROOT/b\"; echo held > \"$MNT/files/held\"")
            let held = try #require(FileHandle(forReadingAtPath: volume.mountPoint + "/files/held"))
            try volume.shell("umount -l \"$MNT\"; mkdir \"$MNT/files\"")
            for arguments in [
                ["put", volume.root + "/b", "test:files"], ["get", "test:files/held", "-"],
                ["sync", "test"], ["unmount", "test"],
            ] {
                let result = try volume.cairn(arguments)
                #expect(result.status == 10, "\(arguments)")
                #expect(result.errors.contains("no longer mounted"), "\(result.errors)")
            }
            #expect(try volume.shell("ls \"$MNT/files\"").isEmpty)
            try volume.done("unmount", "test", "--now")
            try held.close()
            try volume.shell("rmdir \"$MNT/files\"")
        }
    }

    @Test("a machine that was superseded says so, and how to go on, wherever it is asked")
    func superseded() throws {
        try withVolume { volume in
            try volume.shell("echo one > \"$MNT/files/a\"")
            try volume.sync()
            let other = volume.root + "/other"
            try volume.done(
                "recover", "test", "--store", volume.storeURL, input: volume.phrase, state: other)
            try volume.shell("echo two > \"$ROOT/two\"")
            try volume.done("put", volume.root + "/two", "test:files", state: other)
            try volume.shell("echo mine > \"$MNT/files/mine\"")
            let advice = "copy out what was not published"
            for command in ["sync", "unmount"] {
                let result = try volume.tried(command, "test")
                expectRefusal(result, .unpublished, "another machine", advice)
                for word in ["mounted anew", "goes out", "go out"] {
                    #expect(!result.errors.contains(word), "\(result.errors)")
                }
            }
            #expect(try volume.done("status", "test").contains(advice))
            #expect(try volume.statusField("halted").contains("another machine"))
            let left = try volume.cairn(["unmount", "test", "--now"])
            #expect(left.status == 0 && left.errors.contains(advice), "\(left.errors)")
            let again = try volume.cairn(["mount", "test", volume.mountPoint])
            #expect(again.status == 0)
            #expect(again.errors.contains("another machine") && again.errors.contains(advice))
            #expect(try volume.shell("cat \"$MNT/files/mine\"") == "mine\n")
            try volume.done("unmount", "test", "--now")
        }
    }

    @Test("what was not published is said also when nothing is mounted, and so is a dead mount")
    func leftBehind() throws {
        try withVolume { volume in
            #expect(try volume.done("status", "test").contains("everything is on the store"))
            try volume.shell("mv \"$STORE\" \"$STORE.away\"; echo x > \"$MNT/files/x\"")
            try volume.done("unmount", "test", "--now")
            let idle = try volume.done("status", "test")
            #expect(idle.contains("mounted") && idle.contains("no\n"))
            #expect(idle.contains("not on the store yet"), "\(idle)")
            try volume.shell("mv \"$STORE.away\" \"$STORE\"")
            try volume.mount()
            try volume.sync()
            #expect(kill(try volume.daemonPID(), SIGKILL) == 0)
            let dead = try volume.done("status", "test")
            #expect(dead.contains("dead") && dead.contains(volume.mountPoint), "\(dead)")
            let refused = try volume.tried("unmount", "test")
            #expect(refused.status == 0, "\(refused.errors)")
            #expect(!(try volume.shell("cat /proc/self/mounts")).contains(volume.mountPoint))
        }
    }
}
