// SPDX-License-Identifier: Apache-2.0
//
// Small programs that ask a mount one question each, at the system calls themselves. Python,
// because it passes them on as they are; what it has no function for goes through the C library.

import Foundation

extension MountedVolume {
    /// Runs a program in `files/` of the mount. A failed `assert` or an exception fails it.
    ///
    /// It begins with everything that `probePrelude` has.
    @discardableResult
    func probe(_ program: String) throws -> String {
        let file = root + "/probe.py"
        try (probePrelude + program).write(toFile: file, atomically: false, encoding: .utf8)
        return try shell("exec python3 -B \"$ROOT/probe.py\"")
    }
}

/// What every probe has at hand.
private let probePrelude = #"""
    import ctypes, errno, fcntl, json, mmap, os, select, signal, socket, stat, struct, sys, time
    MNT = os.environ['MNT']; FILES = MNT + '/files'; PADS = MNT + '/scratchpads'
    os.chdir(FILES); os.umask(0o022)
    KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
    BLOCK = 16 * KIB
    libc = ctypes.CDLL(None, use_errno=True)

    def same(got, wanted, what=''):
        assert got == wanted, f'{what}: got {got!r}, wanted {wanted!r}'

    def fails(code, call, *arguments, **named):
        try: call(*arguments, **named)
        except OSError as error:
            got = errno.errorcode.get(error.errno, error.errno)
            assert error.errno == code, f'got {got}, wanted {errno.errorcode[code]}'
        else: raise AssertionError('succeeded, wanted ' + errno.errorcode[code])

    def checked(result):
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
    def rename2(old, new, flags):
        return checked(libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags))

    def link_open(fd, name):
        """Gives a file that is open one more name."""
        return checked(libc.linkat(
            -100, f'/proc/self/fd/{fd}'.encode(), -100, os.fsencode(name), 0x400))

    KEEP, PUNCH, COLLAPSE, ZERO, INSERT, UNSHARE = 1, 2, 8, 16, 32, 64
    def fallocate(fd, mode, offset, count):
        return checked(libc.fallocate(
            fd, mode, ctypes.c_int64(offset), ctypes.c_int64(count)))

    def write(path, content=b'', mode='wb'):
        with open(path, mode) as file: file.write(content)

    def read(path):
        with open(path, 'rb') as file: return file.read()

    def child(body, user=None, group=None, groups=()):
        """Runs body in a process of its own, as somebody else if a user is named."""
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if user is not None:
                    os.setgroups(groups); os.setgid(user if group is None else group)
                    os.setuid(user)
                body()
                code = 0
            except BaseException as error:
                print(f'in the child: {error!r}', file=sys.stderr, flush=True)
            finally: os._exit(code)
        return pid

    def ended(pid):
        same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, 'the child')

    def as_user(user, body, group=None, groups=()):
        ended(child(body, user, group, groups))

    def mode(path): return stat.S_IMODE(os.lstat(path).st_mode)

    def eventually(test, seconds=5):
        end = time.monotonic() + seconds
        while not test():
            assert time.monotonic() < end, 'did not become true'
            time.sleep(0.01)

    """#
