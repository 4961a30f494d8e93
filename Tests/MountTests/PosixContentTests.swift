// SPDX-License-Identifier: Apache-2.0
//
// Bytes on a mount: allocation, holes, direct I/O, copies that share, maps, appends.

import Foundation
import TestSupport
import Testing

@Suite("content, as POSIX and Linux have it", .serialized, .mounting)
final class PosixContentTests: EveryonesMount {
    // SEMANTICS: `fallocate` makes room by setting the size and sets no bytes aside; PUNCH_HOLE and
    // ZERO_RANGE work.
    @Test("fallocate grows a file or keeps its size, punches holes and makes zeros")
    func allocation() throws {
        try volume.probe(
            """
            write('f', b'a' * MIB); fd = os.open('f', os.O_RDWR)
            fallocate(fd, 0, 0, 2 * MIB); same(os.fstat(fd).st_size, 2 * MIB)
            same(os.pread(fd, MIB, MIB), bytes(MIB))
            fallocate(fd, KEEP, 4 * MIB, MIB); same(os.fstat(fd).st_size, 2 * MIB)
            fallocate(fd, PUNCH | KEEP, 1000, 500_000)
            same(os.pread(fd, MIB, 0), b'a' * 1000 + bytes(500_000) + b'a' * (MIB - 501_000))
            fallocate(fd, ZERO, 2 * MIB - 10, 20); same(os.fstat(fd).st_size, 2 * MIB + 10)
            fallocate(fd, ZERO | KEEP, 3 * MIB, 20); same(os.fstat(fd).st_size, 2 * MIB + 10)
            fallocate(fd, ZERO | KEEP, 0, 10); same(os.pread(fd, 12, 0), bytes(10) + b'aa')
            fails(errno.EFBIG, fallocate, fd, 0, 2**63 - 10, 99)
            fails(errno.EINVAL, fallocate, fd, 0, 0, 0)
            fails(errno.EINVAL, fallocate, fd, 0, -1, 1)
            os.close(fd); fd = os.open('f', os.O_RDONLY)
            fails(errno.EBADF, fallocate, fd, 0, 0, 10); os.close(fd)
            os.posix_fallocate(fd := os.open('g', os.O_RDWR | os.O_CREAT), 5, 10)
            same(os.fstat(fd).st_size, 15)
            """)
    }

    // SEMANTICS: The kernel lets no COLLAPSE_RANGE, INSERT_RANGE or FICLONE through to FUSE:
    // EOPNOTSUPP.
    @Test("the kernel lets neither COLLAPSE_RANGE nor INSERT_RANGE nor FICLONE through to FUSE")
    func whatTheKernelRefuses() throws {
        try volume.probe(
            """
            write('f', b'a' * MIB); write('g'); fd = os.open('f', os.O_RDWR)
            to = os.open('g', os.O_RDWR)
            for mode in [COLLAPSE, INSERT, UNSHARE, PUNCH]:
                fails(errno.EOPNOTSUPP, fallocate, fd, mode, 0, BLOCK)
            FICLONE = 0x40049409
            fails(errno.EOPNOTSUPP, fcntl.ioctl, to, FICLONE, fd)
            same(read('f'), b'a' * MIB)
            """)
        try volume.shell(
            """
            cd "$MNT/files"; ! cp --reflink=always f h 2>err || exit 1; grep -q 'not supported' err
            cp --reflink=auto f h; cmp f h
            """)
    }

    // SEMANTICS: Holes are kept; `lseek` finds them in steps of 16 KiB, and a hole of less than a
    // chunk between data becomes zeros on the store.
    // SEMANTICS: Holes take no blocks: `st_blocks` counts what a file has in steps of 16 KiB, a
    // file inside its row by its bytes.
    // SEMANTICS: ENXIO: no data or hole behind the offset
    @Test("holes take no blocks, and SEEK_DATA and SEEK_HOLE find their edges")
    func holes() throws {
        try volume.probe(
            """
            def extents(fd):
                at, found, end = 0, [], os.fstat(fd).st_size
                while at < end:
                    try: start = os.lseek(fd, at, os.SEEK_DATA)
                    except OSError as error: same(error.errno, errno.ENXIO); break
                    at = os.lseek(fd, start, os.SEEK_HOLE); found.append((start, at))
                return found
            fd = os.open('f', os.O_RDWR | os.O_CREAT)
            os.pwrite(fd, b'x' * BLOCK, 4 * BLOCK); os.pwrite(fd, b'y' * 3 * BLOCK, 640 * MIB)
            os.ftruncate(fd, 2 * GIB); os.fsync(fd)
            wanted = [(4 * BLOCK, 5 * BLOCK), (640 * MIB, 640 * MIB + 3 * BLOCK)]
            same(extents(fd), wanted); same(os.fstat(fd).st_blocks * 512, 4 * BLOCK)
            same(os.lseek(fd, 0, os.SEEK_HOLE), 0)
            same(os.lseek(fd, 4 * BLOCK + 7, os.SEEK_DATA), 4 * BLOCK + 7)
            fails(errno.ENXIO, os.lseek, fd, 2 * GIB, os.SEEK_HOLE)
            fails(errno.ENXIO, os.lseek, fd, GIB, os.SEEK_DATA)
            fallocate(fd, PUNCH | KEEP, 640 * MIB, BLOCK)
            same(os.fstat(fd).st_blocks * 512, 3 * BLOCK)
            same(extents(fd)[1][0], 640 * MIB + BLOCK)
            os.ftruncate(fd, 640 * MIB); same(os.fstat(fd).st_blocks * 512, BLOCK)
            os.ftruncate(fd, 0); same(os.fstat(fd).st_blocks, 0)
            os.pwrite(fd, b'end', 100 * MIB); os.fsync(fd)
            same(extents(fd), [(100 * MIB, 100 * MIB + 3)])
            """)
        try volume.recover()
        try volume.probe(
            """
            fd = os.open('f', os.O_RDONLY); same(os.lseek(fd, 0, os.SEEK_DATA), 100 * MIB)
            same(os.fstat(fd).st_blocks * 512, BLOCK)
            """)
    }

    // SEMANTICS: file: 2⁶³ − 1 bytes
    @Test(
        "a file of 8 EiB less one byte is written at its end, read, and kept on the store"
    )
    func largestFile() throws {
        try volume.probe(
            """
            fd = os.open('f', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 2**63 - 1)
            same(os.fstat(fd).st_size, 2**63 - 1); same(os.fstat(fd).st_blocks, 0)
            os.pwrite(fd, b'end', 2**63 - 4); os.fsync(fd)
            same(os.pread(fd, 4, 2**63 - 5), b'\\0end'); same(os.pread(fd, 5, 2**62), bytes(5))
            same(os.lseek(fd, 1, os.SEEK_DATA) // BLOCK, (2**63 - 4) // BLOCK)
            fails(errno.EINVAL, os.ftruncate, fd, -1)
            os.close(fd)
            """)
        try volume.recover()
        try volume.probe(
            """
            same(os.stat('f').st_size, 2**63 - 1)
            fd = os.open('f', os.O_RDONLY); same(os.pread(fd, 4, 2**63 - 5), b'\\0end')
            """)
    }

    // SEMANTICS: Direct I/O (O_DIRECT) goes past the kernel's cache, takes any offset and size, and
    // sees the same bytes as other reads and writes.
    @Test("direct and ordinary I/O on one file see each other's bytes")
    func directInputOutput() throws {
        try volume.probe(
            """
            direct = os.open('f', os.O_RDWR | os.O_CREAT | os.O_DIRECT)
            plain = os.open('f', os.O_RDWR)
            buffer = mmap.mmap(-1, MIB)
            for turn in range(8):
                buffer[:] = bytes([65 + turn]) * MIB
                same(os.pwritev(direct, [buffer], turn * MIB), MIB)
                same(os.pread(plain, MIB, turn * MIB), bytes(buffer))
                os.pwrite(plain, b'plain', turn * MIB + 10)
                same(os.preadv(direct, [buffer], turn * MIB), MIB)
                same(buffer[8:17], bytes([65 + turn]) * 2 + b'plain' + bytes([65 + turn]) * 2)
            same(os.fstat(direct).st_size, 8 * MIB)
            """)
    }

    // SEMANTICS: `mmap` works, also shared and writable, and sees the same bytes as `read` and
    // `write` on this machine.
    @Test(
        "shared maps and reads and writes see each other's bytes at once, also in another process")
    func sharedMaps() throws {
        try volume.probe(
            """
            write('f', b'.' * MIB); fd = os.open('f', os.O_RDWR); view = mmap.mmap(fd, MIB)
            view[5000:5005] = b'map 1'; same(os.pread(fd, 5, 5000), b'map 1')
            os.pwrite(fd, b'write', 9000); same(view[9000:9005], b'write')
            def other():
                fd = os.open('f', os.O_RDWR); mine = mmap.mmap(fd, MIB)
                same(mine[5000:5005], b'map 1'); mine[0:5] = b'child'
            ended(child(other)); same(view[0:5], b'child'); same(os.pread(fd, 5, 0), b'child')
            os.ftruncate(fd, MIB // 2); os.ftruncate(fd, MIB); same(view[MIB - 5:], bytes(5))
            view[MIB - 3:] = b'end'; view.flush(); view.close(); os.close(fd)
            private = mmap.mmap(os.open('f', os.O_RDONLY), MIB, flags=mmap.MAP_PRIVATE, prot=3)
            private[0:5] = b'mine!'; same(read('f')[:5], b'child')
            """)
        try volume.unmount()
        try volume.mount()
        try volume.probe(
            """
            data = read('f')
            same((data[:5], data[9000:9005], data[-3:]), (b'child', b'write', b'end'))
            """)
    }

    // SEMANTICS: A pad's writes go past the kernel's cache, so that each is taken or refused at
    // once; before Linux 6.6 it can therefore be mapped privately (MAP_PRIVATE) only, else ENODEV.
    @Test("a pad is mapped shared, and its map, its reads and its record have the same bytes")
    func sharedMapsOfPads() throws {
        try volume.probe(
            """
            path = PADS + '/pad'; write(path, b'.' * 100_000); fd = os.open(path, os.O_RDWR)
            release = tuple(int(part) for part in os.uname().release.split('.')[:2])
            if release < (6, 6):
                fails(errno.ENODEV, mmap.mmap, fd, 100_000); sys.exit()
            view = mmap.mmap(fd, 100_000); view[70_000:70_003] = b'map'; view.flush()
            same(os.pread(fd, 3, 70_000), b'map'); os.pwrite(fd, b'write', 10)
            same(view[10:15], b'write'); view.close(); os.close(fd)
            same(read(path)[70_000:70_003], b'map')
            fd = os.open(path, os.O_RDWR)
            fails(errno.EFBIG, os.pwrite, fd, b'x', 4_194_138)
            """)
        try volume.recover()
        try volume.probe("same(read(PADS + '/pad')[70_000:70_003] in (b'map', b'...'), True)")
    }

    // SEMANTICS: Two writers that append to one file tear and lose nothing.
    @Test("two writers that append tear nothing and lose nothing")
    func appends() throws {
        try volume.probe(
            """
            def writer(letter):
                fd = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                for number in range(2000): os.write(fd, f'{letter}{number:07d}\\n'.encode())
                os.close(fd)
            writers = [child(lambda letter=letter: writer(letter)) for letter in 'abcd']
            for pid in writers: ended(pid)
            lines = read('log').split(b'\\n')[:-1]; same(len(lines), 8000)
            for letter in b'abcd':
                same([line for line in lines if line[0] == letter],
                     [b'%c%07d' % (letter, number) for number in range(2000)])
            """)
    }

    // SEMANTICS: `inotify` tells of what programs on this machine do.
    @Test("inotify tells of what is done on this machine")
    func notifications() throws {
        try volume.probe(
            """
            os.mkdir('d'); write('d/old'); queue = checked(libc.inotify_init1(os.O_NONBLOCK))
            checked(libc.inotify_add_watch(queue, b'd', 0xfff))
            write('d/new', b'x'); os.rename('d/new', 'd/moved'); os.chmod('d/old', 0o600)
            read('d/moved'); os.unlink('d/moved'); os.mkdir('d/sub'); os.rmdir('d/sub')
            data, seen = os.read(queue, 65536), []
            while data:
                _, mask, _, size = struct.unpack('iIII', data[:16])
                seen.append((mask & 0xfff, data[16:16 + size].rstrip(b'\\0')))
                data = data[16 + size:]
            for event in [(0x100, b'new'), (0x2, b'new'), (0x8, b'new'), (0x40, b'new'),
                          (0x80, b'moved'), (0x4, b'old'), (0x1, b'moved'), (0x200, b'moved'),
                          (0x100, b'sub'), (0x200, b'sub')]:
                assert event in seen, (event, seen)
            """)
    }
}
