// SPDX-License-Identifier: Apache-2.0
//
// Names on a mount: links, renames with flags, removal of what is open, and what is refused.

import Foundation
import TestSupport
import Testing

@Suite("names, as POSIX and Linux have them", .serialized, .mounting)
final class PosixNameTests: EveryonesMount {
    // SEMANTICS: Directories have no hard links: EPERM.
    @Test("a hard link is the same file under two names, and the file stays until both are gone")
    func hardLinks() throws {
        try volume.probe(
            """
            write('a', b'one'); os.mkdir('d'); os.link('a', 'd/b')
            same(os.stat('a').st_ino, os.stat('d/b').st_ino); same(os.stat('a').st_nlink, 2)
            write('d/b', b' two', 'ab'); same(read('a'), b'one two')
            os.chmod('d/b', 0o600); same(mode('a'), 0o600)
            os.unlink('a'); same(os.stat('d/b').st_nlink, 1); same(read('d/b'), b'one two')
            fails(errno.EPERM, os.link, 'd', 'e')
            os.symlink('d/b', 's'); os.link('s', 't', follow_symlinks=False)
            same(os.readlink('t'), 'd/b'); same(os.lstat('s').st_nlink, 2)
            """)
    }

    // SEMANTICS: symbolic link: 4095 bytes
    @Test(
        "a symbolic link holds up to 4095 bytes, whatever they say, and is followed by the kernel")
    func symbolicLinks() throws {
        try volume.probe(
            """
            for target in ['x', '../a/b', '/' + 'n' * 4094, 'ü→?']:
                os.symlink(target, 'l'); same(os.readlink('l'), target)
                same(os.lstat('l').st_size, len(os.fsencode(target))); os.unlink('l')
            fails(errno.ENAMETOOLONG, os.symlink, 'n' * 4096, 'l')
            fails(errno.ENOENT, os.symlink, '', 'l')
            os.mkdir('d'); write('d/f', b'through'); os.symlink('d', 'l')
            same(read('l/f'), b'through')
            os.symlink('b', 'a'); os.symlink('a', 'b')
            fails(errno.ELOOP, os.stat, 'a')
            fails(errno.ELOOP, os.open, 'l', os.O_RDONLY | os.O_NOFOLLOW)
            """)
    }

    // SEMANTICS: `rename` replaces a file, or an empty directory by a directory; RENAME_NOREPLACE,
    // RENAME_EXCHANGE and RENAME_WHITEOUT work.
    @Test("RENAME_NOREPLACE leaves what stands there, RENAME_EXCHANGE swaps two of any kind")
    func renameFlags() throws {
        try volume.probe(
            """
            write('a', b'a'); write('b', b'b'); os.mkdir('d'); write('d/in', b'in')
            fails(errno.EEXIST, rename2, 'a', 'b', NOREPLACE)
            rename2('a', 'c', NOREPLACE); same(read('c'), b'a'); assert not os.path.exists('a')
            rename2('c', 'b', EXCHANGE); same((read('b'), read('c')), (b'a', b'b'))
            os.mkdir('e'); links = os.stat('e').st_nlink
            os.rename('c', 'e/c'); rename2('e/c', 'd', EXCHANGE)
            same(read('e/c/in'), b'in'); same(read('d'), b'b')
            same(os.stat('e').st_nlink, links + 1)
            fails(errno.ENOENT, rename2, 'b', 'missing', EXCHANGE)
            fails(errno.EINVAL, rename2, 'e', 'e/c', EXCHANGE)
            """)
    }

    @Test("RENAME_WHITEOUT leaves a character device 0:0 at the old name")
    func whiteout() throws {
        try volume.probe(
            """
            write('a', b'moved'); rename2('a', 'b', WHITEOUT); same(read('b'), b'moved')
            left = os.lstat('a'); assert stat.S_ISCHR(left.st_mode)
            same((stat.S_IMODE(left.st_mode), left.st_rdev), (0, 0))
            write('c', b'over'); rename2('c', 'b', WHITEOUT); same(read('b'), b'over')
            assert stat.S_ISCHR(os.lstat('c').st_mode)
            fails(errno.EEXIST, rename2, 'b', 'c', WHITEOUT | NOREPLACE)
            same(sorted(os.listdir('.')), ['a', 'b', 'c'])
            os.mkdir('d'); os.mkdir('d/sub'); links = os.stat('d').st_nlink
            rename2('d/sub', 'sub', WHITEOUT); same(os.stat('d').st_nlink, links - 1)
            """)
        // What was left stays, on this machine and on the store.
        try volume.recover()
        try volume.probe("assert stat.S_ISCHR(os.lstat('a').st_mode); same(read('b'), b'over')")
    }

    @Test("flags of rename that do not exist, or not together, are EINVAL")
    func renameBadFlags() throws {
        try volume.probe(
            """
            write('a'); write('b')
            for flags in [8, 1 << 31, NOREPLACE | EXCHANGE, WHITEOUT | EXCHANGE]:
                fails(errno.EINVAL, rename2, 'a', 'b', flags)
            same(sorted(os.listdir('.')), ['a', 'b'])
            """)
    }

    @Test("what is removed or renamed over while it is open goes on until its last close")
    func removedWhileOpen() throws {
        try volume.probe(
            """
            write('a', b'a' * 100_000); fd = os.open('a', os.O_RDWR); os.unlink('a')
            same(os.fstat(fd).st_nlink, 0); same(os.pread(fd, 200_000, 0), b'a' * 100_000)
            os.pwrite(fd, b'new', 99_998); os.fsync(fd); same(os.fstat(fd).st_size, 100_001)
            os.ftruncate(fd, 5); same(os.pread(fd, 9, 0), b'aaaaa'); os.fchmod(fd, 0o640)
            os.close(fd)
            write('old', b'old'); write('new', b'new'); fd = os.open('old', os.O_RDONLY)
            os.rename('new', 'old'); same(read('old'), b'new'); same(os.read(fd, 9), b'old')
            same(os.fstat(fd).st_nlink, 0); os.close(fd)
            os.mkdir('d'); fd = os.open('d', os.O_RDONLY); os.rmdir('d')
            same(os.fstat(fd).st_nlink, 0); same(os.listdir(fd), [])
            fails(errno.ENOENT, os.open, 'x', os.O_CREAT | os.O_WRONLY, dir_fd=fd)
            fails(errno.ENOENT, os.mkdir, 'x', dir_fd=fd); os.close(fd)
            os.mkdir('d'); os.mkdir('e'); fd = os.open('e', os.O_RDONLY); os.rename('d', 'e')
            same(os.fstat(fd).st_nlink, 0); os.close(fd)
            same(sorted(os.listdir('.')), ['e', 'old'])
            """)
    }

    // SEMANTICS: ENAMETOOLONG: a name over 255 bytes, a link over 4095
    // SEMANTICS: EINVAL: arguments that make no sense together, such as a directory moved into
    // itself
    @Test("names and paths that are too long, and ways that lead nowhere, have POSIX's errors")
    func refusals() throws {
        try volume.probe(
            """
            name = 'n' * 255; write(name); os.stat(name); os.unlink(name)
            for call in [os.mkdir, os.stat, os.unlink, os.rmdir, os.mkfifo]:
                fails(errno.ENAMETOOLONG, call, 'n' * 256)
            fails(errno.ENAMETOOLONG, os.stat, '/'.join(['d' * 200] * 21))
            write('f'); os.mkdir('d'); write('d/f')
            for call in [os.stat, os.unlink, os.mkdir, os.rmdir]: fails(errno.ENOTDIR, call, 'f/x')
            fails(errno.ENOTDIR, os.rmdir, 'f'); fails(errno.ENOTDIR, os.listdir, 'f')
            fails(errno.EISDIR, os.unlink, 'd'); fails(errno.EISDIR, os.open, 'd', os.O_WRONLY)
            fails(errno.EISDIR, os.rename, 'f', 'd'); fails(errno.ENOTDIR, os.rename, 'd', 'f')
            fails(errno.ENOTEMPTY, os.rmdir, 'd'); os.mkdir('e')
            fails(errno.ENOTEMPTY, os.rename, 'e', 'd'); fails(errno.EINVAL, os.rename, 'd', 'd/in')
            fails(errno.EEXIST, os.mkdir, 'd'); fails(errno.EEXIST, os.link, 'f', 'd/f')
            fails(errno.EINVAL, os.rmdir, 'd/.'); fails(errno.ENOTEMPTY, os.rmdir, 'd/..')
            fails(errno.EXDEV, os.rename, 'f', PADS + '/f')
            fails(errno.EXDEV, os.link, 'f', PADS + '/f')
            fails(errno.EXDEV, os.rename, 'f', '/tmp/cairn-never-made')
            fails(errno.ENXIO, os.open, os.mkfifo('p') or 'p', os.O_WRONLY | os.O_NONBLOCK)
            """)
    }

    // SEMANTICS: A file in `files/` has at most 65 000 names.
    // SEMANTICS: names of one inode: 65 000
    // SEMANTICS: EMLINK: more than 65 000 names
    @Test("a file has at most 65 000 names, and one more is EMLINK")
    func mostLinks() throws {
        try volume.probe(
            """
            write('f'); os.mkdir('links')
            for number in range(64_999): os.link('f', f'links/{number}')
            same(os.stat('f').st_nlink, 65_000)
            fails(errno.EMLINK, os.link, 'f', 'one-more')
            os.unlink('links/7'); os.link('f', 'one-more')
            """)
    }

    // SEMANTICS: FIFOs, sockets and device nodes are kept; device nodes work only with `-o dev`.
    @Test("FIFOs, sockets and device nodes work, and a device node only where the mount allows it")
    func specialFiles() throws {
        try volume.probe(
            """
            os.mkfifo('fifo', 0o640); assert stat.S_ISFIFO(os.stat('fifo').st_mode)
            pid = child(lambda: write('fifo', b'through the pipe'))
            same(read('fifo'), b'through the pipe'); ended(pid)
            listener = socket.socket(socket.AF_UNIX); listener.bind('socket'); listener.listen(1)
            assert stat.S_ISSOCK(os.stat('socket').st_mode)
            client = socket.socket(socket.AF_UNIX); client.connect('socket')
            server = listener.accept()[0]; client.sendall(b'hello'); same(server.recv(9), b'hello')
            os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3)); write('null', b'gone')
            same(os.stat('null').st_rdev, os.makedev(1, 3)); same(read('null'), b'')
            os.mknod('block', stat.S_IFBLK | 0o600, os.makedev(0xfff, 0xfffff))
            same(os.stat('block').st_rdev, os.makedev(0xfff, 0xfffff))
            """)
        let plain = try MountedVolume()
        try plain.probe(
            """
            os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
            fails(errno.EACCES, os.open, 'null', os.O_RDONLY)
            """)
    }

    // SEMANTICS: O_TMPFILE makes a file without a name in `files/`, and `linkat` gives it one; in
    // `scratchpads/` it fails with EOPNOTSUPP.
    @Test("O_TMPFILE makes a file without a name, which a link can give it one")
    func temporaryFiles() throws {
        try volume.probe(
            """
            os.mkdir('d'); os.chmod('d', 0o2755); os.chown('d', 0, 4321)
            fd = os.open('d', os.O_TMPFILE | os.O_RDWR, 0o640); info = os.fstat(fd)
            same((info.st_nlink, info.st_size, info.st_gid), (0, 0, 4321))
            same(os.listdir('d'), [])
            os.write(fd, b'x' * 200_000)
            link_open(fd, 'd/name'); same(os.fstat(fd).st_nlink, 1)
            same(os.stat('d/name').st_ino, info.st_ino); os.close(fd)
            same((len(read('d/name')), mode('d/name')), (200_000, 0o640))
            fd = os.open('d', os.O_TMPFILE | os.O_RDWR | os.O_EXCL)
            fails(errno.ENOENT, link_open, fd, 'd/no'); os.close(fd)
            fails(errno.EOPNOTSUPP, os.open, PADS, os.O_TMPFILE | os.O_RDWR)
            fails(errno.EINVAL, os.open, 'd', os.O_TMPFILE | os.O_RDONLY)
            """)
        try volume.recover()
        try volume.probe("same(read('d/name'), b'x' * 200_000); same(os.listdir('d'), ['name'])")
    }
}
