// SPDX-License-Identifier: Apache-2.0
//
// Large files in `aleph/` beside others: uploads that leave room, and parts that two programs have.

import AlephNodeDouble
import Foundation
import LocalServer
import Synchronization
import TestSupport
import Testing

@Suite("large files on Aleph Cloud beside others in a mount", .serialized, .mounting)
struct AlephRoomMountTests {
    /// Answers of the node that are held back.
    private final class Gate: Sendable {
        private let state = Mutex((held: 0, isOpen: false))

        var held: Int { state.withLock { $0.held } }

        /// Waits in an answer until it is opened, two minutes at most.
        func pass() {
            state.withLock { $0.held += 1 }
            for _ in 0..<12_000 where !state.withLock({ $0.isOpen }) { usleep(10_000) }
        }

        func open() { state.withLock { $0.isOpen = true } }

        /// Returns when so many answers are held.
        func wait(for count: Int) throws {
            let end = ContinuousClock.now + .seconds(60)
            while held < count {
                try #require(ContinuousClock.now < end, "\(held) of \(count) held")
                usleep(20_000)
            }
        }
    }

    @Test("twelve large uploads leave room for a small file, which does not wait for them")
    func uploads() throws {
        try AlephMounted.with { aleph in
            let gate = Gate()
            defer { gate.open() }
            aleph.node.change { settings in
                settings.intercept = { request, _ in
                    guard request.target.contains("add_file"), request.body.count > 8 << 20 else {
                        return nil
                    }
                    gate.pass()
                    return nil
                }
            }
            try aleph.shell(
                """
                for i in $(seq 12); do
                    head -c 9000000 /dev/urandom > "$ROOT/large$i"
                    cp "$ROOT/large$i" "$ME/files/large$i"
                done
                """)
            try gate.wait(for: 6)
            try aleph.shell(
                """
                echo small > "$ME/files/small"
                timeout 60 sync "$ME/files/small"
                test "$(cat "$ALEPH/accounts/$ADDRESS/files/small")" = small
                """)
            #expect(gate.held == 6)
            gate.open()
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT"
                test "$(ls "$ME/files" | wc -l)" = 13
                for i in $(seq 12); do cmp "$ROOT/large$i" "$ME/files/large$i"; done
                """)
            #expect(try aleph.messages("STORE").count == 13)
        }
    }

    // SEMANTICS: A part that is taken back while another program stores a file that has it, with
    // `cairn aleph store` or in a mount elsewhere, is stored again: by that program if it sees it,
    // and else by the mount that took it back.
    @Test("a part that a command relies on while a mount takes it back is kept")
    func parts() throws {
        try AlephMounted.with { aleph in
            aleph.node.change { $0.storageLimit = 3_000_000 }
            // As nodes do, for a day.
            aleph.node.ledger.withLock { $0.keepsForgottenFiles = true }
            try aleph.shell(
                """
                head -c 10000000 /dev/urandom > "$ROOT/film"
                cp "$ROOT/film" "$ME/files/film"; sync "$ME/files/film"
                """)
            let gate = Gate()
            defer { gate.open() }
            aleph.node.change { settings in
                settings.intercept = { request, _ in
                    // The mount has looked for other manifests, and asks now what keeps the parts.
                    if request.target.contains("tags=cairn-large-file-part"),
                        !request.target.contains("contentHashes")
                    {
                        gate.pass()
                    }
                    return nil
                }
            }
            try aleph.shell("rm \"$ME/files/film\"")
            try gate.wait(for: 1)
            let stored = try aleph.shell("\"$CAIRN\" aleph store \"$ROOT/film\"")
            let hash = stored.split(separator: "\n").last.map { String($0) } ?? ""
            #expect(try aleph.messages("STORE").count == 4)
            gate.open()
            try aleph.shell(
                """
                "$CAIRN" sync "$MNT"
                "$CAIRN" aleph get \(hash) "$ROOT/back"; cmp "$ROOT/film" "$ROOT/back"
                """)
            #expect(try aleph.messages("STORE").count == 4, "parts without a message go in a day")
            #expect(try aleph.errors.isEmpty)
            // Nobody has them any more when that goes, too.
            // The mount hears of the command's a moment later.
            try aleph.shell(
                """
                for i in $(seq 100); do
                    if ls "$ME/files" | grep -q film; then break; fi
                    sleep 0.1
                done
                rm "$ME/files/film"; "$CAIRN" sync "$MNT"
                """)
            #expect(try aleph.messages("STORE").isEmpty)
        }
    }
}
