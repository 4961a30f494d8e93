// SPDX-License-Identifier: Apache-2.0
//
// Bad input: stores that are missing, read-only, full, or offer an older root.

import Foundation
import TestSupport
import Testing

@Suite("bad input: stores", .serialized, .mounting)
struct BadInputStoreTests {
    @Test("a store that is missing, no store, or of a newer version is refused to begin with")
    func missing() throws {
        try withVolume(mounts: false) { volume in
            try volume.shell(
                """
                mkdir "$ROOT/plain" "$ROOT/newer"; echo mine > "$ROOT/plain/file"
                touch "$ROOT/file"
                printf 'cairn folder store\\nformat 99\\n' > "$ROOT/newer/cairn-store"
                mv "$STORE" "$ROOT/away"
                """)
            let put = try volume.tried("put", "-", "test:files/x", input: "x")
            expectRefusal(put, .unpublished, "no such folder", "safe on this machine")
            #expect(!FileManager.default.fileExists(atPath: volume.store))
            for (place, what) in [
                ("store", "no such folder"), ("deep/er/store", "no such folder"),
                ("plain", "no file named cairn-store"), ("file", "not a folder"),
                ("newer", "newer version"),
            ] {
                let result = try volume.tried(
                    "recover", "other", "--store", volume.root + "/" + place,
                    input: volume.phrase)
                expectRefusal(result, .storeUnusable, volume.root + "/" + place, what)
            }
            for place in ["plain", "file", "newer", "deep/er/store", "file/below"] {
                let result = try volume.tried(
                    "init", "other", "--store", volume.root + "/" + place)
                expectRefusal(result, .storeUnusable, volume.root + "/" + place)
            }
            let scheme = try volume.tried("init", "other", "--store", "gopher://hole")
            #expect(scheme.status == 64)
            expectNoTrace(scheme.errors)
            #expect(try volume.done("list") == "test\n")
            #expect(try volume.shell("ls \"$ROOT/plain\"") == "file\n")
            try volume.shell("mv \"$ROOT/away\" \"$STORE\"")
            try volume.proveThatItMounts()
        }
    }

    @Test("a store deleted under a mount is named, and its return goes on where it ended")
    func deletedUnderMount() throws {
        try withVolume { volume in
            try volume.shell(
                """
                head -c 200000 /dev/urandom > "$ROOT/a"; cp "$ROOT/a" "$MNT/files/a"
                "$CAIRN" sync "$MNT"; cp -a "$STORE" "$ROOT/copy"; rm -r "$STORE"
                cp "$ROOT/a" "$MNT/files/b"; sync "$MNT/files/b"; echo 1 >> "$MNT/files/b"
                cmp "$ROOT/a" "$MNT/files/a"
                """)
            let sync = try volume.tried("sync", volume.mountPoint)
            expectRefusal(sync, .unpublished, "this is not a store")
            let unmount = try volume.tried("unmount", volume.mountPoint)
            expectRefusal(unmount, .unpublished, "this is not a store")
            #expect(try volume.errorLines().contains("this is not a store"))
            try volume.done("unmount", "--now", volume.mountPoint)
            try volume.shell("mv \"$ROOT/copy\" \"$STORE\"")
            try volume.proveThatItMounts()
            try volume.shell("head -c 200000 \"$MNT/files/b\" | cmp - \"$ROOT/a\"")
            #expect(try volume.shell("tail -c 2 \"$MNT/files/b\"") == "1\n")
        }
    }

    @Test("on a read-only store a volume can be read, and what is written waits here")
    func readOnly() throws {
        try withVolume { volume in
            try volume.shell(
                """
                head -c 300000 /dev/urandom > "$ROOT/a"; cp "$ROOT/a" "$MNT/files/a"
                echo one > "$MNT/scratchpads/pad"; "$CAIRN" unmount "$MNT"
                mount --bind "$STORE" "$STORE"; mount -o remount,bind,ro "$STORE"
                """)
            let new = try volume.tried("init", "new", "--store", volume.store + "/new")
            expectRefusal(new, .storeUnusable, "read-only")
            let second = try volume.tried("init", "new", "--store", volume.store)
            expectRefusal(second, .storeUnusable, "read-only")
            #expect(try volume.done("list") == "test\n")
            let elsewhere = volume.root + "/state2"
            try volume.done(
                "recover", "test", "--store", volume.store, input: volume.phrase,
                state: elsewhere)
            try volume.done("mount", "test", volume.mountPoint, state: elsewhere)
            try volume.shell(
                """
                cmp "$ROOT/a" "$MNT/files/a"; grep -qx one "$MNT/scratchpads/pad"
                "$CAIRN" unmount --state "$ROOT/state2" "$MNT"
                """)

            try volume.mount()
            try volume.shell(
                """
                cp "$ROOT/a" "$MNT/files/b"; echo two > "$MNT/scratchpads/pad"
                sync "$MNT/files/b" "$MNT/scratchpads/pad"; cmp "$ROOT/a" "$MNT/files/b"
                """)
            let sync = try volume.tried("sync", volume.mountPoint)
            expectRefusal(sync, .unpublished, "read-only", "safe on this machine")
            #expect(try volume.statusField("storeFailure") == "the store is read-only")
            #expect(try volume.errorLines().contains("store: the store is read-only"))
            let unmount = try volume.tried("unmount", volume.mountPoint)
            expectRefusal(unmount, .unpublished, "read-only")
            let forced = try volume.tried("unmount", "--now", volume.mountPoint)
            #expect(forced.status == 0 && forced.errors.contains("safe on this machine"))
            try volume.shell("umount \"$STORE\"")
            try volume.mount()
            try volume.shell("cmp \"$ROOT/a\" \"$MNT/files/b\"")
            try volume.proveThatItWorks()
            try volume.shell(
                "cmp \"$ROOT/a\" \"$MNT/files/b\"; grep -qx two \"$MNT/scratchpads/pad\"")
        }
    }

    @Test("a full store is named, loses nothing that was fsynced, and goes on when it has room")
    func full() throws {
        try withVolume(mounts: false) { volume in
            try volume.shell(
                """
                mv "$STORE" "$ROOT/first"; mkdir "$STORE"
                mount -t tmpfs -o size=6m,mode=700 cairn "$STORE"; cp -a "$ROOT/first/." "$STORE"
                head -c 2000000 /dev/urandom > "$ROOT/a"; head -c 12000000 /dev/urandom > "$ROOT/b"
                """)
            try volume.mount()
            try volume.shell(
                """
                cp "$ROOT/a" "$MNT/files/a"; "$CAIRN" sync "$MNT"
                cp "$ROOT/b" "$MNT/files/b"; echo pad > "$MNT/scratchpads/pad"
                sync "$MNT/files/b" "$MNT/scratchpads/pad"
                """)
            let sync = try volume.tried("sync", volume.mountPoint)
            expectRefusal(sync, .unpublished, "no room", "safe on this machine")
            // A pad may still find room meanwhile, and be the last that was heard of the store.
            let isNamed = try eventually {
                try volume.statusField("storeFailure") == "the store has no room left"
            }
            #expect(isNamed)
            #expect(try volume.errorLines().contains("store: the store has no room left"))
            let unmount = try volume.tried("unmount", volume.mountPoint)
            expectRefusal(unmount, .unpublished, "no room")
            let new = try volume.shell(
                "head -c 100M /dev/zero > \"$STORE/fill\" 2> \"$ROOT/log\" || true")
            #expect(new.isEmpty)
            // Not even the daemon's end loses what was fsynced.
            #expect(kill(try volume.daemonPID(), SIGKILL) == 0)
            try volume.mount()
            try volume.shell(
                """
                cmp "$ROOT/a" "$MNT/files/a"; cmp "$ROOT/b" "$MNT/files/b"
                grep -qx pad "$MNT/scratchpads/pad"; rm "$STORE/fill"
                mount -o remount,size=64m "$STORE"
                """)
            // Nobody has to ask: it goes on by itself.
            let isThrough = try eventually(within: .seconds(40)) {
                try volume.statusField("unpublishedChanges") == "0"
            }
            #expect(isThrough)
            try volume.shell("\"$CAIRN\" status test --json | grep -q '\"storeFailure\": null'")
            try volume.proveThatItWorks()
            try volume.shell(
                """
                cmp "$ROOT/a" "$MNT/files/a"; cmp "$ROOT/b" "$MNT/files/b"
                grep -qx pad "$MNT/scratchpads/pad"
                """)
        }
    }

    @Test("a store with no room for a new volume is named, and nothing of it stays")
    func fullAtOnce() throws {
        try withVolume(mounts: false) { volume in
            try volume.shell(
                """
                mkdir "$ROOT/tiny"; mount -t tmpfs -o size=4k,mode=700 cairn "$ROOT/tiny"
                """)
            let result = try volume.tried("init", "tiny", "--store", volume.root + "/tiny")
            expectRefusal(result, .storeFull, volume.root + "/tiny", "no room")
            #expect(try volume.done("list") == "test\n")
            #expect(!FileManager.default.fileExists(atPath: volume.state + "/volumes/tiny"))
            try volume.shell("mount -o remount,size=1m \"$ROOT/tiny\"")
            try volume.done("init", "tiny", "--store", volume.root + "/tiny")
        }
    }

    // SEMANTICS: A store that offers an older revision than this machine has seen is called a
    // rollback in `.cairn/errors`.
    @Test("an older root is named as a rollback, and this machine's newer tree goes on")
    func olderRoot() throws {
        try withVolume { volume in
            let address = try volume.shell(
                """
                echo old > "$MNT/files/file"; "$CAIRN" sync "$MNT"
                cp -a "$STORE/pads" "$ROOT/pads"
                echo new > "$MNT/files/file"; echo more > "$MNT/files/more"
                "$CAIRN" sync "$MNT"; "$CAIRN" unmount "$MNT"
                cp -a "$ROOT/pads/." "$STORE/pads/"; find "$ROOT/pads" -type f | wc -l
                """)
            #expect(address == "1\n", "the root pad is the only one")
            try volume.mount()
            let errors = try volume.errorLines()
            #expect(errors.contains("root: rollback: the store offers revision 2"))
            #expect(errors.contains("has seen 3"))
            #expect(try volume.done("status", "test").contains("see .cairn/errors"))
            #expect(
                try volume.shell("cat \"$MNT/files/file\" \"$MNT/files/more\"") == "new\nmore\n")
            try volume.proveThatItWorks()
            #expect(
                try volume.shell("cat \"$MNT/files/file\" \"$MNT/files/more\"") == "new\nmore\n")
        }
    }

    // SEMANTICS: A store that offers a smaller counter of a pad than the directory names gives no
    // content: EIO.
    @Test("an older record of a pad is named as a rollback, and is not shown as its content")
    func olderPad() throws {
        try withVolume { volume in
            try volume.shell(
                """
                echo one > "$MNT/scratchpads/pad"; echo calm > "$MNT/scratchpads/other"
                "$CAIRN" sync "$MNT"
                """)
            let address = try volume.shell(
                "getfattr --only-values -n user.cairn.address \"$MNT/scratchpads/pad\"")
            try volume.shell(
                """
                cp -p "$STORE"/pads/*/01-\(address) "$ROOT/old"; echo two > "$MNT/scratchpads/pad"
                "$CAIRN" sync "$MNT"; cp -p "$STORE"/pads/*/01-\(address) "$ROOT/new"
                "$CAIRN" unmount "$MNT"; cat "$ROOT/old" > "$STORE"/pads/*/01-\(address)
                rm -r "$CAIRN_STATE"
                """)
            try volume.done("recover", "test", "--store", volume.store, input: volume.phrase)
            try volume.mount()
            let read = "open(os.environ['MNT'] + '/scratchpads/pad').read()"
            #expect(try volume.outcome(of: read) == "EIO")
            let errors = try volume.errorLines()
            #expect(errors.contains("rollback: the store offers counter 1"), "\(errors)")
            #expect(errors.contains("has been at 2"), "\(errors)")
            #expect(try volume.shell("cat \"$MNT/scratchpads/other\"") == "calm\n")
            // The newer record comes back: nothing was signed over it meanwhile.
            try volume.shell(
                """
                "$CAIRN" unmount "$MNT"; "$CAIRN" mount test "$MNT"; "$CAIRN" sync "$MNT"
                cat "$ROOT/new" > "$STORE"/pads/*/01-\(address)
                grep -qx two "$MNT/scratchpads/pad"
                """)
            try volume.done("unmount", volume.mountPoint)
            try volume.proveThatItMounts()
            try volume.shell("grep -qx two \"$MNT/scratchpads/pad\"")
        }
    }
}
