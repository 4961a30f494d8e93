// SPDX-License-Identifier: Apache-2.0
//
// What takes its time, in the seconds that docs/SEMANTICS.md names, and what a clock that jumps
// changes of that: nothing.

import Foundation
import TestSupport
import Testing

/// They wait, each on a volume of its own: beside each other.
@Suite("time", .mounting)
struct TimeTests {
    /// A volume that is mounted with clocks that tell more by the seconds in the file `offset`, and
    /// that adds to the file `waits` with each wait for others.
    private static func volume(countsSuspend: Bool = false) throws -> MountedVolume {
        let volume = try MountedVolume(mounts: false)
        let clock = try JumpingClock(in: volume.root, countsSuspend: countsSuspend)
        let variables = clock.environment.map { "\($0)='\($1)'" }.joined(separator: " ")
        try volume.shell(
            """
            : > "$ROOT/waits"; export CLOCK_WAITS="$ROOT/waits" \(variables)
            "$CAIRN" mount test "$MNT"
            """)
        return volume
    }

    @Test("a system clock that jumps by years loses no flush, no pad and no publication")
    func clockJumps() throws {
        let volume = try Self.volume()
        for (number, jump) in [0, -315_360_000, 315_360_000, -3600].enumerated() {
            try volume.probe(
                """
                fd = os.open(os.environ['ROOT'] + '/offset', os.O_WRONLY | os.O_TRUNC)
                os.write(fd, b'\(jump)'); os.close(fd)
                start = time.monotonic()
                os.mkdir('d\(number)'); made = os.stat('d\(number)').st_mtime
                assert abs(made - time.time() - \(jump)) < 60, made
                for name in ['f', 'g\(number)']: write(name, b'\(number)' * 50_000)
                write(PADS + '/p', b'\(number)')
                os.utime('f', (made, made - \(number) * 1000))
                def settled():
                    now = json.loads(read(MNT + '/.cairn/status.json'))
                    return not (now['dirty_bytes'] or now['pending_pads'] or now['unpublished'])
                eventually(lambda: settled() and all(
                    os.getxattr(name, 'user.cairn.state') == b'published'
                    for name in ['f', 'g\(number)', PADS + '/p']), 60)
                assert time.monotonic() - start > 2
                same(os.getxattr(PADS + '/p', 'user.cairn.counter'), b'\(number + 1)')
                """)
        }
        try volume.recover()
        try volume.probe(
            """
            same(read('f'), b'3' * 50_000); same(read(PADS + '/p'), b'3')
            for number in range(4): same(read(f'g{number}'), b'%d' % number * 50_000)
            same(read(MNT + '/.cairn/errors'), b'')
            """)
    }

    /// Stops a process as a suspend does, by the freezer of either kind of cgroup; without one, by
    /// a signal.
    private static let suspend = """
        import contextlib
        @contextlib.contextmanager
        def suspended(pid):
            def put(path, text):
                with open(path, 'w') as file: file.write(text)
            name = f'cairn-test-{pid}'; group = None
            for base, member, lever, on, off in [
                ('/sys/fs/cgroup/freezer/', 'tasks', 'freezer.state', 'FROZEN', 'THAWED'),
                ('/sys/fs/cgroup/', 'cgroup.procs', 'cgroup.freeze', '1', '0')]:
                try:
                    os.mkdir(base + name); group = base + name + '/'
                    threads = os.listdir(f'/proc/{pid}/task') if member == 'tasks' else [pid]
                    for thread in threads: put(group + member, str(thread))
                    put(group + lever, on); break
                except OSError:
                    if group: os.rmdir(group); group = None
            if not group: os.kill(pid, signal.SIGSTOP)
            try: yield
            finally:
                if not group: os.kill(pid, signal.SIGCONT)
                else:
                    put(group + lever, off)
                    # Threads go on to be made: whoever is in the group leaves it, until none is.
                    end = time.monotonic() + 20
                    while True:
                        with open(group + member) as file: inside = file.read().split()
                        for thread in inside:
                            try: put(base + member, thread)
                            except OSError: pass
                        try: os.rmdir(group); break
                        except OSError:
                            if time.monotonic() > end: raise
                            time.sleep(0.01)

        """

    @Test("a suspend of a night breaks off no call, and what waited for its time goes on at once")
    func suspend() throws {
        let volume = try Self.volume(countsSuspend: true)
        try volume.probe(
            Self.suspend + """
                status = lambda: json.loads(read(MNT + '/.cairn/status.json'))
                night = 8 * 3600; write('kept', b'k' * MIB); write(PADS + '/p', b'before')
                def work():
                    fd = os.open('log', os.O_RDWR | os.O_CREAT)
                    for number in range(400):
                        os.pwrite(fd, b'%08d' % number, 8 * number); os.fsync(fd)
                        os.mkdir(f'd{number}'); same(read('kept'), b'k' * MIB); time.sleep(0.01)
                workers = [child(work)]; time.sleep(0.5)
                with suspended(\(try volume.daemonPID())):
                    asleep = child(lambda: write('asleep', b'a' * 50_000)); time.sleep(2)
                    same(os.waitpid(asleep, os.WNOHANG)[0], 0, 'it was not suspended')
                    fd = os.open(os.environ['ROOT'] + '/offset', os.O_WRONLY | os.O_TRUNC)
                    os.write(fd, b'%d' % night); os.close(fd)
                ended(asleep); ended(workers[0])
                same(read('log'), b''.join(b'%08d' % number for number in range(400)))
                made = os.stat('d399').st_mtime; assert abs(made - time.time() - night) < 60
                write(PADS + '/p', b'after')
                eventually(lambda: not (status()['unpublished'] or status()['dirty_bytes']), 60)
                same(os.getxattr(PADS + '/p', 'user.cairn.counter'), b'2')
                same(read(MNT + '/.cairn/errors'), b'')
                """)
        try volume.recover()
        try volume.probe(
            "same(read('asleep'), b'a' * 50_000); same(read(PADS + '/p'), b'after')")
    }

    @Test("a machine that sleeps a day, and wakes without its store, goes on where it was")
    func sleep() throws {
        let volume = try Self.volume(countsSuspend: true)
        try volume.shell(
            """
            head -c 300000 /dev/urandom > "$ROOT/a"; cp "$ROOT/a" "$MNT/files/a"
            "$CAIRN" sync test; cp "$ROOT/a" "$MNT/files/evening"
            echo evening > "$MNT/scratchpads/pad"
            """)
        let daemon = try volume.daemonPID()
        #expect(kill(daemon, SIGSTOP) == 0)
        defer { kill(daemon, SIGCONT) }
        try volume.shell("mv \"$STORE\" \"$STORE.away\"; echo 86400 > \"$ROOT/offset\"")
        #expect(kill(daemon, SIGCONT) == 0)
        try volume.shell(
            """
            cmp "$ROOT/a" "$MNT/files/a"; cmp "$ROOT/a" "$MNT/files/evening"
            echo morning > "$MNT/files/morning"
            for i in $(seq 200); do
                "$CAIRN" status test | grep -q "offline since" && break
                sleep 0.1
            done
            "$CAIRN" status test | grep "offline since"
            mv "$STORE.away" "$STORE"
            for i in $(seq 400); do
                "$CAIRN" status test | grep -q "everything is on the store" && break
                sleep 0.1
            done
            "$CAIRN" status test | grep "everything is on the store"
            """)
        try volume.recover()
        try volume.shell(
            """
            cmp "$ROOT/a" "$MNT/files/evening"; grep -qx morning "$MNT/files/morning"
            grep -qx evening "$MNT/scratchpads/pad"
            """)
    }

    @Test("a suspend ends no wait for another process: for a lock, an answer, or a daemon's end")
    func othersAsleep() throws {
        let volume = try Self.volume(countsSuspend: true)
        try volume.probe(
            """
            import subprocess
            ROOT = os.environ['ROOT']; os.chdir('/'); day = 86_400
            clock = dict(
                LD_PRELOAD=ROOT + '/clock.so', CLOCK_OFFSET=ROOT + '/offset', CLOCK_SUSPENDED='1')
            def slept(days): write(ROOT + '/offset', b'%d' % (days * day), 'r+b')
            def command(waits, *words):
                write(waits)
                return subprocess.Popen([os.environ['CAIRN'], *words], env={
                    **os.environ, **clock, 'CLOCK_WAITS': waits})
            # Returns when a process has begun so many more waits of one kind.
            def waited(waits, kind, more, ends=lambda: False):
                count = lambda: read(waits).count(kind)
                wanted = count() + more
                eventually(lambda: count() >= wanted or ends(), 60)
            # A wait reads the clock, and then looks: after a jump the second look is what counts.
            def locked(path):
                lock = os.open(path, os.O_RDWR); fcntl.flock(lock, fcntl.LOCK_EX); return lock
            # The folder store's lock, which another machine has; the daemon waits for it.
            write(PADS + '/p', b'before')
            sealed = lambda: os.getxattr(PADS + '/p', 'user.cairn.state') == b'published'
            eventually(sealed, 60)
            lock = locked(os.environ['STORE'] + '/lock')
            write(PADS + '/p', b'after'); waited(ROOT + '/waits', b'l', 1)
            slept(1); waited(ROOT + '/waits', b'l', 2)
            assert not sealed(); os.close(lock); eventually(sealed, 60)
            same(read(MNT + '/.cairn/errors'), b'')
            # The daemon's answer.
            os.kill(\(try volume.daemonPID()), signal.SIGSTOP)
            try:
                answer = ROOT + '/waits-answer'; asking = command(answer, 'status', 'test')
                waited(answer, b'p', 1); slept(2); same(asking.poll(), None)
            finally: os.kill(\(try volume.daemonPID()), signal.SIGCONT)
            same(asking.wait(60), 0)
            # Its end, which a lock that is had next makes look late.
            def next_holder():
                lock = locked(os.environ['CAIRN_STATE'] + '/volumes/test/lock')
                write(ROOT + '/had'); eventually(lambda: os.path.exists(ROOT + '/enough'), 60)
            holder = child(next_holder)
            end = ROOT + '/waits-end'; ending = command(end, 'unmount', '--now', 'test')
            eventually(lambda: os.path.exists(ROOT + '/had'), 60)
            # It may have seen the lock free, between the daemon and this holder.
            gone = lambda: ending.poll() is not None
            waited(end, b'l', 1, gone); slept(3); waited(end, b'l', 2, gone)
            write(ROOT + '/enough')
            ended(holder); same(ending.wait(60), 0)
            """)
        try volume.mount()
        try volume.recover()
        try volume.probe("same(read(PADS + '/p'), b'after')")
    }

    // SEMANTICS: A file that is written without a pause is flushed after 30 seconds, and changes
    // without a pause are published after 60.
    @Test("what is written without a pause is flushed after 30 seconds and published after 60")
    func withoutPause() throws {
        let volume = try MountedVolume()
        try volume.probe(
            """
            def status(): return json.loads(read(MNT + '/.cairn/status.json'))
            fd = os.open('f', os.O_RDWR | os.O_CREAT); first = status()
            start = time.monotonic(); flushed = published = None; count = 0
            while not published:
                now = time.monotonic() - start; assert now < 110, (flushed, published)
                os.pwrite(fd, os.urandom(50_000), 0); os.fsync(fd); os.mkdir(f'd{count}')
                count += 1; found = status()
                if not flushed and found['chunks_stored'] > first['chunks_stored']: flushed = now
                if found['revision'] > first['revision']: published = now
                time.sleep(0.5)
            assert 28 < flushed < 50, flushed
            assert 55 < published < 90, published
            """)
    }

    // SEMANTICS: After 30 seconds a pad that moved to a temporary name takes them back; those of a
    // removed pad are forgotten.
    @Test("after 30 seconds a pad with a temporary name has its identity again, a new one another")
    func parkedPads() throws {
        let volume = try MountedVolume()
        try volume.probe("for name in ['moved', 'gone']: write(PADS + '/' + name, b'one')")
        try volume.sync()
        try volume.probe(
            """
            def own(name): return [os.getxattr(PADS + '/' + name, 'user.cairn.' + part)
                for part in ['address', 'counter']]
            moved, gone = own('moved'), own('gone')
            os.rename(PADS + '/moved', PADS + '/moved~'); os.unlink(PADS + '/gone')
            time.sleep(36)
            write(PADS + '/gone', b'two'); write(PADS + '/moved', b'two')
            eventually(lambda: own('gone')[1] == b'1' and own('moved')[1] == b'1', 20)
            assert own('gone')[0] != gone[0] and own('moved')[0] != moved[0]
            os.unlink(PADS + '/moved'); os.rename(PADS + '/moved~', PADS + '/again')
            same(own('again'), moved)
            """)
    }
}
