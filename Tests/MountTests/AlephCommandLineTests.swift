// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph` as a person types it, against a double of a node: what is printed, and what a
// script sees when it fails.

import AlephNodeDouble
import Foundation
import TestSupport
import Testing

struct AlephCommandLineTests {
    /// A volume without a mount, and a node that its commands ask.
    private func withNode(
        _ body: (NodeDouble, ([String]) throws -> ShellResult, MountedVolume) throws -> Void
    ) throws {
        let node = try NodeDouble()
        defer { node.stop() }
        // Kept: without a node's name the command would ask those of the public.
        let url = node.url
        try withVolume(mounts: false) { volume in
            try body(
                node,
                { arguments in
                    try run(
                        MountedVolume.binary, ["aleph"] + arguments,
                        environment: volume.environment.merging(
                            ["CAIRN_ALEPH_NODES": url]
                        ) { $1 })
                }, volume)
        }
    }

    /// The output of a command that succeeds.
    private func output(_ result: ShellResult) throws -> String {
        guard result.status == 0 else { throw ShellFailure(command: "cairn aleph", result: result) }
        return result.output
    }

    private func field(_ name: String, of text: String) -> String {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return line.dropFirst(name.count).trimmingCharacters(in: .whitespaces)
    }

    @Test("a volume has an account, the phrase brings it back, and another can be chosen")
    func accounts() throws {
        try withNode { _, aleph, volume in
            let own = field("address", of: try output(aleph(["account", "show"])))
            #expect(own.count >= 32)
            let ethereum = try output(aleph(["account", "new", "--chain", "ETH"]))
            #expect(field("address", of: ethereum).hasPrefix("0x"))
            #expect(field("send to", of: ethereum).hasPrefix("0x04"))
            #expect(try output(aleph(["account", "show"])) == ethereum)
            let key = volume.root + "/id.json"
            let numbers = (0..<32).map { "\($0)" }.joined(separator: ",")
            try "[\(numbers)]".write(toFile: key, atomically: false, encoding: .utf8)
            let imported = try output(aleph(["account", "import", key]))
            #expect(
                field("address", of: imported) == "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF")
            let refused = try aleph(["account", "new"])
            #expect(refused.status == 1)
            #expect(refused.errors.contains("--replace"))
            let restored = try output(aleph(["account", "new", "--replace"]))
            #expect(field("address", of: restored) == own)
            try "nonsense".write(toFile: key, atomically: false, encoding: .utf8)
            #expect(try aleph(["account", "import", key]).status == 64)
            #expect(try aleph(["account", "new", "--chain", "XYZ"]).status == 64)
            for words in [["new"], ["import", "key.hex"]] {
                let passedOver = try aleph(["account"] + words + ["--key", "key.hex"])
                #expect(passedOver.status == 64)
                #expect(passedOver.errors.contains("--key has no meaning here"))
            }
        }
    }

    @Test("a file is sent to oneself, listed, and read back as it was")
    func letters() throws {
        try withNode { _, aleph, volume in
            let account = try output(aleph(["account", "show"]))
            let path = volume.root + "/brief.txt"
            try "secret words\n".write(toFile: path, atomically: false, encoding: .utf8)
            let sent = try output(aleph(["send", "--to", field("send to", of: account), path]))
            let hash = sent.trimmingCharacters(in: .newlines)
            #expect(hash.count == 64)
            let inbox = try output(aleph(["inbox"]))
            #expect(inbox.contains(hash) && inbox.contains("brief.txt"))
            #expect(try output(aleph(["inbox", hash])) == "secret words\n")
            let listed = try output(aleph(["messages", "--type", "POST", "--json"]))
            #expect(listed.split(separator: "\n").count == 1)
            #expect(!listed.contains("brief.txt") && !listed.contains("secret words"))
            #expect(try output(aleph(["messages", "--tag", "none"])).isEmpty)
            #expect(try aleph(["send", "--to", "nobody", path]).status == 64)
            #expect(try aleph(["send", "--to", "x", volume.root + "/none"]).status == 16)
        }
    }

    @Test("money, CIDs and pins are printed")
    func others() throws {
        try withNode { node, aleph, volume in
            let address = field("address", of: try output(aleph(["account", "show"])))
            node.fund(address, tokens: 2.5, credits: 300)
            #expect(try output(aleph(["balance"])).contains("2.5 ALEPH"))
            #expect(try output(aleph(["cost", "25M"])).contains("credits a day"))
            let path = volume.root + "/hello"
            try "hello\n".write(toFile: path, atomically: false, encoding: .utf8)
            let cid = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
            #expect(try output(aleph(["cid", path])) == cid + "\n")
            node.plant(Array("hello\n".utf8), as: cid)
            #expect(try output(aleph(["pin", cid])).count == 65)
            #expect(try aleph(["pin", "zzz"]).status == 64)
        }
    }

    @Test("an account without money is told in numbers that a person can read")
    func amounts() throws {
        try withNode { node, aleph, volume in
            let cost = try output(aleph(["cost", "100M"]))
            #expect(field("to hold", of: cost) == "33.333333334 ALEPH", "\(cost)")
            let path = volume.root + "/hello"
            try "hello\n".write(toFile: path, atomically: false, encoding: .utf8)
            let refused = try aleph(["store", path])
            #expect(refused.status == 9)
            #expect(
                refused.errors.contains(
                    "it has 0.0 ALEPH and needs 0.333333334 ALEPH (short by 0.333333334)"),
                "\(refused.errors)")
            #expect(node.storeCount == 0)
        }
    }

    @Test("each command's help has examples that fit on a line")
    func examples() throws {
        for name in [
            [], ["account"], ["account", "show"], ["account", "new"], ["account", "import"],
            ["balance"], ["cost"], ["query"], ["messages"], ["send"], ["inbox"], ["store"],
            ["get"], ["pin"], ["cid"],
        ] {
            let help = try run(MountedVolume.binary, ["aleph"] + name + ["--help"]).output
            let lines = help.split(separator: "\n", omittingEmptySubsequences: false)
            let start = try #require(
                lines.firstIndex { $0.hasPrefix("EXAMPLE") }, "\(name) has no example")
            let examples = lines[(start + 1)...].prefix { !$0.isEmpty }
            #expect(!examples.isEmpty, "\(name)")
            // One that was broken could not be copied.
            #expect(examples.allSatisfy { $0.hasPrefix("  cairn aleph") }, "\(examples)")
        }
    }

    @Test("a query is filtered, sorted from the greatest, and cut, as its help says")
    func query() throws {
        try AlephMounted.with { aleph in
            try aleph.shell(
                """
                cat > "$ME/aggregates/users.json" <<'END'
                {"ann":{"age":31,"city":"Oslo","at":3},"bob":{"age":20,"city":"Rome","at":1},
                 "cy":{"age":44,"at":2}}
                END
                "$CAIRN" sync "$MNT"
                """)
            func names(_ filter: String, _ more: String = "") throws -> String {
                let rows = try aleph.shell(
                    "\"$CAIRN\" aleph query users --where '\(filter)' \(more) --json")
                return try rows.split(separator: "\n").map { row in
                    let fields = try JSONSerialization.jsonObject(with: Data(row.utf8))
                    return (fields as? [String: Any])?["key"] as? String ?? "?"
                }.joined(separator: ",")
            }
            #expect(try names(#"{"age":{"$gt":25}}"#, "--sort -at --limit 10") == "ann,cy")
            #expect(try names(#"{"age":{"$gt":25}}"#, "--sort at --limit 1") == "cy")
            #expect(try names(#"{"age":{"$gte":31,"$lt":44}}"#) == "ann")
            #expect(try names(#"{"age":{"$lte":31}}"#, "--sort at") == "bob,ann")
            #expect(try names(#"{"city":{"$ne":"Oslo"}}"#, "--sort at") == "bob,cy")
            #expect(try names(#"{"city":{"$in":["Rome","Bern"]}}"#) == "bob")
            #expect(try names(#"{"city":{"$nin":["Rome"],"$exists":true}}"#) == "ann")
            #expect(try names(#"{"city":{"$regex":"^o","$options":"i"}}"#) == "ann")
            #expect(
                try names(#"{"$or":[{"city":"Rome"},{"age":44}]}"#, "--sort -at") == "cy,bob")
            #expect(try names(#"{"$and":[{"age":{"$gt":1}},{"city":"Oslo"}]}"#) == "ann")
            #expect(try names(#"{"city":{"$exists":false}}"#) == "cy")
            let table = try aleph.shell("\"$CAIRN\" aleph query users --sort -age --limit 1")
            #expect(table.split(separator: "\n").count == 2 && table.hasPrefix("KEY"))
            let path = try aleph.shell("\"$CAIRN\" aleph query users --paths")
            try aleph.shell("test -f \"$ALEPH/\(path.trimmingCharacters(in: .newlines))\"")
        }
    }

    @Test("failures have their exit codes, one sentence, and nothing on standard output")
    func failures() throws {
        try withNode { node, aleph, volume in
            func refused(_ arguments: [String], _ status: Int32, _ words: String) throws {
                let result = try aleph(arguments)
                #expect(result.status == status, "\(arguments): \(result.errors)")
                #expect(result.output.isEmpty)
                #expect(result.errors.hasPrefix("cairn: "))
                #expect(result.errors.contains(words), "\(result.errors)")
            }
            try refused(["query", "users"], 20, "has no aggregate “users”")
            try refused(["inbox", String(repeating: "a", count: 64)], 20, "no such thing")
            try refused(["query", "users", "--where", "{"], 64, "not JSON")
            try refused(["query", "users", "--where", #"{"a":{"$x":1}}"#], 64, "$x")
            try refused(["messages", "--since", "yesterday"], 64, "no time")
            try refused(["messages", "--tag", "a,b"], 64, "can find nothing")
            // Large enough to be a stored file, which this account cannot pay for.
            let path = volume.root + "/large"
            try Data(repeating: 7, count: 200_000).write(to: URL(fileURLWithPath: path))
            let address = field("address", of: try output(aleph(["account", "show"])))
            try refused(["send", "--to", address, path], 9, "it has 0.0 ALEPH and needs")
            try refused(["store", path], 9, "pay with --credit")
            try refused(["store", "--credit", path], 9, "buy credits for the account")
            try refused(["get", "abc"], 64, "names no message and no file")
            try refused(
                ["get", "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"], 64,
                "no CID that the network takes")
            try refused(["send", "--to", address, "--credit", path], 9, "short by 107.8")
            node.stop()
            try refused(["balance"], 8, "did not answer")
        }
    }
}
