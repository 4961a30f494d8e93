// SPDX-License-Identifier: Apache-2.0
//
// A mount whose store is away: at the start, for a while, or for good under its name. And what a
// person sees of transfers meanwhile.

import Foundation
import TestSupport
import Testing

@Suite("A store that is away", .serialized, .mounting)
struct OfflineTests {
    private func text(_ volume: MountedVolume) throws -> String {
        try volume.cairn(["status", volume.name]).output
    }

    private func eventually(
        within seconds: Double = 30, _ isSo: () throws -> Bool
    ) rethrows -> Bool {
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end {
            if try isSo() { return true }
            usleep(100_000)
        }
        return try isSo()
    }

    // SEMANTICS: `cairn status` and `.cairn/status.json` say since when it is away; what was
    // changed goes out by itself when it is back.
    @Test("a volume whose store's disk is not mounted comes up, and goes on when the disk is back")
    func missingAtStart() throws {
        let volume = try MountedVolume()
        try volume.shell(
            "head -c 3000000 /dev/urandom > $MNT/files/a; md5sum < $MNT/files/a > $ROOT/a")
        try volume.unmount()
        try volume.shell("mkdir $ROOT/disk; mv $STORE $ROOT/disk/store; mkdir $STORE")
        let mounted = try volume.cairn(["mount", volume.name, volume.mountPoint])
        #expect(mounted.status == 0, "\(mounted)")
        #expect(mounted.errors.contains("the store is away"))
        #expect(try text(volume).contains("offline since 20"))
        try volume.shell("md5sum < $MNT/files/a | cmp - $ROOT/a")
        for number in 1...3 { try volume.shell("echo \(number) > $MNT/files/new\(number)") }
        #expect(try volume.cairn(["sync", volume.name, "--timeout", "1s"]).status == 14)
        #expect(try volume.shell("ls -A $STORE").isEmpty, "an unmounted disk's folder stays empty")
        let json = try volume.shell("cat $MNT/.cairn/status.json")
        #expect(json.contains("\"offline_since\":1") || json.contains("\"offline_since\":2"))
        try volume.shell("rmdir $STORE; mv $ROOT/disk/store $STORE")
        let isPublished = try eventually { try text(volume).contains("everything is on the store") }
        let shown = try text(volume)
        #expect(isPublished, "by itself: \(shown)")
        #expect(!shown.contains("offline"))
        try volume.recover()
        #expect(
            try volume.shell("cat $MNT/files/new1 $MNT/files/new2 $MNT/files/new3") == "1\n2\n3\n")
        try volume.shell("md5sum < $MNT/files/a | cmp - $ROOT/a")
    }

    // SEMANTICS: A folder store that was moved, or whose disk is not mounted, is away: nothing is
    // made in its place, and nothing is written under its new name.
    @Test("a store that is moved away while it is mounted is not written on under its new name")
    func movedWhileMounted() throws {
        let volume = try MountedVolume()
        try volume.shell("echo before > $MNT/files/before")
        try volume.sync()
        try volume.shell("mv $STORE $ROOT/moved")
        let before = try volume.shell("find $ROOT/moved -type f | sort | md5sum")
        try volume.shell(
            "echo after > $MNT/files/after; head -c 200000 /dev/urandom > $MNT/files/b")
        let failed = try volume.cairn(["sync", volume.name])
        #expect(failed.status == 14)
        #expect(failed.errors.contains("there is no such folder"))
        #expect(try text(volume).contains("offline since 20"))
        #expect(try volume.shell("find $ROOT/moved -type f | sort | md5sum") == before)
        try volume.shell("mv $ROOT/moved $STORE")
        try volume.sync()
        try volume.recover()
        #expect(try volume.shell("cat $MNT/files/before $MNT/files/after") == "before\nafter\n")
    }

    // SEMANTICS: Another store in the place of a folder store takes nothing: the volume knows its
    // own by its marker.
    @Test("another store at the path takes nothing, and is told apart from the volume's own")
    func stranger() throws {
        let volume = try MountedVolume()
        let other = try MountedVolume(mounts: false)
        try volume.shell("echo kept > $MNT/files/kept")
        try volume.unmount()
        try volume.shell("mv $STORE $ROOT/own; cp -a \(other.store) $STORE")
        try volume.mount()
        try volume.shell("echo new > $MNT/files/new")
        #expect(
            try volume.cairn(["sync", volume.name]).errors.contains(
                "another store is at this path"))
        try volume.shell("rm -r $STORE; mv $ROOT/own $STORE")
        try volume.sync()
    }

    @Test(
        "transfers show a bar at a terminal, lines in a log, and nothing when asked for nothing"
    )
    func progress() throws {
        let volume = try MountedVolume()
        let script = """
            import os, pty, select, struct, fcntl, termios, sys
            def shown(width, *words):
                pid, terminal = pty.fork()
                if pid == 0:
                    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack('HHHH', 24, width, 0, 0))
                    os.execv(os.environ['CAIRN'], ['cairn', *words])
                text = b''
                while True:
                    try:
                        part = os.read(terminal, 65536)
                    except OSError:
                        break
                    if not part:
                        break
                    text += part
                assert os.waitpid(pid, 0)[1] == 0, text
                return text.decode()
            root, mount = os.environ['ROOT'], os.environ['MNT']
            with open(root + '/Größe 漢字', 'wb') as file:
                # Enough that the bar is drawn again before it is done.
                file.write(os.urandom(1 << 20) * 300)
            for width in (100, 30):
                text = shown(width, 'put', root + '/Größe 漢字', 'test:files/copy%d' % width)
                lines = [l.replace('\\x1b[K', '') for l in text.replace('\\n', '\\r').split('\\r')]
                bars = [l for l in lines if l.startswith('put') or l.startswith('to store')]
                assert bars, text
                assert any('%' in l for l in bars), text
                assert width < 100 or any('[#' in l and 'MiB' in l for l in bars), text
                assert all(len(l) < width for l in bars), (width, bars)
                assert lines[-1] == '', 'the line is taken away'
            text = shown(80, 'sync', '-q', 'test')
            assert text == '', text
            text = shown(80, 'get', 'test:files/copy100', root + '/back')
            assert 'get [' in text, text
            assert open(root + '/back', 'rb').read() == open(root + '/Größe 漢字', 'rb').read()
            """
        try script.write(toFile: volume.root + "/terminal.py", atomically: true, encoding: .utf8)
        try volume.shell("python3 $ROOT/terminal.py")
        // No terminal, and soon done: nothing at all.
        let quick = try volume.cairn(["sync", volume.name])
        #expect(quick.errors.isEmpty && quick.output.isEmpty)
    }

    @Test("status --watch draws the transfers anew until the volume is unmounted")
    func watch() throws {
        let volume = try MountedVolume()
        let script = """
            import os, pty, subprocess, time
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(os.environ['CAIRN'], ['cairn', 'status', 'test', '--watch'])
            with open(os.environ['MNT'] + '/files/a', 'wb') as file:
                file.write(os.urandom(8 << 20))
            subprocess.run([os.environ['CAIRN'], 'sync', 'test'], check=True)
            text, end = b'', time.time() + 30
            while b'up/s' not in text or b'put' not in text:
                assert time.time() < end, text
                text += os.read(terminal, 65536)
            subprocess.run([os.environ['CAIRN'], 'unmount', 'test'], check=True)
            try:
                while os.read(terminal, 65536):
                    assert time.time() < end, 'it goes on'
            except OSError:
                pass
            assert os.waitpid(pid, 0)[1] == 0
            """
        try script.write(toFile: volume.root + "/watch.py", atomically: true, encoding: .utf8)
        try volume.shell("python3 $ROOT/watch.py")
        let refused = try volume.cairn(["status", volume.name, "--watch", "--json"])
        #expect(refused.status == 64)
    }
}
