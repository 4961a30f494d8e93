// SPDX-License-Identifier: Apache-2.0
//
// Directories on a mount: large ones, listings while names come and go, numbers, and statfs.

import Foundation
import TestSupport
import Testing

@Suite("directories", .serialized, .mounting)
struct PosixDirectoryTests {
    private let volume: MountedVolume

    init() throws {
        volume = try MountedVolume()
    }

    /// opendir and its like, which Python does not have.
    private static let listing = """
        libc.opendir.restype = ctypes.c_void_p; libc.readdir.restype = ctypes.c_void_p
        libc.telldir.restype = ctypes.c_long
        class Listing:
            def __init__(self, path):
                self.at = ctypes.c_void_p(libc.opendir(os.fsencode(path)))
            def next(self):
                entry = libc.readdir(self.at)
                # struct dirent: inode, offset, length, kind, name.
                return ctypes.string_at(entry + 19) if entry else None
            def tell(self): return libc.telldir(self.at)
            def seek(self, place): libc.seekdir(self.at, ctypes.c_long(place))
            def rest(self):
                names = []
                while (name := self.next()) is not None: names.append(name)
                return names

        """

    // SEMANTICS: A listing gives every name that stays, once, whatever is made and removed
    // meanwhile.
    // SEMANTICS: Directories may have a million entries and more: the process takes at most 300
    // MiB.
    @Test("a listing of 100 000 names gives each that stays once, at its place, while others go")
    func largeDirectory() throws {
        let count = Effort.isLong ? 1_000_000 : 100_000
        let found = try volume.probe(
            Self.listing + """
                COUNT = \(count); start = time.monotonic()
                os.mkdir('d'); stays = set()
                for number in range(COUNT):
                    name = f'{number:07d}'; os.close(os.open('d/' + name, os.O_CREAT | os.O_WRONLY))
                    if number % 10: stays.add(name.encode())
                print('made', round(COUNT / (time.monotonic() - start)), 'names a second')
                start = time.monotonic(); same(len(os.listdir('d')), COUNT)
                print('listed in', round(time.monotonic() - start, 1), 's')
                listing = Listing('d'); seen = []; change = 0; places = {}; place = listing.tell()
                while (name := listing.next()) is not None:
                    seen.append(name)
                    if len(seen) % 997 == 1 and name in stays: places[name] = place
                    place = listing.tell()
                    if len(seen) % 50 == 0:
                        # One that goes, before or after the place; one that comes; one that moves.
                        os.unlink(f'd/{change * 10:07d}'); write(f'd/new{change}')
                        if change: os.rename(f'd/new{change}', f'd/moved{change}')
                        change += 1
                        if change * 10 >= COUNT: change = COUNT // 10 - 1; break
                seen += listing.rest()
                got = [name for name in seen if name in stays]
                same(len(got), len(set(got)), 'doubled'); same(set(got), stays, 'missed')
                names = os.listdir('d'); same(len(names), len(set(names)))
                assert stays <= {name.encode() for name in names}
                assert len(places) > COUNT / 1200, len(places)
                for again in [listing, Listing('d')]:
                    # In no order that the directory has.
                    for name, place in sorted(places.items(), key=lambda item: item[0][::-1]):
                        again.seek(place); same(again.next(), name)
                """)
        let peak = try volume.shell(
            "grep VmHWM /proc/\(try volume.daemonPID())/status | tr -dc 0-9")
        let mebibytes = try #require(Int(peak)) / 1024
        #expect(mebibytes <= 300)
        if Effort.isLong { print("\(count) names: \(found)most memory \(mebibytes) MiB") }
    }

    // SEMANTICS: `telldir` positions hold for as long as this machine has the state folder.
    @Test("telldir's places hold while names come and go, and after the listing was opened anew")
    func places() throws {
        try volume.probe(
            Self.listing + """
                os.mkdir('d')
                for number in range(3000): write(f'd/{number:04d}')
                listing = Listing('d'); places = {}
                while True:
                    place = listing.tell(); name = listing.next()
                    if name is None: break
                    places[name] = place
                for number in range(0, 3000, 3): os.unlink(f'd/{number:04d}')
                for number in range(500): write(f'd/new{number}')
                for again in [listing, Listing('d')]:
                    for number in range(1, 3000, 97):
                        name = f'{number:04d}'.encode()
                        again.seek(places[name]); got = again.next()
                        # What went since the listing was begun may still be in it.
                        next = f'{number + 1:04d}'.encode()
                        assert got == name or (number % 3 == 0 and got == next), (got, name)
                    again.seek(places[b'2000']); rest = again.rest()
                    same(len(rest), len(set(rest)))
                    assert {f'{n:04d}'.encode() for n in range(2000, 3000) if n % 3} <= set(rest)
                    assert not {f'{n:04d}'.encode() for n in range(2000)} & set(rest)
                """)
    }

    // SEMANTICS: A directory's size is 4096 bytes, its link count 2 plus its subdirectories.
    @Test("a directory's link count is 2 and its subdirectories, also after moves and recovery")
    func linkCounts() throws {
        let check = """
            def links(path): return os.stat(path).st_nlink
            for folder, below, _ in os.walk('.'): same(links(folder), 2 + len(below), folder)
            """
        try volume.probe(
            check + """

                base = links('.'); os.mkdir('a'); os.mkdir('b'); same(links('.'), base + 2)
                for name in ['x', 'y', 'z']: os.mkdir('a/' + name)
                write('a/file'); same(links('a'), 5); os.rename('a/x', 'b/x')
                same((links('a'), links('b')), (4, 3))
                os.rename('a/y', 'b/x'); same((links('a'), links('b')), (3, 3)); os.rmdir('b/x')
                same(links('b'), 2)
                rename2('a/z', 'a/file', EXCHANGE); same(links('a'), 3)
                """)
        try volume.recover()
        try volume.probe(check)
    }

    // SEMANTICS: Inode numbers stay the same over remounts and on other machines, and are not given
    // again.
    @Test("inode numbers stay over a remount and on a machine that has only the phrase")
    func inodeNumbers() throws {
        let numbers = """
            import json
            numbers, made = {}, {}
            for folder, below, files in os.walk(MNT):
                for name in below + files:
                    path = os.path.join(folder, name)
                    isMade = folder.endswith('/.cairn')
                    (made if isMade else numbers)[path] = os.lstat(path).st_ino
            same(len(set(numbers.values())) + SAME, len(numbers))
            # Of the moment, and never one that a file has.
            assert len(made) >= 4 and not set(made.values()) & set(numbers.values()), made

            """
        try volume.probe(
            """
            os.makedirs('a/b/c'); write('a/f', b'x'); write('a/b/large', b'y' * MIB)
            os.symlink('f', 'a/l')
            os.mkfifo('a/p'); os.link('a/f', 'a/b/hard'); write(PADS + '/pad', b'pad')
            SAME = 1

            """ + numbers + "json.dump(numbers, open(os.environ['ROOT'] + '/numbers', 'w'))")
        let check =
            "SAME = 1\n" + numbers
            + "same(numbers, json.load(open(os.environ['ROOT'] + '/numbers')))"
        try volume.unmount()
        try volume.mount()
        try volume.probe(check)
        try volume.recover()
        try volume.probe(
            check + "\nwrite('new'); assert os.stat('new').st_ino not in numbers.values()")
    }

    // SEMANTICS: `statfs` never waits for the store; before its first answer, and for a store that
    // cannot tell, 1 PiB is free.
    // SEMANTICS: The size is the volume's bytes plus what the store has free, or what the quota
    // leaves if that is less.
    @Test("statfs adds up, grows with what is written, and answers when the store does not")
    func statistics() throws {
        try volume.probe(
            """
            info = os.statvfs('.')
            same((info.f_bsize, info.f_frsize, info.f_namemax), (4096, 4096, 255))
            used = lambda info: (info.f_blocks - info.f_bfree) * info.f_frsize
            assert 0 < info.f_bavail <= info.f_bfree <= info.f_blocks
            before, files = used(info), info.f_files - info.f_ffree
            write('f', b'x' * (8 * MIB)); os.fsync(os.open('f', os.O_RDONLY))
            info = os.statvfs('.')
            assert 8 * MIB <= used(info) - before < 9 * MIB
            same(info.f_files - info.f_ffree, files + 1)
            os.rename(os.environ['STORE'], os.environ['STORE'] + '.away'); time.sleep(0.1)
            start = time.monotonic()
            for _ in range(100): os.statvfs('.')
            assert time.monotonic() - start < 2
            os.rename(os.environ['STORE'] + '.away', os.environ['STORE'])
            """)
    }

    @Test("names and what is behind them are the same, whether listings are looked at or not")
    func looks() throws {
        try volume.probe(
            """
            COUNT = 40
            for d in range(6):
                os.mkdir(f'd{d}')
                for i in range(COUNT * (d + 1)):
                    write(f'd{d}/f{i}', b'x' * i); os.chmod(f'd{d}/f{i}', 0o600 + i % 8)
            """)
        let listed = "for d in range(6): same(len(os.listdir(f'd{d}')), COUNT * (d + 1))"
        let lookedAt = """
            for d in range(6):
                for e in os.scandir(f'd{d}'):
                    i = int(e.name[1:]); s = os.lstat(e.path)
                    same((e.is_file(follow_symlinks=False), s.st_size), (True, i))
                    same((s.st_ino, s.st_mode & 0o777), (e.inode(), 0o600 + i % 8))
            """
        for order in [[listed, lookedAt], [lookedAt, listed], [listed, listed, lookedAt]] {
            // Nothing is in the kernel's memory.
            try volume.unmount()
            try volume.mount()
            try volume.probe("COUNT = 40\n" + order.joined(separator: "\n"))
        }
    }
}
