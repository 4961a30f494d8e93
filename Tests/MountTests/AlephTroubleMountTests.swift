// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong in `aleph/`: each with the errno that a program sees, and the sentence with the
// node's numbers that a person reads in `.cairn/errors`.

import AlephNodeDouble
import Foundation
import JSON
import LocalServer
import Synchronization
import TestSupport
import Testing

@Suite("trouble with Aleph Cloud in a mount", .serialized, .mounting)
struct AlephTroubleMountTests {
    // SEMANTICS: A message that the network rejects is EIO at `fsync`, for want of money (codes
    // 5, 6 and 202) EDQUOT, and a line in `.cairn/errors` with the network's code and its
    // numbers; so is `user.aleph.status`.
    @Test("each code of a rejection has its errno and its sentence")
    func codes() throws {
        let sentences: [Int: String] = [
            -1: "an error inside the node", 0: "its form is wrong", 1: "its signature is wrong",
            2: "the sender may not speak for the owner", 3: "its content is not to be had",
            4: "the file it names is not to be had",
            5: "not hold enough tokens (code 5): it has 1.5 ALEPH and needs 4 ALEPH (short by 2.5)",
            6: "not have enough credits (code 6): it has 10 credits and needs 107.8 credits"
                + " (short by 97.8)",
            100: "does not say which", 101: "the post it replaces is not there",
            102: "only the first post can be replaced", 200: "the file it refers to is not there",
            201: "refers to another itself", 202: "must be paid for with credits now",
            301: "about a program that cannot run", 500: "it forgets nothing",
            501: "what it forgets is not there", 502: "what forgets cannot be forgotten",
            503: "used by a program", 504: "forgotten already", 999: "does not know",
        ]
        try AlephMounted.with { aleph in
            aleph.node.ledger.withLock { ledger in
                ledger.verdict = { content in
                    guard let code = content["content"]?["code"]?.int else { return nil }
                    return (code, AlephTroubleMountTests.details(code))
                }
            }
            let codes = sentences.keys.sorted().map { "\($0)" }.joined(separator: ", ")
            try aleph.volume.probe(
                """
                import threading
                posts = MNT + '/aleph/me/posts/'
                found = {}
                def post(code):
                    fd = os.open(posts + 'c%d.json' % code, os.O_RDWR | os.O_CREAT)
                    os.write(fd, b'{"code":%d}' % code)
                    try: os.fsync(fd)
                    except OSError as error: found[code] = error.errno
                    os.close(fd)
                threads = [threading.Thread(target=post, args=(code,)) for code in [\(codes)]]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                for code in [\(codes)]:
                    quota = code in (5, 6, 202)
                    assert found.get(code) == (errno.EDQUOT if quota else errno.EIO), (code, found)
                    status = os.getxattr(posts + 'c%d.json' % code, 'user.aleph.status').decode()
                    assert status.startswith('refused: ') and '(code %d)' % code in status, status
                """)
            let errors = try aleph.errors
            for (code, sentence) in sentences {
                #expect(errors.contains(sentence), "\(code): \(errors)")
                #expect(errors.contains("(code \(code))"))
            }
            // What was refused is changed, and goes.
            aleph.node.ledger.withLock { $0.verdict = nil }
            try aleph.shell(
                """
                for file in "$ME"/posts/c*.json; do echo '{"code":0}' > "$file"; done
                "$CAIRN" sync "$MNT"
                """)
            #expect(try aleph.messages("POST").count == sentences.count)
        }
    }

    private static func details(_ code: Int) -> JSONValue? {
        switch code {
        case 5: [["account_balance": "1.5", "required_balance": "4"]]
        case 6: [["account_credits": "10", "required_credits": "107.8"]]
        default: nil
        }
    }

    // SEMANTICS: A text over 200 000 characters travels beside its message, up to 16 MiB. A
    // text with more than 16 tags, or one of more than 256 characters, is EINVAL at `fsync`.
    @Test("a long aggregate is published beside its message; too many or too long tags are not")
    func texts() throws {
        try AlephMounted.with { aleph in
            try aleph.volume.probe(
                """
                import json
                me = MNT + '/aleph/me/'
                def save(name, value):
                    with open(me + name, 'w') as out:
                        json.dump(value, out); out.flush(); os.fsync(out.fileno())
                save('aggregates/long.json', {'text': 'x' * 250000, 'n': 1})
                for tags in (['t%d' % n for n in range(17)], ['x' * 257], ['']):
                    fails(errno.EINVAL, save, 'posts/tags.json', {'tags': tags})
                    fails(errno.EINVAL, save, 'aggregates/tags.json', {'tags': tags})
                save('posts/tags.json', {'tags': ['t%d' % n for n in range(16)]})
                fd = os.open(me + 'files/f', os.O_RDWR | os.O_CREAT); os.write(fd, b'x')
                for tags in (b'x' * 257, b','.join(b't%d' % n for n in range(17)), b'cairn-pack'):
                    fails(errno.EINVAL, os.setxattr, fd, 'user.aleph.tags', tags)
                fails(errno.EINVAL, os.setxattr, fd, 'user.aleph.metadata', b'[')
                fails(errno.E2BIG, os.setxattr, fd, 'user.aleph.metadata',
                      json.dumps({'x': 'y' * 50000}).encode())
                os.close(fd)
                fails(errno.EINVAL, os.open, me + 'aggregates/cairn-pad-01.json', os.O_CREAT)
                """)
            let errors = try aleph.errors
            for words in ["17", "16", "257", "256", "cairn-pad-", "a JSON object"] {
                #expect(errors.contains(words), "\(words): \(errors)")
            }
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT" || true
                python3 -c 'import json, sys
                value = json.load(open(sys.argv[1])); assert len(value["text"]) == 250000' \
                    "$ALEPH/accounts/$ADDRESS/aggregates/long.json"
                """)
        }
    }

    @Test("what somebody else took back already is gone, and the others go with it")
    func takenBack() throws {
        try AlephMounted.with { aleph in
            let hash = try aleph.shell(
                """
                for i in 1 2 3; do echo $i > "$ME/files/f$i"; done; "$CAIRN" sync test
                getfattr --only-values -n user.aleph.item_hash "$ME/files/f2"
                """)
            aleph.node.ledger.withLock { ledger in
                ledger.rejectsForgotten = true
                // This mount does not hear of it.
                ledger.entries[hash]?.status = .forgotten
            }
            #expect(aleph.node.storeCount == 2)
            try aleph.shell(
                """
                rm "$ME/files"/f?; "$CAIRN" sync test; test -z "$(ls "$ME/files")"
                "$CAIRN" unmount test
                """)
            #expect(aleph.node.storeCount == 0)
        }
    }

    @Test("a sync says what the network would not have, whatever went wrong since")
    func told() throws {
        try AlephMounted.with { aleph in
            try aleph.volume.probe(
                """
                me = MNT + '/aleph/me/'
                def save(name, text):
                    with open(me + name, 'w') as out:
                        out.write(text); out.flush(); os.fsync(out.fileno())
                many = json.dumps({'tags': ['t%d' % n for n in range(17)]})
                fails(errno.EINVAL, save, 'posts/tags.json', many)
                fails(errno.EINVAL, save, 'posts/bad.json', 'no JSON')
                """)
            let refused = try aleph.volume.cairn(["sync", "test"])
            #expect(refused.status == 14 && refused.errors.contains("17 tags"), "\(refused)")
            #expect(!refused.errors.contains("; everything is on the store"), "\(refused.errors)")
            try aleph.shell("echo '{}' > \"$ME/posts/tags.json\"; \"$CAIRN\" sync test")
        }
    }

    @Test("a list and a file of a node that lies about signatures are not shown")
    func signatures() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo '{"n":1}' > "$ME/posts/p.json"; echo '{"k":1}' > "$ME/aggregates/K.json"
                "$CAIRN" sync "$MNT"
                """)
            let hash = try #require(aleph.messages("POST").first?["item_hash"] as? String)
            let other = try AlephVolume(aleph)
            aleph.node.change { settings in
                settings.intercept = { request, reply in
                    guard request.method == "GET" else { return nil }
                    var changed = reply
                    let text = String(decoding: reply.body, as: UTF8.self)
                    // One letter of each signature is another.
                    changed.body = Array(
                        text.replacing(#/\\"signature\\": ?\\"(.)/#) { match in
                            "\\\"signature\\\":\\\"" + (match.output.1 == "2" ? "3" : "2")
                        }.utf8)
                    return changed
                }
            }
            try other.shell(
                """
                ! cat "$ALEPH/messages/\(hash).json" 2> "$MNT/files/why" || exit 1
                grep -q 'Input/output error' "$MNT/files/why"
                grep -q 'not true' "$MNT/.cairn/errors"
                test -z "$(ls "$ALEPH/accounts/\(aleph.address)/posts")"
                ! cat "$ALEPH/accounts/\(aleph.address)/aggregates/K.json" || exit 1
                """)
            aleph.node.change { $0.intercept = nil }
        }
    }

    // SEMANTICS: A node that has too much to do (429, 502 to 504) is asked again, after the
    // time that it asks for or at growing intervals; reading is EIO when it stays so, and what
    // is written waits.
    @Test("a node that is busy is asked again, with and without a time of its own")
    func busy() throws {
        try AlephMounted.with { aleph in
            try aleph.shell("echo '{\"n\":1}' > \"$ME/posts/p.json\"; \"$CAIRN\" sync \"$MNT\"")
            let hash = try #require(aleph.messages("POST").first?["item_hash"] as? String)
            for (status, headers) in [(429, [("Retry-After", "1")]), (429, []), (503, [])] {
                let left = Mutex(1)
                aleph.node.change { settings in
                    settings.intercept = { request, _ in
                        // Questions for what is new come whenever they like.
                        guard request.target.contains(hash) else { return nil }
                        let refuses = left.withLock { left in
                            defer { left -= 1 }
                            return left > 0
                        }
                        return refuses ? NodeDouble.Reply(status: status, headers: headers) : nil
                    }
                }
                try aleph.shell("cat \"$ALEPH/messages/\(hash).status\" | grep -q processed")
                #expect(left.withLock { $0 } <= 0)
            }
            // What is there must be known before something can be made beside it.
            try aleph.shell("ls \"$ME/files\" \"$ME/posts\"")
            aleph.node.change { settings in
                settings.intercept = { _, _ in NodeDouble.Reply(status: 429) }
            }
            try aleph.shell(
                """
                ! cat "$ALEPH/messages/$(printf '%064d' 5).json" 2> "$ROOT/why" || exit 1
                grep -q 'Input/output error' "$ROOT/why"
                grep -q 'too much to do (HTTP 429)' "$MNT/.cairn/errors"
                echo later > "$ME/files/later"; echo '{"n":2}' > "$ME/posts/q.json"
                ! "$CAIRN" sync --timeout 3s "$MNT" || exit 1
                getfattr --only-values -n user.aleph.status "$ME/files/later" | \
                    grep -Eq 'waiting|publishing'
                test "$(cat "$ME/files/later")" = later
                """)
            aleph.node.change { $0.intercept = nil }
            try aleph.shell("\"$CAIRN\" sync \"$MNT\"")
            #expect(try aleph.messages("STORE").count == 1 && aleph.messages("POST").count == 2)
        }
    }
}
