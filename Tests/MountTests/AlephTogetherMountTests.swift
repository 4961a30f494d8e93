// SPDX-License-Identifier: Apache-2.0
//
// Files in `aleph/me/` that several write at once, or that are written while an earlier state of
// them is on its way to the network.

import AlephNodeDouble
import Foundation
import LocalServer
import TestSupport
import Testing

@Suite("files in aleph/me/ that are written while they are saved", .serialized, .mounting)
struct AlephTogetherMountTests {
    /// Answers to what is published come late enough for something else to happen before.
    private func slow(_ aleph: AlephMounted, by wait: UInt32 = 2_500_000) {
        aleph.node.change { settings in
            settings.intercept = { request, _ in
                if request.method == "POST" { usleep(wait) }
                return nil
            }
        }
    }

    // SEMANTICS: Programs that open one file in `me/` at once, to write, write to the same bytes.
    @Test("many who open files at once that are not here yet lose nothing")
    func together() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                for i in 0 1 2 3 4 5; do printf '........' > "$ME/files/$i"; done
                "$CAIRN" sync "$MNT"
                """)
            try aleph.volume.probe(
                """
                import threading
                for name in range(6):
                    barrier = threading.Barrier(8)
                    def put(place):
                        barrier.wait()
                        fd = os.open('%s/aleph/me/files/%d' % (MNT, name), os.O_WRONLY)
                        os.pwrite(fd, b'%d' % place, place); os.close(fd)
                    threads = [threading.Thread(target=put, args=(i,)) for i in range(8)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                """)
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT"
                for i in 0 1 2 3 4 5; do
                    for file in "$ME/files/$i" "$ALEPH/accounts/$ADDRESS/files/$i"; do
                        test "$(cat "$file")" = 01234567 || { cat "$file" >&2; exit 1; }
                    done
                done
                """)
        }
    }

    // SEMANTICS: `fsync` returns when the network has processed what was written before it, also
    // if something else of the file was on its way.
    @Test("fsync by who has a file open that is being saved has what was written sent")
    func syncWhileSaving() throws {
        try AlephMounted.with { aleph in
            slow(aleph)
            try aleph.volume.probe(
                """
                path = MNT + '/aleph/me/files/f'
                with open(path, 'w') as file: file.write('one')
                time.sleep(1.7)
                fd = os.open(path, os.O_RDWR); os.write(fd, b'two')
                start = time.time(); os.fsync(fd)
                assert time.time() - start < 60
                same(os.getxattr(path, 'user.aleph.status') in (b'processed', b'waiting'), True)
                os.close(fd)
                """)
            aleph.node.change { $0.intercept = nil }
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT"
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/f")" = two
                """)
            #expect(try aleph.contents("STORE").count == 1)
        }
    }

    // SEMANTICS: A file that is saved by renaming another over it is one message, also if the save
    // before it was on its way.
    @Test("a save by renaming while an earlier save is on its way leaves one message")
    func renameWhileSaving() throws {
        try AlephMounted.with { aleph in
            slow(aleph)
            try aleph.shell(
                """
                echo '{"v":1}' > "$ME/posts/p.json"; echo one > "$ME/files/f"
                sleep 1.7
                echo '{"v":2}' > "$ME/posts/.p.tmp"; mv "$ME/posts/.p.tmp" "$ME/posts/p.json"
                echo two > "$ME/files/.f.tmp"; mv "$ME/files/.f.tmp" "$ME/files/f"
                "$CAIRN" sync "$MNT"
                test "$(cat "$ME/posts/p.json") $(cat "$ME/files/f")" = '{"v":2} two'
                """)
            aleph.node.change { $0.intercept = nil }
            #expect(try aleph.contents("STORE").count == 1)
            let posts = try aleph.contents("POST")
            #expect(posts.count == 1, "\(posts)")
        }
    }

    @Test("a kill while somebody writes over what was synced keeps what was written, unpublished")
    func killWhileWriting() throws {
        try AlephMounted.with { aleph in
            let process = try aleph.volume.daemonPID()
            try aleph.shell(
                """
                python3 - "$ME/files/f" \(process) <<'END'
                import os, signal, sys
                file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
                os.write(file, b'one'); os.fsync(file)
                # As long as what its record on the disk was for.
                os.pwrite(file, b'two', 0); os.kill(int(sys.argv[2]), signal.SIGKILL)
                END
                while kill -0 \(process) 2> /dev/null; do sleep 0.1; done
                """)
            try aleph.volume.mount()
            try aleph.shell(
                """
                ! "$CAIRN" sync "$MNT" || exit 1
                test "$(cat "$ME/files/f")" = two
                getfattr --only-values -n user.aleph.status "$ME/files/f" > "$ROOT/status"
                grep -q 'did not finish' "$ROOT/status"
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/f")" = one
                """)
        }
    }
}
