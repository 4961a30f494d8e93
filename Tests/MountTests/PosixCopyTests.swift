// SPDX-License-Identifier: Apache-2.0
//
// copy_file_range on a mount: what is shared, and that sharing is never seen in the bytes.

import Foundation
import TestSupport
import Testing

@Suite("copy_file_range", .serialized, .mounting)
final class PosixCopyTests: EveryonesMount {
    /// Bytes of the local cache that something names.
    private static let usage = """
        import json
        def cached():
            return json.loads(read(MNT + '/.cairn/status.json'))['cache_used_bytes']
        def copy(source, target, count, from_offset=0, to_offset=0):
            done = 0
            while done < count:
                step = os.copy_file_range(
                    source, target, count - done, from_offset + done, to_offset + done)
                if step == 0: break
                done += step
            return done
        def settled():
            # Old slots go with the commit after the flush.
            os.fsync(os.open('.', os.O_RDONLY))

        """

    // SEMANTICS: A write to one of the files that share a block leaves the others as they were.
    @Test("a copy shares the source's blocks, and a write to either leaves the other as it was")
    func sharing() throws {
        try volume.probe(
            Self.usage + """
                data = os.urandom(32 * MIB); write('a', data); settled(); before = cached()
                source = os.open('a', os.O_RDWR); target = os.open('b', os.O_RDWR | os.O_CREAT)
                same(copy(source, target, 32 * MIB), 32 * MIB); settled()
                assert cached() - before < MIB, (before, cached())
                same(read('b'), data); same(os.stat('b').st_blocks, os.stat('a').st_blocks)
                os.pwrite(target, b'changed', 5 * MIB); os.pwrite(source, b'mine', 7 * MIB)
                os.ftruncate(source, 20 * MIB); os.fsync(source)
                other = bytearray(data); other[5 * MIB:5 * MIB + 7] = b'changed'
                same(read('b'), bytes(other))
                mine = bytearray(data[:20 * MIB]); mine[7 * MIB:7 * MIB + 4] = b'mine'
                same(read('a'), bytes(mine)); os.unlink('a'); settled()
                same(read('b'), bytes(other))
                """)
        try volume.recover()
        #expect(try volume.shell("stat -c %s \"$MNT/files/b\"") == "33554432\n")
    }

    // SEMANTICS: `copy_file_range` between files in `files/` shares blocks of 16 KiB where both
    // offsets lie alike in them; the rest is copied, at most 4 MiB a call.
    @Test("any range copies right, aligned or not, over old content, behind the end, with holes")
    func anyRange() throws {
        try volume.probe(
            Self.usage + """
                import random
                seed = time.time_ns() % 10**6; dice = random.Random(seed)
                def pattern(size): return dice.randbytes(size)
                for turn in range(60):
                    size = dice.choice([0, 5, 9000, 16384, 100_000, 16384 * 40, 16384 * 40 + 77])
                    old = pattern(dice.choice([0, 1000, 16384 * 3, 16384 * 50 + 9]))
                    data = bytearray(pattern(size)); write('a', data); write('b', old)
                    source = os.open('a', os.O_RDWR); target = os.open('b', os.O_RDWR)
                    if dice.random() < 0.5 and size > 16384 * 9:
                        fallocate(source, PUNCH | KEEP, 16384 * 2, 16384 * 5)
                        data[16384 * 2:16384 * 7] = bytes(16384 * 5)
                    if dice.random() < 0.3: os.fsync(source); os.fsync(target)
                    at, to, count = (dice.choice([0, 16384, 16384 * 3, 16384 * 3 + 5, 77]),
                        dice.choice([0, 16384, 16384 * 30, 16384 * 3 + 5, 77]),
                        dice.choice([1, 16384, 16384 * 20, 16384 * 7 + 11, 10**7]))
                    what = (seed, turn, size, len(old), at, to, count)
                    part = bytes(data[at:at + count])
                    same(copy(source, target, count, at, to), len(part), what)
                    wanted = bytearray(old)
                    if part:
                        wanted.extend(bytes(max(0, to + len(part) - len(wanted))))
                        wanted[to:to + len(part)] = part
                    same(read('b') == bytes(wanted), True, what)
                    same(read('a') == bytes(data), True, what)
                    os.close(source); os.close(target)
                write('a', bytes(range(256)) * 1024); fd = os.open('a', os.O_RDWR)
                same(copy(fd, fd, 65536, 0, 131072), 65536)
                same(read('a')[131072:196608], read('a')[:65536])
                fails(errno.EINVAL, os.copy_file_range, fd, fd, 65536, 0, 16384)
                """)
    }

    // SEMANTICS: A whole file of up to 4 GiB that is copied so to an empty one shares the data maps
    // as well: what only the store has is not fetched.
    @Test("a copy of what only the store has fetches nothing, and has the same data map")
    func sharedMaps() throws {
        try volume.probe("write('a', os.urandom(24 * MIB))")
        try volume.recover()
        try volume.shell(
            """
            cd "$MNT/files"; ls -l; mv "$STORE" "$STORE.away"
            cp a b; cp --reflink=auto a c; truncate -s 10 d; mv "$STORE.away" "$STORE"
            cmp a b; cmp a c
            a=$(getfattr -n user.cairn.datamap --only-values a)
            test "$a" = "$(getfattr -n user.cairn.datamap --only-values b)"
            printf changed | dd of=b bs=1 seek=9000000 conv=notrunc status=none
            ! cmp -s a b || exit 1; cmp a c
            """)
        try volume.recover()
        try volume.shell(
            "cd \"$MNT/files\"; cmp a c; test $(stat -c %s b) = 25165824; ! cmp -s a b")
    }

    @Test("shared blocks survive a crash, and go when the last file that has them goes")
    func sharedAfterCrash() throws {
        try volume.probe(
            Self.usage + """
                data = os.urandom(8 * MIB); write('a', data); write('sum', data)
                source = os.open('a', os.O_RDWR); target = os.open('b', os.O_RDWR | os.O_CREAT)
                copy(source, target, 8 * MIB); os.fsync(target)
                """)
        let pid = try volume.daemonPID()
        kill(pid, SIGKILL)
        try volume.mount()
        try volume.probe(
            Self.usage + """
                same(read('a') == read('sum'), True); same(read('b') == read('sum'), True)
                before = cached(); os.unlink('a'); settled(); same(read('b') == read('sum'), True)
                os.unlink('b'); settled(); eventually(lambda: cached() <= before - 8 * MIB + MIB)
                """)
    }
}
