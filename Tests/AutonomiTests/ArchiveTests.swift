// SPDX-License-Identifier: Apache-2.0
//
// Archives: the reference's bytes, the round trip, and what hostile ones get.

import Autonomi
import Primitives
import Testing

@Suite("Archives")
struct ArchiveTests {
    /// Made with the serde crates that the network's client uses.
    private static let publicHex =
        "81a2563081a36d617082a96469722f612e74787492dc0020010a131c252e374049525b646d767fcc88cc91cc9a"
        + "cca3ccacccb5ccbeccc7ccd0ccd9cce2ccebccf4ccfd060f1884a763726561746564ce6553f100a86d6f6469"
        + "66696564ce6553f101a473697a6505a56578747261c0a96469722f622e74787492dc0020020b141d262f3841"
        + "4a535c656e77cc80cc89cc92cc9bcca4ccadccb6ccbfccc8ccd1ccdacce3ccecccf5ccfe07101984a7637265"
        + "61746564ce6553f100a86d6f646966696564ce6553f101a473697a6505a56578747261a27b7d"
    private static let privateHex =
        "81a2563081a36d617081a96469722f612e74787492c40301020384a763726561746564ce6553f100a86d6f6469"
        + "66696564ce6553f101a473697a6505a56578747261c0"

    private static func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }

    private static func entry(
        _ path: String, seed: UInt8 = 1, modified: UInt64 = 7
    ) throws -> ArchiveEntry {
        let address = try #require(PublicAddress([UInt8](repeating: seed, count: 32)))
        return ArchiveEntry(
            path: try ArchivePath(path), content: .address(address), created: 3,
            modified: modified, size: 5)
    }

    /// An archive whose paths nobody checked.
    private static func raw(_ paths: [String]) -> [UInt8] {
        var writer = MessagePack.Writer()
        writer.map(count: 1)
        writer.string("V0")
        writer.map(count: 1)
        writer.string("map")
        writer.map(count: paths.count)
        for path in paths {
            writer.string(path)
            writer.array(count: 2)
            writer.array(count: 32)
            for byte in 0..<32 { writer.uint(UInt64(byte)) }
            writer.map(count: 0)
        }
        return writer.bytes
    }

    @Test("the reference's public archive is read, and written again to the same bytes")
    func publicVector() throws {
        let bytes = try Self.bytes(Self.publicHex)
        let archive = try Archive(decoding: bytes)
        #expect(archive.entries.map(\.path.text) == ["dir/a.txt", "dir/b.txt"])
        let first = try #require(archive.entries.first)
        let address = (0..<32).map { UInt8((1 + 9 * $0) & 255) }
        #expect(first.content == PublicAddress(address).map { .address($0) })
        #expect(first.created == 1_700_000_000 && first.modified == 1_700_000_001)
        #expect(first.size == 5 && first.extra == nil)
        #expect(archive.entries.last?.extra == "{}")
        #expect(archive.encoded() == bytes)
    }

    @Test("the reference's private archive is read, and written again to the same bytes")
    func privateVector() throws {
        let bytes = try Self.bytes(Self.privateHex)
        let archive = try Archive(decoding: bytes)
        #expect(archive.entries.map(\.content) == [.dataMap([1, 2, 3])])
        #expect(archive.encoded() == bytes)
    }

    @Test("an archive of nothing is one")
    func empty() throws {
        let archive = try Archive([])
        #expect(try Archive(decoding: archive.encoded()) == archive)
        #expect(try ArchiveTree(archive).nodes.count == 1)
    }

    @Test("any archive comes back from its own bytes", arguments: 1...40)
    func roundTrip(seed: Int) throws {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var paths: Set<String> = []
        for _ in 0..<next(200) {
            // Directories and files have different letters, so that no file lies below a file.
            let directories = (0..<next(5)).map { _ in "d\(next(4))!" }
            paths.insert((directories + ["f\(next(50))"]).joined(separator: "/"))
        }
        let archive = try Archive(
            try paths.map { try Self.entry($0, seed: UInt8(next(256)), modified: UInt64(next(99))) }
        )
        #expect(try Archive(decoding: archive.encoded()) == archive)
        let tree = try ArchiveTree(archive)
        for (position, entry) in archive.entries.enumerated() {
            var node = 0
            for name in entry.path.names { node = try #require(tree.child(name, of: node)) }
            #expect(tree.nodes[node].entry == position)
            #expect(tree.nodes[node].modified == entry.modified)
        }
        #expect(tree.child(Array("nowhere".utf8), of: 0) == nil)
        #expect(tree.nodes[0].modified == archive.entries.map(\.modified).max() ?? 0)
    }

    @Test("paths are ordered name by name, as the network's own archives are")
    func order() throws {
        let archive = try Archive(try ["a!", "a/b", "b", "a/a"].map { try Self.entry($0) })
        #expect(archive.entries.map(\.path.text) == ["a/a", "a/b", "a!", "b"])
    }

    @Test(
        "a path that no tree can have is refused, and the entry is named by its number",
        arguments: [
            ("../x", ArchivePathError.leaves), ("a/../b", .leaves), ("a/..", .leaves),
            ("/etc/passwd", .absolute), ("", .empty), ("a//b", .notPlain), ("a/", .notPlain),
            ("./a", .notPlain), ("a/.", .notPlain), ("a\0b", .hasNUL),
            (String(repeating: "n", count: 256), .nameTooLong),
            (String(repeating: "n/", count: 2100), .tooLong),
            (String(repeating: "n/", count: 256) + "n", .tooDeep),
        ])
    func hostilePath(path: String, problem: ArchivePathError) {
        #expect(throws: ArchiveError.path(entry: 2, problem)) {
            try Archive(decoding: Self.raw(["fine", path]))
        }
    }

    @Test(
        "two entries for one place are refused",
        arguments: [["a", "a"], ["a", "a/b"], ["a/b/c", "x", "a/b"], ["a/b", "a/c", "a!", "a"]])
    func taken(paths: [String]) {
        #expect(throws: ArchiveError.self) { try Archive(decoding: Self.raw(paths)) }
    }

    @Test("names that Swift takes for equal are two names")
    func bytesCount() throws {
        let archive = try Archive(decoding: Self.raw(["e\u{301}", "\u{e9}"]))
        #expect(archive.entries.count == 2)
    }

    @Test("ten million entries are refused by their count, before any is read")
    func tooMany() {
        let head = Self.raw([]).dropLast() + [0xDF, 0x00, 0x98, 0x96, 0x80]
        #expect(throws: ArchiveError.tooLarge(what: "files", limit: ArchiveLimits.entryCount)) {
            try Archive(decoding: Array(head))
        }
        let lying = Self.raw([]).dropLast() + [0xDF, 0x00, 0x03, 0xFF, 0xFF]
        #expect(throws: ArchiveError.malformed("its list is cut off")) {
            try Archive(decoding: Array(lying))
        }
    }

    @Test("paths that share no directory stop at the limit of nodes")
    func tooManyNodes() throws {
        let deep = String(repeating: "/a", count: 250)
        let entries = try (0..<2200).map { try Self.entry("d\($0)" + deep) }
        #expect(throws: ArchiveError.self) { try ArchiveTree(try Archive(entries)) }
    }

    @Test("bytes that are cut off or changed never trap", arguments: 1...300)
    func damaged(seed: Int) throws {
        var bytes = try Self.bytes(Self.publicHex)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
        for _ in 0..<(1 + seed % 4) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
        }
        bytes.removeLast(seed % 7 == 0 ? seed % bytes.count : 0)
        do throws(ArchiveError) {
            let archive = try Archive(decoding: bytes)
            #expect(try Archive(decoding: archive.encoded()) == archive)
        } catch {
            #expect(!"\(error)".isEmpty)
        }
    }

    @Test("unknown fields are stepped over, and a field that is there twice is refused")
    func fields() throws {
        func archive(_ names: [String]) -> [UInt8] {
            var bytes = Self.raw(["a"])
            bytes.removeLast()
            var writer = MessagePack.Writer()
            writer.map(count: names.count)
            for name in names {
                writer.string(name)
                writer.uint(9)
            }
            return bytes + writer.bytes
        }
        let read = try Archive(decoding: archive(["size", "colour"]))
        #expect(read.entries.first?.size == 9)
        #expect(throws: ArchiveError.self) { try Archive(decoding: archive(["size", "size"])) }
    }
}
