// SPDX-License-Identifier: Apache-2.0
//
// Scratchpads of the older Autonomi network among a volume's own, with the command and on a mount.
// The pads are those of the frozen vectors, in the JSON of an AntTP gateway.

import Foundation
import TestSupport
import Testing

@Suite("pads of the older Autonomi network", .serialized, .mounting)
struct PadImportTests {
    private static let key = "47b8192d77bf871b62e87859d653922725724a5c031afeabc60bcef5ff665138"
    private static let address =
        "b301803f8b5ac4a1133581fc676dfedc60d891dd5fa99028805e5ea5b08d3491"
        + "af75d0707adab3b70c6a6a580217bf81"

    /// Content and signature, both as base64, by counter.
    private static let states = [
        (
            "lypZB1/KBym0CyzqW7loWv3SGed0B+E2MWZMU7hHzcrUWrF0oHOqpBIq2BP6CUSF"
                + "tlyoxD3c5hNCiKykx/fPR1EFsExWBKsjivE0FpVoPaDYZ/+9q1PNmpr0b+Bp48OX"
                + "Ct3DAPGdvppUJTQIGwUL2CFCPn1Jl2TScZ5/DiOwMbLxm53Kd+FxqdBBU7VHFwje"
                + "vXIcL+iHnhY5Bo5EHeAMK46+9cg=",
            "r1fh/E4qDHczh95VXGstyWkO0DezEmiEyuP4s93ketmPkmsPik2vgsxRMg3UOrxl"
                + "A3CZoabYtK1MZ2Qy0OxsOQ5JtWlIJp9kjUYBhahKMCZsbWO7Ly/7UJ0LA0trBDRF"
        ),
        (
            "ptEfVlLAYHvvVWLKSk+Bwr/g/hDYV3DC836JQ4Ndw8sV3GuWxyWq3JJMdP2PBLaw"
                + "koV5bVcLE9iJW1JYc8lDmqCsfIlPOO5tLSi2hX6nkch4UpAwvCIAiHboC8nylEUP"
                + "BIvwmJDx1248jT6b/XgOnuO+XQDNnoIw+ZcFPipzO1BNQHeJSfhjxU+m7PFJn8x3"
                + "fxw8QcI/TMLbtl8/wFmPW1yNJ/MbqGhBbjUyd6N8myoRXKZUAnhHR8Zc0iUNvLaf"
                + "nG+TzCdm9v54PK0LjIGEQZ+JjAryyVShqkhpuG+4somM9F+Vr2ZVNvhSAIWUeBpO"
                + "lfMzwQ==",
            "g71bWZov3dTCf1KO9ozWM4D0ywIV2ylFOEpj0wxz5EkpL+2bgynipJrA9U7IwAmC"
                + "COvzrTannGA9QBK9h8u4zOh7ieCjxlrD9aqcY5Mc1VXjvJlE707Ips7exm8a4Zkq"
        ),
    ]

    private func json(_ index: Int, counter: Int? = nil) -> String {
        let (content, signature) = Self.states[index]
        return """
            {"name": null, "address": "\(Self.address)", "data_encoding": 42, \
            "signature": "\(signature)", "content": "\(content)", "counter": \(counter ?? index)}
            """
    }

    private func volume() throws -> MountedVolume {
        let volume = try MountedVolume()
        for (name, text) in [
            ("zero", json(0)), ("one", json(1)), ("forged", json(0, counter: 5)),
            ("key", Self.key + "\n"), ("other", String(repeating: "01", count: 32)),
            ("short", "abcd"), ("large", String(repeating: "f", count: 64)),
        ] {
            try text.write(toFile: volume.root + "/" + name, atomically: true, encoding: .utf8)
        }
        return volume
    }

    // SEMANTICS: A pad that `cairn pad import` brought without its key is read-only: opening it to
    // write, and changing its size or encoding, is EACCES. Its content is what its owner signed.
    // SEMANTICS: A pad without its key keeps its identity wherever its file is moved, and hands it
    // to nothing that takes its name.
    @Test("a pad without its key is read, brought up to date, moved, and never written")
    func withoutKey() throws {
        let volume = try volume()
        try volume.shell(
            """
            "$CAIRN" pad import "$ROOT/zero" "$MNT/scratchpads/news"
            cd "$MNT/scratchpads"
            test "$(stat -c '%a %s' news)" = '400 164'
            test "$(getfattr --only-values -n user.cairn.address news)" = \(Self.address)
            test "$(getfattr --only-values -n user.cairn.counter news)" = 0
            test "$(getfattr --only-values -n user.cairn.encoding news)" = 42
            """)
        try volume.probe(
            """
            os.chdir('../scratchpads')
            os.chmod('news', 0o666)
            fails(errno.EACCES, os.open, 'news', os.O_WRONLY)
            fails(errno.EACCES, os.open, 'news', os.O_RDWR | os.O_TRUNC)
            fails(errno.EACCES, os.truncate, 'news', 0)
            fails(errno.EACCES, os.setxattr, 'news', 'user.cairn.encoding', b'7')
            """)
        try volume.shell(
            """
            cd "$MNT/scratchpads"
            "$CAIRN" pad import "$ROOT/one" news
            # The kernel is told of the new state soon after.
            for turn in $(seq 100); do
                test "$(stat -c %s news)" = 244 && break || sleep 0.1
            done
            test "$(stat -c %s news)" = 244
            ! "$CAIRN" pad import "$ROOT/zero" news 2> "$ROOT/err" || exit 1
            grep -q 'a later state of it is here' "$ROOT/err"
            ! "$CAIRN" pad import "$ROOT/one" again 2> "$ROOT/err" || exit 1
            grep -q 'has another name here' "$ROOT/err"
            "$CAIRN" pad export news > "$ROOT/out"
            mv news old
            printf mine > news
            test "$(getfattr --only-values -n user.cairn.address old)" = \(Self.address)
            test "$(getfattr --only-values -n user.cairn.address news)" != \(Self.address)
            printf temporary > x
            mv x old
            test "$(getfattr --only-values -n user.cairn.address old)" != \(Self.address)
            "$CAIRN" pad import "$ROOT/out" back
            "$CAIRN" sync "$MNT"
            """)
        let before = try volume.shell("cd \"$MNT/scratchpads\"; sha256sum *; stat -c '%n %a' *")
        try volume.recover()
        let after = try volume.shell("cd \"$MNT/scratchpads\"; sha256sum *; stat -c '%n %a' *")
        #expect(after == before)
        try volume.probe("fails(errno.EACCES, os.truncate, '../scratchpads/back', 1)")
        // What the store loses of it nobody here can sign again.
        try volume.shell(
            """
            cat "$MNT/scratchpads/back" > /dev/null
            "$CAIRN" unmount "$MNT"
            record=$(find "$STORE" -type f -name '*\(Self.address)*')
            test -n "$record"
            rm "$record"
            code=0
            "$CAIRN" check test --store --repair > "$ROOT/found" 2>&1 || code=$?
            cat "$ROOT/found"
            test "$code" = 19
            grep -q 'scratchpads/back' "$ROOT/found"
            """)
    }

    @Test("a pad with its key is decrypted, saved, recovered, and given out as that network has it")
    func withKey() throws {
        let volume = try volume()
        try volume.shell(
            """
            "$CAIRN" pad import "$ROOT/zero" "$MNT/scratchpads/notes" --key "$ROOT/key"
            cd "$MNT/scratchpads"
            test "$(cat notes)" = 'data to be encrypted'
            printf 'changed' > notes
            "$CAIRN" sync "$MNT"
            test "$(getfattr --only-values -n user.cairn.counter notes)" = 1
            test "$(getfattr --only-values -n user.cairn.address notes)" = \(Self.address)
            "$CAIRN" pad export notes > "$ROOT/out"
            """)
        try volume.recover()
        try volume.shell(
            """
            cd "$MNT/scratchpads"
            test "$(cat notes)" = changed
            printf ', again' >> notes
            "$CAIRN" sync "$MNT"
            test "$(getfattr --only-values -n user.cairn.counter notes)" = 2
            cd /
            "$CAIRN" unmount "$MNT"
            "$CAIRN" pad export test:scratchpads/notes > "$ROOT/out2"
            ! cmp -s "$ROOT/out" "$ROOT/out2" || exit 1
            "$CAIRN" check test --store --read
            # The secret key is in nothing that this machine or the store has.
            ! grep -rqaF \(Self.key) "$CAIRN_STATE" "$STORE" || exit 1
            ! LC_ALL=C grep -rqaP "$(sed 's/../\\\\x&/g' "$ROOT/key")" \
                "$CAIRN_STATE" "$STORE" || exit 1
            """)
        // What was given out is a pad of that network: another volume reads it.
        let other = try self.volume()
        try other.shell(
            """
            "$CAIRN" pad import "\(volume.root)/out2" "$MNT/scratchpads/a" --key "$ROOT/key"
            test "$(cat "$MNT/scratchpads/a")" = 'changed, again'
            """)
    }

    @Test("what is no pad, no key, forged, or has no place is refused with a sentence")
    func refused() throws {
        let volume = try volume()
        let refusals: [(String, String)] = [
            ("forged scratchpads/x", "the signature is not its owner's"),
            ("key scratchpads/x", "this is no scratchpad of the older Autonomi network"),
            ("nosuch scratchpads/x", "cannot be read"),
            ("zero files/x", "have lasting names under scratchpads/"),
            ("zero scratchpads/.x.swp", "have lasting names under scratchpads/"),
            ("zero scratchpads/no/x", "there is no such file"),
            ("zero scratchpads/x --key $ROOT/other", "is another scratchpad's"),
            ("zero scratchpads/x --key $ROOT/short", "holds no key of 32 bytes"),
            ("zero scratchpads/x --key $ROOT/large", "holds a number that is no secret key"),
        ]
        for (arguments, sentence) in refusals {
            let words = arguments.split(separator: " ", maxSplits: 2)
            let option = words.count > 2 ? words[2] : ""
            try volume.shell(
                """
                ! "$CAIRN" pad import "$ROOT/\(words[0])" "$MNT/\(words[1])" \(option) \
                    2> "$ROOT/err" || exit 1
                grep -qF "\(sentence)" "$ROOT/err" || { cat "$ROOT/err" >&2; false; }
                """)
        }
        try volume.shell(
            """
            printf own > "$MNT/scratchpads/own"
            ! "$CAIRN" pad import "$ROOT/zero" "$MNT/scratchpads/own" 2> "$ROOT/err" || exit 1
            grep -q 'the name is taken' "$ROOT/err"
            "$CAIRN" sync "$MNT"
            ! "$CAIRN" pad export "$MNT/scratchpads/own" 2> "$ROOT/err" || exit 1
            test "$(ls "$MNT/scratchpads")" = own
            """)
    }
}
