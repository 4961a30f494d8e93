// SPDX-License-Identifier: Apache-2.0
//
// Files in `aleph/` that are larger than a node takes: stored in parts, shown as one.

import AlephNodeDouble
import Foundation
import LocalServer
import TestSupport
import Testing

@Suite("large files on Aleph Cloud in a mount", .serialized, .mounting)
struct AlephLargeMountTests {
    /// The most bytes of a stored file at the node: a file of 10 000 000 bytes has four parts.
    private static let limit = 3_000_000

    private func with(_ body: (AlephMounted) throws -> Void) throws {
        try AlephMounted.with { aleph in
            aleph.node.change { $0.storageLimit = AlephLargeMountTests.limit }
            try aleph.shell("head -c 10000000 /dev/urandom > \"$ROOT/film\"")
            try body(aleph)
        }
    }

    /// Questions for the bytes of stored files so far.
    private func downloads(_ aleph: AlephMounted) -> Int {
        aleph.node.questions.count { $0.contains("/storage/raw/") }
    }

    private func uploads(_ aleph: AlephMounted) -> Int {
        aleph.node.questions.count { $0.contains("add_file") }
    }

    /// Returns when the node was given so many files, and fails after a minute.
    private func waitForUploads(_ count: Int, _ aleph: AlephMounted) throws {
        let end = ContinuousClock.now + .seconds(60)
        while uploads(aleph) < count {
            try #require(ContinuousClock.now < end, "\(uploads(aleph)) of \(count) uploads")
            usleep(20_000)
        }
    }

    /// Has each upload take so long.
    private func slow(_ aleph: AlephMounted, microseconds: UInt32) {
        aleph.node.change { settings in
            settings.intercept = { request, _ in
                if request.target.contains("add_file") { usleep(microseconds) }
                return nil
            }
        }
    }

    // SEMANTICS: A file in `me/files/` that is larger than the node takes is stored in parts,
    // and is one file everywhere in `aleph/`; its parts, and the packs and pads of volumes that
    // rest on the network, are not listed. A part that another file of the account has too is
    // stored once.
    @Test("a file over the node's limit is cut, listed and read as one, changed and removed as one")
    func life() throws {
        try with { aleph in
            try aleph.shell(
                """
                cp -p "$ROOT/film" "$ME/files/film.mkv"; chmod 640 "$ME/files/film.mkv"
                setfattr -n user.aleph.tags -v movie,long "$ME/files/film.mkv"
                sync "$ME/files/film.mkv"
                for place in me accounts/$ADDRESS; do
                    test "$(ls "$ALEPH/$place/files")" = film.mkv
                    cmp "$ROOT/film" "$ALEPH/$place/files/film.mkv"
                done
                test "$(stat -c '%a %s' "$ME/files/film.mkv")" = '640 10000000'
                test "$(stat -c %Y "$ME/files/film.mkv")" = "$(stat -c %Y "$ROOT/film")"
                tags() { getfattr --only-values -n user.aleph.tags "$ME/files/film.mkv"; }
                test "$(tags)" = movie,long
                hash=$(getfattr --only-values -n user.aleph.item_hash "$ME/files/film.mkv")
                test "$(ls "$ALEPH/files")" = $hash
                cmp "$ROOT/film" "$ALEPH/files/$hash"
                test "$(getfattr --only-values -n user.ipfs.cid "$ME/files/film.mkv")" \
                    = "$("$CAIRN" aleph cid "$ROOT/film")"
                test -z "$(ls "$ME/posts")"
                test "$(ls "$ALEPH/messages")" = $hash.json
                test "$(ls "$ALEPH/tags" | tr '\\n' ' ')" = 'long movie '
                "$CAIRN" aleph get $hash "$ROOT/back"; cmp "$ROOT/film" "$ROOT/back"
                """)
            #expect(try aleph.messages("STORE").count == 4 && aleph.messages("POST").count == 1)
            // What is said of it is published without its bytes; a copy of it costs no part more.
            let sent = uploads(aleph)
            try aleph.shell(
                """
                setfattr -n user.aleph.tags -v short "$ME/files/film.mkv"
                cp "$ROOT/film" "$ME/files/copy.mkv"
                "$CAIRN" sync "$MNT"
                test "$(getfattr --only-values -n user.aleph.tags "$ME/files/film.mkv")" = short
                rm "$ME/files/film.mkv"
                "$CAIRN" sync "$MNT"
                cmp "$ROOT/film" "$ME/files/copy.mkv"
                test "$(ls "$ME/files")" = copy.mkv
                """)
            #expect(uploads(aleph) == sent)
            #expect(try aleph.messages("STORE").count == 4 && aleph.messages("POST").count == 1)
            // Another start has its first part anew; what is small is no large file any more.
            try aleph.shell(
                """
                printf changed | dd of="$ME/files/copy.mkv" conv=notrunc status=none
                printf changed | dd of="$ROOT/film" conv=notrunc status=none
                "$CAIRN" sync "$MNT"
                cmp "$ROOT/film" "$ME/files/copy.mkv"
                """)
            #expect(uploads(aleph) == sent + 1)
            #expect(try aleph.messages("STORE").count == 4)
            try aleph.shell(
                """
                mv "$ME/files/copy.mkv" "$ME/files/moved.mkv"; "$CAIRN" sync "$MNT"
                cmp "$ROOT/film" "$ME/files/moved.mkv"
                echo small > "$ME/files/moved.mkv"; "$CAIRN" sync "$MNT"
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/moved.mkv")" = small
                """)
            #expect(try aleph.messages("STORE").count == 1 && aleph.messages("POST").isEmpty)
            #expect(try aleph.errors.isEmpty)
        }
    }

    // SEMANTICS: Of a file in parts a read brings only the parts that it touches, and the next
    // one where it is read on end; what came stays on this disk. Each part is checked before a
    // byte of it is shown.
    @Test("a read brings the parts it touches, once, and no byte of a wrong one")
    func ranges() throws {
        try with { aleph in
            // Stored by somebody else's program: nothing of it is on this disk.
            try aleph.shell("\"$CAIRN\" aleph store \"$ROOT/film\"; ls \"$ME/files\"")
            #expect(try aleph.shell("stat -c %s \"$ME/files/film\"") == "10000000\n")
            #expect(downloads(aleph) == 0)
            func same(_ skip: Int, _ count: Int) throws {
                try aleph.shell(
                    """
                    cmp <(tail -c +$((\(skip) + 1)) "$ROOT/film" | head -c \(count)) \
                        <(python3 -c 'import os, sys
                    os.posix_fadvise(0, 0, 0, os.POSIX_FADV_RANDOM)
                    sys.stdout.buffer.write(os.pread(0, \(count), \(skip)))' < "$ME/files/film")
                    """)
            }
            try same(7_000_000, 1000)
            #expect(downloads(aleph) == 1)
            try same(7_100_000, 1000)
            #expect(downloads(aleph) == 1)
            try same(2_999_000, 2000)
            #expect(downloads(aleph) == 3)
            try aleph.shell(
                """
                cmp "$ROOT/film" "$ME/files/film"
                sync; echo 3 > /proc/sys/vm/drop_caches
                cmp "$ROOT/film" "$ME/files/film"
                """)
            #expect(downloads(aleph) == 4)
            // Another file, of which the node gives other bytes.
            aleph.node.change { settings in
                settings.intercept = { request, reply in
                    guard request.target.contains("/storage/raw/") else { return nil }
                    var changed = reply
                    if !changed.body.isEmpty { changed.body[changed.body.count / 2] ^= 1 }
                    return changed
                }
            }
            try aleph.shell(
                """
                head -c 7000000 /dev/urandom > "$ROOT/other"
                "$CAIRN" aleph store "$ROOT/other"
                for i in $(seq 150); do test -e "$ME/files/other" && break; sleep 0.1; done
                ! cat "$ME/files/other" > "$ROOT/shown" 2> "$ROOT/why" || exit 1
                grep -q 'Input/output error' "$ROOT/why"
                test ! -s "$ROOT/shown"
                grep -q 'not true' "$MNT/.cairn/errors"
                """)
        }
    }

    @Test("a kill between two parts costs no part twice")
    func kill() throws {
        try with { aleph in
            let process = try aleph.volume.daemonPID()
            // Parts come slowly enough for the daemon to be killed between them.
            slow(aleph, microseconds: 700_000)
            try aleph.shell("cp \"$ROOT/film\" \"$ME/files/film\"")
            try waitForUploads(1, aleph)
            try aleph.shell(
                """
                kill -9 \(process)
                while kill -0 \(process) 2> /dev/null; do sleep 0.1; done
                """)
            let before = uploads(aleph)
            #expect((1...3).contains(before), "\(before)")
            aleph.node.change { $0.intercept = nil }
            try aleph.volume.mount()
            try aleph.shell("\"$CAIRN\" sync \"$MNT\"; cmp \"$ROOT/film\" \"$ME/files/film\"")
            #expect(uploads(aleph) == 4 || uploads(aleph) == 5)
            #expect(try aleph.messages("STORE").count <= 5)
        }
    }

    @Test("what cannot be paid for leaves no part behind, and neither does what is given up")
    func givenUp() throws {
        try with { aleph in
            // The account can pay for one part, and a bit of the second.
            aleph.node.fund(aleph.address, tokens: 1.5 - 1_000_000)
            try aleph.shell(
                """
                cp "$ROOT/film" "$ME/files/film"
                ! sync "$ME/files/film" 2> "$ROOT/why" || exit 1
                grep -q 'Disk quota exceeded' "$ROOT/why"
                grep -q 'short by' "$MNT/.cairn/errors"
                cmp "$ROOT/film" "$ME/files/film"
                """)
            #expect(uploads(aleph) >= 2)
            try aleph.shell("\"$CAIRN\" sync \"$MNT\" || true")
            #expect(try aleph.messages("STORE").isEmpty)
            // Removed while its second part is under way.
            aleph.node.fund(aleph.address, tokens: 1_000_000)
            let sent = uploads(aleph)
            slow(aleph, microseconds: 700_000)
            try aleph.shell("rm \"$ME/files/film\"; cp \"$ROOT/film\" \"$ME/files/again\"")
            try waitForUploads(sent + 2, aleph)
            try aleph.shell(
                """
                rm "$ME/files/again"; "$CAIRN" sync "$MNT"
                test -z "$(ls "$ME/files")"
                """)
            #expect(try aleph.messages("STORE").isEmpty && aleph.messages("POST").isEmpty)
            // It ended with the part under way.
            #expect(uploads(aleph) <= sent + 3)
        }
    }

    @Test("what takes the place of a large file that is under way stays, and its parts go")
    func replaced() throws {
        try with { aleph in
            slow(aleph, microseconds: 800_000)
            try aleph.shell("cp \"$ROOT/film\" \"$ME/files/film\"")
            try waitForUploads(1, aleph)
            try aleph.shell(
                """
                echo new > "$ME/files/other"; mv "$ME/files/other" "$ME/files/film"
                test "$(cat "$ME/files/film")" = new
                sync "$ME/files/film"; "$CAIRN" sync "$MNT"
                test "$(cat "$ME/files/film")" = new
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/film")" = new
                test "$(ls "$ME/files")" = film
                """)
            // The small file's is the one besides those that were under way.
            #expect(uploads(aleph) <= 4)
            #expect(try aleph.messages("STORE").count == 1 && aleph.messages("POST").isEmpty)
            // The same with other bytes written over it: what parts have in common stays.
            aleph.node.change { $0.intercept = nil }
            try aleph.shell("\"$CAIRN\" sync \"$MNT\"")
            let before = uploads(aleph)
            slow(aleph, microseconds: 800_000)
            try aleph.shell("cp \"$ROOT/film\" \"$ME/files/film\"")
            try waitForUploads(before + 2, aleph)
            try aleph.shell(
                """
                setfattr -n user.aleph.tags -v late "$ME/files/film"
                printf changed | dd of="$ME/files/film" conv=notrunc status=none
                printf changed | dd of="$ROOT/film" conv=notrunc status=none
                "$CAIRN" sync "$MNT"
                test "$(getfattr --only-values -n user.aleph.tags "$ME/files/film")" = late
                cmp "$ROOT/film" "$ME/files/film"
                hash=$(getfattr --only-values -n user.aleph.item_hash "$ME/files/film")
                "$CAIRN" aleph get $hash "$ROOT/back"; cmp "$ROOT/film" "$ROOT/back"
                """)
            #expect(try aleph.messages("STORE").count == 4 && aleph.messages("POST").count == 1)
            #expect(try aleph.errors.isEmpty)
        }
    }

    @Test("a name that no manifest has, too many tags, and a list that nobody can read")
    func names() throws {
        try with { aleph in
            try aleph.shell(
                """
                cp "$ROOT/film" "$ME/files/a%2Fb"; "$CAIRN" sync "$MNT"
                test "$(ls "$ME/files")" = a%2Fb
                cmp "$ROOT/film" "$ME/files/a%2Fb"
                rm "$ME/files/a%2Fb"; "$CAIRN" sync "$MNT"
                test -z "$(ls "$ME/files")"
                """)
            #expect(try aleph.messages("STORE").isEmpty && aleph.messages("POST").isEmpty)
            // A manifest has a tag of its own: nothing is paid before that is found.
            let sent = uploads(aleph)
            try aleph.shell(
                """
                cp "$ROOT/film" "$ME/files/tagged"
                setfattr -n user.aleph.tags -v $(seq -s, 16) "$ME/files/tagged"
                ! sync "$ME/files/tagged" 2> "$ROOT/why" || exit 1
                grep -q 'Invalid argument' "$ROOT/why"
                setfattr -n user.aleph.tags -v $(seq -s, 15) "$ME/files/tagged"
                """)
            #expect(uploads(aleph) == sent)
            try aleph.shell("sync \"$ME/files/tagged\"; \"$CAIRN\" sync \"$MNT\"")
            // One manifest cannot be checked: files go all the same, parts do not.
            aleph.node.change { settings in
                settings.intercept = { request, reply in
                    guard request.target.contains("contentTypes=cairn-large-file") else {
                        return nil
                    }
                    var changed = reply
                    let text = String(decoding: reply.body, as: UTF8.self)
                    changed.body = Array(
                        text.replacing("\\\"version\\\":1", with: "\\\"version\\\":2").utf8)
                    return changed
                }
            }
            try aleph.shell(
                """
                rm "$ME/files/tagged"; "$CAIRN" sync --timeout 60s "$MNT"
                test -z "$(ls "$ME/files")"
                grep -q 'cannot be checked: no parts are taken back' "$MNT/.cairn/errors"
                """)
            #expect(try aleph.messages("STORE").count == 4 && aleph.messages("POST").isEmpty)
        }
    }
}
