// SPDX-License-Identifier: Apache-2.0
//
// Volumes on the Autonomi network, by a daemon in this process: the whole way, and money.

import AntdDouble
import Foundation
import TestSupport
import Testing

@Suite("volumes on Autonomi", .serialized, .mounting)
struct AutonomiMountTests {
    private static let pointer = String(repeating: "5c", count: 32)

    private func daemon(
        _ prepare: (inout AntdDouble.State) -> Void = { _ in }
    ) throws -> AntdDouble {
        try AntdDouble { state in
            state.keys = [Self.pointer]
            prepare(&state)
        }
    }

    private func url(_ daemon: AntdDouble) -> String { "autonomi://127.0.0.1:\(daemon.port)" }

    @Test("a tree and a pad go to the network, and the phrase brings them back")
    func wholeWay() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let volume = try MountedVolume(storeURL: url(daemon))
        try volume.shell(
            """
            cp -r /usr/include/linux/netfilter "$MNT/files/tree"
            head -c 13000000 /dev/urandom > "$MNT/files/large"
            printf secret > "$MNT/scratchpads/pad"
            cd "$CAIRN_STATE/volumes/test"
            grep -q 'network=test-network&pointer=\(Self.pointer)' config
            grep -q '^compression = autonomi' config
            """)
        try volume.expectSameTreeAfterRecovery()
        #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "secret")
        // Everything was paid once, and the recovering machine paid nothing.
        let (paid, distinct) = daemon.change {
            ($0.paidChunks.count, Set($0.paidChunks).count)
        }
        #expect(paid == distinct && paid > 4)
    }

    @Test("what one shares, another opens: a file, a folder, a data map")
    func sharing() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let first = try MountedVolume(storeURL: url(daemon))
        let second = try MountedVolume(storeURL: url(daemon))
        try first.shell(
            """
            mkdir -p "$MNT/files/site/in"
            head -c 9000000 /dev/urandom > "$MNT/files/large"
            cp /usr/include/stdio.h "$MNT/files/site/index"
            cp /usr/include/math.h "$MNT/files/site/in/deep"
            """)
        let file = try first.shell("\"$CAIRN\" share \"$MNT/files/large\"").trimmed
        let folder = try first.shell("\"$CAIRN\" share \"$MNT/files/site\"").trimmed
        let map = try first.shell("\"$CAIRN\" datamap \"$MNT/files/large\"").trimmed
        #expect(file.count == 64 && folder.count == 64 && map.count > 500)
        let other = ["OTHER": first.mountPoint, "FILE": file, "FOLDER": folder, "MAP": map]
        try TestSupport.shell(
            """
            cmp "$OTHER/files/large" "$MNT/public/$FILE"
            dd if="$MNT/public/$FILE" bs=1 skip=8999990 count=10 status=none | cmp - \
                <(tail -c 10 "$OTHER/files/large")
            test "$(stat -c %s "$MNT/public/$FILE")" = 9000000
            diff -r "$OTHER/files/site" "$MNT/public/$FOLDER/site"
            ls "$MNT/public" | grep -q "$FILE"
            "$CAIRN" open "$FILE" "$MNT/files/by-address"
            "$CAIRN" open "$MAP" "$MNT/files/by-map"
            printf %s "$MAP" > "$ROOT/x.datamap"
            "$CAIRN" open "$ROOT/x.datamap" "$MNT/files/by-file"
            "$CAIRN" open "$FOLDER" "$MNT/files/folder"
            for name in address map file; do cmp "$OTHER/files/large" "$MNT/files/by-$name"; done
            diff -r "$OTHER/files/site" "$MNT/files/folder/site"
            ! "$CAIRN" open "$FILE" "$MNT/files/by-map" 2> "$ROOT/err" || exit 1
            grep -q 'the name is taken' "$ROOT/err"
            ! "$CAIRN" open "${FILE%?}" "$MNT/files/short" 2> "$ROOT/err" || exit 1
            grep -q 'has 64 hexadecimal digits, not 63' "$ROOT/err"
            """, second.environment.merging(other) { $1 })
        try second.recover()
        try TestSupport.shell(
            "cmp \"$OTHER/files/large\" \"$MNT/files/by-address\"",
            second.environment.merging(other) { $1 })
    }

    @Test("a cold read of 4 KiB of a large public file asks the daemon for its maps and one chunk")
    func rangeRead() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let first = try MountedVolume(storeURL: url(daemon))
        let second = try MountedVolume(storeURL: url(daemon))
        // More chunks than a map has entries, as a file of a gigabyte has: one level more. And too
        // large for an archive, which would be looked into.
        try first.shell("seq 9000000 > \"$MNT/files/large\"")
        let address = try first.shell("\"$CAIRN\" share \"$MNT/files/large\"").trimmed
        func chunksAskedFor(offset: Int) throws -> Int {
            let before = daemon.requests.count
            try TestSupport.shell(
                """
                dd if="$MNT/public/$FILE" iflag=skip_bytes bs=4096 count=1 skip=$OFFSET \
                    status=none > "$ROOT/piece"
                dd if="$OTHER/files/large" iflag=skip_bytes bs=4096 count=1 skip=$OFFSET \
                    status=none | cmp - "$ROOT/piece"
                """,
                second.environment.merging([
                    "FILE": address, "OTHER": first.mountPoint, "OFFSET": "\(offset)",
                ]) { $1 })
            return daemon.requests.dropFirst(before).count { $0.hasPrefix("GET /v1/chunks/") }
        }
        // What lies at the address, the three chunks of the map below it, and the one of the file.
        #expect(try chunksAskedFor(offset: 50_000_000) == 5)
        #expect(try chunksAskedFor(offset: 20_000_000) == 1)
        #expect(try chunksAskedFor(offset: 50_004_096) == 0)
    }

    // SEMANTICS: When the wallet is empty, missing, or at the volume's `spending-limit`, flushes
    // wait: nothing is lost, `cairn status` and `cairn sync` say how much is wanted, and `fsync`
    // that waits for the store gives EDQUOT. It goes on by itself when there is money.
    @Test("without money nothing is lost, and the sentence says how much is wanted")
    func money() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let volume = try MountedVolume(mountOptions: "durability=remote", storeURL: url(daemon))
        daemon.change { $0.balance = 5 }
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/large\"")
        try volume.probe(
            "fd = os.open('large', os.O_RDWR); fails(errno.EDQUOT, os.fsync, fd); os.close(fd)")
        let refused = try volume.cairn(["sync", volume.mountPoint])
        #expect(refused.status != 0)
        #expect(refused.errors.contains("the network wants 0.00000000000000001 tokens for a chunk"))
        daemon.change { $0.balance = nil }
        let walletless = try volume.cairn(["sync", volume.mountPoint])
        #expect(walletless.errors.contains("the daemon has no wallet"))
        #expect(try volume.cairn(["status", volume.name]).output.contains("no wallet"))
        daemon.change { $0.balance = 1_000_000 }
        try volume.probe(
            "eventually(lambda: os.getxattr('large', 'user.cairn.state') == b'published', 90)")
        let sum = try volume.shell("sha256sum < \"$MNT/files/large\"")
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/large\"") == sum)
    }

    // SEMANTICS: `spending-limit` counts chunks. Changes of a pointer are paid beside it;
    // `publish-interval` says how often they may come.
    @Test("a flush waits at the spending limit, says so, and goes on when it is raised")
    func limit() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let volume = try MountedVolume(
            mounts: false, storeURL: url(daemon), options: ["--spending-limit", "100"])
        let paid = daemon.change { $0.paid }
        try volume.mount()
        let cost = try volume.shell(
            "head -c 40000000 /dev/urandom > \"$ROOT/big\"; \"$CAIRN\" cost \"$ROOT/big\"")
        #expect(cost.contains("chunks  13\n") && cost.contains("price   about 0.00000000000000013"))
        #expect(daemon.change { $0.paid } == paid)
        try volume.shell("cp \"$ROOT/big\" \"$MNT/files/\"")
        let waiting = try volume.cairn(["sync", volume.mountPoint])
        #expect(waiting.errors.contains("spending limit of 0.0000000000000001 tokens is reached"))
        #expect(daemon.change { $0.paidChunks.count } <= 10)
        try volume.shell(
            """
            "$CAIRN" unmount --now "$MNT"
            cd "$CAIRN_STATE/volumes/test"
            sed -i 's/^spending-limit = .*/spending-limit = 100000/' config
            """)
        try volume.mount()
        try volume.sync()
        try volume.shell("cmp \"$ROOT/big\" \"$MNT/files/big\"")
    }

    @Test("a daemon without pointers needs another store for the pads, and takes it")
    func padsElsewhere() throws {
        let daemon = try daemon { $0.keys = nil }
        defer { daemon.stop() }
        do {
            _ = try MountedVolume(storeURL: url(daemon))
            Issue.record("a volume without pads was made")
        } catch let failure as ShellFailure {
            #expect(failure.result.errors.contains("this daemon offers no pointers"))
        }
        let pads = "/tmp/cairn-pads-" + UUID().uuidString.prefix(8)
        defer { try? FileManager.default.removeItem(atPath: pads) }
        let volume = try MountedVolume(
            storeURL: url(daemon), options: ["--pads", "file://" + pads])
        try volume.shell("printf one > \"$MNT/files/a\"; printf two > \"$MNT/scratchpads/b\"")
        try volume.recover()
        #expect(try volume.shell("cat \"$MNT/files/a\" \"$MNT/scratchpads/b\"") == "onetwo")
    }

    @Test("a volume of one network is not sent to a daemon on another")
    func otherNetwork() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let volume = try MountedVolume(storeURL: url(daemon))
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/large\"")
        try volume.shell("\"$CAIRN\" unmount --now \"$MNT\"")
        let paid = daemon.change { state in
            state.network = "elsewhere"
            return state.paid
        }
        try volume.mount()
        let refused = try volume.cairn(["sync", volume.mountPoint])
        #expect(refused.errors.contains("the daemon is on the network “elsewhere”"))
        #expect(daemon.change { $0.paid } == paid)
        daemon.change { $0.network = "test-network" }
        try volume.sync()
    }

    // SEMANTICS: With `publish-interval`, changes are published that long after the first of them,
    // pads included; `cairn sync` and `cairn unmount` publish at once.
    @Test("revisions are as rare as the volume asks for, and come at once when somebody asks")
    func interval() throws {
        let daemon = try daemon()
        defer { daemon.stop() }
        let volume = try MountedVolume(
            storeURL: url(daemon), options: ["--publish-interval", "1h"])
        let before = daemon.change { $0.pointers[Self.pointer]?.counter }
        for number in 0..<4 {
            try volume.shell(
                "cd $MNT; printf \(number) > files/a; printf \(number) > scratchpads/b; sleep 2")
        }
        #expect(daemon.change { $0.pointers[Self.pointer]?.counter } == before)
        try volume.sync()
        let after = daemon.change { $0.pointers[Self.pointer]?.counter ?? 0 }
        // The pad, once for all its saves, and the revision.
        #expect(after == (before ?? 0) + 2)
        try volume.shell("printf last > \"$MNT/files/a\"")
        try volume.unmount()
        #expect(daemon.change { $0.pointers[Self.pointer]?.counter ?? 0 } == after + 1)
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
