// SPDX-License-Identifier: Apache-2.0
//
// Bad input: mount points, second daemons, and machines that cannot mount.

import Foundation
import TestSupport
import Testing

@Suite("bad input: mount points and machines", .serialized, .mounting)
struct BadInputMountTests {
    @Test("a mount point that is not empty, missing, a file or taken is refused")
    func mountPoint() throws {
        try withVolume(mounts: false) { volume in
            try volume.shell(
                """
                mkdir "$ROOT/full" "$ROOT/taken"; echo precious > "$ROOT/full/file"
                touch "$ROOT/plain"; ln -s nowhere "$ROOT/dangling"
                """)
            try volume.done("init", "other", "--store", volume.root + "/elsewhere")
            try volume.done("mount", "other", volume.root + "/taken")
            for (place, what) in [
                ("full", "is not empty"), ("missing", "there is no directory"),
                ("missing/deeper", "there is no directory"), ("plain", "is not a directory"),
                ("plain/below", "directory"), ("dangling", "there is no directory"),
                ("taken", "is mounted on"),
            ] {
                let result = try volume.tried("mount", "test", volume.root + "/" + place)
                expectRefusal(result, .mountPointUnusable, what, volume.root)
            }
            #expect(try volume.shell("cat \"$ROOT/full/file\"") == "precious\n")
            try volume.shell("echo works > \"$ROOT/taken/files/still\"")
            try volume.done("unmount", "other")
            let gone = try volume.tried("unmount", volume.mountPoint)
            #expect(gone.status == 15)
            expectNoTrace(gone.errors)
            try volume.proveThatItMounts()
        }
    }

    @Test("a dead mount is cleaned away by the next mount, and nothing that was fsynced is lost")
    func deadMount() throws {
        try withVolume { volume in
            try volume.shell(
                """
                head -c 900000 /dev/urandom > "$ROOT/kept"; cp "$ROOT/kept" "$MNT/files/kept"
                echo pad > "$MNT/scratchpads/pad"; sync "$MNT/files/kept" "$MNT/scratchpads/pad"
                """)
            let process = try volume.daemonPID()
            #expect(kill(process, SIGKILL) == 0)
            let dead = try volume.outcome(of: "os.listdir(os.environ['MNT'])")
            // The last one is the ring's, of a request whose thread is dying.
            #expect(["ENOTCONN", "ECONNABORTED", "ECANCELED"].contains(dead))
            // A mount elsewhere leaves the dead one alone.
            let status = try volume.done("status", "test", "--json")
            #expect(status.contains("\"mounted\": false"))
            try volume.mount()
            #expect(try volume.daemonPID() != process)
            try volume.shell(
                """
                test "$(grep -c " $MNT " /proc/self/mounts)" = 1
                cmp "$ROOT/kept" "$MNT/files/kept"; grep -qx pad "$MNT/scratchpads/pad"
                """)
            try volume.proveThatItWorks()
        }
    }

    @Test("a daemon that was killed a moment ago is in nobody's way")
    func justKilled() throws {
        try withVolume { volume in
            for round in 1...6 {
                try volume.shell(
                    "echo \(round) > \"$MNT/files/last\"; sync \"$MNT/files/last\"")
                #expect(kill(try volume.daemonPID(), SIGKILL) == 0)
                _ = try run("/bin/umount", ["-l", volume.mountPoint])
                try volume.mount()
                try volume.shell("grep -qx \(round) \"$MNT/files/last\"")
            }
        }
    }

    // SEMANTICS: Two processes never use one state folder: the second fails at its start.
    @Test("a second daemon on the same state is refused, and told the first one's process")
    func secondDaemon() throws {
        try withVolume { volume in
            let process = try volume.daemonPID()
            try volume.shell("mkdir \"$ROOT/second\"; echo first > \"$MNT/files/first\"")
            for place in ["/second", "/mnt"] {
                let result = try volume.tried("mount", "test", volume.root + place)
                let isSame = place == "/mnt"
                expectRefusal(
                    result, isSame ? .mountPointUnusable : .stateInUse,
                    isSame ? volume.mountPoint : "process \(process)")
            }
            // Without its socket nobody can ask the first daemon; the lock still tells.
            try volume.shell("mv '\(volume.folder)/control' \"$ROOT/control\"")
            let silent = try volume.tried("mount", "test", volume.root + "/second")
            expectRefusal(silent, .stateInUse, "process \(process)")
            let foreground = try volume.tried("mount", "-f", "test", volume.root + "/second")
            expectRefusal(foreground, .stateInUse, "process \(process)")
            try volume.shell("mv \"$ROOT/control\" '\(volume.folder)/control'")
            #expect(try volume.daemonPID() == process)
            #expect(try volume.shell("cat \"$MNT/files/first\"") == "first\n")
            try volume.proveThatItWorks()
        }
    }

    /// Runs a script in a mount namespace whose `/dev` has only what `devices` makes there.
    private func inBareDevices(
        _ volume: MountedVolume, _ devices: String, _ command: String
    ) throws -> ShellResult {
        let script = """
            set -eu; mkdir -p "$ROOT/dev"; mount -t tmpfs dev "$ROOT/dev"; cd "$ROOT/dev"
            mknod -m 666 null c 1 3; mknod -m 666 urandom c 1 9; mknod -m 666 random c 1 8
            \(devices)
            cd /; mount --bind "$ROOT/dev" /dev
            exec \(command)
            """
        let result = try run(
            "/usr/bin/timeout",
            ["-k", "5", "60", "/usr/bin/unshare", "-m", "/bin/bash", "-c", script],
            environment: volume.environment)
        if result.errors.contains("mknod:") || result.errors.contains("unshare:") {
            throw PreconditionFailure(description: "a bare /dev cannot be made: \(result.errors)")
        }
        return result
    }

    @Test("without /dev/fuse, or with something else in its place, a mount says so")
    func noDevice() throws {
        try withVolume(mounts: false) { volume in
            let mount = "\"$CAIRN\" mount test \"$MNT\""
            for (devices, what) in [
                ("true", "there is no /dev/fuse"),
                ("mknod fuse c 10 57005", "there is no /dev/fuse"),
                ("touch fuse", "there is no /dev/fuse"),
                ("mknod -m 666 fuse c 1 3", "there is no /dev/fuse"),
            ] {
                let result = try inBareDevices(volume, devices, mount)
                expectRefusal(result, .fuseUnavailable, what)
            }
            #expect(daemons(below: volume.root).isEmpty)
            try volume.proveThatItMounts()
        }
    }

    @Test("a user who may not mount is told so, and one who may not see the state too")
    func noPermission() throws {
        try withVolume(mounts: false) { volume in
            let user = "/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups"
            try volume.shell(
                """
                install -d -o 65534 -g 65534 "$ROOT/theirs" "$ROOT/theirs/mnt"
                export CAIRN_STATE="$ROOT/theirs/state"
                \(user) "$CAIRN" init test --store "$ROOT/theirs/store" > /dev/null 2>&1
                """)
            let mount =
                "env CAIRN_STATE=\"$ROOT/theirs/state\" \(user) \"$CAIRN\" mount test"
                + " \"$ROOT/theirs/mnt\""
            let closed = try inBareDevices(volume, "mknod -m 600 fuse c 10 229", mount)
            expectRefusal(closed, .fuseUnavailable, "may not open /dev/fuse")
            let helpless = try inBareDevices(
                volume,
                "mknod -m 666 fuse c 10 229; mount --bind \"$ROOT/dev/null\""
                    + " \"$(readlink -f \"$(command -v fusermount3)\")\"", mount)
            expectRefusal(helpless, .fuseUnavailable, "fusermount3")
            let foreign = try inBareDevices(
                volume, "mknod -m 666 fuse c 10 229", "\(user) \"$CAIRN\" mount test \"$MNT\"")
            expectRefusal(foreign, .failure, volume.state, "Permission denied")
            let theirs = try inBareDevices(
                volume, "mknod -m 666 fuse c 10 229", mount.replacing("theirs/mnt", with: "mnt"))
            expectRefusal(theirs, .mountPointUnusable, "may not mount on")
            #expect(daemons(below: volume.root).isEmpty)
            try volume.proveThatItMounts()
        }
    }

    // SEMANTICS: name: 255 bytes
    @Test("a name of 256 bytes is refused, one of 255 is taken")
    func longName() throws {
        try withVolume { volume in
            for folder in ["files", "scratchpads"] {
                let operations = [
                    "open(p, 'w')", "os.mkdir(p)", "os.symlink('x', p)", "os.mkfifo(p)",
                    "os.link(d + '/a', p)", "os.rename(d + '/a', p)", "os.stat(p)",
                    "os.unlink(p)",
                ]
                try volume.shell("echo content > \"$MNT/\(folder)/a\"")
                for operation in operations {
                    let place = "d = os.environ['MNT'] + '/\(folder)'; p = d + '/' + 'ü' * 128; "
                    let outcome = try volume.outcome(of: place + operation)
                    #expect(outcome == "ENAMETOOLONG", "\(operation) in \(folder)")
                }
                try volume.shell(
                    """
                    long="$MNT/\(folder)/$(printf 'n%.0s' $(seq 255))"; echo long > "$long"
                    grep -qx content "$MNT/\(folder)/a"; grep -qx long "$long"
                    """)
            }
            let name = String(repeating: "n", count: 256)
            let put = try volume.tried("put", "-", "test:files/" + name, input: "x")
            expectRefusal(put, .unusablePath, "File name too long")
            try volume.proveThatItWorks()
            try volume.shell("grep -qx long \"$MNT/files/$(printf 'n%.0s' $(seq 255))\"")
        }
    }

    // SEMANTICS: A pad has at most 4 194 138 bytes; a write or truncation beyond fails with EFBIG.
    // SEMANTICS: pad: 4 194 138 bytes
    // SEMANTICS: EFBIG: a pad or a file over its limit
    @Test("a pad over 4 MiB is refused on every way into it, and keeps what it had")
    func largePad() throws {
        try withVolume { volume in
            try volume.shell(
                """
                echo before > "$MNT/scratchpads/pad"; "$CAIRN" sync "$MNT"
                head -c 5000000 /dev/urandom > "$ROOT/large"
                """)
            let pad = "p = os.environ['MNT'] + '/scratchpads/pad'; "
            #expect(try volume.outcome(of: pad + "os.truncate(p, 5000000)") == "EFBIG")
            let write = "f = os.open(p, os.O_WRONLY | os.O_SYNC); os.pwrite(f, b'x', 5000000)"
            #expect(try volume.outcome(of: pad + write) == "EFBIG")
            let allocate = "f = os.open(p, os.O_RDWR); os.posix_fallocate(f, 0, 5000000)"
            #expect(try volume.outcome(of: pad + allocate) == "EFBIG")
            // Through the kernel's cache it would be refused at the close only, or never.
            let plain = "f = open(p, 'ab', 0)\n    for _ in range(5): f.write(bytes(1 << 20))"
            #expect(try volume.outcome(of: pad + "\n    " + plain) == "EFBIG")
            try volume.shell("truncate -s 7 \"$MNT/scratchpads/pad\"")
            let rename = pad + "os.rename(os.environ['MNT'] + '/files/large', p)"
            try volume.shell("cp \"$ROOT/large\" \"$MNT/files/large\"")
            #expect(["EFBIG", "EXDEV"].contains(try volume.outcome(of: rename)))
            let map = "import mmap\n    f = open(p, 'rb')\n    mmap.mmap(f.fileno(), 0, mmap."
            let shared = try volume.outcome(of: pad + "\n    " + map + "MAP_SHARED, 1)")
            let isPrivate = try volume.outcome(of: pad + "\n    " + map + "MAP_PRIVATE, 1)")
            // Kernels before 6.6 have no shared maps of what goes past their cache.
            #expect(["ok", "ENODEV"].contains(shared) && isPrivate == "ok")
            let put = try volume.tried("put", volume.root + "/large", "test:scratchpads/put")
            #expect(put.status != 0)
            expectNoTrace(put.errors)
            let stream = try volume.tried(
                "put", "-", "test:scratchpads/stream",
                input: String(repeating: "x", count: 5_000_000))
            #expect(stream.status == Refusal.unusablePath.rawValue)
            #expect(stream.errors.contains("too large"))
            expectNoTrace(stream.errors)
            #expect(try volume.shell("ls \"$MNT/scratchpads\"") == "pad\n")
            #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "before\n")
            try volume.proveThatItWorks()
            #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "before\n")
            let counter = try volume.shell(
                "getfattr --only-values -n user.cairn.counter \"$MNT/scratchpads/pad\"")
            #expect(counter == "1")
            try volume.shell("cmp \"$ROOT/large\" \"$MNT/files/large\"")
        }
    }
}
