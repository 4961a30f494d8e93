// SPDX-License-Identifier: Apache-2.0
//
// Volumes on Aleph Cloud, by a node in this process: the whole way, money, failures, two machines.

import AlephNodeDouble
import AntdDouble
import Foundation
import LocalServer
import Synchronization
import TestSupport
import Testing

@Suite("volumes on Aleph Cloud", .serialized, .mounting)
struct AlephMountTests {
    @Test("a tree and pads go to the network, and the phrase brings them back")
    func wholeWay() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        try volume.shell(
            """
            cp -r /usr/include/linux/netfilter "$MNT/files/tree"
            head -c 30000000 /dev/urandom > "$MNT/files/large"
            printf secret > "$MNT/scratchpads/pad"
            printf longer > "$MNT/scratchpads/other"
            cd "$CAIRN_STATE/volumes/test"
            grep -q 'account=' config
            "$CAIRN" cost "$MNT/files/large" \
                | grep -q 'price   about [0-9.]* credits a day, in 2 packs'
            """)
        let before = try MountedVolume.manifest(volume.mountPoint + "/files")
        try volume.recover()
        let after = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(MountedVolume.difference(after, before).isEmpty)
        #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "secret")
        #expect(try volume.shell("cat \"$MNT/scratchpads/other\"") == "longer")
        // 30 MB and the tree: few files.
        let packs = node.storeCount
        #expect(packs <= 8, "\(packs) packs")
        try volume.unmount()
        let check = try volume.cairn(["check", volume.name, "--store", "--read"])
        #expect(check.status == 0, "\(check.errors)")
    }

    // SEMANTICS: A volume on Aleph Cloud whose account cannot pay keeps its changes on this
    // machine: `cairn status` and `cairn sync` say what the account has, needs and lacks, and
    // `fsync` that waits for the store gives EDQUOT. It goes on by itself when there is money.
    @Test("without money nothing is lost, and the sentence says how much is missing")
    func money() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(mountOptions: "durability=remote", storeURL: node.storeURL)
        node.give(everybody: 100)
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/large\"")
        try volume.probe(
            "fd = os.open('large', os.O_RDWR); fails(errno.EDQUOT, os.fsync, fd); os.close(fd)")
        let refused = try volume.cairn(["sync", volume.mountPoint])
        #expect(refused.status != 0)
        #expect(refused.errors.contains("it has 100 credits and needs 107.8"), "\(refused.errors)")
        #expect(refused.errors.contains("short by 7.8"))
        #expect(try volume.cairn(["status", volume.name]).output.contains("short by"))
        node.give(everybody: 1e12)
        try volume.probe(
            "eventually(lambda: os.getxattr('large', 'user.cairn.state') == b'published', 90)")
        let sum = try volume.shell("sha256sum < \"$MNT/files/large\"")
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/large\"") == sum)
    }

    // SEMANTICS: `cairn init` on Aleph Cloud with an account that cannot pay names the account and
    // what it lacks, and makes no volume; the same command again uses the same account.
    @Test("a new volume without money names its account, and the same command goes on with it")
    func unfunded() throws {
        let node = try NodeDouble.funded(credits: 0)
        defer { node.stop() }
        let folder = "/tmp/cairn-mount-" + UUID().uuidString.prefix(8)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let environment = ["CAIRN_STATE": folder + "/state", "LC_ALL": "C.UTF-8"]
        func cairn(_ arguments: [String], input: String = "") throws -> ShellResult {
            try run(MountedVolume.binary, arguments, input: input, environment: environment)
        }
        func account(_ text: String) -> Substring? {
            text.firstMatch(of: /account ([1-9A-HJ-NP-Za-km-z]{32,44})/)?.output.1
        }
        let command = ["init", "box", "--store", node.storeURL]
        let first = try cairn(command)
        #expect(first.status == 9 && first.output.isEmpty, "\(first)")
        let named = try #require(account(first.errors))
        #expect(first.errors.contains("has 0 credits") && first.errors.contains("same command"))
        #expect(try cairn(["list"]).output.contains("box") == false)
        let other = try cairn(["recover", "box", "--store", node.storeURL], input: "x")
        #expect(other.status != 0)
        let second = try cairn(command)
        #expect(second.status == 9 && account(second.errors) == named)
        node.fund(String(named), credits: 1e9)
        let third = try cairn(command)
        #expect(third.status == 0 && account(third.errors) == named, "\(third.errors)")
        #expect(third.output.split(separator: " ").count == 24)
        #expect(!FileManager.default.fileExists(atPath: folder + "/state/volumes/box/key.waiting"))
        // The phrase is that of the account that was paid to.
        let again = try cairn(["recover", "copy", "--store", node.storeURL], input: third.output)
        #expect(again.status == 0, "\(again.errors)")
    }

    @Test("a node that is down for a while is offline, and everything goes when it is back")
    func offline() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        try volume.shell("echo before > \"$MNT/files/a\"")
        try volume.sync()
        for reply in [
            NodeDouble.Reply(isCut: true),
            NodeDouble.Reply(status: 429, headers: [("Retry-After", "1")]),
        ] {
            node.change { settings in settings.intercept = { _, _ in reply } }
            try volume.shell(
                """
                head -c 2000000 /dev/urandom > "$MNT/files/b"
                printf offline > "$MNT/scratchpads/pad"
                test "$(cat "$MNT/files/a")" = before
                """)
            let waiting = try volume.cairn(["sync", "--timeout", "3s", volume.mountPoint])
            #expect(waiting.status != 0)
            node.change { $0.intercept = nil }
            try volume.sync()
        }
        let sum = try volume.shell("sha256sum < \"$MNT/files/b\"")
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/b\"") == sum)
        #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "offline")
    }

    @Test("of two nodes one gives wrong bytes, and the tree is right all the same")
    func lyingNode() throws {
        let nodes = [try NodeDouble.funded(), try NodeDouble.funded()]
        defer { for node in nodes { node.stop() } }
        let volume = try MountedVolume(storeURL: NodeDouble.storeURL(nodes))
        try volume.shell("cp -r /usr/include/linux/netfilter \"$MNT/files/tree\"")
        let before = try MountedVolume.manifest(volume.mountPoint + "/files")
        try volume.sync()
        nodes[1].learn(from: nodes[0])
        nodes[0].change { settings in
            settings.intercept = { request, reply in
                guard request.target.contains("/storage/raw/") else { return nil }
                var changed = reply
                for index in changed.body.indices.prefix(50) { changed.body[index] ^= 0x55 }
                return changed
            }
        }
        try volume.recover()
        let after = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(MountedVolume.difference(after, before).isEmpty)
    }

    @Test("killed while it publishes, the volume goes on where it was", arguments: 0..<4)
    func killed(round: Int) throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        try volume.shell("echo first > \"$MNT/files/first\"")
        try volume.sync()
        // What was sent arrives, and its answer does not: at another place in each round.
        let count = round
        let seen = Mutex(0)
        node.change { settings in
            settings.intercept = { request, _ in
                guard request.method == "POST" else { return nil }
                let number = seen.withLock { seen in
                    defer { seen += 1 }
                    return seen
                }
                return number >= count ? NodeDouble.Reply(isCut: true) : nil
            }
        }
        try volume.shell(
            """
            cp -r /usr/include/linux/netfilter "$MNT/files/tree"
            printf pad > "$MNT/scratchpads/pad"
            sync -f "$MNT/files/tree" 2> "$ROOT/err" || true
            python3 - "$MNT/files/tree" <<'END'
            import os, sys
            for folder, _, names in os.walk(sys.argv[1]):
                for name in names:
                    fd = os.open(os.path.join(folder, name), os.O_RDWR)
                    os.fsync(fd)
                    os.close(fd)
            fd = os.open(sys.argv[1], os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
            END
            """)
        _ = try volume.cairn(["sync", "--timeout", "3s", volume.mountPoint])
        let before = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(kill(try volume.daemonPID(), SIGKILL) == 0)
        _ = try run("/bin/umount", ["-l", volume.mountPoint])
        node.change { $0.intercept = nil }
        try volume.mount()
        let after = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(MountedVolume.difference(after, before).isEmpty)
        try volume.recover()
        let recovered = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(MountedVolume.difference(recovered, before).isEmpty)
        #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "pad")
    }

    @Test("two machines change a pad, and no content is lost")
    func twoMachines() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let first = try MountedVolume(storeURL: node.storeURL)
        try first.shell("printf base > \"$MNT/scratchpads/note\"")
        try first.sync()
        let second = try MountedVolume(mounts: false, storeURL: node.storeURL)
        try FileManager.default.removeItem(atPath: second.state)
        let made = try second.cairn(
            ["recover", "test", "--store", node.storeURL], input: first.phrase)
        #expect(made.status == 0, "\(made.errors)")
        try second.mount()
        #expect(try second.shell("cat \"$MNT/scratchpads/note\"") == "base")
        try first.shell("printf of-the-first > \"$MNT/scratchpads/note\"")
        try first.sync()
        try second.shell("printf of-the-second > \"$MNT/scratchpads/note\"")
        // The second learns with its first offer that another record stands.
        _ = try second.cairn(["sync", "--timeout", "20s", second.mountPoint])
        let all = try second.shell("cat \"$MNT\"/scratchpads/* | tr '\\n' ' '")
        #expect(all.contains("of-the-first") && all.contains("of-the-second"), "\(all)")
        #expect(try second.shell("cat \"$MNT/.cairn/conflicts\"").contains("note"))
        try second.shell("\"$CAIRN\" unmount --now \"$MNT\"")
    }

    @Test("chunks rest elsewhere and pads on Aleph Cloud, which costs nothing")
    func padsAlone() throws {
        let node = try NodeDouble.funded(credits: 0)
        defer { node.stop() }
        let daemon = try AntdDouble()
        defer { daemon.stop() }
        let volume = try MountedVolume(
            storeURL: "autonomi://127.0.0.1:\(daemon.port)", options: ["--pads", node.storeURL])
        try volume.shell(
            """
            head -c 5000000 /dev/urandom > "$MNT/files/large"
            printf free > "$MNT/scratchpads/pad"
            """)
        let sum = try volume.shell("sha256sum < \"$MNT/files/large\"")
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/large\"") == sum)
        #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "free")
        #expect(node.storeCount == 0)
        try volume.unmount()
        #expect(try volume.cairn(["check", volume.name, "--store"]).status == 0)
    }

    @Test("a file larger than the node takes is stored in parts, and fetched as one")
    func largeFile() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        node.change { $0.storageLimit = 3_000_000 }
        let url = node.url
        let volume = try MountedVolume(mounts: false)
        let environment = volume.environment.merging(["CAIRN_ALEPH_NODES": url]) { $1 }
        try TestSupport.shell(
            """
            head -c 10000000 /dev/urandom > "$ROOT/film.mkv"
            head -c 1000 /dev/urandom > "$ROOT/small"
            hash=$("$CAIRN" aleph store "$ROOT/film.mkv" --credit)
            "$CAIRN" aleph get "$hash" "$ROOT/back"
            cmp "$ROOT/film.mkv" "$ROOT/back"
            "$CAIRN" aleph get "$hash" | cmp - "$ROOT/film.mkv"
            small=$("$CAIRN" aleph store "$ROOT/small" --credit --tag few)
            "$CAIRN" aleph get "$small" "$ROOT/small.back"
            cmp "$ROOT/small" "$ROOT/small.back"
            "$CAIRN" aleph messages --tag few --paths | grep -q "$small"
            ! "$CAIRN" aleph get "$(printf %064d 0)" "$ROOT/none" 2> "$ROOT/err" || exit 1
            grep -q 'no such thing' "$ROOT/err"
            test ! -e "$ROOT/none" -a ! -e "$ROOT/none.part"
            """, environment)
        // Four parts, and the small file; the manifest is a post.
        #expect(node.storeCount == 5)
    }
}
