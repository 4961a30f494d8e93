// SPDX-License-Identifier: Apache-2.0
//
// Points of docs/SEMANTICS.md that no other suite shows.

import Foundation
import TestSupport
import Testing

@Suite("what the document promises", .serialized, .mounting)
final class SemanticsTests: EveryonesMount {
    /// Whether a condition on the mount, in Python, becomes true.
    private static let status = """
        def status(): return json.loads(read(MNT + '/.cairn/status.json'))
        def state(path): return os.getxattr(path, 'user.cairn.state').decode()
        # What is in the store's folder: the folder itself is held open.
        def move(old, new):
            for part in ['chunks', 'pads']:
                path = os.environ['STORE'] + '/' + part
                os.rename(path + old, path + new)
        def away(): move('', '.away')
        def back(): move('.away', '')

        """

    // SEMANTICS: A changed file is flushed to the store 2 seconds after its last write, and a
    // revision is published 5 seconds after the last change.
    // SEMANTICS: `user.cairn.state` is `dirty`, `flushing`, `stored` or `published`.
    @Test("a file becomes dirty, stored and published by itself, in that order and in time")
    func states() throws {
        try volume.probe(
            Self.status + """
                write('f', b'x' * 100_000); start = time.monotonic(); seen = []
                while not seen or seen[-1] != 'published':
                    now = state('f')
                    if not seen or seen[-1] != now: seen.append(now)
                    assert time.monotonic() - start < 60, seen
                    time.sleep(0.01)
                if 'flushing' in seen: seen.remove('flushing')
                same(seen, ['dirty', 'stored', 'published'])
                assert time.monotonic() - start > 2
                """)
    }

    // SEMANTICS: `cairn sync` returns when everything done before it is on the store and published.
    @Test("sync returns when all is on the store: a new machine then has it")
    func synchronized() throws {
        try volume.probe("write('f', b'x' * 100_000); write('g', b'y'); write(PADS + '/p', b'z')")
        try volume.sync()
        try volume.probe(
            Self.status + """
                now = status()
                same((now['dirty_bytes'], now['pending_pads'], now['unpublished']), (0, 0, False))
                same((state('f'), state('g')), ('published', 'published'))
                """)
        try volume.recover()
        try volume.probe(
            "same((read('f'), read('g'), read(PADS + '/p')), (b'x' * 100_000, b'y', b'z'))")
    }

    // SEMANTICS: `close` never waits for the store.
    // SEMANTICS: A mount starts, and everything that is on this machine can be read and changed.
    @Test("close and reads of what is here never wait for a store that is away")
    func withoutTheStore() throws {
        try volume.probe(
            Self.status + """
                write('before', b'x' * MIB); os.mkdir('d'); write('d/f', b'in')
                away(); start = time.monotonic()
                for number in range(50): write(f'f{number}', bytes([number]) * 40_000)
                for number in range(50): same(read(f'f{number}'), bytes([number]) * 40_000)
                os.rename('f1', 'd/f1'); os.unlink('f2'); same(sorted(os.listdir('d')), ['f', 'f1'])
                assert time.monotonic() - start < 10; back()
                """)
        try volume.unmount()
        try volume.mount()
        try volume.probe("same(read('d/f1'), b'\\1' * 40_000); same(read('before'), b'x' * MIB)")
    }

    // SEMANTICS: What nobody synced is made durable on this machine about 5 seconds after it
    // reached the process; the kernel hands over what it gathered when a file is closed, and after
    // about 30 seconds while it is open.
    @Test("what nobody synced is durable a few seconds after it reached the process")
    func backgroundCommits() throws {
        try volume.probe("write('closed', b'x' * 50_000)")
        Thread.sleep(forTimeInterval: 8)
        kill(try volume.daemonPID(), SIGKILL)
        try volume.mount()
        try volume.probe("same(read('closed'), b'x' * 50_000)")
    }

    // SEMANTICS: `fsync` of a directory does the same.
    // SEMANTICS: `fdatasync` does the same as `fsync`.
    @Test("fsync of a file or a directory, and fdatasync, make durable what was done before them")
    func synchronizing() throws {
        for (round, call) in ["os.fsync(fd)", "os.fsync(folder)", "os.fdatasync(fd)"].enumerated() {
            try volume.shell(
                """
                cat > "$ROOT/sync.py" <<'END'
                import os, signal, sys
                os.chdir(os.environ['MNT'] + '/files')
                folder = os.open('.', os.O_RDONLY)
                with open('before\(round)', 'wb') as file: file.write(b'b' * 50_000)
                fd = os.open('f\(round)', os.O_RDWR | os.O_CREAT)
                os.write(fd, b'x' * 9000); os.fsync(fd) if 'folder' in '\(call)' else None
                \(call)
                os.kill(int(sys.argv[1]), signal.SIGKILL)
                END
                python3 "$ROOT/sync.py" \(try volume.daemonPID())
                """)
            try volume.mount()
            try volume.probe(
                "same((read('f\(round)'), read('before\(round)')), (b'x' * 9000, b'b' * 50_000))")
        }
    }

    // SEMANTICS: A pad renamed to another lasting name that is free takes them along.
    @Test("a pad that is renamed to another lasting name takes its address and counter along")
    func renamedPad() throws {
        try volume.shell("echo x > \"$MNT/scratchpads/a\"; $CAIRN sync \"$MNT\"")
        try volume.probe(
            """
            own = lambda name: [os.getxattr(PADS + '/' + name, 'user.cairn.' + part)
                for part in ['address', 'counter']]
            before = own('a'); os.rename(PADS + '/a', PADS + '/b'); same(own('b'), before)
            write(PADS + '/a', b'another'); assert own('a')[0] != before[0]
            """)
    }

    // SEMANTICS: Bytes that a program wrote and that the kernel still holds, because the file is
    // open and was not synced, are lost with the machine and with the process.
    // SEMANTICS: Files that were deleted while open are gone after a crash.
    @Test("a crash takes what the kernel still held, and files that were deleted while open")
    func lostInACrash() throws {
        let pid = try volume.daemonPID()
        // The daemon dies while the program has its files open.
        try volume.shell(
            """
            cat > "$ROOT/hold.py" <<'END'
            import os, signal, sys
            os.chdir(os.environ['MNT'] + '/files')
            held = os.open('held', os.O_RDWR | os.O_CREAT); os.fsync(held)
            gone = os.open('gone', os.O_RDWR | os.O_CREAT); os.write(gone, b'y' * 100_000)
            os.fsync(gone); os.unlink('gone'); os.fsync(os.open('.', os.O_RDONLY))
            os.write(held, b'x' * 100)
            os.kill(int(sys.argv[1]), signal.SIGKILL)
            END
            python3 "$ROOT/hold.py" \(pid)
            """)
        try volume.mount()
        try volume.probe(
            """
            same(os.listdir('.'), ['held']); same(os.stat('held').st_size, 0)
            now = json.loads(read(MNT + '/.cairn/status.json'))
            same((now['files'], now['bytes']), (1, 0))
            """)
    }

    // SEMANTICS: Names are bytes, any but NUL and `/`; upper and lower case differ; nothing is
    // normalised.
    @Test("names are bytes, and nothing is folded or normalised")
    func names() throws {
        let check = """
            names = sorted(bytes([b]) * 2 + b'.' for b in range(1, 256) if b != 47) + [
                b'a' * 255, 'é'.encode(), 'e\\u0301'.encode(), b'Case', b'case', b' ', b'-']
            """
        try volume.probe(
            check + "\nfor name in names: write(name, name)\n"
                + "same(sorted(os.listdir(b'.')), sorted(names))")
        try volume.recover()
        try volume.probe(
            check + "\nsame(sorted(os.listdir(b'.')), sorted(names))\n"
                + "for name in names: same(read(name), name)")
    }

    // SEMANTICS: The mount's root, `files`, `scratchpads` and `.cairn` cannot be removed or
    // renamed, and nothing can be made beside them: EPERM.
    // SEMANTICS: No `history/` in this version; published revisions are kept on the store.
    // SEMANTICS: EPERM: the fixed directories, `.cairn`, links of pads and directories, directories
    // in `aleph/`
    @Test("the fixed directories stay as they are, and no others are shown")
    func fixedDirectories() throws {
        try volume.probe(
            """
            same(sorted(os.listdir(MNT)), ['.cairn', 'files', 'public', 'scratchpads'])
            os.mkdir('d')
            for name in ['files', 'scratchpads', '.cairn', 'public']:
                fails(errno.EPERM, os.rmdir, MNT + '/' + name)
                fails(errno.EPERM, os.rename, MNT + '/' + name, MNT + '/other')
            fails(errno.EPERM, os.mkdir, MNT + '/new'); fails(errno.EPERM, write, MNT + '/new')
            fails(errno.EPERM, os.symlink, 'x', MNT + '/.cairn/new')
            fails(errno.EPERM, os.rename, 'd', MNT + '/d'); fails(errno.EPERM, os.chmod, MNT, 0o700)
            """)
    }

    // SEMANTICS: Rename between `files/` and `scratchpads/` fails with EXDEV; `mv` then copies.
    // SEMANTICS: Pads have no hard links: EPERM. A file cannot be linked into `scratchpads/`:
    // EXDEV.
    // SEMANTICS: EXDEV: rename or link between `files/` and `scratchpads/`
    @Test("mv takes a file from one tree into the other by copying, and links do not cross")
    func betweenTrees() throws {
        try volume.shell(
            """
            cd "$MNT"; echo text > files/f; mv files/f scratchpads/note; cat scratchpads/note
            ! ln scratchpads/note scratchpads/other 2> /dev/null || exit 1
            mv scratchpads/note files/back; test "$(cat files/back)" = text
            test -z "$(ls scratchpads)"
            """)
        try volume.probe(
            """
            write(PADS + '/p', b'pad'); write('f', b'file')
            fails(errno.EPERM, os.link, PADS + '/p', PADS + '/q')
            fails(errno.EXDEV, os.link, 'f', PADS + '/q')
            """)
    }

    // SEMANTICS: The first look into a directory that this machine has never seen waits for the
    // store; later ones never do.
    @Test("a directory that was looked into once needs no store again")
    func loadedOnce() throws {
        try volume.probe("os.mkdir('d'); [write(f'd/{n}', b'x') for n in range(500)]")
        try volume.recover()
        try volume.probe(
            Self.status + """
                same(len(os.listdir('d')), 500); away()
                start = time.monotonic(); same(len(os.listdir('d')), 500)
                for number in range(500): os.stat(f'd/{number}')
                fails(errno.ENOENT, os.stat, 'd/none'); assert time.monotonic() - start < 5; back()
                """)
    }

    // SEMANTICS: A pad has `user.cairn.address`, `.owner`, `.counter`, `.encoding`, `.signature`
    // and `.state`, which are listed; of these only `.encoding` can be set, to a decimal number.
    // SEMANTICS: A file in data maps answers `user.cairn.chunks`, and `user.cairn.datamap` if it
    // has one map; these are not listed, so that programs that copy attributes leave them alone.
    // SEMANTICS: Other names below `user.cairn.` cannot be set: EOPNOTSUPP.
    // SEMANTICS: EOPNOTSUPP: not something this filesystem, or this kind of file, does
    @Test("own attributes answer by name, are not listed in files/, and cannot be set")
    func ownAttributes() throws {
        try volume.probe(
            "write('f', b'x' * 5_000_000); write('small', b'x'); write(PADS + '/p', b'x')")
        try volume.sync()
        try volume.probe(
            """
            pad = PADS + '/p'; own = 'user.cairn.'
            same(sorted(os.listxattr(pad)), [own + name for name in
                ['address', 'counter', 'encoding', 'owner', 'signature', 'state']])
            same(os.getxattr(pad, own + 'counter'), b'1')
            for name in ['address', 'counter', 'owner', 'signature', 'state', 'other']:
                fails(errno.EOPNOTSUPP, os.setxattr, pad, own + name, b'1')
            fails(errno.EINVAL, os.setxattr, pad, own + 'encoding', b'seven')
            os.setxattr(pad, own + 'encoding', b'7'); same(os.getxattr(pad, own + 'encoding'), b'7')
            same(os.listxattr('f'), []); assert int(os.getxattr('f', own + 'chunks')) >= 3
            assert len(os.getxattr('f', own + 'datamap')) > 100
            fails(errno.ENODATA, os.getxattr, 'small', own + 'datamap')
            fails(errno.EOPNOTSUPP, os.setxattr, 'f', own + 'state', b'stored')
            """)
    }

    // SEMANTICS: Each regular file in `scratchpads/` with a lasting name is one pad.
    // SEMANTICS: A new empty pad is sealed too, with counter 1.
    // SEMANTICS: Forgetting or removing a pad does not remove its record from the store.
    // SEMANTICS: Files with temporary names stay on this machine. The patterns are `.*.sw?`, `*~`,
    // `.#*`, `#*#`, `4913`, `.goutputstream-*`, `sed??????`, `.*.??????` and `*.tmp`.
    @Test("each file with a lasting name is a pad, an empty one too, and temporary names stay here")
    func padsAndTemporaryNames() throws {
        try volume.shell(
            """
            cd "$MNT/scratchpads"; mkdir d; : > empty; echo a > d/note
            for name in .a.swp 'a~' '.#a' '#a#' 4913 .goutputstream-ABC sedAbC123 .a.AbC123 \
                a.tmp; do echo draft > "$name"; done
            $CAIRN sync "$MNT"
            test "$(getfattr --only-values -n user.cairn.counter empty)" = 1
            # The root's, and the two with lasting names.
            test "$(find "$STORE/pads" -type f | wc -l)" = 3
            rm empty; $CAIRN sync "$MNT"; test "$(find "$STORE/pads" -type f | wc -l)" = 3
            """)
        try volume.recover()
        #expect(try volume.shell("cd \"$MNT/scratchpads\"; find . -type f") == "./d/note\n")
    }

    // SEMANTICS: One save is one step of the counter: a pad is sealed 300 ms after its last close,
    // or when one that stays open was not written for 5 seconds.
    @Test("a pad that stays open is sealed once it has not been written for 5 seconds")
    func openPad() throws {
        try volume.probe(
            """
            fd = os.open(PADS + '/p', os.O_RDWR | os.O_CREAT); os.write(fd, b'one'); os.fsync(fd)
            counter = lambda: os.getxattr(PADS + '/p', 'user.cairn.counter')
            start = time.monotonic(); eventually(lambda: counter() == b'1', 60)
            assert time.monotonic() - start > 3; os.write(fd, b' two'); os.close(fd)
            eventually(lambda: counter() == b'2', 4)
            """)
    }

    // SEMANTICS: Nothing is ever removed from the store.
    // SEMANTICS: No removal of chunks that nothing names any more.
    @Test("nothing is ever removed from the store")
    func nothingRemoved() throws {
        try volume.shell(
            """
            cd "$MNT/files"; head -c 5000000 /dev/urandom > f; mkdir d; echo x > d/x
            $CAIRN sync "$MNT"; find "$STORE" -type f -path '*chunk*' | sort > "$ROOT/before"
            test -s "$ROOT/before"
            rm -r d; echo new > f; $CAIRN sync "$MNT"
            find "$STORE" -type f -path '*chunk*' | sort > "$ROOT/after"
            test -z "$(comm -23 "$ROOT/before" "$ROOT/after")"
            """)
    }

    // SEMANTICS: An access time is kept with the next commit, and published with the next change of
    // the file: reading makes no revision.
    @Test("reading makes no revision")
    func readingPublishesNothing() throws {
        try volume.probe("write('f', b'x' * 100_000); os.mkdir('d'); write('d/g', b'y')")
        try volume.sync()
        try volume.probe(
            Self.status + """
                before = status()['revision']; past = os.stat('f').st_atime_ns
                read('f'); read('d/g'); os.listdir('d'); assert os.stat('f').st_atime_ns > past
                time.sleep(8)
                same((status()['revision'], status()['unpublished']), (before, False))
                """)
    }

    // SEMANTICS: The local cache's room is not in it.
    @Test("the local cache's room is not what statfs shows")
    func roomOfTheStore() throws {
        let small = try MountedVolume(mountOptions: "cache=64M")
        try small.probe("info = os.statvfs('.'); assert info.f_bavail * info.f_frsize > 128 * MIB")
    }

    // SEMANTICS: Setting an access list takes set-group-id from a file whose group is not the
    // caller's first group, but for root.
    // SEMANTICS: No file capabilities beyond what the kernel keeps as an attribute, no quota for a
    // user or a folder, no `ioctl`.
    @Test("there is no ioctl, and a caller from another group loses set-group-id with a new list")
    func limitsOfTheHost() throws {
        try volume.probe(
            """
            write('f'); fd = os.open('f', os.O_RDWR)
            fails(errno.ENOTTY, fcntl.ioctl, fd, 0x5401, bytes(64))
            os.chown('f', 1001, 2002); os.chmod('f', 0o2755)
            acl = struct.pack('<IHHIHHIHHIHHIHHI', 2, 1, 7, 0xffffffff, 2, 7, 7, 4, 5, 0xffffffff,
                              16, 7, 0xffffffff, 32, 5, 0xffffffff)
            os.setxattr('f', 'system.posix_acl_access', acl); same(mode('f'), 0o2775)
            as_user(1001, lambda: os.setxattr('f', 'system.posix_acl_access', acl))
            same(mode('f'), 0o775)
            """)
    }

    // SEMANTICS: EROFS: a read-only mount, or an `fsync` that waits for a read-only store or for a
    // publication over a newer revision
    // SEMANTICS: EACCES: a file of `.cairn` or a pad without its key opened for writing, or
    // permissions
    @Test("what is read-only refuses each change with its own error, and is as it was")
    func refusedChanges() throws {
        try volume.probe(
            """
            for name in ['status.json', 'metrics', 'errors', 'conflicts']:
                path = MNT + '/.cairn/' + name; read(path)
                fails(errno.EACCES, os.open, path, os.O_WRONLY)
                fails(errno.EACCES, os.open, path, os.O_RDWR | os.O_TRUNC)
            write('f', b'content'); os.chmod('f', 0o600); os.mkdir('d'); os.chmod('.', 0o755)
            as_user(4321, lambda: fails(errno.EACCES, os.open, 'f', os.O_RDONLY))
            as_user(4321, lambda: fails(errno.EACCES, os.mkdir, 'new'))
            """)
        try volume.unmount()
        try volume.mount(options: "ro,allow_other")
        try volume.probe(
            """
            same(read('f'), b'content')
            for call in [lambda: os.open('f', os.O_RDWR), lambda: write('new'),
                         lambda: os.mkdir('new'), lambda: os.unlink('f'), lambda: os.rmdir('d'),
                         lambda: os.rename('f', 'g'), lambda: os.link('f', 'g'),
                         lambda: os.symlink('f', 'l'), lambda: os.chmod('f', 0o644),
                         lambda: os.utime('f'), lambda: os.truncate('f', 0),
                         lambda: os.setxattr('f', 'user.a', b''), lambda: os.mkfifo('p')]:
                fails(errno.EROFS, call)
            same(sorted(os.listdir('.')), ['d', 'f']); same(read('f'), b'content')
            """)
    }

    // SEMANTICS: `sync` and `syncfs` make the kernel hand over its pages; the kernel tells no FUSE
    // filesystem more than that, so they do not wait for the disk or the store.
    @Test(
        "sync and syncfs hand over what the kernel holds, and need no store",
        arguments: ["os.sync()", "checked(libc.syncfs(fd))"])
    func handingOver(call: String) throws {
        try volume.probe(
            Self.status + """
                fd = os.open('f', os.O_RDWR | os.O_CREAT); os.fsync(fd); away()
                os.write(fd, b'x' * 50_000)
                \(call); back(); pid = \(try volume.daemonPID())
                # Made durable by itself, long before the kernel would have handed it over.
                time.sleep(8); os.kill(pid, signal.SIGKILL)
                """)
        try volume.mount()
        try volume.probe("same(read('f'), b'x' * 50_000)")
    }
}
