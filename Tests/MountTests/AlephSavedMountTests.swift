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

    /// How often threads of a process have begun to sleep, by their names.
    private func sleeps(of process: Int32, _ threads: [String]) throws -> [String: Int] {
        var found: [String: Int] = [:]
        let folder = "/proc/\(process)/task"
        for task in try FileManager.default.contentsOfDirectory(atPath: folder) {
            // Threads end while they are looked at.
            guard
                let status = try? String(
                    contentsOfFile: "\(folder)/\(task)/status", encoding: .utf8)
            else { continue }
            let fields = status.split(separator: "\n").map { $0.split(separator: "\t") }
            let name = fields.first?.last.map(String.init) ?? ""
            let count = fields.first { $0.first == "voluntary_ctxt_switches:" }?.last
            if threads.contains(name) { found[name] = count.flatMap { Int($0) } }
        }
        return found
    }

    @Test("the threads that publish sleep while there is nothing to publish")
    func idle() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                echo '{"n":1}' > "$ME/posts/p.json"; echo 1 > "$MNT/scratchpads/p"
                "$CAIRN" sync "$MNT"
                """)
            let threads = ["cairn-alephdue", "cairn-pads"]
            let process = try aleph.volume.daemonPID()
            usleep(1_000_000)
            let before = try sleeps(of: process, threads)
            #expect(before.keys.sorted() == threads)
            usleep(4_000_000)
            for (name, count) in try sleeps(of: process, threads) {
                let isFew = count - before[name, default: 0] < 6
                #expect(isFew, "\(name): \(before) and then \(count)")
            }
            // And wake when there is.
            try aleph.shell(
                """
                echo '{"n":2}' > "$ME/posts/q.json"
                for i in $(seq 100); do
                    test "$(getfattr --only-values -n user.aleph.status "$ME/posts/q.json")" \\
                        = processed && exit 0
                    sleep 0.1
                done
                exit 1
                """)
        }
    }
}
