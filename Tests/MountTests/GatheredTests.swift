// SPDX-License-Identifier: Apache-2.0
//
// What programs have written to a file that they keep open, and the kernel has not handed over yet:
// how others see it who look for its data and holes, and what waits for it.

import Foundation
import TestSupport
import Testing

@Suite("what the kernel gathers", .serialized, .mounting)
final class GatheredTests: EveryonesMount {
    // SEMANTICS: A pad that was written shows its new times when nobody has it open any more.
    @Test("a pad's times move with each write to it, when it is closed")
    func timesOfPads() throws {
        try volume.probe(
            """
            # The clock that times are taken from, in steps of some milliseconds.
            COARSE = 5
            pad = PADS + '/note'; write(pad, b'one'); os.chdir(PADS)
            def times(): return os.stat(pad).st_mtime_ns, os.stat(pad).st_ctime_ns
            def moves(change):
                os.utime(pad, ns=(10**18, 10**18)); before = times()
                eventually(lambda: time.clock_gettime_ns(COARSE) > before[1])
                change()
                eventually(lambda: all(new > old for new, old in zip(times(), before)))
            def append(): write(pad, b' two', 'ab')
            def overwrite():
                fd = os.open(pad, os.O_WRONLY); os.pwrite(fd, b'O', 0); os.close(fd)
            moves(append); moves(overwrite)
            # The kernel keeps the time of O_TRUNC, and brings it with the close.
            fd = os.open(pad, os.O_WRONLY | os.O_TRUNC); opened = times()[0]
            eventually(lambda: time.clock_gettime_ns(COARSE) > opened)
            os.write(fd, b'One two'); os.close(fd); eventually(lambda: times()[0] > opened)
            # Somebody else still has it open.
            reader = os.open(pad, os.O_RDONLY); append()
            same(os.pread(reader, 100, 0), b'One two two')
            moves(lambda: (append(), os.close(reader)))
            same(os.getcwd(), PADS); same(read('note'), b'One two two two')
            # Other users of the name are not disturbed.
            os.chmod(pad, 0o640); append(); os.rename('note', 'renamed'); append()
            same((read('renamed'), read('note')), (b'One two two two two', b' two'))
            """)
        try volume.unmount()
        try volume.mount()
        try volume.probe("assert os.stat(PADS + '/renamed').st_mtime_ns > 10**18")
    }

    // SEMANTICS: Up to 512 requests that the kernel makes ahead of a program's reads, of up to 1
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
