// SPDX-License-Identifier: Apache-2.0
//
// The volume's own quota, as programs and people meet it.

import Foundation
import TestSupport
import Testing

@Suite("quota", .serialized, .mounting)
struct QuotaMountTests {
    // SEMANTICS: With `-o quota=SIZE`, or `quota` among the volume's settings (`cairn init
    // --quota`), files and pads together have at most so many bytes: the call that would pass it
    // fails with EDQUOT, and leaves the file as it was.
    // SEMANTICS: With a quota the kernel gathers no writes, so that each is taken or refused when
    // it is made.
    @Test("each call that makes something larger is refused when it would pass the quota")
    func refused() throws {
        let volume = try MountedVolume(mountOptions: "quota=8M")
        try volume.probe(
            """
            room = lambda: (lambda info: info.f_bavail * info.f_frsize)(os.statvfs('.'))
            write('a', b'x' * (8 * MIB - 4096)); same(room(), 4096)
            fd = os.open('b', os.O_RDWR | os.O_CREAT); other = os.open('a', os.O_RDWR)
            fails(errno.EDQUOT, os.write, fd, b'y' * 4097); same(os.fstat(fd).st_size, 0)
            fails(errno.EDQUOT, os.ftruncate, fd, 4097); fails(errno.EDQUOT, os.truncate, 'b', GIB)
            fails(errno.EDQUOT, os.posix_fallocate, fd, 0, 4097)
            fails(errno.EDQUOT, fallocate, fd, ZERO, 0, 4097)
            fails(errno.EDQUOT, os.copy_file_range, other, fd, MIB, 0, 0)
            fails(errno.EDQUOT, os.pwrite, fd, b'y', 4096)
            fails(errno.EDQUOT, write, 'a', b'z' * 4097, 'ab')
            direct = os.open('b', os.O_RDWR | os.O_DIRECT)
            fails(errno.EDQUOT, os.pwrite, direct, b'y' * 512, 4096)
            pad = os.open(PADS + '/p', os.O_RDWR | os.O_CREAT)
            fails(errno.EDQUOT, os.write, pad, b'p' * 4097)
            same([os.stat(name).st_size for name in ['a', 'b', PADS + '/p']],
                 [8 * MIB - 4096, 0, 0])
            # What takes no bytes of a file is no matter of the quota.
            fallocate(fd, KEEP, 0, GIB); os.mkdir('d'); os.symlink('x' * 4000, 'l'); os.mkfifo('f')
            os.link('a', 'd/a'); os.setxattr('a', 'user.x', b'v' * 60_000)
            os.pwrite(other, b'inside' * 1000, 0)
            shared = mmap.mmap(other, MIB); shared[:6] = b'mapped'; shared.flush()
            same(os.pread(other, 8, 0), b'mappedin')
            same(os.write(pad, b'p' * 4096), 4096); fails(errno.EDQUOT, os.write, fd, b'y')
            same(room(), 0)
            os.ftruncate(pad, 96); same(os.write(fd, b'y' * 4000), 4000)
            fails(errno.EDQUOT, os.write, fd, b'y'); os.unlink('a'); fails(errno.EDQUOT,
                os.write, fd, b'y')
            # The last name, and the last that is open.
            shared.close(); os.unlink('d/a'); os.close(other)
            eventually(lambda: room() == 8 * MIB - 4096); write('a', b'x' * 7 * MIB)
            """)
        let copy = try volume.cairn(["put", "/bin/bash", "test:files/one"])
        #expect(copy.status != 0 && copy.errors.contains("quota exceeded"), "\(copy.errors)")
        try volume.shell(
            """
            head -c 3000000 /dev/urandom > "$ROOT/c"
            ! cp "$ROOT/c" "$MNT/files/c" 2> "$ROOT/err" || exit 1
            grep -q 'quota exceeded' "$ROOT/err"
            test -z "$(cat "$MNT/.cairn/errors")"
            """)
        try volume.recover()
        try volume.probe("same(os.stat('a').st_size, 7 * MIB); same(os.stat('b').st_size, 4000)")
    }

    @Test("what is written through a shared map moves the file's times, where no write is gathered")
    func timesOfMaps() throws {
        let volume = try MountedVolume(mountOptions: "quota=8M")
        try volume.probe(
            """
            write('m', b'x' * MIB); fd = os.open('m', os.O_RDWR); view = mmap.mmap(fd, MIB)
            os.utime('m', ns=(10**18, 10**18)); before = os.stat('m')
            # 5: the clock that times are taken from, in steps of some milliseconds.
            eventually(lambda: time.clock_gettime_ns(5) > before.st_ctime_ns)
            view[5000:5003] = b'map'; view.flush()
            eventually(lambda: os.stat('m').st_mtime_ns > before.st_mtime_ns)
            assert os.stat('m').st_ctime_ns > before.st_ctime_ns
            """)
        try volume.unmount()
        try volume.mount()
        try volume.probe("assert os.stat('m').st_mtime_ns > 10**18")
    }

    // SEMANTICS: `statfs` shows the quota as the volume's size, where the store has that much room.
    // SEMANTICS: A quota is a setting of this machine: neither the store nor another machine knows
    // of it.
    @Test("a volume's own quota holds at each mount, is shown, and may be set aside for one mount")
    func ownQuota() throws {
        let volume = try MountedVolume(mounts: false)
        try volume.shell(
            """
            "$CAIRN" init small --store "$ROOT/other" --quota 20M > "$ROOT/words" 2> /dev/null
            grep -qx 'quota = 20M' "$CAIRN_STATE/volumes/small/config"
            "$CAIRN" mount small "$MNT"; test "$(df -B1M --output=size "$MNT" | tail -1)" -eq 20
            head -c 15M /dev/urandom > "$MNT/files/a"
            "$CAIRN" status small | grep -q '15.0 MiB of 20.0 MiB'
            "$CAIRN" status small --json | grep -q '"quotaBytes": 20971520'
            ! head -c 6M /dev/zero 2> /dev/null > "$MNT/files/b" || exit 1
            "$CAIRN" unmount "$MNT"; head -c 6M /dev/zero > "$ROOT/b"; cp "$ROOT/b" "$ROOT/c"
            ! "$CAIRN" put "$ROOT/b" small:files/c 2> "$ROOT/err" || exit 1
            grep -q 'quota is used up' "$ROOT/err"
            "$CAIRN" mount small "$MNT" -o quota=1T
            test "$(df -B1M --output=size "$MNT" | tail -1)" -gt 20
            cp "$ROOT/b" "$MNT/files/b"; cmp "$ROOT/b" "$MNT/files/b"; "$CAIRN" unmount "$MNT"
            "$CAIRN" mount small "$MNT"
            # Over it by now: nothing grows, and what shrinks makes room.
            ! echo more >> "$MNT/files/a" || exit 1; truncate -s 9M "$MNT/files/a"
            echo more >> "$MNT/files/a"; "$CAIRN" unmount "$MNT"
            rm -r "$CAIRN_STATE/volumes/small"
            "$CAIRN" recover small --store "$ROOT/other" < "$ROOT/words"
            "$CAIRN" mount small "$MNT"; "$CAIRN" status small --json | grep -q '"quotaBytes": null'
            test "$(df -B1M --output=size "$MNT" | tail -1)" -gt 20; "$CAIRN" unmount "$MNT"
            """)
    }

    @Test("sparse files of 8 EiB, more of them than a count has room for, harm nothing")
    func largerThanTheCount() throws {
        let volume = try MountedVolume()
        try volume.probe(
            """
            for name in ['a', 'b', 'c']:
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY)); os.truncate(name, 2**63 - 1)
            write('d', b'x' * 50_000); os.fsync(os.open('.', os.O_RDONLY)); os.statvfs('.')
            """)
        try volume.recover()
        try volume.probe(
            """
            os.statvfs('.'); same(os.stat('c').st_size, 2**63 - 1)
            for name in ['a', 'b', 'c']: os.unlink(name)
            def used():
                info = os.statvfs('.'); return (info.f_blocks - info.f_bfree) * info.f_frsize
            # In whole blocks of 4 KiB; the kernel gives removed files up a moment later.
            eventually(lambda: 45_000 <= used() < 60_000, 10)
            """)
    }
}
