// SPDX-License-Identifier: Apache-2.0
//
// The network's own client beside the built command, on one node: what either wrote the other
// reads. Only where $CAIRN_ALEPH_SDK names a Python that has aleph-sdk-python 2.4.0;
// docs/DEVELOPMENT.md says how it is made. The script is Tests/Interop/aleph-volume.py.

import AlephNodeDouble
import Foundation
import TestSupport
import Testing

private let python = ProcessInfo.processInfo.environment["CAIRN_ALEPH_SDK"]

@Suite(
    "the network's own client and the command", .serialized, .mounting,
    .enabled(if: python != nil, "$CAIRN_ALEPH_SDK names no Python with the network's own client"))
struct AlephInteropTests {
    private static let secret = String(repeating: "07", count: 32)
    private static let reader = String(repeating: "09", count: 32)

    /// A volume that rests on a node and shows it, its account one whose key the client has too.
    private func with(
        _ kind: String, _ body: (NodeDouble, MountedVolume) throws -> Void
    ) throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        node.change { $0.storageLimit = 5_000_000 }
        let volume = try MountedVolume(
            mounts: false, mountOptions: "aleph-node=\(node.url),aleph-pay=credit",
            storeURL: node.storeURL)
        defer { withExtendedLifetime(volume) {} }
        try AlephInteropTests.secret.write(
            toFile: volume.root + "/key", atomically: false, encoding: .utf8)
        let imported = try volume.cairn(
            ["aleph", "account", "import", volume.root + "/key", "--chain", kind])
        #expect(imported.status == 0, "\(imported.errors)")
        try volume.mount()
        try body(node, volume)
    }

    private func shell(
        _ script: String, _ node: NodeDouble, _ volume: MountedVolume, _ more: String = ""
    ) throws -> String {
        try volume.shell(
            "trap 'echo \"$BASH_COMMAND\" >&2' ERR; "
                + "export CAIRN_ALEPH_NODES=\(node.url); ME=\"$MNT/aleph/me\"; "
                + "cd \"$ROOT\"; \(more)\n"
                + script)
    }

    /// Runs the client, and gives what it printed.
    private func client(
        _ phase: String, _ work: [String: String], _ node: NodeDouble, _ volume: MountedVolume
    ) throws -> String {
        let file = volume.root + "/work.json"
        try JSONSerialization.data(withJSONObject: work).write(to: URL(fileURLWithPath: file))
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Interop/aleph-volume.py").path
        let result = try run(try #require(python), [script, node.url, phase, file])
        guard result.status == 0 else {
            throw ShellFailure(command: "aleph-volume.py \(phase)", result: result)
        }
        return result.output
    }

    private func fields(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func account(
        _ key: String, _ kind: String, _ node: NodeDouble, _ volume: MountedVolume
    ) throws -> [String: Any] {
        try key.write(toFile: volume.root + "/other", atomically: false, encoding: .utf8)
        return try fields(
            shell("\"$CAIRN\" aleph account show --json --key other --chain \(kind)", node, volume))
    }

    @Test(
        "the client reads packs, files, parts, letters and what programs saved",
        arguments: ["SOL", "ETH"])
    func reads(kind: String) throws {
        try with(kind) { node, volume in
            let me = try #require(
                try account(Self.secret, kind, node, volume)["address"] as? String)
            let reader = try account(Self.reader, kind, node, volume)
            let to = try #require(reader["recipient"] as? String, "\(reader)")
            let shown = try shell(
                """
                cp -r /usr/include/linux/netfilter "$MNT/files/tree"
                head -c 7000000 /dev/urandom > "$MNT/files/large"
                head -c 12000000 /dev/urandom > film.bin
                head -c 1000 /dev/urandom > small.bin
                printf 'for one reader\\n' > letter.txt
                mkdir "$ROOT/t"; printf 'from a program' > t/report.txt
                cp t/report.txt "$ME/files/"
                setfattr -n user.aleph.tags -v photo,2026 "$ME/files/report.txt"
                printf '{"text":"first"}' > "$ME/posts/p.json"
                printf '{"a":1,"b":[1,2],"gone":1}' > "$ME/aggregates/settings.json"
                sync "$ME/files/report.txt" "$ME/posts/p.json" "$ME/aggregates/settings.json"
                printf '{"text":"edited"}' > "$ME/posts/p.json"
                printf '{"a":2,"b":[1,2]}' > "$ME/aggregates/settings.json"
                sync "$ME/posts/p.json" "$ME/aggregates/settings.json"
                "$CAIRN" sync "$MNT" >&2
                printf '{"large":"%s","small":"%s","letter":"%s","large_sha256":"%s",'\
                '"small_sha256":"%s"}' \
                    "$("$CAIRN" aleph store film.bin --credit)" \
                    "$("$CAIRN" aleph store small.bin --credit)" \
                    "$("$CAIRN" aleph send --to "$TO" letter.txt)" \
                    "$(sha256sum < film.bin | cut -d' ' -f1)" \
                    "$(sha256sum < small.bin | cut -d' ' -f1)"
                """, node, volume, "TO=\(to)")
            var work = try fields(shown).compactMapValues { $0 as? String }
            work["kind"] = kind
            work["secret"] = Self.secret
            work["reader"] = Self.reader
            work["address"] = me
            let said = try client("read", work, node, volume)
            #expect(said.contains("packs"), "\(said)")
        }
    }

    @Test("the command and the mount show what the client wrote", arguments: ["SOL", "ETH"])
    func writes(kind: String) throws {
        try with(kind) { node, volume in
            let work = ["kind": kind, "secret": Self.secret, "reader": Self.reader]
            let text = try client("write", work, node, volume)
            let result = try fields(text).compactMapValues { $0 as? String }
            let names = result.map { "\($0.key.uppercased())='\($0.value)'" }
                .joined(separator: "; ")
            _ = try shell(
                """
                test "$("$CAIRN" aleph get "$STORE_")" = "stored by the sdk"
                "$CAIRN" aleph query users --owner "$WRITER" --where '{"age":{"$gt":25}}' \
                    --sort -age --json > rows
                test "$(wc -l < rows)" = 2
                head -1 rows | grep -q cyd
                "$CAIRN" aleph query users --owner "$WRITER" --where '{"age":{"$lt":25}}' --json \
                    | grep -q bob
                "$CAIRN" aleph messages --tag sdk --tag 2026 --paths | grep -q "$POST"
                test "$("$CAIRN" aleph inbox "$LETTER")" = "sealed by the sdk"
                "$CAIRN" aleph inbox | grep -q sdk.txt
                there="$MNT/aleph/accounts/$WRITER"
                grep -q 'from the sdk' "$there/posts/$POST.json"
                test "$(cat "$there/files/sdk.txt")" = "stored by the sdk"
                python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["cyd"]["age"])' \
                    "$there/aggregates/users.json" | grep -qx 51
                ls "$MNT/aleph/tags/sdk/2026" | grep -q "$POST"
                test "$(cat "$ME"/inbox/*-sdk.txt)" = "sealed by the sdk"
                """, node, volume, names.replacing("STORE=", with: "STORE_="))
        }
    }
}
