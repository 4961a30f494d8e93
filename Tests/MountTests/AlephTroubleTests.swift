// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong between a volume and the nodes of Aleph Cloud it rests on: messages that are
// rejected for money, nodes that are slow, busy or gone, and machines that are lost.

import AlephNodeDouble
import Foundation
import TestSupport
import Testing

/// Why the network rejects a file's message that its node had taken.
struct MoneyRejection: CustomTestStringConvertible, Sendable {
    let code: Int
    var details: [String: String] = [:]
    /// What a person must be told.
    let words: [String]

    var testDescription: String { "code \(code)" }

    static let all = [
        MoneyRejection(
            code: 5, details: ["account_balance": "1.5", "required_balance": "9.25"],
            words: ["does not hold enough tokens", "1.5", "9.25", "7.75"]),
        MoneyRejection(
            code: 6,
            details: [
                "account_credits": "10", "required_credits": "107.8", "min_runtime_days": "1",
            ], words: ["does not have enough credits", "10", "107.8", "97.8"]),
        MoneyRejection(code: 202, words: ["must be paid for with credits"]),
    ]
}

@Suite("volumes on Aleph Cloud in trouble", .serialized, .mounting)
struct AlephTroubleTests {
    @Test(
        "what is rejected for money is EDQUOT, with the numbers, and goes when it is paid for",
        arguments: MoneyRejection.all)
    func rejected(_ rejection: MoneyRejection) throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(mountOptions: "durability=remote", storeURL: node.storeURL)
        node.rejectStores(code: rejection.code, details: rejection.details)
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/large\"")
        try volume.probe(
            "fd = os.open('large', os.O_RDWR); fails(errno.EDQUOT, os.fsync, fd); os.close(fd)")
        let status = try volume.cairn(["status", volume.name]).output
        let errors = try volume.shell("cat \"$MNT/.cairn/errors\"")
        for words in rejection.words + ["code \(rejection.code)"] {
            #expect(status.contains(words), "\(words) in \(status)")
            #expect(errors.contains(words), "\(words) in \(errors)")
        }
        node.rejectStores(code: nil)
        try volume.probe(
            "eventually(lambda: os.getxattr('large', 'user.cairn.state') == b'published', 90)")
        let sum = try volume.shell("sha256sum < \"$MNT/files/large\"")
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/large\"") == sum)
    }

    @Test(
        "a proxy's refusals are waited out, with and without its time",
        arguments: [
            NodeDouble.Reply(status: 429),
            NodeDouble.Reply(status: 503, headers: [("Retry-After", "1")]),
            NodeDouble.Reply(status: 502, body: Array("<html>bad gateway</html>".utf8)),
        ])
    func busy(_ reply: NodeDouble.Reply) throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        try volume.shell("echo before > \"$MNT/files/a\"")
        try volume.sync()
        node.change { settings in settings.intercept = { _, _ in reply } }
        let asked = node.questions.count
        try volume.shell(
            "head -c 2000000 /dev/urandom > \"$MNT/files/b\"; printf pad > \"$MNT/scratchpads/p\"")
        #expect(try volume.cairn(["sync", "--timeout", "4s", volume.mountPoint]).status != 0)
        // It asks again, and not as fast as it can.
        let count = node.questions.count - asked
        #expect(count > 0 && count < 400, "\(count) requests in four seconds")
        let sum = try volume.shell("sha256sum < \"$MNT/files/b\"")
        node.change { $0.intercept = nil }
        try volume.recover()
        #expect(try volume.shell("sha256sum < \"$MNT/files/b\"") == sum)
        #expect(try volume.shell("cat \"$MNT/scratchpads/p\"") == "pad")
    }

    @Test("a slow node holds up nothing that is here")
    func slow() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        node.change { settings in
            settings.intercept = { _, _ in
                Thread.sleep(forTimeInterval: 2)
                return nil
            }
        }
        // Fifty steps that each waited for one answer would take a hundred seconds.
        let start = ContinuousClock.now
        try volume.shell(
            """
            mkdir "$MNT/files/d"
            for i in $(seq 15); do
                echo "$i" > "$MNT/files/d/$i"; cat "$MNT/files/d/$i"; ls "$MNT/files/d"
            done
            printf pad > "$MNT/scratchpads/p"
            """)
        #expect(ContinuousClock.now - start < .seconds(40))
        try volume.sync()
        node.change { $0.intercept = nil }
        try volume.recover()
        #expect(
            try volume.shell("ls \"$MNT/files/d\" | wc -l; cat \"$MNT/scratchpads/p\"") == "15\npad"
        )
    }

    @Test("where one of two nodes goes for good, the other one serves")
    func failover() throws {
        let nodes = [try NodeDouble.funded(), try NodeDouble.funded()]
        defer { for node in nodes { node.stop() } }
        let both = NodeDouble.storeURL(nodes)
        let volume = try MountedVolume(storeURL: both)
        try volume.shell(
            """
            cp -r /usr/include/linux/netfilter "$MNT/files/tree"
            printf one > "$MNT/scratchpads/p"
            """
        )
        try volume.sync()
        nodes[1].learn(from: nodes[0])
        nodes[0].stop()
        try volume.shell(
            "head -c 3000000 /dev/urandom > \"$MNT/files/b\"; printf two > \"$MNT/scratchpads/p\"")
        let before = try MountedVolume.manifest(volume.mountPoint + "/files")
        try volume.recover()
        let after = try MountedVolume.manifest(volume.mountPoint + "/files")
        #expect(MountedVolume.difference(after, before).isEmpty)
        #expect(try volume.shell("cat \"$MNT/scratchpads/p\"") == "two")
    }

    @Test("a machine that is lost in the middle of its work: another one has what was synced")
    func lost() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        let volume = try MountedVolume(storeURL: node.storeURL)
        try volume.shell(
            """
            cp -r /usr/include/linux/netfilter "$MNT/files/tree"
            head -c 30000000 /dev/urandom > "$MNT/files/large"
            printf kept > "$MNT/scratchpads/p"
            """)
        try volume.sync()
        let sums = """
            cd "$MNT/files"
            find tree large -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
            cat "$MNT/scratchpads/p"
            """
        let synced = try volume.shell(sums)
        try volume.shell(
            """
            head -c 20000000 /dev/urandom > "$MNT/files/unsynced"
            cp -r "$MNT/files/tree" "$MNT/files/unsynced-tree"
            """)
        let daemon = try volume.daemonPID()
        #expect(kill(daemon, SIGKILL) == 0)
        _ = try run("/bin/umount", ["-l", volume.mountPoint])
        #expect(eventually { !isRunning(daemon) })
        try FileManager.default.removeItem(atPath: volume.state)
        let made = try volume.cairn(
            ["recover", volume.name, "--store", volume.storeURL], input: volume.phrase)
        #expect(made.status == 0, "\(made.errors)")
        try volume.mount()
        #expect(try volume.shell(sums) == synced)
        try volume.unmount()
        let check = try volume.cairn(["check", volume.name, "--store", "--read"])
        #expect(check.status == 0, "\(check.errors)")
    }
}
