// SPDX-License-Identifier: Apache-2.0
//
// What is left here of files in `aleph/me/` that were saved, closed and published, in whatever
// order.

import AlephNodeDouble
import Foundation
import TestSupport
import Testing

@Suite("files in aleph/me/ that were saved", .serialized, .mounting)
struct AlephSavedMountTests {
    // SEMANTICS: A file that is saved and closed leaves nothing here once the network has it, also
    // if it was published before it was closed.
    @Test("what was published while it was open is done with when it is closed")
    func closedLast() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo '{"v":1}' > "$ME/posts/p.json"; echo '{"v":1}' > "$ME/aggregates/K.json"
                echo one > "$ME/files/f"; "$CAIRN" sync "$MNT"
                # As editors do: written, synced, which publishes it, and closed a while later.
                python3 - "$ME" <<'END'
                import os, sys, time
                for name, text in (('posts/p.json', b'{"v":2}'), ('aggregates/K.json', b'{"v":2}'),
                                   ('files/f', b'two')):
                    file = os.open(sys.argv[1] + '/' + name, os.O_WRONLY | os.O_TRUNC)
                    os.write(file, text); os.fsync(file); time.sleep(0.3); os.close(file)
                    # And one that is opened to be written, and is not.
                    os.close(os.open(sys.argv[1] + '/' + name, os.O_RDWR))
                END
                for i in $(seq 20); do
                    vim -u NONE -N -es -c "%s/2/3$i/" -c wq "$ME/posts/p.json" < /dev/null
                    printf '{"v":2}' > "$ME/posts/p.json"
                done
                "$CAIRN" sync "$MNT"
                """)
            let staging = "\"$CAIRN_STATE/volumes/test/aleph/staging\""
            // The kernel says that a file is closed a moment after it is.
            try aleph.shell(
                """
                for i in $(seq 100); do
                    left=$(ls \(staging) | grep -v '\\.json$' || true)
                    if [ -z "$left" ]; then break; fi
                    sleep 0.1
                done
                test -z "$left" || { ls -l \(staging); head -c 300 \(staging)/*.json; exit 1; }
                test "$(cat "$ME/files/f")" = two
                grep -q '"v": *2' "$ME/aggregates/K.json"
                "$CAIRN" unmount test
                """)
            try aleph.volume.mount()
            try aleph.shell(
                """
                ls -la "$ME/posts" "$ME/files" "$ME/aggregates" > /dev/null
                grep -q '"v": *2' "$ME/posts/p.json"; test "$(cat "$ME/files/f")" = two
                test "$(ls -A "$ME/posts")" = p.json
                "$CAIRN" sync "$MNT"
                """)
            #expect(try aleph.errors.isEmpty)
        }
    }

    @Test("a file that is closed while its permissions change is published all the same")
    func closing() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                python3 - "$ME" <<'END'
                import os, sys
                # The kernel tells of the close when it likes: as often as not after the chmod.
                for number in range(60):
                    path = '%s/files/%d' % (sys.argv[1], number)
                    with open(path, 'w') as file: file.write(str(number))
                    os.chmod(path, 0o600 + number % 8)
                END
                "$CAIRN" sync "$MNT"
                for i in $(seq 0 59); do
                    status=$(getfattr --only-values -n user.aleph.status "$ME/files/$i")
                    test "$status" = processed || { echo "$i is $status" >&2; exit 1; }
                done
                """)
            #expect(try aleph.messages("STORE").count == 60)
            #expect(try aleph.errors.isEmpty)
        }
    }
}
