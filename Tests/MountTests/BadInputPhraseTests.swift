// SPDX-License-Identifier: Apache-2.0
//
// Bad input: phrases, configurations and key files.

import Foundation
import TestSupport
import Testing

@Suite("bad input: phrases and local files", .serialized, .mounting)
struct BadInputPhraseTests {
    @Test("a phrase of the wrong length, with an unknown word, or a wrong checksum is refused")
    func wrongPhrase() throws {
        try withVolume(mounts: false) { volume in
            let words = volume.phrase.split(separator: " ").map {
                $0.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            try #require(words.count == 24)
            var misspelt = words
            misspelt[6] = "xyzzy"
            let phrases: [(String, String)] = [
                (words.dropLast().joined(separator: " "), "24 words, not 23"),
                ((words + ["abandon"]).joined(separator: "\n"), "24 words, not 25"),
                ("", "24 words, not 0"),
                (misspelt.joined(separator: " "), "word 7 of the recovery phrase"),
                // The valid one ends with “art”.
                (Array(repeating: "abandon", count: 24).joined(separator: " "), "checksum"),
            ]
            for (phrase, sentence) in phrases {
                let result = try volume.tried(
                    "recover", "other", "--store", volume.store, input: phrase)
                expectRefusal(result, .invalidPhrase, sentence)
                // A phrase is a secret, also one with a mistake in it.
                #expect(!result.errors.contains(words[0]) && !result.errors.contains("xyzzy"))
            }
            #expect(try volume.done("list") == "test\n")
            try volume.proveThatItMounts()
        }
    }

    @Test("a phrase from a file that is missing, binary or far too long is refused")
    func phraseFile() throws {
        try withVolume(mounts: false) { volume in
            try volume.shell(
                """
                head -c 300 /dev/urandom > "$ROOT/binary"; head -c 1000000 /dev/zero > "$ROOT/long"
                """)
            let binary = try volume.tried(
                "recover", "other", "--store", volume.store, "--phrase-file",
                volume.root + "/binary")
            expectRefusal(binary, .invalidPhrase)
            for (name, code) in [("long", Int32(64)), ("missing", 16)] {
                let result = try volume.tried(
                    "recover", "other", "--store", volume.store, "--phrase-file",
                    volume.root + "/" + name)
                #expect(result.status == code)
                expectNoTrace(result.errors)
                #expect(result.errors.contains(name))
            }
            #expect(try volume.done("list") == "test\n")
        }
    }

    @Test("the phrase of another volume finds nothing, and changes nothing")
    func phraseOfAnother() throws {
        try withVolume(mounts: false) { volume in
            let other = try volume.done("init", "other", "--store", volume.root + "/elsewhere")
            let before = try volume.shell("find \"$STORE\" -type f | sort | xargs sha256sum")
            let result = try volume.tried(
                "recover", "third", "--store", volume.store, input: other)
            expectRefusal(result, .noSuchVolume, "has no volume of this phrase", volume.store)
            #expect(try volume.done("list") == "other\ntest\n")
            let after = try volume.shell("find \"$STORE\" -type f | sort | xargs sha256sum")
            #expect(after == before)

            let known = try volume.tried(
                "recover", "test", "--store", volume.store, input: volume.phrase)
            expectRefusal(known, .volumeExists, "“test”")
            let again = try volume.tried("init", "test", "--store", volume.root + "/new")
            expectRefusal(again, .volumeExists, "“test”")
            #expect(!FileManager.default.fileExists(atPath: volume.root + "/new"))
            for arguments in [["mount", "nobody", volume.mountPoint], ["sync", "nobody"]] {
                let missing = try volume.cairn(arguments)
                expectRefusal(missing, .noSuchVolume, "“nobody”")
            }
            try volume.proveThatItMounts()
        }
    }

    @Test("a garbage configuration is refused with its line, and the volume is as it was")
    func configuration() throws {
        try withVolume(mounts: false) { volume in
            let path = volume.folder + "/config"
            let good = try String(contentsOfFile: path, encoding: .utf8)
            try volume.shell(
                """
                cp -p '\(path)' "$ROOT/good"; head -c 400 /dev/urandom > "$ROOT/random"
                head -c 200000 /dev/zero | tr '\\0' x > "$ROOT/endless"
                """)
            let garbage: [(String, String)] = [
                ("", "missing"),
                ("{}\n", "line 1"),
                (good.replacingOccurrences(of: "version = 1", with: "version = 99"), "version"),
                (good + "wombat = 3\n", "no setting “wombat”"),
                (good + "cache = 1G\n", "stands there twice"),
                (good.replacingOccurrences(of: "cache = ", with: "cache = much "), "“cache”"),
                (String(good.prefix(good.count / 2)), "config"),
                (good.replacingOccurrences(of: "file://", with: "gopher://"), "store"),
                (good.replacingOccurrences(of: "id = ", with: "id = zz"), "“id”"),
            ]
            func expectRefused(_ what: String) throws {
                let result = try volume.cairn(["mount", "test", volume.mountPoint])
                expectRefusal(result, .invalidConfiguration, what)
                #expect(result.errors.utf8.count < 1000)
            }
            for (text, what) in garbage {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                try expectRefused(what)
            }
            for name in ["random", "endless"] {
                try volume.shell("cat \"$ROOT/\(name)\" > '\(path)'")
                try expectRefused("config")
            }
            // Well-formed, and of another volume.
            let identity = try #require(good.split(separator: "\n").first { $0.contains("id =") })
            let foreign = "id = " + String(repeating: "5a", count: 16)
            try Data(good.replacingOccurrences(of: identity, with: foreign).utf8)
                .write(to: URL(fileURLWithPath: path))
            try expectRefused("another volume")
            try volume.shell("cp -p \"$ROOT/good\" '\(path)'")
            try volume.proveThatItMounts()
        }
    }

    @Test("a key file that is garbage, another volume's, missing or open to others is refused")
    func keyFile() throws {
        try withVolume(mounts: false) { volume in
            try volume.done("init", "other", "--store", volume.root + "/elsewhere")
            let path = volume.folder + "/key"
            try volume.shell("cp -p '\(path)' \"$ROOT/good\"")
            let spoilings: [(String, String)] = [
                (": > KEY", "damaged"),
                ("head -c 74 /dev/urandom > KEY", "damaged"),
                ("head -c 100000 /dev/urandom > KEY", "key"),
                ("head -c 40 \"$ROOT/good\" > KEY", "damaged"),
                (
                    "printf '\\x55\\x55' | dd of=KEY bs=1 seek=20 conv=notrunc status=none",
                    "checksum"
                ),
                ("printf '\\x07' | dd of=KEY bs=1 seek=8 conv=notrunc status=none", "version 7"),
                ("cat \"$CAIRN_STATE/volumes/other/key\" > KEY", "another volume"),
                ("chmod 644 KEY", "chmod 600"),
                ("rm KEY", "cannot be read"),
                ("rm KEY; ln -s \"$ROOT/good\" KEY", "cannot be read"),
                ("rm KEY; mkdir KEY", "key"),
            ]
            for (script, what) in spoilings {
                try volume.shell(script.replacingOccurrences(of: "KEY", with: "'\(path)'"))
                let result = try volume.tried("mount", "test", volume.mountPoint)
                expectRefusal(result, .invalidConfiguration, what)
                try volume.shell("rm -rf '\(path)'; cp -p \"$ROOT/good\" '\(path)'")
            }
            try volume.proveThatItMounts()
        }
    }
}
