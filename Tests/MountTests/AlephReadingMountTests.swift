// SPDX-License-Identifier: Apache-2.0
//
// Reading `aleph/`: what is kept, what is new, what is not there, and nodes that lie or are silent.

import AlephNodeDouble
import Foundation
import LocalServer
import Synchronization
import TestSupport
import Testing

@Suite("reading Aleph Cloud in a mount", .serialized, .mounting)
struct AlephReadingMountTests {
    // SEMANTICS: What is kept in memory, and stored files on this disk, are shown without a
    // question to a node. Nodes are asked every 5 seconds for what is new about it, every minute
    // when the tree was not used for two, and at once when it is used again.
    @Test("a warm ls or cat asks nobody, and what another machine publishes is seen")
    func warm() throws {
        try AlephMounted.with { aleph in
            let other = aleph.volume.root + "/other"
            try aleph.shell(
                """
                cp -r "$CAIRN_STATE" "$ROOT/state2"; mkdir "\(other)"
                echo one > "$ME/files/f"; echo '{"a":1,"b":1}' > "$ME/aggregates/K.json"
                echo '{"n":1}' > "$ME/posts/p.json"; "$CAIRN" sync "$MNT"
                """)
            // The copy must be a volume that nobody uses: the lock is the file's, not the folder's.
            let mounted = try aleph.volume.cairn([
                "mount", "--state", aleph.volume.root + "/state2", "test", other, "-o",
                "aleph-node=\(aleph.node.url)",
            ])
            #expect(mounted.status == 0, "\(mounted.errors)")
            defer {
                _ = try? aleph.volume.cairn([
                    "unmount", "--state", aleph.volume.root + "/state2", "test", "--now",
                ])
            }
            let look = """
                ls -lR "\(other)/aleph/me" > /dev/null
                cat "\(other)"/aleph/me/files/* "\(other)"/aleph/me/aggregates/*.json \
                    "\(other)"/aleph/me/posts/* "\(other)"/aleph/me/aggregates/K.history/*
                """
            let first = try aleph.shell(look)
            #expect(first.contains("one") && first.contains("\"n\": 1"))
            let before = aleph.questionCount
            for _ in 0..<3 { #expect(try aleph.shell(look) == first) }
            #expect(aleph.questionCount == before)
            // The kernel's own cache is dropped, and still nobody is asked.
            try aleph.shell("sync; echo 3 > /proc/sys/vm/drop_caches || true")
            #expect(try aleph.shell(look) == first)
            #expect(aleph.questionCount == before)
            try aleph.shell(
                """
                echo two-and-longer > "$ME/files/f"; echo new > "$ME/files/g"
                echo '{"a":2,"b":1}' > "$ME/aggregates/K.json"
                echo '{"n":22222}' > "$ME/posts/p.json"; "$CAIRN" sync "$MNT"
                for i in $(seq 150); do
                    grep -qs '"a": 2' "\(other)/aleph/me/aggregates/K.json" && break; sleep 0.1
                done
                """)
            let second = try aleph.shell(look)
            for part in ["two-and-longer", "new", "\"a\": 2", "\"n\": 22222"] {
                #expect(second.contains(part), "\(part)")
            }
            // Both change one key of the same aggregate; neither takes the other's back.
            try aleph.shell(
                """
                echo '{"a":2,"b":5}' > "\(other)/aleph/me/aggregates/K.json"
                echo '{"a":9,"b":1}' > "$ME/aggregates/K.json"
                sync "\(other)/aleph/me/aggregates/K.json" "$ME/aggregates/K.json"
                rm "\(other)/aleph/me/files/g"
                for i in $(seq 200); do
                    cat "$ME/aggregates/K.json" | tr -d ' \\n' | grep -qs '{"a":9,"b":5}' && \
                        test ! -e "$ME/files/g" && exit 0
                    sleep 0.1
                done
                exit 1
                """)
        }
    }

    // SEMANTICS: What is shown fits its hash and its signature; where a node's answer does not,
    // reading is EIO.
    @Test("what a lying node says is not shown")
    func lies() throws {
        try AlephMounted.with { aleph in
            let hash = String(repeating: "5", count: 64)
            aleph.node.plant(Array("other bytes".utf8), as: hash)
            try aleph.shell(
                """
                echo '{"n":1}' > "$ME/posts/p.json"; "$CAIRN" sync "$MNT"
                ! cat "$ALEPH/files/\(hash)" 2> "$ROOT/why" || exit 1
                grep -q 'Input/output error' "$ROOT/why"
                grep -q 'not true' "$MNT/.cairn/errors"
                """)
            let message = try #require(aleph.messages("POST").first?["item_hash"] as? String)
            aleph.node.settings.withLock { settings in
                settings.intercept = { request, reply in
                    guard request.target.contains("messages/\(message)") else { return nil }
                    var changed = reply
                    let text = String(decoding: reply.body, as: UTF8.self)
                    changed.body = Array(
                        text.replacingOccurrences(of: "\\\"n\\\":1", with: "\\\"n\\\":2").utf8)
                    return changed
                }
            }
            try aleph.shell(
                """
                ! cat "$ALEPH/messages/\(message).json" 2> "$ROOT/why" || exit 1
                grep -q 'Input/output error' "$ROOT/why"
                """)
        }
    }

    // SEMANTICS: What is not there, was taken back, or has a name that nothing can have is ENOENT;
    // `messages/HASH.status` says what became of a message.
    @Test("what is not there is ENOENT, and why is told")
    func absent() throws {
        try AlephMounted.with(tokens: 0) { aleph in
            let hello = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
            aleph.node.plant(Array("hello\n".utf8), as: hello)
            try aleph.shell(
                """
                echo '{"tags":["a","b"]}' > "$ME/posts/p.json"; "$CAIRN" sync "$MNT"
                echo '{"tags":["a"]}' > "$ME/posts/q.json"; "$CAIRN" sync "$MNT"
                test "$(ls "$ALEPH/tags/a" | wc -l) $(ls "$ALEPH/tags/a/b" | wc -l)" = "2 1"
                test -z "$(ls "$ALEPH/tags/never")"
                cat "$ALEPH/ipfs/\(hello)" "$ALEPH/files/\(hello)" > "$ROOT/both"
                test "$(cat "$ROOT/both")" = "$(printf 'hello\\nhello')"
                test "$(getfattr --only-values -n user.ipfs.cid "$ALEPH/ipfs/\(hello)")" = \(hello)
                none=$(printf '%064d' 0)
                for name in messages/$none.json messages/$none messages/x.json \
                    messages/$none.status files/$none files/x ipfs/$none accounts/nobody \
                    tags/a,b me/none \
                    accounts/$ADDRESS/files/none accounts/$ADDRESS/aggregates/none.json; do
                    { ls "$ALEPH/$name" 2>&1 || true; } > "$ROOT/why"
                    grep -q 'No such file' "$ROOT/why" || { echo "$name"; exit 1; }
                done
                """)
            let hash = try #require(aleph.messages("POST").first?["item_hash"] as? String)
            try aleph.shell(
                """
                cat "$ALEPH/messages/\(hash).json" > /dev/null
                grep -q '^processed' "$ALEPH/messages/\(hash).status"
                rm "$ME/posts/q.json"; "$CAIRN" sync "$MNT"
                ! cat "$ALEPH/messages/\(hash).json" || exit 1
                test ! -e "$ALEPH/messages/\(hash).json"
                test "$(cat "$ALEPH/messages/\(hash).status")" = forgotten
                """)
            // Nobody paid for it: rejected, and its reason has the node's numbers.
            let sent = try aleph.volume.cairn(
                ["aleph", "pin", hello, "--credit", "--node", aleph.node.url])
            #expect(sent.status == 9)
            let rejected = try #require(
                aleph.node.ledger.withLock { ledger in
                    ledger.entries.first { $0.value.status == .rejected }?.key
                })
            try aleph.shell(
                """
                ! cat "$ALEPH/messages/\(rejected).json" || exit 1
                grep -q '^rejected: .*code 6.*short by' "$ALEPH/messages/\(rejected).status"
                """)
        }
    }

    // SEMANTICS: A network that does not answer is EIO after `read-deadline`; what is kept is shown
    // all the same.
    @Test("a node that is silent or gone costs time only where something is new")
    func silence() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo kept > "$ME/files/kept"; "$CAIRN" sync "$MNT"
                ls "$ME/files" "$ME/posts"; cat "$ME/files/kept" > /dev/null
                "$CAIRN" unmount test
                sed -i 's/^read-deadline.*//' "$CAIRN_STATE/volumes/test/config"
                echo 'read-deadline = 2s' >> "$CAIRN_STATE/volumes/test/config"
                """)
            try aleph.volume.mount()
            try aleph.shell("ls \"$ME/files\"; cat \"$ME/files/kept\"")
            aleph.node.settings.withLock { settings in
                settings.intercept = { request, _ in
                    usleep(4_000_000)
                    return nil
                }
            }
            let started = ContinuousClock.now
            try aleph.shell(
                """
                ! cat "$ALEPH/messages/$(printf '%064d' 7).json" 2> "$ROOT/why" || exit 1
                grep -q 'Input/output error' "$ROOT/why"
                """)
            let took = ContinuousClock.now - started
            #expect(took > .seconds(1) && took < .seconds(20), "\(took)")
            let again = ContinuousClock.now
            try aleph.shell(
                "test \"$(cat \"$ME/files/kept\")\" = kept; ls \"$ME/files\"; ls \"$MNT\"")
            #expect(ContinuousClock.now - again < .seconds(2))
            aleph.node.settings.withLock { $0.intercept = nil }
            aleph.node.stop()
            try aleph.shell(
                """
                test "$(cat "$ME/files/kept")" = kept
                echo later > "$ME/files/later"
                test "$(cat "$ME/files/later")" = later
                ! cat "$ALEPH/messages/$(printf '%064d' 8).json" || exit 1
                grep -q 'did not answer' "$MNT/.cairn/errors"
                rm "$ME/files/later"
                """)
        }
    }

    // SEMANTICS: `me/inbox/` has the letters that open with the account's key. Their plaintext is
    // in memory only.
    @Test("letters are in the inbox, opened, and nowhere on the disk")
    func inbox() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo 'a secret word' > "$ROOT/letter.txt"
                head -c 200000 /dev/urandom > "$ROOT/large"
                "$CAIRN" aleph send --to $ADDRESS "$ROOT/letter.txt"
                "$CAIRN" aleph send --to $ADDRESS "$ROOT/large"
                test "$(ls "$ME/inbox" | wc -l)" = 2
                cmp "$ME"/inbox/*-letter.txt "$ROOT/letter.txt"
                cmp "$ME"/inbox/*-large "$ROOT/large"
                test "$(stat -c %a "$ME"/inbox/*-letter.txt)" = 400
                getfattr -d "$ME"/inbox/*-letter.txt | grep -q "user.aleph.sender=.$ADDRESS"
                ! touch "$ME/inbox/x" || exit 1
                ! grep -rq 'a secret word' "$CAIRN_STATE" || exit 1
                """)
        }
    }

    // SEMANTICS: `user.ipfs.cid` of any file in the mount is the CID that its bytes have. It is
    // made when it is asked for, sent nowhere, and not listed.
    @Test("every file of the mount has a CID that is told, not listed, and sent nowhere")
    func identifiers() throws {
        try AlephMounted.with { aleph in
            let before = aleph.questionCount
            try aleph.shell(
                """
                cid() { getfattr --only-values -n user.ipfs.cid "$1"; }
                printf 'hello\\n' > "$MNT/files/hello"; printf 'hello\\n' > "$MNT/scratchpads/pad"
                head -c 46000000 /dev/urandom > "$MNT/files/large"; : > "$MNT/files/empty"
                for file in files/hello scratchpads/pad; do
                    test "$(cid "$MNT/$file")" = QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN
                done
                test "$(cid "$MNT/files/empty")" = QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
                test "$(cid "$MNT/files/large")" = "$("$CAIRN" aleph cid "$MNT/files/large")"
                ! cid "$MNT/files" || exit 1
                ! setfattr -n user.ipfs.cid -v x "$MNT/files/hello" || exit 1
                test -z "$(getfattr -d "$MNT/files/hello")"
                """)
            #expect(aleph.questionCount == before)
        }
    }

    @Test("a thousand small files go together, and nobody tells a node to wait")
    func many() throws {
        try AlephMounted.with { aleph in
            aleph.node.change { $0.pendingLooks = 1 }
            // As many as there are threads that send.
            let meeting = UploadMeeting(of: 12, at: aleph.node)
            try aleph.shell(
                """
                mkdir "$ROOT/many"; cd "$ROOT/many"
                for i in $(seq 1000); do echo "file $i" > "f$i.txt"; done
                cp "$ROOT/many"/* "$ME/files/"; "$CAIRN" sync "$MNT"
                test "$(ls "$ME/files" | wc -l)" = 1000
                sum() { cat "$1"/* | sort | md5sum; }
                test "$(sum "$ME/files")" = "$(sum "$ROOT/many")"
                """)
            #expect(meeting.isMet, "they went one after the other")
            #expect(!meeting.wasToldToWait)
            #expect(aleph.questionCount < 1500)
            #expect(try aleph.contents("STORE").count == 1000)
        }
    }
}
