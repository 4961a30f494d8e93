// SPDX-License-Identifier: Apache-2.0
//
// What programs have written to a file that they keep open, and the kernel has not handed over yet:
// how others see it who look for its data and holes, and what waits for it.

import Foundation
import TestSupport
import Testing

/// Asks for a file's data from a process that has none of what the probe opens: who begins later
/// closes its copies of that, and with each close the kernel hands over what it gathered.
private let asker = #"""
    import subprocess, threading
    write(os.environ['ROOT'] + '/extents.py', b'''if True:
        import errno, os, sys
        fd = os.open(sys.argv[1], os.O_RDONLY); at, found = 0, []
        end = os.fstat(fd).st_size
        while at < end:
            try: start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO: raise
                break
            at = os.lseek(fd, start, os.SEEK_HOLE); found.append((start, at))
        print(found)
        ''')
    asked = subprocess.Popen(
        ['sh'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    def ask(command):
        asked.stdin.write(command + ' 2>&1; echo "end $?"\n'); asked.stdin.flush(); said = []
        while True:
            line = asked.stdout.readline(); assert line, said
            if line.startswith('end '): break
            said.append(line)
        same(line, 'end 0\n', ''.join(said)); return ''.join(said)
    def extents(name): return eval(ask(f'python3 -B "$ROOT/extents.py" {name}'))
    def copied(name, wanted):
        ask(f'cp {name} {name}.copy'); assert read(name + '.copy') == wanted, 'the copy of ' + name

    """#

@Suite("what the kernel gathers", .serialized, .mounting)
final class GatheredTests: EveryonesMount {
    // SEMANTICS: `lseek` takes for data what was written, also what the kernel still gathers: a
    // copy of a file that is open is whole.
    @Test("who looks for data and holes of a file that is being written finds what was written")
    func dataOfOpenFiles() throws {
        try volume.probe(
            asker + """
                log = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND); lines = b''
                for number in range(100):
                    line = b'%04d a line of a log that is kept open now\\n' % number
                    lines += line; os.write(log, line)
                copied('log', lines); same(extents('log'), [(0, len(lines))])
                os.write(log, b'more'); same(extents('log'), [(0, len(lines) + 4)])

                tail = os.open('tail', os.O_RDWR | os.O_CREAT)
                os.write(tail, b'a' * 64 * KIB); os.fsync(tail); os.write(tail, b'b' * MIB)
                same(extents('tail'), [(0, 64 * KIB + MIB)])
                os.write(tail, b'c' * 100_000)
                copied('tail', b'a' * 64 * KIB + b'b' * MIB + b'c' * 100_000)

                other = os.open('far', os.O_RDWR | os.O_CREAT); own = os.open('far', os.O_RDONLY)
                os.pwrite(other, b'x' * BLOCK, MIB); same(os.lseek(own, MIB, os.SEEK_DATA), MIB)
                os.pwrite(other, b'y' * BLOCK, 3 * MIB)
                same(extents('far'), [(MIB, MIB + BLOCK), (3 * MIB, 3 * MIB + BLOCK)])
                same(os.lseek(own, 2 * MIB, os.SEEK_HOLE), 2 * MIB)
                same(os.lseek(own, 3 * MIB + 5, os.SEEK_HOLE), 3 * MIB + BLOCK)
                for offset in [3 * MIB + BLOCK, GIB, 2**62]:
                    fails(errno.ENXIO, os.lseek, own, offset, os.SEEK_DATA)
                    fails(errno.ENXIO, os.lseek, own, offset, os.SEEK_HOLE)
                copied('far', bytes(MIB) + b'x' * BLOCK + bytes(2 * MIB - BLOCK) + b'y' * BLOCK)
                same(extents('far.copy'), extents('far'))
                """)
    }

    @Test("real holes of a file that is being written stay holes, and those that are filled do not")
    func holesOfOpenFiles() throws {
        try volume.probe(
            asker + """
                fd = os.open('f', os.O_RDWR | os.O_CREAT)
                for at in range(0, 40, 2): os.pwrite(fd, bytes([65 + at]) * BLOCK, at * BLOCK)
                os.ftruncate(fd, 64 * BLOCK); os.fsync(fd)
                wanted = [(at * BLOCK, (at + 1) * BLOCK) for at in range(0, 40, 2)]
                same(extents('f'), wanted)
                content = read('f')
                # Three holes become data, one of them by half, and there is no sync.
                for at in [1, 3]: os.pwrite(fd, b'z' * BLOCK, at * BLOCK)
                os.pwrite(fd, b'z' * 4096, 5 * BLOCK)
                same(extents('f'), [(0, 7 * BLOCK)] + wanted[4:])
                os.pwrite(fd, b'z' * BLOCK, 50 * BLOCK)
                same(extents('f')[1:], wanted[4:] + [(50 * BLOCK, 51 * BLOCK)])
                content = bytearray(content)
                for at in [1, 3, 50]: content[at * BLOCK:(at + 1) * BLOCK] = b'z' * BLOCK
                content[5 * BLOCK:5 * BLOCK + 4096] = b'z' * 4096
                copied('f', bytes(content))
                fallocate(fd, PUNCH | KEEP, 0, 7 * BLOCK)
                same(extents('f'), wanted[4:] + [(50 * BLOCK, 51 * BLOCK)])
                """)
    }

    @Test("what was written to a shared map is found, also where the kernel gathers no writes")
    func dataOfMaps() throws {
        let program =
            asker + """
                fd = os.open('m', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 4 * MIB)
                view = mmap.mmap(fd, 4 * MIB); os.close(fd)
                view[MIB:MIB + 5] = b'first'
                same(extents('m'), [(MIB, MIB + BLOCK)])
                view[3 * MIB + 7:3 * MIB + 13] = b'second'; view[MIB:MIB + 5] = b'again'
                content = bytearray(4 * MIB); content[MIB:MIB + 5] = b'again'
                content[3 * MIB + 7:3 * MIB + 13] = b'second'; copied('m', bytes(content))
                same(extents('m'), [(MIB, MIB + BLOCK), (3 * MIB, 3 * MIB + BLOCK)])
                view[MIB:MIB + 5] = b'third'; same(extents('m')[0], (MIB, MIB + BLOCK))
                content[MIB:MIB + 5] = b'third'; view.close()
                eventually(lambda: read('m') == bytes(content))
                """
        try volume.probe(program)
        let limited = try MountedVolume(mountOptions: "quota=64M")
        try limited.probe(program)
    }

    @Test("many who look at files that are being written at once wait for no other")
    func manyAtOnce() throws {
        try volume.probe(
            asker + """
                def work(number):
                    name = f'f{number}'; fd = os.open(name, os.O_RDWR | os.O_CREAT)
                    other = os.open(name, os.O_RDONLY)
                    for turn in range(20):
                        at = 3 * turn * BLOCK; os.pwrite(fd, b'x' * BLOCK, at)
                        same(os.lseek(other, at, os.SEEK_DATA), at)
                        same(os.lseek(other, at, os.SEEK_HOLE), at + BLOCK)
                        same(len(os.pread(other, 4096, at)), 4096)
                    done.append(number)
                done = []
                threads = [threading.Thread(target=work, args=[number]) for number in range(48)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                same(len(done), 48)
                """)
    }

    @Test("a volume is unmounted at once while programs look at files that are being written")
    func ends() throws {
        try volume.shell(
            """
            cat > "$ROOT/look.py" <<'END'
            import os, sys
            fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
            print('begun', flush=True)
            try:
                for turn in range(10**9):
                    os.pwrite(fd, b'x' * 4096, turn % 4000 * 65536)
                    os.lseek(fd, turn % 4000 * 65536, os.SEEK_DATA)
            except OSError: pass
            END
            for number in 1 2 3 4; do
                mkfifo "$ROOT/begun$number"
                python3 -B "$ROOT/look.py" "$MNT/files/f$number" > "$ROOT/begun$number" &
                read said < "$ROOT/begun$number"
            done
            timeout 20 "$CAIRN" unmount --now "$MNT"
            wait
            """)
    }

    @Test("the time of an opening with O_TRUNC does not come back over that of a later write")
    func timesOfPads() throws {
        try volume.probe(
            """
            # The clock that times are taken from, in steps of some milliseconds.
            COARSE = 5
            fd = os.open(PADS + '/note', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            opened = os.fstat(fd).st_mtime_ns
            eventually(lambda: time.clock_gettime_ns(COARSE) > opened)
            os.write(fd, b'One'); os.close(fd); write('opened', str(opened).encode())
            """)
        try volume.unmount()
        try volume.mount()
        try volume.probe(
            "assert os.stat(PADS + '/note').st_mtime_ns > int(read('opened'))")
    }

    // SEMANTICS: Up to 192 requests that the kernel makes ahead of a program's reads, of up to 1
    // MiB each, keep no `close` waiting for the store; beyond, it waits for the first of them. By
    // io_uring they are 64 to 128, and for users other than root at most `max_user_bgreq` of the
    // module `fuse`.
    @Test("a close does not wait for what is read ahead from a slow store")
    func closeBesideReads() throws {
        try volume.probe("write('big', os.urandom(4 * MIB))")
        try volume.recover()
        try volume.unmount()
        try volume.mount(options: "allow_other,limit-download=1K,no_io_uring")
        try volume.probe(
            """
            def ahead():
                fd = os.open('big', os.O_RDONLY)
                for number in range(180):
                    os.posix_fadvise(fd, number * 20_480, 4096, os.POSIX_FADV_WILLNEED)
                os.write(said, b'.'); signal.pause()
            heard, said = os.pipe(); reader = child(ahead); begin = time.monotonic()
            # Without room for them the kernel holds the reader up, too.
            select.select([heard], [], [], 5)
            with open('small', 'wb') as file: file.write(b'x' * 100)
            took = time.monotonic() - begin
            os.kill(reader, signal.SIGKILL); os.waitpid(reader, 0)
            assert took < 5, f'{took:.1f} s'
            """)
        try volume.shell("\"$CAIRN\" unmount --now \"$MNT\"")
    }
}
