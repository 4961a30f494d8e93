// SPDX-License-Identifier: Apache-2.0
//
// Disks that are full: that of the state folder, that of the store. Writers wait, then get ENOSPC
// from the call that hands the bytes over; nothing that was synced is lost; and when there is room
// again everything goes on, without a new mount.

import Foundation
import TestSupport
import Testing

@Suite("full disks", .serialized, .mounting)
struct SpaceTests {
    private static let script = resource("space.py")
    /// Seconds of writing in each test.
    private static let seconds = 8

    private struct Work: Decodable {
        let met: [String: Int]
        let sure: Int
        let count: Int
    }

    /// Writes while a disk is filled and emptied.
    private func work(_ volume: CrashVolume, filling disk: String) throws -> Work {
        let result = try run(
            "/usr/bin/timeout",
            ["-k", "5", "150", "/usr/bin/python3", Self.script, "work", volume.mountPoint]
                + [volume.root, "\(Self.seconds)", "\(Effort.seed)", disk + "/fill"],
            environment: volume.environment)
        guard result.status == 0 else {
            throw ShellFailure(command: "space.py work", result: result)
        }
        return try JSONDecoder().decode(Work.self, from: Data(result.output.utf8))
    }

    private func verify(_ volume: CrashVolume, _ when: String) throws {
        let result = try run(
            "/usr/bin/timeout",
            ["-k", "5", "100", "/usr/bin/python3", Self.script, "verify", volume.mountPoint]
                + [volume.root], environment: volume.environment)
        #expect(
            result.status == 0,
            "\(when), seed \(Effort.seed): \(result.output) \(result.errors.suffix(500))")
    }

    /// It goes on without a new mount, and nothing promised is lost: here, over a kill, and through
    /// an empty cache.
    private func expectWhole(_ volume: CrashVolume) throws {
        try verify(volume, "when there is room again")
        // The kernel tells whoever syncs first of pages that it could not hand over before: that is
        // said, and all else is done.
        let first = try volume.tried(["sync", volume.mountPoint])
        #expect(first.status == 0 || first.errors.contains("all that was taken is on the store"))
        #expect(try volume.status("unpublishedChanges") == "0")
        try volume.sync()
        #expect(try volume.status("unpublishedChanges") == "0")
        volume.kill()
        try volume.mount()
        try verify(volume, "after a kill")
        try volume.recover()
        try volume.mount()
        try verify(volume, "through an empty cache")
    }

    // SEMANTICS: When the disk of the local state or the cache is full, writers wait up to the read
    // deadline, then get ENOSPC from the call that hands the bytes over: `write`, `fsync` or
    // `close`.
    // SEMANTICS: ENOSPC: the cache is full of bytes that are only here, this disk is full, or the
    // store is
    @Test("a disk of the local state that is full now and then loses nothing that was synced")
    func stateDisk() throws {
        let volume = try CrashVolume(stateSize: 100 << 20)
        try volume.mount()
        let work = try work(volume, filling: volume.state)
        #expect(work.sure > 0 && work.met.keys.allSatisfy { $0 == "ENOSPC" }, "\(work)")
        if work.met["ENOSPC"] ?? 0 > 0 {
            #expect(try volume.errors().contains("the disk of the local state is full"))
            #expect(try volume.done("status", "test").contains("see .cairn/errors"))
        }
        try expectWhole(volume)
    }

    // SEMANTICS: `cairn sync` and `cairn unmount`, with `--now` too, call nothing safe on this
    // machine that could not be committed there: they fail, and say how many changes are in memory
    // only. The volume stays mounted; SIGTERM or `umount` ends it without them, and the log says
    // so.
    @Test("a volume with changes that a full disk refuses stays mounted until there is room")
    func unmountFull() throws {
        let volume = try CrashVolume(stateSize: 100 << 20)
        try volume.mount()
        let change = { (text: String) in
            try volume.shell(
                """
                cd "$MNT/files"
                for n in $(seq 400); do head -c 16000 /dev/zero | tr '\\0' \(text) > $n; done
                """)
        }
        let fill = {
            try volume.shell("cat /dev/zero > \"$CAIRN_STATE/fill\" 2> \"$ROOT/full\" || true")
        }
        let expect = { (text: String) in
            try volume.shell("cd \"$MNT/files\"; for n in 1 99 200; do grep -q ^\(text) $n; done")
        }
        _ = try change("a")
        try volume.sync()
        _ = try fill()
        _ = try change("b")
        for words in [["sync"], ["unmount"], ["unmount", "--now"]] {
            let refused = try volume.tried(words + [volume.mountPoint])
            #expect(refused.status == 1, "\(words): \(refused.errors)")
            #expect(refused.errors.contains("are in memory only"), "\(words): \(refused.errors)")
            #expect(!refused.errors.contains("safe"), "\(words): \(refused.errors)")
        }
        try volume.shell("rm \"$CAIRN_STATE/fill\"")
        try volume.done("unmount", "--now", volume.mountPoint)
        try volume.mount()
        _ = try expect("b")
        // Given up.
        _ = try fill()
        _ = try change("c")
        volume.kill(with: SIGTERM)
        try volume.shell("grep -q 'error.* are lost' \"$CAIRN_STATE/volumes/test/log\"")
        try volume.shell("rm \"$CAIRN_STATE/fill\"")
        try volume.mount()
        _ = try expect("b")
        try volume.unmount()
    }

    // SEMANTICS: A full disk, here or at the store, loses nothing that was synced, and everything
    // goes on without a new mount when there is room again.
    @Test("a disk of the store that is full now and then loses nothing that was synced")
    func storeDisk() throws {
        let volume = try CrashVolume(storeSize: 120 << 20)
        try volume.mount()
        let work = try work(volume, filling: volume.store)
        #expect(work.sure > 0 && work.met.keys.allSatisfy { $0 == "ENOSPC" }, "\(work)")
        try expectWhole(volume)
    }

    // SEMANTICS: On a full disk names change whole or not at all, and what frees room is done.
    @Test("on a full disk names change whole or not at all, and what frees room is done")
    func names() throws {
        let volume = try CrashVolume(stateSize: 100 << 20)
        try volume.mount()
        try volume.shell(
            """
            cd "$MNT/files"; mkdir d
            for n in 1 2 3 4; do head -c 300000 /dev/urandom > f$n; cp f$n "$ROOT/f$n"; done
            sync f1; cd /
            cat /dev/zero > "$CAIRN_STATE/fill" 2> "$ROOT/full" || true
            """)
        let refused = { (command: String) in
            // What the cache gave back meanwhile is taken too.
            try volume.shell("cat /dev/zero >> \"$CAIRN_STATE/fill\" 2> \"$ROOT/full\" || true")
            let result = try run(
                "/bin/bash", ["-c", "cd \"$MNT/files\" && " + command],
                environment: volume.environment)
            #expect(result.status != 0, "\(command)")
            #expect(result.errors.contains("No space left"), "\(command): \(result.errors)")
        }
        #expect(
            try eventually(within: .seconds(20)) {
                try volume.shell(
                    "cat /dev/zero >> \"$CAIRN_STATE/fill\" 2> \"$ROOT/full\" || true")
                let made = try run("/bin/mkdir", [volume.mountPoint + "/files/x"])
                if made.status == 0 { _ = try run("/bin/rmdir", [volume.mountPoint + "/files/x"]) }
                return made.status != 0
            })
        try refused("mkdir y")
        try refused("touch new")
        try refused("mv f1 g1")
        try refused("mv f1 f2")
        try refused("ln f1 l1")
        try refused("ln -s f1 s1")
        try volume.shell(
            """
            cd "$MNT/files"; rm f3; rmdir d; for n in 1 2 4; do cmp f$n "$ROOT/f$n"; done
            test ! -e f3; test ! -e d; cat "$MNT/.cairn/errors" | grep -q "is full; make room"
            rm "$CAIRN_STATE/fill"
            touch new; mv f1 f2; mkdir y; sync f2; cmp f2 "$ROOT/f1"; test ! -e f1
            """)
        try volume.sync()
        volume.kill()
        try volume.mount()
        try volume.shell(
            """
            cd "$MNT/files"; cmp f2 "$ROOT/f1"; cmp f4 "$ROOT/f4"; test -d y; test -e new
            test ! -e f1; test ! -e f3; test ! -e d; test ! -e g1
            """)
    }

    // SEMANTICS: The cache gives way: what the store has too is dropped from it before its disk is
    // full.
    @Test("a cache larger than its disk gives way: more is written and read than fits on it")
    func cacheGivesWay() throws {
        let volume = try CrashVolume(stateSize: 96 << 20)
        try volume.mount()
        try volume.shell(
            """
            for n in $(seq 1 70); do
                head -c 1000000 /dev/urandom > "$ROOT/plain"
                sha256sum < "$ROOT/plain" >> "$ROOT/sums"
                cp "$ROOT/plain" "$MNT/files/f$n"; sync "$MNT/files/f$n"
            done
            for n in $(seq 1 70); do sha256sum < "$MNT/files/f$n"; done | cmp - "$ROOT/sums"
            touch "$MNT/files/new"; sync "$MNT/files/new"
            """)
        volume.kill()
        try volume.mount()
        try volume.shell(
            "for n in $(seq 1 70); do sha256sum < \"$MNT/files/f$n\"; done | cmp - \"$ROOT/sums\"")
        #expect(try volume.errors().isEmpty)
    }

    /// A volume with a disk for its local state, where the cache has 20 MB that the store has too.
    private func cached() throws -> CrashVolume {
        let volume = try CrashVolume(stateSize: 128 << 20)
        try volume.mount()
        try volume.shell(
            "for n in $(seq 1 20); do head -c 1000000 /dev/urandom > \"$MNT/files/f$n\"; done")
        try volume.sync()
        return volume
    }

    /// Others fill the disk of the local state but for some bytes.
    private func fill(_ volume: CrashVolume, leaving bytes: Int = 0) throws {
        try volume.shell(
            """
            cat /dev/zero > "$CAIRN_STATE/fill" 2> "$ROOT/full" || true
            truncate -s -\(bytes) "$CAIRN_STATE/fill"
            """)
    }

    /// It takes small writes, and brings them to the store.
    private func expectRoom(_ volume: CrashVolume) throws {
        try volume.shell("head -c 100000 /dev/urandom > \"$ROOT/plain\"")
        let keep = {
            try run(
                "/bin/bash",
                ["-c", "cp \"$ROOT/plain\" \"$MNT/files\" && sync \"$MNT/files/plain\""],
                environment: volume.environment)
        }
        #expect(try eventually(within: .seconds(20)) { try keep().status == 0 })
        #expect(try volume.shell("cmp \"$MNT/files/plain\" \"$ROOT/plain\"") == "")
        try volume.sync()
    }

    // SEMANTICS: On a disk that others have filled the cache makes room with what the store has
    // too.
    @Test("on a disk that others have filled the cache makes room with what the store has too")
    func filledByOthers() throws {
        let volume = try cached()
        try fill(volume)
        try expectRoom(volume)
    }

    // SEMANTICS: A volume whose daemon was killed is mounted on a full disk too, in the room of its
    // log, if little of that is in use, and no more than 1 MiB of small synced writes is still to
    // be moved into the cache; else the mount says that the disk is full, and nothing is lost.
    @Test("a volume is mounted on a disk that others have filled since its daemon was killed")
    func filledAfterKill() throws {
        let volume = try cached()
        // What only the journal has is to be moved at the next mount.
        try volume.shell(
            """
            head -c 4096 /dev/urandom > "$ROOT/piece"
            dd if="$ROOT/piece" of="$MNT/files/f1" conv=notrunc,fsync status=none
            """)
        volume.kill()
        try fill(volume)
        try volume.mount()
        #expect(try volume.shell("cmp -n 4096 \"$MNT/files/f1\" \"$ROOT/piece\"") == "")
        try expectRoom(volume)
    }

    // SEMANTICS: A volume that was unmounted needs 40 MiB free on that disk to be mounted; on less
    // that may fail, and says so.
    @Test("a volume that was unmounted is mounted where others have left 40 MiB, and not on less")
    func filledAfterUnmount() throws {
        let volume = try cached()
        try volume.unmount()
        for bytes in [0, 30 << 20] {
            try fill(volume, leaving: bytes)
            let refused = try volume.tried(["mount", volume.name, volume.mountPoint])
            #expect(refused.status != 0 && refused.errors.contains("has no room left"))
            #expect(refused.errors.contains("nothing is damaged: make room there"))
        }
        try fill(volume, leaving: 40 << 20)
        try volume.mount()
        try expectRoom(volume)
    }

    // SEMANTICS: The free space is the store's, at most 10 seconds old when asked for again.
    @Test("the free space is that of the store's disk, and follows it")
    func freeSpace() throws {
        let volume = try CrashVolume(storeSize: 100 << 20)
        try volume.mount()
        let free = { (path: String) in
            try #require(
                Int(
                    try volume.shell("stat -f -c '%a %S' \"\(path)\" | awk '{ print $1 * $2 }'")
                        .trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let isNear = { try abs(free(volume.mountPoint) - free(volume.store)) < 2 << 20 }
        #expect(try eventually(within: .seconds(10)) { try isNear() })
        try volume.shell("head -c 40000000 /dev/zero > \"$STORE/fill\"")
        #expect(try !isNear())
        sleep(11)
        // The first who asks after that long has it asked for.
        _ = try free(volume.mountPoint)
        #expect(try eventually(within: .seconds(5)) { try isNear() })
        try volume.unmount()
    }

    // SEMANTICS: A write is accepted or refused when it reaches the process; what the kernel
    // gathered first is refused by `fsync` or `close`.
    @Test("what the kernel gathered is refused by fsync, or by close, and what was synced stays")
    func gathered() throws {
        let volume = try CrashVolume(storeSize: 24 << 20)
        try volume.shell("sed -i 's/^read-deadline = .*/read-deadline = 1s/' \"$CONFIG\"")
        try volume.mount("cache=64M")
        try volume.shell(
            """
            cat > "$ROOT/gather.py" <<'END'
            import errno, os
            os.chdir(os.environ['MNT'] + '/files'); size = 4 << 20
            def refused(call, fd):
                try: call(fd)
                except OSError as error: return error.errno
            kept, full = {}, None
            while not full and len(kept) < 60:
                name, data = f'f{len(kept)}', os.urandom(size)
                fd = os.open(name, os.O_RDWR | os.O_CREAT)
                assert os.write(fd, data) == size
                full = refused(os.fsync, fd); refused(os.close, fd)
                if not full: kept[name] = data
            assert full == errno.ENOSPC and len(kept) >= 8, (full, len(kept))
            fd = os.open('closed', os.O_RDWR | os.O_CREAT)
            assert os.write(fd, os.urandom(size)) == size
            assert refused(os.close, fd) == errno.ENOSPC
            for name, data in kept.items():
                with open(name, 'rb') as file: assert file.read() == data, name
            END
            python3 "$ROOT/gather.py"
            """)
    }
}
