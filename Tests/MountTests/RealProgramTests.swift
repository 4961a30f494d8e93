// SPDX-License-Identifier: Apache-2.0
//
// Real programs on a real mount, then everything again from the phrase and the store alone.

import Foundation
import TestSupport
import Testing

/// Each on a volume of its own: beside each other.
@Suite("real programs", .mounting)
struct RealProgramTests {
    /// A tree with everything that trees have.
    static func makeTree(_ folder: String) throws {
        try shell(
            """
            mkdir -p "$TREE/src/deep/er" && cd "$TREE"
            git init -q . && git config user.name t && git config user.email t@localhost
            for i in $(seq 1 60); do head -c $((i * 700)) /dev/urandom > src/file$i; done
            cp -r /usr/include/linux/netfilter src/deep/er/ 2>/dev/null \
                || cp -r /usr/include/linux src/deep/er/
            git add -A && git -c commit.gpgsign=false commit -qm first
            ln -s src/file1 link; ln -s does/not/exist dangling; ln src/file2 hard
            ln src/file50 src/deep/hard50; : > empty; truncate -s 20M sparse
            printf data | dd of=sparse bs=1 seek=9000000 conv=notrunc status=none
            touch "$(printf 'n%.0s' $(seq 255))"; mkdir 'ünïcode dir'; echo x > 'ünïcode dir/日本語'
            setfattr -n user.test -v value empty; setfattr -n user.bin -v 0x00ff10 src/file3
            mkfifo fifo; chmod 4755 src/file4; chmod 000 src/file5; chown 1234:4321 src/file6
            touch -d '1950-01-02 03:04:05.123456789' old; touch -d '2150-06-01 00:00:00.5' future
            mkdir -m 1777 sticky; mkdir emptydir
            # rsync leaves a directory's time alone when only its nanoseconds differ.
            sleep 1.1
            """, ["TREE": folder])
    }

    @Test("cp, rsync and tar copy trees whole, and the phrase alone brings everything back")
    func trees() throws {
        let volume = try MountedVolume()
        let tree = volume.root + "/tree"
        try Self.makeTree(tree)
        try volume.shell(
            """
            cd "$MNT/files"
            cp -a "$ROOT/tree" cp
            rsync -aHAX "$ROOT/tree/" rsync/
            rsync -aHAX --stats "$ROOT/tree/" rsync/ | grep -q 'regular files transferred: 0'
            test -z "$(rsync -aHAXi "$ROOT/tree/" rsync/)"
            tar -C "$ROOT" -cf - tree | tar -xpf - --transform 's/^tree/untar/'
            cp -a /usr/include include
            """)
        let wanted = try MountedVolume.manifest(tree)
        let include = try MountedVolume.manifest("/usr/include")
        func check(_ stage: String) throws {
            for copy in ["cp", "rsync"] {
                let found = try MountedVolume.manifest(volume.mountPoint + "/files/" + copy)
                let differing = MountedVolume.difference(found, wanted)
                #expect(differing.isEmpty, "\(stage), \(copy): \(differing)")
            }
            let found = try MountedVolume.manifest(volume.mountPoint + "/files/include")
            let differing = MountedVolume.difference(found, include)
            #expect(differing.isEmpty, "\(stage): \(differing)")
            try volume.shell(
                """
                tar -C "$ROOT" -cf - tree \
                | tar -C "$MNT/files" -df - --transform 's/^tree/untar/' 2>&1 \
                | { ! grep -E 'differs|No such|Cannot'; }
                """
            )
            try volume.shell("tar -C \"$MNT/files\" -cf - cp | tar -tf - | wc -l | grep -qv '^0$'")
        }
        try check("first mount")
        try volume.recover()
        try check("recovered")
        #expect(try volume.shell("cat \"$MNT/.cairn/errors\"").isEmpty)
    }

    @Test("git clones, shows a clean status and commits")
    func git() throws {
        let volume = try MountedVolume()
        try Self.makeTree(volume.root + "/tree")
        try volume.shell(
            """
            cd "$MNT/files"
            export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
            git clone -q --no-local "$ROOT/tree" clone && cd clone
            test -z "$(git status --porcelain)"
            echo more >> src/file1; git -c user.name=t -c user.email=t@localhost commit -qam second
            test -z "$(git status --porcelain)"; git fsck --full
            """)
        try volume.recover()
        try volume.shell(
            """
            cd "$MNT/files/clone"
            export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
            test -z "$(git status --porcelain)"; git fsck --full
            git log --oneline | wc -l | grep -qx 2
            """)
    }

    @Test("a sqlite database in WAL mode keeps its rows")
    func sqlite() throws {
        let volume = try MountedVolume()
        try volume.shell(
            """
            db="$MNT/files/test.db"
            sqlite3 "$db" \
            'pragma journal_mode=wal; create table t(a integer primary key, b blob);' \
            | grep -qx wal
            for i in $(seq 50); do \
            sqlite3 "$db" "insert into t(b) values(randomblob($i * 100));"; done
            sqlite3 "$db" 'pragma integrity_check;' | grep -qx ok
            sqlite3 "$db" 'select count(*), sum(length(b)) from t;' > "$ROOT/before"
            """)
        try volume.recover()
        try volume.shell(
            """
            sqlite3 "$MNT/files/test.db" 'pragma integrity_check;' | grep -qx ok
            sqlite3 "$MNT/files/test.db" 'select count(*), sum(length(b)) from t;' \
            | cmp - "$ROOT/before"
            """)
    }

    @Test("a file of 3 GiB takes random rewrites in its middle")
    func largeFile() throws {
        let volume = try MountedVolume()
        // In a check, data at its ends and around 2 GiB, with holes between; else data throughout.
        let parts = Effort.isLong ? "0:3072" : "0:96 1952:192 2976:96"
        try volume.shell(
            """
            for part in \(parts); do
                openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff \\
                    -iv "$(printf %032x "${part%:*}")" -in /dev/zero 2>/dev/null \\
                    | dd of="$ROOT/plain" bs=1M iflag=fullblock conv=notrunc status=none \\
                        seek=${part%:*} count=${part#*:} || true
            done
            test "$(stat -c %s "$ROOT/plain")" = 3221225472
            cp "$ROOT/plain" "$MNT/files/large"
            "$CAIRN" sync "$MNT"
            python3 - "$ROOT/plain" "$MNT/files/large" <<'PY'
            import os, random, sys
            for path in sys.argv[1:]:
                r = random.Random(7); fd = os.open(path, os.O_RDWR)
                for _ in range(300):
                    n = r.randrange(1, 70000); o = r.randrange(1 << 30, 2 << 30)
                    os.pwrite(fd, r.randbytes(n), o)
                os.fsync(fd); os.close(fd)
            PY
            cmp "$ROOT/plain" "$MNT/files/large"
            """)
        try volume.recover()
        try volume.shell("cmp \"$ROOT/plain\" \"$MNT/files/large\"")
    }

    @Test("the folder store has no plaintext and no name")
    func ciphertextOnly() throws {
        let volume = try MountedVolume()
        try volume.shell(
            """
            mkdir "$MNT/files/SECRETDIRNAME"
            for i in 1 100 5000 20000; do \
            yes PLAINTEXTMARKER | head -c $i > "$MNT/files/SECRETDIRNAME/SECRETNAME$i" || true
            done
            yes PLAINTEXTMARKER | head -c 9000000 > "$MNT/files/large" || true
            echo PLAINTEXTMARKER > "$MNT/scratchpads/SECRETNAMEpad"
            ln -s PLAINTEXTMARKER "$MNT/files/SECRETNAMElink"
            setfattr -n user.x -v PLAINTEXTMARKER "$MNT/files/large"
            "$CAIRN" sync "$MNT"
            ! grep -rlaE 'PLAINTEXT|SECRETDIR|SECRETNAME|scratchpads' "$STORE" || exit 1
            ! find "$STORE" | grep -E 'PLAINTEXT|SECRET' || exit 1
            test "$(find "$STORE" -type f | wc -l)" -gt 5
            ! grep -rlaE 'PLAINTEXTMARKER' "$CAIRN_STATE"/volumes/*/arena || exit 1
            """)
    }

    @Test(
        "after kill -9 in the middle of a copy the remount is clean and what was fsynced is there")
    func killed() throws {
        let volume = try MountedVolume()
        try volume.shell(
            """
            cd "$MNT/files"; head -c 3000000 /dev/urandom > "$ROOT/kept"
            cp "$ROOT/kept" kept; sync kept; mkdir d; cp "$ROOT/kept" d/inner; sync d/inner d
            echo padtext > "$MNT/scratchpads/p"; sync "$MNT/scratchpads/p"
            """)
        let pid = try volume.daemonPID()
        let copy = Process()
        copy.executableURL = URL(fileURLWithPath: "/bin/cp")
        copy.arguments = ["-a", "/usr/include", volume.mountPoint + "/files/part"]
        copy.standardError = FileHandle.nullDevice
        try copy.run()
        usleep(600_000)
        #expect(kill(pid, SIGKILL) == 0)
        copy.waitUntilExit()
        try volume.mount()
        try volume.shell(
            """
            cmp "$ROOT/kept" "$MNT/files/kept"; cmp "$ROOT/kept" "$MNT/files/d/inner"
            grep -qx padtext "$MNT/scratchpads/p"
            find "$MNT/files" -type f -exec cat {} + > /dev/null
            cp -a /usr/include "$MNT/files/again"; diff -r /usr/include "$MNT/files/again"
            """)
        try volume.recover()
        try volume.shell(
            "cmp \"$ROOT/kept\" \"$MNT/files/d/inner\"; diff -r /usr/include \"$MNT/files/again\"")
    }
}
