// SPDX-License-Identifier: Apache-2.0
//
// `aleph/` as real programs see it, on a double of a node.

import AlephNodeDouble
import Foundation
import Synchronization
import TestSupport
import Testing

/// A mount that shows a double's network, with money in the account.
struct AlephMounted {
    let node: NodeDouble
    let volume: MountedVolume
    let address: String

    /// Runs `body` with a mount, and ends all of it.
    static func with(
        tokens: Double = 1_000_000, options: String = "", _ body: (AlephMounted) throws -> Void
    ) throws {
        let node = try NodeDouble()
        defer { node.stop() }
        let volume = try MountedVolume(
            mounts: false, mountOptions: "aleph-node=\(node.url)" + options)
        defer { withExtendedLifetime(volume) {} }
        let shown = try volume.cairn(["aleph", "account", "show", "--json"]).output
        let fields = try JSONSerialization.jsonObject(with: Data(shown.utf8)) as? [String: Any]
        let address = try #require(fields?["address"] as? String)
        node.fund(address, tokens: tokens)
        try volume.mount()
        try body(AlephMounted(node: node, volume: volume, address: address))
    }

    /// Runs a script with `ME` and `ALEPH` set beside what volumes set.
    @discardableResult
    func shell(_ script: String) throws -> String {
        try volume.shell(
            "ALEPH=\"$MNT/aleph\"; ME=\"$ALEPH/me\"; ADDRESS=\(address); "
                + "export CAIRN_ALEPH_NODES=\(node.url)\n" + script)
    }

    /// The messages that count, as `cairn aleph messages --json` has them, the newest first.
    func messages(_ type: String) throws -> [[String: Any]] {
        let result = try volume.cairn([
            "aleph", "messages", "--node", node.url, "--type", type, "--owner", address, "--json",
        ])
        return try result.output.split(separator: "\n").compactMap { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
    }

    /// The contents of messages.
    func contents(_ type: String) throws -> [[String: Any]] {
        try messages(type).compactMap { $0["content"] as? [String: Any] }
    }

    /// Questions so far, without those for what is new.
    var questionCount: Int { node.questions.filter { !$0.contains("startDate") }.count }

    var errors: String {
        get throws { try shell("cat \"$MNT/.cairn/errors\"") }
    }
}

@Suite("Aleph Cloud in a mount", .serialized, .mounting)
struct AlephWritingMountTests {
    // SEMANTICS: `aleph/` is shown where an account was chosen with `cairn aleph account`, where a
    // node is named, or with `-o aleph`; never with `-o noaleph`.
    @Test("aleph/ is shown where somebody asked for it")
    func shown() throws {
        let cases: [(options: String?, chooses: Bool, isShown: Bool)] = [
            (nil, false, false), (nil, true, true), ("aleph", false, true),
            ("noaleph", true, false), ("aleph-node=http://127.0.0.1:9,noaleph", true, false),
            ("aleph-node=http://127.0.0.1:9", false, true),
        ]
        for (options, chooses, isShown) in cases {
            let volume = try MountedVolume(mounts: false, mountOptions: options)
            if chooses { _ = try volume.cairn(["aleph", "account", "new", "--chain", "ETH"]) }
            try volume.mount()
            let listed = try volume.shell("ls \"$MNT\"").split(separator: "\n")
            #expect(listed.contains("aleph") == isShown, "\(options ?? "none"), \(chooses)")
            withExtendedLifetime(volume) {}
        }
    }

    // SEMANTICS: A file in `me/files/` is stored a second after its last close, with its name,
    // type, permissions and time; the message of what it was before is taken back. `fsync` returns
    // when the network has processed it, and fails after 120 seconds.
    @Test("a file copied in is stored with what it was, and a newer one replaces it")
    func files() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo one > "$ROOT/a.txt"; chmod 640 "$ROOT/a.txt"
                touch -d '2026-02-03T04:05:06Z' "$ROOT/a.txt"
                cp -p "$ROOT/a.txt" "$ME/files/"
                "$CAIRN" sync "$MNT"
                cmp "$ROOT/a.txt" "$ALEPH/accounts/$ADDRESS/files/a.txt"
                cmp "$ROOT/a.txt" "$ALEPH/files/$(sha256sum < "$ROOT/a.txt" | cut -d' ' -f1)"
                test "$(stat -c '%a %Y' "$ME/files/a.txt")" = "640 1770091506"
                """)
            let metadata = try #require(
                aleph.contents("STORE").first?["metadata"] as? [String: Any])
            #expect(metadata["name"] as? String == "a.txt")
            #expect(metadata["mime_type"] as? String == "text/plain")
            #expect(metadata["mode"] as? Int == 0o640)
            #expect(metadata["mtime"] as? Double == 1_770_091_506)
            #expect(metadata["size"] as? Int == 4)
            let first = try aleph.messages("STORE").first?["item_hash"] as? String
            // fsync answers when it is processed, and not before.
            aleph.node.settings.withLock { $0.pendingLooks = 3 }
            try aleph.shell(
                """
                dd if=/dev/stdin of="$ME/files/a.txt" conv=fsync status=none <<< "two, longer"
                test "$(getfattr --only-values -n user.aleph.status "$ME/files/a.txt")" = processed
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/a.txt")" = "two, longer"
                "$CAIRN" sync "$MNT"
                """)
            let stored = try aleph.messages("STORE")
            #expect(stored.count == 1)
            #expect(stored.first?["item_hash"] as? String != first)
            let taken = try aleph.contents("FORGET").first?["hashes"] as? [String]
            #expect(taken == [first].compactMap { $0 })
        }
    }

    // SEMANTICS: `user.aleph.tags`, with commas between, and `user.aleph.metadata`, a JSON object,
    // are set on files in `me/files/`, and published like them.
    @Test("tags and metadata of a file are attributes, before and after it is stored")
    func attributes() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                cd "$ME/files"
                echo x > one; echo y > two
                setfattr -n user.aleph.tags -v 'red, blue' one
                "$CAIRN" sync "$MNT"
                setfattr -n user.aleph.tags -v red two
                setfattr -n user.aleph.metadata -v '{"language":"en"}' two
                "$CAIRN" sync "$MNT"
                test "$(getfattr --only-values -n user.aleph.tags one)" = red,blue
                test "$(ls "$ALEPH/tags/red" | wc -l)" = 2
                test "$(ls "$ALEPH/tags/red/blue" | wc -l)" = 1
                getfattr --only-values -n user.aleph.metadata two | grep -q '"language":"en"'
                getfattr -d one | grep -q "user.aleph.sender=\\"$ADDRESS\\""
                ! setfattr -n user.aleph.metadata -v '[1]' two || exit 1
                ! setfattr -n user.aleph.tags -v "$(printf 'x%.0s' $(seq 300))" two || exit 1
                ! setfattr -n user.aleph.sender -v me two || exit 1
                ! setfattr -n user.aleph.tags -v red "$ALEPH/accounts/$ADDRESS/files/two" || exit 1
                """)
            let found = try aleph.shell(
                "\"$CAIRN\" aleph messages --tag red --metadata language=en --paths")
            #expect(found.split(separator: "\n").count == 1)
            #expect(try aleph.errors.contains("a JSON object"))
        }
    }

    // SEMANTICS: A JSON file in `me/posts/` becomes a post, an edited one replaces it, a removed
    // one is taken back. Its name stays on this machine; for others, and for the next machine, it
    // is named by its message.
    @Test("posts are made, edited by an editor, and taken back")
    func posts() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo '{"text":"first","tags":["t"]}' > "$ME/posts/note.json"
                "$CAIRN" sync "$MNT"
                test "$(ls "$ME/posts")" = note.json
                """)
            let post = try #require(aleph.messages("POST").first)
            let hash = try #require(post["item_hash"] as? String)
            try aleph.shell(
                """
                vim -u NONE -N -es -c '%s/first/second/' -c wq "$ME/posts/note.json" < /dev/null
                sync "$ME/posts/note.json"
                sed -i s/second/third/ "$ME/posts/note.json"
                sync "$ME/posts/note.json"
                test "$(ls -A "$ME/posts")" = note.json
                test "$(ls "$ALEPH/accounts/$ADDRESS/posts")" = \(hash).json
                grep -q third "$ALEPH/accounts/$ADDRESS/posts/\(hash).json"
                grep -q first "$ALEPH/messages/\(hash).json"
                """)
            let contents = try aleph.contents("POST")
            #expect(contents.map { $0["type"] as? String } == ["amend", "amend", "cairn-post"])
            #expect(contents.first?["ref"] as? String == hash)
            try aleph.shell(
                """
                rm "$ME/posts/note.json"
                "$CAIRN" sync "$MNT"
                test -z "$(ls -A "$ME/posts")"
                test "$(cat "$ALEPH/messages/\(hash).status")" = forgotten
                """)
            #expect(try aleph.messages("POST").isEmpty)
        }
    }

    // SEMANTICS: A saved file in `me/aggregates/` publishes the top-level keys that changed since
    // it was opened. A key that is gone becomes `null`, which is not shown.
    // SEMANTICS: files in `aleph/me/`: 10 000 parts of 25 MiB, or what the node takes
    // SEMANTICS: posts and aggregates: 16 MiB
    @Test("what is larger than its limit is EFBIG, and nothing of it is published")
    func tooLarge() throws {
        try AlephMounted.with { aleph in
            try aleph.volume.probe(
                """
                me = MNT + '/aleph/me/'; fd = os.open(me + 'files/f', os.O_RDWR | os.O_CREAT)
                fails(errno.EFBIG, os.pwrite, fd, b'xy', (10000 * 25 << 20) - 1)
                fails(errno.EFBIG, os.ftruncate, fd, (10000 * 25 << 20) + 1)
                os.pwrite(fd, b'x', 0); os.close(fd)
                post = os.open(me + 'posts/p.json', os.O_RDWR | os.O_CREAT)
                os.write(post, b'"' + b'x' * (16 << 20) + b'"')
                fails(errno.EFBIG, os.fsync, post); fails(errno.EFBIG, os.close, post)
                """)
            #expect(try aleph.messages("POST").isEmpty)
        }
    }

    @Test("saving an aggregate publishes the keys that changed, however an editor saves")
    func aggregates() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                cd "$ME/aggregates"
                echo '{"a":1,"b":{"c":2},"d":"x"}' > K.json; sync K.json
                sed -i 's/"d":"x"/"e":"y"/' K.json; sync K.json
                vim -u NONE -N -es -c '%s/"a":1/"a":7/' -c wq K.json < /dev/null; sync K.json
                vim -u NONE -N -es -c 'set bk bkc=no' -c '%s/"y"/"z"/' -c wq K.json < /dev/null
                sync K.json
                python3 - <<'PY'
                import json
                value = json.load(open("K.json"))
                value["b"] = {"c": 3}
                with open("K.json.tmp", "w") as out: json.dump(value, out)
                import os; os.replace("K.json.tmp", "K.json")
                PY
                sync K.json
                sed -i 's/ "a"/  "a"/' K.json; "$CAIRN" sync "$MNT"
                test "$(ls K.history | wc -l)" = 5
                rm -f K.json~
                """)
            let changes = try aleph.contents("AGGREGATE").reversed().map { content in
                let value = try #require(content["content"] as? [String: Any])
                return String(
                    decoding: try JSONSerialization.data(
                        withJSONObject: value, options: .sortedKeys), as: UTF8.self)
            }
            #expect(
                changes == [
                    #"{"a":1,"b":{"c":2},"d":"x"}"#, #"{"d":null,"e":"y"}"#, #"{"a":7}"#,
                    #"{"e":"z"}"#, #"{"b":{"c":3}}"#,
                ])
            let shown = try aleph.shell("cat \"$ALEPH/accounts/$ADDRESS/aggregates/K.json\"")
            #expect(!shown.contains("\"d\"") && shown.contains("\"e\": \"z\""))
            try aleph.shell(
                """
                rm "$ME/aggregates/K.json"; "$CAIRN" sync "$MNT"
                test -z "$(ls "$ME/aggregates")"
                """)
            #expect(try aleph.messages("AGGREGATE").isEmpty)
        }
    }

    // SEMANTICS: A text in `me/posts/` or `me/aggregates/` that is no JSON, or no object, is
    // EINVAL at `close` or `fsync`: it is kept under its name with `.rejected` behind it, the name
    // has again what it had, and `.cairn/errors` has a line.
    @Test("what is no JSON is refused when it is closed, and is not lost")
    func rejected() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                cd "$ME/aggregates"
                echo '{"a":1}' > K.json; sync K.json
                echo '{"a":1' > "$ROOT/bad"
                ! cp "$ROOT/bad" K.json 2> "$ROOT/why" || exit 1
                grep -q 'Invalid argument' "$ROOT/why"
                cmp "$ROOT/bad" K.json.rejected
                grep -q '"a": *1' K.json
                ! dd if="$ROOT/bad" of=New.json conv=fsync status=none || exit 1
                cmp "$ROOT/bad" New.json.rejected
                test ! -e New.json
                echo '[1]' > "$ROOT/list"
                ! cp "$ROOT/list" K.json || exit 1
                cp "$ROOT/list" "$ME/posts/list.json"
                ! cp "$ROOT/bad" "$ME/posts/list.json" || exit 1
                cat "$ME/posts/list.json" > /dev/null
                ! touch "$ME/posts/list.txt" || exit 1
                "$CAIRN" sync "$MNT"
                """)
            #expect(try aleph.contents("AGGREGATE").count == 1)
            #expect(try aleph.errors.contains("is not a JSON object, and is not published"))
        }
    }

    // SEMANTICS: Files with temporary names, as with pads, with a dot at the front, or with
    // `.rejected` at the end stay on this machine.
    // SEMANTICS: Directories, links and special files cannot be made in `aleph/`: EPERM.
    @Test("temporary files stay here, and nothing but files can be made")
    func local() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                cd "$ME/files"
                for name in .x.swp x~ '.#x' 4913 x.tmp .hidden y.rejected; do echo 1 > "$name"; done
                "$CAIRN" sync "$MNT"
                test "$(ls -A | wc -l)" = 7
                test "$(getfattr --only-values -n user.aleph.status .hidden)" = local
                for try in 'mkdir d' 'ln -s a b' 'mkfifo p' 'ln x~ z' "mkdir $ALEPH/x" "touch $ME/y"
                do
                    ! $try || exit 1
                done
                { mkdir q 2>&1 || true; } | grep -q 'Operation not permitted'
                mv x.tmp x.txt
                "$CAIRN" sync "$MNT"
                rm .hidden
                """)
            #expect(try aleph.contents("STORE").count == 1)
        }
    }

    // SEMANTICS: A file that cannot be paid for is EDQUOT at `fsync`, and `cairn sync` says how
    // much is wanted; it stays here, with `user.aleph.status` saying why, until it is changed or
    // mounted again, or `cairn sync` or `cairn unmount` tries it once more.
    @Test("a file that the account cannot pay for says so in numbers, and waits")
    func quota() throws {
        try AlephMounted.with(tokens: 0) { aleph in
            try aleph.shell(
                """
                head -c 3000000 /dev/zero > "$ME/files/dear"
                ! sync "$ME/files/dear" 2> "$ROOT/why" || exit 1
                grep -q 'Disk quota exceeded' "$ROOT/why"
                ! "$CAIRN" sync "$MNT" 2> "$ROOT/why" || exit 1
                grep -q 'it has 0.0 ALEPH and needs 1' "$ROOT/why"
                getfattr --only-values -n user.aleph.status "$ME/files/dear" | grep -q 'short by 1'
                grep -q 'short by 1' "$MNT/.cairn/errors"
                test "$(stat -c %s "$ME/files/dear")" = 3000000
                "$CAIRN" status test | grep -q '1 file of aleph/me/ not published yet'
                cd /; ! "$CAIRN" unmount "$MNT" 2> "$ROOT/why" || exit 1
                grep -q 'needs 1.*still mounted' "$ROOT/why"
                grep -q 'unmount with --now' "$ROOT/why"
                """)
            aleph.node.fund(aleph.address, tokens: 10)
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT"
                "$CAIRN" status test | grep -q 'everything is on the store'
                """)
            #expect(try aleph.contents("STORE").count == 1)
        }
    }

    // SEMANTICS: What waits to be published survives the end of the daemon, and is published by the
    // next mount. A file whose writer was cut off is kept, and not published.
    @Test("what was not published yet is published after a kill, but what is not whole")
    func kill() throws {
        try AlephMounted.with { aleph in
            let process = try aleph.volume.daemonPID()
            try aleph.shell(
                """
                echo whole > "$ME/files/whole"
                echo '{"n":1}' > "$ME/posts/p.json"
                (exec 3> "$ME/files/cut"; echo half >&3; kill -9 \(process); sleep 0.3) || true
                while kill -0 \(process) 2> /dev/null; do sleep 0.1; done
                """)
            #expect(aleph.node.questions.allSatisfy { !$0.contains("add_file") })
            try aleph.volume.mount()
            try aleph.shell(
                """
                ! "$CAIRN" sync "$MNT" || exit 1
                test "$(cat "$ME/files/whole") $(cat "$ME/files/cut")" = "whole half"
                test "$(getfattr --only-values -n user.aleph.status "$ME/files/whole")" = processed
                status() { getfattr --only-values -n user.aleph.status "$ME/files/$1"; }
                status cut | grep -q 'did not finish'
                grep -q 'was not whole' "$MNT/.cairn/errors"
                rm "$ME/files/cut"
                "$CAIRN" sync "$MNT"
                """)
            #expect(try aleph.contents("STORE").count == 1)
            #expect(try aleph.contents("POST").count == 1)
        }
    }
}
