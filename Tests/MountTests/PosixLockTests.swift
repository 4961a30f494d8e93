// SPDX-License-Identifier: Apache-2.0
//
// Locks on a mount. The kernel keeps them: one machine writes a volume at a time, so nobody else
// has to hear of them.

import Foundation
import TestSupport
import Testing

@Suite("locks between programs", .serialized, .mounting)
struct PosixLockTests {
    private let volume: MountedVolume

    init() throws {
        volume = try MountedVolume()
    }

    /// A child that takes a lock, says so, and holds it until it is told to let go.
    private static let holder = """
        import contextlib
        @contextlib.contextmanager
        def held(take):
            ready, says = os.pipe(); go, lets = os.pipe()
            def body():
                fd = os.open('f', os.O_RDWR); take(fd); os.write(says, b'x'); os.read(go, 1)
            pid = child(body); os.read(ready, 1)
            try: yield pid
            finally: os.write(lets, b'x'); ended(pid)
        def ofd(fd, kind, command, start=0, length=0):
            # struct flock: type, whence, start, length, process.
            fcntl.fcntl(fd, command, struct.pack('hhqqi4x', kind, os.SEEK_SET, start, length, 0))
        write('f', b'.' * 100); fd = os.open('f', os.O_RDWR)

        """

    @Test("flock is shared or exclusive between open files, and goes with the last close")
    func flocks() throws {
        try volume.probe(
            Self.holder + """
                with held(lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)):
                    fails(errno.EAGAIN, fcntl.flock, fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                with held(lambda fd: fcntl.flock(fd, fcntl.LOCK_SH)):
                    fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    fails(errno.EAGAIN, fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other = os.open('f', os.O_RDWR)
                fails(errno.EAGAIN, fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.close(fd); fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                pad = os.open(PADS + '/p', os.O_RDWR | os.O_CREAT); fcntl.flock(pad, fcntl.LOCK_EX)
                """)
    }

    @Test("fcntl locks cover ranges, belong to a process, and name who holds them")
    func recordLocks() throws {
        try volume.probe(
            Self.holder + """
                with held(lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)) as pid:
                    fails(errno.EAGAIN, fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 29)
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 30)
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 20, 0)
                    question = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
                    asked = fcntl.fcntl(fd, fcntl.F_GETLK, question)
                    kind, _, start, length, owner = struct.unpack('hhqqi4x', asked)
                    same((kind, start, length, owner), (fcntl.F_WRLCK, 20, 10, pid))
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Closing any descriptor of the file gives up the process's locks.
                os.close(os.open('f', os.O_RDONLY))
                with held(lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)): pass
                """)
    }

    @Test("open file description locks belong to the open file")
    func descriptionLocks() throws {
        try volume.probe(
            Self.holder + """
                SET, WAIT = 37, 38
                other = os.open('f', os.O_RDWR)
                ofd(fd, fcntl.F_WRLCK, SET, 0, 50)
                fails(errno.EAGAIN, ofd, other, fcntl.F_WRLCK, SET, 49, 1)
                ofd(other, fcntl.F_WRLCK, SET, 50, 50)
                fails(errno.EAGAIN, fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 60)
                os.close(os.open('f', os.O_RDONLY))
                fails(errno.EAGAIN, ofd, other, fcntl.F_WRLCK, SET, 0, 1)
                copy = os.dup(fd); os.close(fd)
                fails(errno.EAGAIN, ofd, other, fcntl.F_WRLCK, SET, 0, 1)
                os.close(copy); ofd(other, fcntl.F_WRLCK, SET, 0, 1)
                """)
    }

    // SEMANTICS: `flock`, `fcntl` and open-file-description locks hold between programs on this
    // machine; a wait for one can be interrupted.
    @Test("a lock that is taken is waited for, a signal ends the wait, and a deadlock is seen")
    func waits() throws {
        try volume.probe(
            Self.holder + """
                WAITS = [lambda fd: fcntl.flock(fd, fcntl.LOCK_EX),
                         lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX),
                         lambda fd: ofd(fd, fcntl.F_WRLCK, 38)]
                class Rang(Exception): pass
                def ring(*_): raise Rang
                signal.signal(signal.SIGALRM, ring)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
                for take in WAITS:
                    with held(take):
                        signal.setitimer(signal.ITIMER_REAL, 0.2); start = time.monotonic()
                        try: take(fd)
                        except Rang: pass
                        else: raise AssertionError('nobody let go')
                        assert time.monotonic() - start < 5
                    with held(take) as pid:
                        ready, says = os.pipe()
                        def body(take=take): take(os.open('f', os.O_RDWR)); os.write(says, b'x')
                        waiter = child(body); time.sleep(0.2)
                        same(select.select([ready], [], [], 0)[0], [])
                    os.read(ready, 1); ended(waiter)
                def first(fd):
                    fcntl.lockf(fd, fcntl.LOCK_EX, 1, 0)
                    fcntl.lockf(fd, fcntl.LOCK_EX, 1, 1)
                fcntl.lockf(fd, fcntl.LOCK_EX, 1, 1)
                pid = child(lambda: first(os.open('f', os.O_RDWR))); time.sleep(0.3)
                fails(errno.EDEADLK, fcntl.lockf, fd, fcntl.LOCK_EX, 1, 0); os.close(fd); ended(pid)
                """)
    }
}
