// SPDX-License-Identifier: Apache-2.0
//
// Attributes on a mount: extended ones, access lists and who they let in, times, privileges.

import Foundation
import TestSupport
import Testing

@Suite("attributes, as POSIX and Linux have them", .serialized, .mounting)
final class PosixAttributeTests: EveryonesMount {
    // SEMANTICS: Attributes of any namespace that the kernel lets through are kept; but of
    // `system.` the access lists only: others cannot be set, read or removed, EOPNOTSUPP.
    // SEMANTICS: attribute name, value: 255 bytes, 64 KiB
    // SEMANTICS: ENODATA: no such attribute
    // SEMANTICS: ERANGE: an attribute's name is longer than its limit, or the buffer shorter than
    // its value
    // SEMANTICS: E2BIG: an attribute's value is longer than its limit
    @Test("extended attributes of the four namespaces are kept, listed, replaced and removed")
    func extendedAttributes() throws {
        try volume.probe(
            """
            write('f'); os.mkdir('d'); os.symlink('f', 'l')
            for path in ['f', 'd']:
                for name in ['user.a', 'trusted.b', 'security.c']:
                    os.setxattr(path, name, b'1'); os.setxattr(path, name, bytes(range(256)))
                    same(os.getxattr(path, name), bytes(range(256)))
                same(sorted(os.listxattr(path)), ['security.c', 'trusted.b', 'user.a'])
                fails(errno.EEXIST, os.setxattr, path, 'user.a', b'', os.XATTR_CREATE)
                fails(errno.ENODATA, os.setxattr, path, 'user.z', b'', os.XATTR_REPLACE)
                os.setxattr(path, 'user.empty', b''); same(os.getxattr(path, 'user.empty'), b'')
                os.removexattr(path, 'user.a'); fails(errno.ENODATA, os.getxattr, path, 'user.a')
                fails(errno.ENODATA, os.removexattr, path, 'user.a')
            os.setxattr('f', 'user.big', b'v' * 65536)
            same(len(os.getxattr('f', 'user.big')), 65536)
            fails(errno.E2BIG, os.setxattr, 'f', 'user.big', b'v' * 65537)
            os.setxattr('f', 'user.' + 'n' * 250, b'')
            fails(errno.ERANGE, os.setxattr, 'f', 'user.' + 'n' * 251, b'')
            fails(errno.EPERM, os.setxattr, 'l', 'user.a', b'', follow_symlinks=False)
            os.setxattr('l', 'trusted.a', b'of the link', follow_symlinks=False)
            same(os.listxattr('l', follow_symlinks=False), ['trusted.a'])
            buffer = ctypes.create_string_buffer(4)
            same(libc.getxattr(b'f', b'security.c', buffer, 4), -1)
            same(ctypes.get_errno(), errno.ERANGE)
            os.chmod('f', 0o644)
            def other():
                same(os.getxattr('f', 'security.c'), bytes(range(256)))
                fails(errno.ENODATA, os.getxattr, 'f', 'trusted.b')
                fails(errno.EACCES, os.setxattr, 'f', 'user.mine', b'')
                fails(errno.EPERM, os.setxattr, 'f', 'trusted.mine', b'')
            as_user(4321, other)
            def systems():
                for name in ['system.foo', 'system.posix_acl_accessx', 'system.']:
                    fails(errno.EOPNOTSUPP, os.setxattr, 'f', name, b'x')
                    fails(errno.EOPNOTSUPP, os.getxattr, 'f', name)
                    fails(errno.EOPNOTSUPP, os.removexattr, 'f', name)
            os.chmod('f', 0o600); systems(); as_user(65534, systems)
            fails(errno.ENODATA, os.getxattr, 'f', 'system.posix_acl_access')
            same(sorted(os.listxattr('f')), ['security.c', 'trusted.b', 'user.big', 'user.empty',
                                             'user.' + 'n' * 250])
            """)
        try volume.recover()
        try volume.probe(
            """
            same(os.getxattr('d', 'trusted.b'), bytes(range(256)))
            same(os.getxattr('f', 'user.big'), b'v' * 65536)
            same(os.getxattr('l', 'trusted.a', follow_symlinks=False), b'of the link')
            """)
    }

    // SEMANTICS: attributes of one inode: 256, values together 128 KiB
    @Test("an inode has at most 256 attributes, and 128 KiB of values")
    func mostAttributes() throws {
        try volume.probe(
            """
            write('f'); write('g')
            for number in range(256): os.setxattr('f', f'user.{number}', b'v')
            fails(errno.ENOSPC, os.setxattr, 'f', 'user.one-more', b'v')
            os.setxattr('f', 'user.7', b'other'); os.removexattr('f', 'user.8')
            os.setxattr('f', 'user.one-more', b'v'); same(len(os.listxattr('f')), 256)
            for name in ['a', 'b']: os.setxattr('g', 'user.' + name, b'v' * 64 * KIB)
            fails(errno.ENOSPC, os.setxattr, 'g', 'user.c', b'v')
            os.setxattr('g', 'user.b', b'v' * (64 * KIB - 1)); os.setxattr('g', 'user.c', b'v')
            """)
        try volume.recover()
        try volume.probe("same((len(os.listxattr('f')), len(os.listxattr('g'))), (256, 3))")
    }

    // SEMANTICS: POSIX access lists are enforced where the kernel checks permissions; setting one
    // sets the mode, and `chmod` sets the list's owner, mask and others.
    @Test(
        "an access list lets in whom it names, and keeps out whom it names, whatever the mode says")
    func accessListsAreEnforced() throws {
        try volume.shell(
            """
            cd "$MNT/files"; mkdir -m 755 d; echo secret > d/f; chmod 600 d/f
            setfacl -m u:1001:rw,g:2002:r,u:1003:- d/f
            getfacl -cn d/f | grep -qx 'user:1001:rw-'
            test "$(stat -c %a d/f)" = 660
            """)
        let check = """
            def may(user, group, want, groups=()):
                def body():
                    for way, flags in [('r', os.O_RDONLY), ('w', os.O_WRONLY)]:
                        if way in want: os.close(os.open('d/f', flags))
                        else: fails(errno.EACCES, os.open, 'd/f', flags)
                as_user(user, body, group, groups)
            may(1001, 1001, 'rw'); may(1002, 2002, 'r'); may(1002, 9, 'r', [2002])
            may(1003, 2002, ''); may(1004, 1004, ''); may(0, 0, 'rw')
            """
        try volume.probe(check)
        // The mask takes away from the names, but not from the owner; and a chmod is the mask.
        try volume.shell("cd \"$MNT/files\"; setfacl -m m::r d/f; test $(stat -c %a d/f) = 640")
        try volume.probe(check.replacingOccurrences(of: "1001, 'rw'", with: "1001, 'r'"))
        try volume.shell(
            """
            cd "$MNT/files"; chmod 660 d/f; getfacl -cn d/f | grep -qx mask::rw-
            chmod 607 d/f; getfacl -cn d/f | grep -qx mask::---
            getfacl -cn d/f | grep -q 'user:1001:rw-.*effective:---'; chmod 660 d/f
            """)
        try volume.probe(check)
        try volume.recover()
        try volume.probe(check)
        try volume.shell("cd \"$MNT/files\"; setfacl -b d/f; test -z \"$(getfacl -cns d/f)\"")
        try volume.probe("as_user(1001, lambda: fails(errno.EACCES, os.open, 'd/f', os.O_WRONLY))")
    }

    // SEMANTICS: A default access list is handed down to what is made in the directory, and the
    // umask has no part in it then.
    @Test("a default access list is handed down to what is made, and sets the umask aside")
    func defaultAccessLists() throws {
        try volume.shell(
            """
            cd "$MNT/files"; mkdir d; setfacl -d -m u:1001:rwx,g::rx,o::-,m::rwx d; umask 077
            touch d/f; mkdir d/sub; mkfifo d/p; mknod d/n c 1 3; ln -s x d/l; touch plain
            test "$(stat -c %a plain)" = 600
            for made in d/f d/p d/n; do
                test "$(stat -c %a $made)" = 660
                getfacl -cn $made | grep -qx 'user:1001:rwx.*#effective:rw-'
                ! getfacl -cn $made | grep -q default || exit 1
            done
            test "$(stat -c %a d/sub)" = 770
            diff <(getfacl -cdn d) <(getfacl -cdn d/sub)
            mkdir d/sub/deeper; diff <(getfacl -cdn d) <(getfacl -cdn d/sub/deeper)
            (set -o noclobber; umask 0; : > d/open); test "$(stat -c %a d/open)" = 660
            """)
        try volume.probe(
            """
            as_user(1001, lambda: write('d/f', b'let in'))
            as_user(1001, lambda: write('d/sub/made', b'let in'))
            as_user(1004, lambda: fails(errno.EACCES, read, 'd/f'))
            same(mode('d/sub/made'), 0o660)
            """)
        // Three entries alone say no more than a mode does, and leave no list behind.
        try volume.shell(
            """
            cd "$MNT/files"; mkdir t; setfacl -d -m u::rwx,g::r,o::- t; umask 0; touch t/f
            test "$(stat -c %a t/f)" = 640; test -z "$(getfacl -cns t/f)"
            """)
    }

    @Test("a value that is no access list is refused, and so is a default list of a file")
    func malformedAccessLists() throws {
        try volume.probe(
            """
            write('f'); os.mkdir('d')
            def acl(*entries): return struct.pack('<I', 2) + b''.join(
                struct.pack('<HHI', *entry) for entry in entries)
            ANY = 0xffffffff
            good = acl((1, 6, ANY), (4, 4, ANY), (32, 0, ANY))
            os.setxattr('f', 'system.posix_acl_access', good); same(mode('f'), 0o640)
            for bad in [good[:-1], good[4:], b'\\1' + good[1:], acl((1, 6, ANY), (4, 4, ANY)),
                        acl((1, 6, ANY), (2, 6, 7), (4, 4, ANY), (32, 0, ANY)),
                        acl((1, 6, ANY), (4, 4, ANY), (64, 0, ANY)),
                        acl((1, 9, ANY), (4, 4, ANY), (32, 0, ANY))]:
                try: os.setxattr('f', 'system.posix_acl_access', bad)
                except OSError as error: assert error.errno in (errno.EINVAL, errno.EOPNOTSUPP)
                else: raise AssertionError(bad)
            same(mode('f'), 0o640)
            fails(errno.EACCES, os.setxattr, 'f', 'system.posix_acl_default', good)
            os.setxattr('d', 'system.posix_acl_default', good)
            same(os.getxattr('d', 'system.posix_acl_default'), good)
            """)
    }

    // SEMANTICS: Times have nanoseconds, before 1970 and after 2038 too; the change time cannot be
    // set.
    @Test("times before 1970 and after 2038 keep their nanoseconds, here and on the store")
    func times() throws {
        let moments = """
            moments = [-1, -2**33 - 1, 1, 2**31 * 10**9 + 999_999_999, 2**33 * 10**9 + 123_456_789,
                       -86400 * 365 * 60 * 10**9 + 1, 253_402_300_799 * 10**9 + 5]

            """
        let check =
            moments + """
                for index, at in enumerate(moments):
                    info = os.lstat(f't{index}')
                    same((info.st_atime_ns, info.st_mtime_ns), (at, at + 1), index)
                """
        try volume.probe(
            moments + """
                for index, at in enumerate(moments):
                    write(f't{index}'); os.utime(f't{index}', ns=(at, at + 1))
                """)
        try volume.probe(check)
        try volume.recover()
        try volume.probe(check)
    }

    // SEMANTICS: Set-user-id and set-group-id bits are cleared when somebody but root writes to the
    // file or truncates it, and when anybody gives it another owner or group; set-group-id that the
    // group may not execute only when somebody writes whose first group is another.
    // SEMANTICS: A directory with set-group-id gives its group to what is made in it.
    @Test("a write, a truncation and a change of owner take set-user-id and set-group-id away")
    func privileges() throws {
        try volume.probe(
            """
            os.chmod('.', 0o777)
            def fresh(bits):
                write('f', b'x' * 100); os.chown('f', 1001, 1001); os.chmod('f', bits)
            def by(user, change, start, end):
                fresh(start)
                if user: as_user(user, change)
                else: change()
                same(mode('f'), end, (user, oct(start)))
            def write_some():
                fd = os.open('f', os.O_WRONLY); os.write(fd, b'y'); os.close(fd)
            def append_some():
                fd = os.open('f', os.O_WRONLY | os.O_APPEND); os.write(fd, b'y'); os.close(fd)
            def allocate():
                fd = os.open('f', os.O_WRONLY); fallocate(fd, 0, 0, 200); os.close(fd)
            def copy():
                write('g', b'z' * 9) if os.geteuid() == 0 else None
                fd = os.open('f', os.O_RDWR); os.copy_file_range(fd, fd, 4, 0, 50); os.close(fd)
            changes = [write_some, append_some, lambda: os.truncate('f', 50), allocate, copy,
                       lambda: os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))]
            for change in changes:
                by(1001, change, 0o6777, 0o777)
                by(1002, change, 0o6777, 0o777)
                by(0, change, 0o6777, 0o6777)
            # Set-group-id without execution for the group is no privilege of the group's.
            by(1001, write_some, 0o4767, 0o767)
            for change in changes:
                by(1001, change, 0o2766, 0o2766); by(1002, change, 0o2766, 0o766)
                by(0, change, 0o2766, 0o2766)
            by(1001, lambda: os.chown('f', -1, 1001), 0o6755, 0o755)
            by(0, lambda: os.chown('f', 1002, -1), 0o6755, 0o755)
            by(0, lambda: os.chown('f', -1, 1002), 0o2745, 0o2745)
            # Somebody outside of the group cannot set the bit.
            fresh(0o755); os.chown('f', 1001, 2002)
            as_user(1001, lambda: os.chmod('f', 0o2755)); same(mode('f'), 0o755)
            as_user(1001, lambda: os.setxattr('f', 'user.x', b'')); same(mode('f'), 0o755)
            # Directories keep theirs, and hand the group down.
            os.mkdir('d'); os.chmod('d', 0o2777); os.chown('d', 1001, 2002); same(mode('d'), 0o2777)
            as_user(1003, lambda: (write('d/f'), os.mkdir('d/sub')))
            same((os.stat('d/f').st_gid, os.stat('d/sub').st_gid), (2002, 2002))
            same(mode('d/sub'), 0o2755)
            """)
    }

    @Test("set-user-id programs run as their owner where the mount allows it")
    func setUserID() throws {
        let script = """
            import shutil, subprocess
            shutil.copy('/usr/bin/id', 'id'); os.chown('id', 1001, 1001); os.chmod('id', 0o4755)
            def body():
                out = subprocess.run(['./id', '-u'], capture_output=True, text=True).stdout.strip()
                same(out, WANTED)
            os.chmod('.', 0o755)
            as_user(1002, body)
            """
        try volume.probe("WANTED = '1001'\n" + script)
        let plain = try MountedVolume(mountOptions: "allow_other")
        try plain.probe("WANTED = '1002'\n" + script)
    }

    // SEMANTICS: Opening a file for reading only, or listing a directory, moves its access time if
    // that is not after the last change, or is a day old; with `-o noatime` never, with `-o
    // strictatime` always.
    @Test("opening for reading moves the access time once after a change, and once a day")
    func relativeAccessTimes() throws {
        try volume.probe(
            """
            DAY = 86400 * 10**9
            def atime(path): return os.stat(path).st_atime_ns
            def opened(path, look=lambda path: os.close(os.open(path, os.O_RDONLY))):
                # Within one tick of the clock a change and a look at it are at the same time.
                time.sleep(0.02); before = atime(path)
                look(path)
                return atime(path) != before
            def listed(path): return opened(path, os.listdir)
            now = time.time_ns()
            write('f', b'x'); os.mkdir('d')
            os.utime('f', ns=(now - 9 * 10**9, now - 5 * 10**9)); assert opened('f')
            assert abs(atime('f') - time.time_ns()) < 5 * 10**9
            assert not opened('f'), 'nothing changed since'
            time.sleep(0.01); write('f', b'more', 'ab'); assert opened('f'); assert not opened('f')
            os.utime('f', ns=(now - 2 * DAY, now - 3 * DAY)); assert opened('f')
            time.sleep(0.01); write('d/x'); assert not opened('d'), 'to be synced, say'
            assert listed('d'); assert not listed('d')
            os.utime('d', ns=(now - 2 * DAY, now - 3 * DAY)); assert listed('d')
            # The names are the same, and the kernel has them.
            os.utime('d', ns=(now - 4 * DAY, now - 3 * DAY)); assert listed('d')
            os.utime('d', ns=(now, now + DAY)); assert listed('d') and listed('d')
            before = atime('f'); os.close(os.open('f', os.O_WRONLY)); time.sleep(0.2)
            same(atime('f'), before)
            fd = os.open('f', os.O_RDONLY | os.O_NOATIME); os.close(fd)
            """)
        let kept = try volume.shell("stat -c %x \"$MNT/files/f\"")
        try volume.unmount()
        try volume.mount()
        #expect(try volume.shell("stat -c %x \"$MNT/files/f\"") == kept, "kept over a remount")
    }

    // SEMANTICS: The new access time of a file that nobody has read or written since the kernel
    // last looked it up shows from its first read on, or from its close.
    @Test("the access time of a file untouched since the mount shows from its first read or close")
    func accessTimesOfUntouched() throws {
        try volume.probe("write('read', b'x'); write('closed', b'x')")
        try volume.unmount()
        try volume.mount()
        try volume.probe(
            """
            def atime(path): return os.stat(path).st_atime_ns
            before = atime('read'), atime('closed')
            fd = os.open('read', os.O_RDONLY); same(os.read(fd, 10), b'x')
            assert atime('read') != before[0], 'shown after the read'; os.close(fd)
            os.close(os.open('closed', os.O_RDONLY))
            end = time.monotonic() + 10
            while atime('closed') == before[1]:
                assert time.monotonic() < end, 'shown after the close'
                time.sleep(0.01)
            """)
    }

    // SEMANTICS: Opening a file for reading only, or listing a directory, moves its access time if
    // that is not after the last change, or is a day old; with `-o noatime` never, with `-o
    // strictatime` always.
    @Test("noatime and strictatime make reading never, and always, move the access time")
    func otherAccessTimes() throws {
        let script = """
            write('f', b'x'); os.utime('f', ns=(5, 10**9))
            os.mkdir('d'); write('d/x'); os.utime('d', ns=(5, 10**9))
            for path, look in (('f', read), ('d', os.listdir)):
                moved = []
                for _ in range(2):
                    before = os.stat(path).st_atime_ns; look(path); time.sleep(0.3)
                    moved.append(os.stat(path).st_atime_ns != before)
                same(moved, WANTED, path)
            """
        let never = try MountedVolume(mountOptions: "noatime")
        try never.probe("WANTED = [False, False]\n" + script)
        let always = try MountedVolume(mountOptions: "strictatime")
        try always.probe("WANTED = [True, True]\n" + script)
    }

    // SEMANTICS: What is in `.cairn` is made when it is opened, and its size is that of the moment
    // in which it is asked for.
    // SEMANTICS: Files in `.cairn/` have another inode number with each size: a program that
    // follows one by its name (`tail -F`) sees what comes.
    @Test("what the volume says of itself is as long as it is, so that tail shows its end")
    func momentarySizes() throws {
        try volume.probe(
            """
            import subprocess
            status = MNT + '/.cairn/status.json'
            first = os.stat(status); before = first.st_size
            same(os.listdir(MNT + '/.cairn').count('errors'), 1)
            write('many', b'x' * 3000000); sync = os.open('many', os.O_RDONLY); os.fsync(sync)
            end = time.monotonic() + 20
            while os.stat(status).st_size == before:
                assert time.monotonic() < end, 'the size of the first look is believed'
                time.sleep(0.05)
            assert os.stat(status).st_ino != first.st_ino
            fd = os.open(status, os.O_RDONLY); assert os.lseek(fd, 0, os.SEEK_END) > before - 100
            last = subprocess.run(['tail', '-c', '2', status], capture_output=True).stdout
            same(last, read(status)[-2:]); os.close(fd); os.close(sync)
            # Also for who looks again and again, so that the kernel has no reason to forget it.
            for count in range(5):
                write(f'more{count}', b'x' * 10 ** (count + 2))
                eventually(lambda: os.stat(status).st_size == len(read(status)), 20)
            """)
    }
}
