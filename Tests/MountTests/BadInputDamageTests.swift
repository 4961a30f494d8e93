// SPDX-License-Identifier: Apache-2.0
//
// Bad input: chunks, pages, pads and roots that were corrupted, cut short, lost or exchanged in the
// store. A machine that has nothing but the phrase finds each of them by verification.

import Foundation
import TestSupport
import Testing

@Suite("bad input: damage in the store", .serialized, .mounting)
struct BadInputDamageTests {
    /// Spoils the files named on the lines of `$1`; the second argument says how.
    static let spoil = """
        spoil() {
            case "$2" in
            corrupt) python3 - "$1" <<'PY'
        import sys
        with open(sys.argv[1], "r+b") as file:
            bytes = bytearray(file.read())
            bytes[len(bytes) // 2] ^= 0x10
            file.seek(0); file.write(bytes)
        PY
            ;;
            truncated) truncate -s "$(( $(stat -c %s "$1") / 2 ))" "$1" ;;
            empty) : > "$1" ;;
            missing) rm "$1" ;;
            swapped) cp "$3" "$1.swap"; cat "$1" > "$3"; cat "$1.swap" > "$1"; rm "$1.swap" ;;
            esac
        }

        """
    static let damages = ["corrupt", "truncated", "empty", "missing", "swapped"]

    /// Unmounts, spoils the store, and brings the volume to a machine that knows nothing.
    private func recover(_ volume: MountedVolume, spoiling script: String) throws {
        try volume.shell(
            """
            \(Self.spoil)
            "$CAIRN" unmount "$MNT"; rm -r "$CAIRN_STATE"; cp -a "$STORE" "$ROOT/whole"
            \(script)
            """)
        try volume.done("recover", "test", "--store", volume.store, input: volume.phrase)
        try volume.mount()
    }

    /// Puts what was damaged back under the running mount, which then reads everything.
    private func mend(_ volume: MountedVolume, _ part: String, _ check: String) throws {
        try volume.shell("cp -a \"$ROOT/whole/\(part)/.\" \"$STORE/\(part)/\"; \(check)")
        try volume.done("unmount", volume.mountPoint)
        try volume.mount()
        try volume.proveThatItWorks()
        try volume.shell(check)
    }

    private func read(_ path: String) -> String {
        "open(os.environ['MNT'] + '/\(path)', 'rb').read()"
    }

    /// Every line is a sentence: words, and at most the address of what is damaged.
    private func expectSentences(_ lines: String) {
        expectNoTrace(lines)
        for line in lines.split(separator: "\n") {
            let words = line.split(separator: " ")
            #expect(words.count > 5 && UInt64(words[0]) != nil, "\(line)")
        }
    }

    // SEMANTICS: EIO: bytes could not be had or did not verify, or the local state failed
    @Test("a damaged chunk is EIO at its file, and all others are read")
    func chunk() throws {
        try withVolume { volume in
            var spoiling = ""
            for name in Self.damages + ["other", "whole"] {
                try volume.shell(
                    """
                    head -c 300000 /dev/urandom > "$ROOT/\(name).plain"
                    cp "$ROOT/\(name).plain" "$MNT/files/\(name)"
                    """)
            }
            try volume.shell("echo small > \"$MNT/files/small\"")
            try volume.sync()
            let other = try chunks(of: "other", volume)
            for damage in Self.damages {
                let own = try chunks(of: damage, volume)
                // The second of three; the third is exchanged with another file's.
                spoiling += "spoil '\(own[1])' \(damage) '\(other[2])'\n"
            }
            try recover(volume, spoiling: spoiling)
            for damage in Self.damages + ["other"] {
                #expect(try volume.outcome(of: read("files/" + damage)) == "EIO", "\(damage)")
                // It hangs nowhere and stays EIO, and what is before the damage is not garbage.
                #expect(try volume.outcome(of: read("files/" + damage)) == "EIO", "\(damage)")
            }
            let errors = try volume.errorLines()
            expectSentences(errors)
            for damage in Self.damages where damage != "swapped" {
                let own = try #require(try chunks(of: damage, volume).dropFirst().first)
                let address = try #require(own.split(separator: "/").last)
                #expect(errors.contains("restore it from a backup of the store"))
                let sentence = damage == "missing" ? "does not have chunk" : "are damaged"
                let isNamed = errors.split(separator: "\n").contains {
                    $0.contains(address) && $0.contains(sentence)
                }
                #expect(isNamed, "\(damage): \(errors)")
            }
            #expect(try volume.done("status", "test").contains("see .cairn/errors"))
            let whole = """
                cmp "$ROOT/whole.plain" "$MNT/files/whole"; grep -qx small "$MNT/files/small"
                head -c 1000 "$MNT/files/whole" > /dev/null; ls -lR "$MNT/files" > /dev/null

                """
            try volume.shell(whole)
            let get = try volume.tried("get", "test:files/missing", volume.root + "/got")
            #expect(get.status != 0)
            expectNoTrace(get.errors)
            #expect(!FileManager.default.fileExists(atPath: volume.root + "/got"))
            // A file with a lost chunk can still be replaced and removed.
            try volume.shell(
                """
                rm "$MNT/files/empty"; cp "$ROOT/whole.plain" "$MNT/files/truncated"
                cmp "$ROOT/whole.plain" "$MNT/files/truncated"; "$CAIRN" sync "$MNT"
                """)
            let check = ["corrupt", "missing", "swapped", "other"].map {
                "cmp \"$ROOT/\($0).plain\" \"$MNT/files/\($0)\"\n"
            }
            try mend(volume, "chunks", whole + check.joined())
        }
    }

    private func chunks(of name: String, _ volume: MountedVolume) throws -> [String] {
        let text = try volume.done("info", volume.mountPoint + "/files/" + name, "--json")
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let fields = try #require(json as? [String: Any])
        let addresses = try #require(fields["chunks"] as? [String])
        try #require(addresses.count == 3)
        return addresses.map { "\(volume.store)/chunks/\($0.prefix(2))/\($0)" }
    }

    @Test("a damaged page is EIO at its directory, and all others are read")
    func page() throws {
        try withVolume { volume in
            // The pages a publication makes are those of the new directory and of those above it,
            // and the log's. Each of the others is made anew by the next publication.
            let names = Self.damages + ["other"]
            for name in names {
                try volume.shell(
                    """
                    find "$STORE/chunks" -type f | LC_ALL=C sort > "$ROOT/before"
                    mkdir -p "$MNT/files/\(name)"; echo \(name) > "$MNT/files/\(name)/file"
                    "$CAIRN" sync "$MNT"
                    find "$STORE/chunks" -type f | LC_ALL=C sort > "$ROOT/after"
                    LC_ALL=C comm -13 "$ROOT/before" "$ROOT/after" > "$ROOT/\(name).all"
                    """)
            }
            try volume.shell(
                """
                find "$STORE/chunks" -type f | LC_ALL=C sort > "$ROOT/before"
                mkdir "$MNT/files/whole"; echo whole > "$MNT/files/whole/file"
                "$CAIRN" sync "$MNT"
                """)
            var spoiling = "for f in $(cat \"$ROOT/other.all\"); do other=\"$f\"; done\n"
            for damage in Self.damages {
                spoiling += """
                    for f in $(cat "$ROOT/\(damage).all"); do
                        test "$f" = "$other" || spoil "$f" \(damage) "$other"
                    done

                    """
            }
            try recover(volume, spoiling: spoiling)
            let names2 = try volume.shell("ls \"$MNT/files\"").split(separator: "\n")
            #expect(Set(names2.map(String.init)) == Set(names + ["whole"]))
            for damage in Self.damages {
                let list = "os.listdir(os.environ['MNT'] + '/files/\(damage)')"
                #expect(try volume.outcome(of: list) == "EIO", "\(damage)")
                let file = read("files/\(damage)/file")
                #expect(try volume.outcome(of: file) == "EIO", "\(damage)")
                let create = "open(os.environ['MNT'] + '/files/\(damage)/new', 'x')"
                #expect(try volume.outcome(of: create) == "EIO", "\(damage)")
                let remove = "os.rmdir(os.environ['MNT'] + '/files/\(damage)')"
                #expect(["EIO", "ENOTEMPTY"].contains(try volume.outcome(of: remove)))
            }
            expectSentences(try volume.errorLines())
            try volume.shell(
                """
                grep -qx whole "$MNT/files/whole/file"; echo new > "$MNT/files/new"
                mv "$MNT/files/corrupt" "$MNT/files/moved"; "$CAIRN" sync "$MNT"
                mv "$MNT/files/moved" "$MNT/files/corrupt"; "$CAIRN" sync "$MNT"
                """)
            let check = (Self.damages + ["whole"]).map {
                "grep -qx \($0) \"$MNT/files/\($0)/file\"\n"
            }
            try mend(volume, "chunks", check.joined() + "grep -qx new \"$MNT/files/new\"")
        }
    }

    @Test("with the top directory's page and the log damaged, pads are read and written")
    func topPage() throws {
        for damage in ["corrupt", "missing"] {
            try withVolume { volume in
                try volume.shell(
                    """
                    echo pad > "$MNT/scratchpads/pad"; "$CAIRN" sync "$MNT"
                    find "$STORE/chunks" -type f | LC_ALL=C sort > "$ROOT/before"
                    echo file > "$MNT/files/file"; "$CAIRN" sync "$MNT"
                    find "$STORE/chunks" -type f | LC_ALL=C sort > "$ROOT/after"
                    """)
                try recover(
                    volume,
                    spoiling: """
                        for f in $(LC_ALL=C comm -13 "$ROOT/before" "$ROOT/after"); do
                            spoil "$f" \(damage)
                        done
                        """)
                let list = "os.listdir(os.environ['MNT'] + '/files')"
                #expect(try volume.outcome(of: list) == "EIO")
                try volume.shell(
                    """
                    grep -qx pad "$MNT/scratchpads/pad"; echo two > "$MNT/scratchpads/pad"
                    echo new > "$MNT/scratchpads/new"; "$CAIRN" sync "$MNT"
                    """)
                expectSentences(try volume.errorLines())
                try mend(
                    volume, "chunks",
                    """
                    grep -qx file "$MNT/files/file"; grep -qx two "$MNT/scratchpads/pad"
                    grep -qx new "$MNT/scratchpads/new"
                    """)
            }
        }
    }

    // SEMANTICS: A pad that the store cannot give is listed; opening or reading it fails with EIO.
    @Test("a damaged pad is EIO at its file, all others are read, and nothing is signed over it")
    func pad() throws {
        try withVolume { volume in
            var paths: [String: String] = [:]
            try volume.shell("cd \"$STORE\"; find pads -type f > \"$ROOT/root\"")
            for name in Self.damages + ["other", "whole"] {
                try volume.shell("echo \(name) > \"$MNT/scratchpads/\(name)\"")
            }
            try volume.sync()
            for name in Self.damages + ["other"] {
                let address = try volume.shell(
                    "getfattr --only-values -n user.cairn.address \"$MNT/scratchpads/\(name)\"")
                paths[name] = "\(volume.store)/pads/\(address.prefix(2))/01-\(address)"
            }
            let other = try #require(paths["other"])
            let spoiling = Self.damages.map {
                "spoil '\(paths[$0] ?? "")' \($0) '\(other)'\n"
            }
            try recover(volume, spoiling: spoiling.joined())
            let spoilt = "find \"$STORE/pads\" -type f | sort | xargs sha256sum"
            let before = try padSums(volume, paths, spoilt)
            func expectEIO() throws {
                for name in Self.damages + ["other"] {
                    #expect(try volume.outcome(of: read("scratchpads/" + name)) == "EIO", "\(name)")
                }
                #expect(try volume.shell("cat \"$MNT/scratchpads/whole\"") == "whole\n")
            }
            try expectEIO()
            expectSentences(try volume.errorLines())
            let size = try volume.shell("stat -c %s \"$MNT/scratchpads/corrupt\"")
            #expect(size == "8\n")
            // Neither a new mount nor a change of their attributes makes empty pads of them.
            try volume.shell("chmod 600 \"$MNT\"/scratchpads/*; touch \"$MNT\"/scratchpads/*")
            try volume.sync()
            try volume.unmount()
            try volume.mount()
            try volume.sync()
            try expectEIO()
            #expect(try padSums(volume, paths, spoilt) == before)
            let check = (Self.damages + ["other", "whole"]).map {
                "grep -qx \($0) \"$MNT/scratchpads/\($0)\"\n"
            }
            // But for the root, which has gone on.
            try volume.shell("cd \"$ROOT/whole\"; rm \"$(cat \"$ROOT/root\")\"")
            try mend(volume, "pads", check.joined())
        }
    }

    /// The digests of the damaged pads' files.
    private func padSums(
        _ volume: MountedVolume, _ paths: [String: String], _ script: String
    ) throws -> [String] {
        let lines = try volume.shell(script).split(separator: "\n").map(String.init)
        return lines.filter { line in paths.values.contains { line.hasSuffix($0) } }
    }

    @Test(
        "a damaged root keeps the volume from being recovered, with a sentence", arguments: damages)
    func root(_ damage: String) throws {
        try withVolume { volume in
            try volume.shell(
                """
                find "$STORE/pads" -type f > "$ROOT/root"; echo pad > "$MNT/scratchpads/pad"
                echo file > "$MNT/files/file"; "$CAIRN" sync "$MNT"
                test "$(wc -l < "$ROOT/root")" = 1
                \(Self.spoil)
                "$CAIRN" unmount "$MNT"; cp -a "$STORE" "$ROOT/whole"
                other="$(find "$STORE/pads" -type f | grep -vF "$(cat "$ROOT/root")")"
                spoil "$(cat "$ROOT/root")" \(damage) "$other"
                """)
            let result = try volume.tried(
                "recover", "other", "--store", volume.store, input: volume.phrase)
            if damage == "missing" {
                expectRefusal(result, .noSuchVolume, "no volume of this phrase")
            } else {
                expectRefusal(result, .damaged, "is damaged", volume.store)
            }
            #expect(try volume.done("list") == "test\n")
            // The machine that has the volume goes on, says what it met, and mends the root.
            try volume.mount()
            let errors = try volume.errorLines()
            #expect(errors.contains("root: "), "\(errors)")
            expectSentences(errors)
            #expect(try volume.shell("cat \"$MNT/files/file\"") == "file\n")
            if damage == "swapped" {
                try volume.shell("cp -a \"$ROOT/whole/.\" \"$STORE/\"")
            }
            try volume.proveThatItWorks()
            #expect(try volume.shell("cat \"$MNT/files/file\"") == "file\n")
            #expect(try volume.shell("cat \"$MNT/scratchpads/pad\"") == "pad\n")
        }
    }
}
