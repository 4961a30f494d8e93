// SPDX-License-Identifier: Apache-2.0
//
// What `ls` shows in the directories of `aleph/` that are everybody's, and how it stays fresh.

import AlephNodeDouble
import Foundation
import TestSupport
import Testing

@Suite("listing Aleph Cloud in a mount", .serialized, .mounting)
struct AlephListingMountTests {
    // SEMANTICS: `messages/`, `files/`, `ipfs/`, `tags/` and `accounts/` open whatever is asked
    // for by its name. They list what the newest 1000 messages of the account have, or, for
    // `accounts/`, the account; and the last 1000 names in each that were looked up since the
    // mount began and were there. `tags/A/B` lists the messages that have both tags.
    @Test("directories of everything list what is the account's, and what was looked up")
    func shared() throws {
        try AlephMounted.with { aleph in
            let hello = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
            aleph.node.plant(Array("hello\n".utf8), as: hello)
            let digest = String(repeating: "5", count: 64)
            aleph.node.plant(Array("other".utf8), as: digest)
            try aleph.shell(
                """
                list() { ls "$ALEPH/$1" | tr '\\n' ' '; }
                test "$(list accounts)" = "$ADDRESS "
                for name in messages files ipfs tags; do test -z "$(list $name)"; done
                cat "$ALEPH/ipfs/\(hello)" > /dev/null
                test "$(list ipfs)" = "\(hello) "
                stat "$ALEPH/files/\(digest)" > /dev/null
                test "$(list files)" = "\(digest) "
                ! stat "$ALEPH/files/$(printf '%064d' 0)" || exit 1
                ! stat "$ALEPH/messages/$(printf '%064d' 0).json" || exit 1
                test "$(list files)" = "\(digest) "; test -z "$(list messages)"
                """)
            // What the account publishes is there without being looked for, and goes with it.
            try aleph.shell(
                """
                list() { ls "$ALEPH/$1" | tr '\\n' ' '; }
                echo '{"tags":["a","b"]}' > "$ME/posts/p.json"
                echo text > "$ME/files/f"; setfattr -n user.aleph.tags -v 'a,c/d' "$ME/files/f"
                "$CAIRN" sync "$MNT"
                test "$(list tags)" = 'a b c%2Fd '
                test "$(ls "$ALEPH/tags/a" | wc -l) $(ls "$ALEPH/tags/a/b" | wc -l)" = '2 1'
                test "$(ls "$ALEPH/messages" | wc -l)" = 2
                file=$(sha256sum < "$ME/files/f" | cut -d' ' -f1)
                ls "$ALEPH/files" | grep -qx $file
                test "$(cat "$ALEPH/files/$file")" = text
                message=$(getfattr --only-values -n user.aleph.item_hash "$ME/files/f")
                test "$(cat "$ALEPH/files/$message")" = text
                rm "$ME/files/f"; "$CAIRN" sync "$MNT"
                ! ls "$ALEPH/messages" | grep -qx $message.json || exit 1
                ! ls "$ALEPH/files" | grep -qx $file || exit 1
                test "$(ls "$ALEPH/tags/a" | wc -l)" = 1
                """)
        }
    }

    @Test("a long list comes by the cursor, a page at a time, in little memory")
    func long() throws {
        // docs/performance.md has the numbers of ten thousand.
        let given = ProcessInfo.processInfo.environment["CAIRN_ALEPH_MESSAGES"]
        let count = given.flatMap { Int($0) } ?? 2000
        try AlephMounted.with { aleph in
            let writer = try aleph.node.fill(count, tag: "many")
            let process = try aleph.volume.daemonPID()
            func resident() throws -> Int {
                let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
                let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") }
                return try #require(line?.split(separator: " ").dropLast().last.flatMap { Int($0) })
            }
            let before = try resident()
            let started = ContinuousClock.now
            let posts = "$ALEPH/accounts/\(writer)/posts"
            #expect(try aleph.shell("ls \"\(posts)\" | wc -l") == "\(count)\n")
            let took = ContinuousClock.now - started
            let pages = aleph.node.questions.filter { question in
                question.contains("owners=\(writer)") && !question.contains("startDate")
            }
            #expect(pages.count <= count / 200 + 1, "\(pages.count) questions")
            #expect(pages.allSatisfy { $0.contains("cursor=") })
            let grown = try resident() - before
            print("\(count) messages: \(took), \(grown) KiB more memory")
            #expect(grown < (16 << 10) + 8 * count, "\(grown) KiB")
            let asked = aleph.questionCount
            try aleph.shell(
                """
                test "$(ls -l "\(posts)" | wc -l)" = \(count + 1)
                cat "\(posts)/$(ls "\(posts)" | tail -n 1)" | grep -q '"many"'
                """)
            #expect(aleph.questionCount == asked)
        }
    }

    @Test("tags and accounts of others are listed once something was found in them")
    func others() throws {
        try AlephMounted.with { aleph in
            let other = try AlephVolume(aleph)
            try other.shell(
                """
                echo '{"tags":["theirs"]}' > "$ME/posts/p.json"; echo x > "$ME/files/x"
                "$CAIRN" sync "$MNT"
                """)
            try aleph.shell(
                """
                list() { ls "$ALEPH/$1" | tr '\\n' ' '; }
                # The kernel is told of a new name a moment after the answer that brought it.
                names() {
                    for _ in $(seq 100); do
                        if [ "$(list "$1" | wc -w)" = "$2" ]; then return; fi
                        sleep 0.1
                    done
                    echo "$1 lists: $(list "$1")" >&2; exit 1
                }
                test -z "$(list tags)"; test "$(list accounts)" = "$ADDRESS "
                test -z "$(list tags/never)"; names tags/theirs 1
                names tags 1; test "$(list tags)" = 'theirs '
                ls "$ALEPH/accounts/\(other.address)" > /dev/null
                test "$(list accounts)" = "$ADDRESS "
                test "$(cat "$ALEPH/accounts/\(other.address)/files/x")" = x
                names accounts 2
                """)
            // All of it is warm now: no question, also without the kernel's cache.
            let look = "ls -lR \"$ALEPH/tags\" \"$ALEPH/accounts\" \"$ALEPH/messages\" | wc -l"
            let first = try aleph.shell(look)
            let before = aleph.questionCount
            #expect(try aleph.shell(look) == first)
            try aleph.shell("sync; echo 3 > /proc/sys/vm/drop_caches || true")
            #expect(try aleph.shell(look) == first)
            #expect(aleph.questionCount == before, "\(aleph.node.questions.suffix(5))")
        }
    }

    // SEMANTICS: What others publish is seen by who keeps a directory open and reads it again:
    // the kernel is told. inotify hears nothing of it, for the kernel has no such message.
    @Test("a message that comes is in a directory that is open, and in a file that was read")
    func fresh() throws {
        try AlephMounted.with { aleph in
            let other = try AlephVolume(aleph)
            try other.shell(
                """
                echo '{"v":1}' > "$ME/aggregates/K.json"; echo '{"tags":["t"]}' > "$ME/posts/a.json"
                "$CAIRN" sync "$MNT"
                """)
            try aleph.shell(
                """
                python3 - "$ALEPH" \(other.address) "$ROOT/ready" "$ROOT/seen" <<'END' &
                import os, sys, time
                aleph, other, ready, seen = sys.argv[1:]
                base = aleph + '/accounts/' + other
                folders = [os.open(path, os.O_RDONLY) for path in
                           (base + '/posts', base + '/files', aleph + '/tags/t')]
                value = base + '/aggregates/K.json'
                before = [len(os.listdir(folder)) for folder in folders]
                assert before == [1, 0, 1], before
                assert '"v": 1' in open(value).read()
                open(ready, 'w').close()
                end = time.monotonic() + 30
                while time.monotonic() < end:
                    after = [len(os.listdir(folder)) for folder in folders]
                    if after == [2, 1, 2] and '"v": 2' in open(value).read(): break
                    time.sleep(0.1)
                open(seen, 'w').write(repr(after))
                END
                for i in $(seq 100); do test -e "$ROOT/ready" && break; sleep 0.1; done
                test -e "$ROOT/ready"
                """ + "\nMNT=\"\(other.mountPoint)\" ME=\"\(other.mountPoint)/aleph/me\"\n" + """
                    echo '{"v":2}' > "$ME/aggregates/K.json"
                    echo '{"tags":["t"]}' > "$ME/posts/b.json"
                    echo x > "$ME/files/x"
                    wait
                    test "$(cat "$ROOT/seen")" = '[2, 1, 2]'
                    """)
        }
    }
}

/// A volume of its own on the same node, mounted, with money: somebody else.
struct AlephVolume {
    private let volume: MountedVolume
    let address: String
    private let url: String

    init(_ aleph: AlephMounted) throws {
        url = aleph.node.url
        volume = try MountedVolume(mounts: false, mountOptions: "aleph-node=\(url)")
        let shown = try volume.cairn(["aleph", "account", "show", "--json"]).output
        let fields = try JSONSerialization.jsonObject(with: Data(shown.utf8)) as? [String: Any]
        address = try #require(fields?["address"] as? String)
        aleph.node.fund(address, tokens: 1_000_000)
        try volume.mount()
    }

    var mountPoint: String { volume.mountPoint }

    @discardableResult
    func shell(_ script: String) throws -> String {
        try volume.shell("ALEPH=\"$MNT/aleph\"; ME=\"$ALEPH/me\"\n" + script)
    }
}
