// SPDX-License-Identifier: Apache-2.0
//
// What `aleph/` in a mount is made of: numbers of nodes, what is kept, records of what waits.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Engine
import Foundation
import JSON
import LocalServer
import Namespace
import Primitives
import TestSupport
import Testing
import Threading

@testable import Control

struct AlephNodesTests {
    @Test("numbers are given once, move with their names, and are stale when dropped")
    func numbers() throws {
        var nodes = AlephNodes()
        let me = nodes.number("me", in: AlephNodes.root, .me)
        let files = nodes.number("files", in: me, .mine(.files))
        let a = nodes.number("a", in: files, .own(.files))
        let again = nodes.number("a", in: files, .own(.files))
        #expect(again == a)
        #expect(nodes.names(to: a) == ["me", "files", "a"])
        let b = nodes.number("b", in: files, .own(.files))
        nodes.move("a", in: files, to: "b", in: files)
        #expect(nodes.number("b", in: files) == a && nodes[a]?.name == "b" && nodes[b] == nil)
        #expect(nodes.number("a", in: files) == nil)
        let (isGone, isGoneAgain) = (nodes.drop("b", in: files), nodes.drop("b", in: files))
        #expect(isGone && !isGoneAgain)
        #expect(nodes[a] == nil)
        let fresh = nodes.number("b", in: files, .own(.files))
        #expect(fresh > b)
        // What is something else now is another node.
        let history = nodes.number("x", in: files, .own(.files))
        let inbox = nodes.number("x", in: files, .inbox)
        #expect(inbox != history && nodes[history] == nil)
    }

    @Test("random names and moves keep both tables in step", arguments: 1...30)
    func invariant(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var nodes = AlephNodes()
        var model: [String: UInt64] = [:]
        var given: Set<UInt64> = [0]
        for _ in 0..<400 {
            let (name, other) = ("n\(random.below(12))", "n\(random.below(12))")
            switch random.below(4) {
            case 0, 1:
                let number = nodes.number(name, in: 0, .own(.files))
                if let known = model[name] {
                    #expect(number == known, "seed \(seed)")
                } else {
                    #expect(given.insert(number).inserted, "seed \(seed)")
                }
                model[name] = number
            case 2:
                if name == other { continue }
                nodes.move(name, in: 0, to: other, in: 0)
                model[other] = model.removeValue(forKey: name)
            default:
                nodes.drop(name, in: 0)
                model[name] = nil
            }
            for index in 0..<12 {
                #expect(nodes.number("n\(index)", in: 0) == model["n\(index)"], "seed \(seed)")
            }
            for (name, number) in model { #expect(nodes[number]?.name == name, "seed \(seed)") }
        }
    }

    @Test("beyond the limit the oldest numbers go stale, and come anew for their names")
    func limit() {
        var nodes = AlephNodes()
        let first = nodes.number("0", in: 0, .own(.files))
        for index in 1...AlephNodes.limit { _ = nodes.number("\(index)", in: 0, .own(.files)) }
        #expect(nodes[first] == nil && nodes.number("0", in: 0) == nil)
        #expect(nodes.number("\(AlephNodes.limit)", in: 0) != nil)
        let again = nodes.number("0", in: 0, .own(.files))
        #expect(again > first)
    }
}

struct AlephKnownTests {
    private func entry(_ seed: Int, size: Int) throws -> (AlephPath, AlephEntry) {
        let account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 3, count: 32)), chain: .solana)
        let text = String(repeating: "x", count: size)
        let signed = try account.sign(
            .post(type: "t", content: .string(text)), time: Double(seed), channel: nil)
        let message = try VerifiedMessage(signed.envelope, content: signed.content)
        let made = try #require(AlephEntry.entries(from: message).first)
        return (made.path, made)
    }

    // SEMANTICS: texts of `aleph/` in memory: 16 MiB
    @Test("texts are kept within their bytes; what was used least lately goes")
    func bytes() throws {
        let known = AlephKnown()
        let size = 1 << 20
        var paths: [AlephPath] = []
        for seed in 0..<20 {
            let (path, entry) = try entry(seed, size: size)
            known.keep(entry, as: path)
            paths.append(path)
            // The first is used all the time.
            #expect(known.file(paths[0]) != nil)
        }
        let kept = paths.filter { known.file($0) != nil }.count
        #expect(kept < 16 && kept > 7)
        #expect(known.file(paths[19]) != nil && known.file(paths[1]) == nil)
        known.forget(paths[0])
        #expect(known.file(paths[0]) == nil)
    }

    @Test("that something is not there is believed for a few seconds")
    func absence() {
        let known = AlephKnown()
        let path = AlephPath.message(ItemHash(sha256Of: [1]))
        #expect(!known.isAbsent(path, 100))
        known.noteAbsent(path, 100)
        #expect(known.isAbsent(path, 104) && !known.isAbsent(path, 106))
        for index in 0...AlephKnown.absenceLimit {
            known.noteAbsent(.message(ItemHash(sha256Of: Array("\(index)".utf8))), 100)
        }
        #expect(!known.isAbsent(path, 101))
    }

    @Test("messages are news once, and the oldest are forgotten")
    func heard() {
        var heard = AlephHeard()
        let hashes = (0...AlephHeard.limit).map { ItemHash(sha256Of: Array("\($0)".utf8)) }
        let first = hashes.map { heard.isNews($0) }
        #expect(first.allSatisfy { $0 })
        let (last, oldest) = (heard.isNews(hashes[AlephHeard.limit]), heard.isNews(hashes[0]))
        #expect(!last && oldest)
    }
}

struct AlephRecordTests {
    @Test("a record is read back as it was", arguments: 1...40)
    func coding(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var record = AlephRecord(
            number: seed, part: AlephPath.Part.allCases[random.below(3)],
            name: "näme \(random.below(1000))/\"\\")
        if random.below(2) == 0 { record.body = UInt64(random.below(1 << 30)) }
        if random.below(2) == 0 { record.size = UInt64(random.below(1 << 30)) }
        record.isGone = random.below(2) == 0
        record.isRetold = random.below(2) == 0
        record.mode = UInt32(random.below(0o1000))
        record.modified = Timestamp(
            seconds: Int64(random.below(1 << 40)), nanoseconds: UInt32(random.below(999_999_999)))
        if random.below(2) == 0 { record.tags = ["a", "b, c"] }
        if random.below(2) == 0 { record.base = JSONObject([("k", 1), ("é", .null)]) }
        if random.below(2) == 0 { record.target = ItemHash(sha256Of: [UInt8(random.below(256))]) }
        let account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 9, count: 32)), chain: .solana)
        if random.below(2) == 0 {
            record.envelope = try account.sign(
                .aggregate(key: "k", content: JSONObject([("a", 1)])), time: 5, channel: "C"
            ).envelope
        }
        let read = try #require(AlephRecord(number: seed, decoding: record.encoded))
        #expect(read.encoded == record.encoded && read.name == record.name, "seed \(seed)")
        #expect(read.modified == record.modified && read.envelope == record.envelope)
        // Whatever is damaged is no record, or another one; it never traps.
        var damaged = record.encoded
        damaged[random.below(damaged.count)] = UInt8(random.below(256))
        _ = AlephRecord(number: seed, decoding: damaged)
        #expect(AlephRecord(number: 1, decoding: Array(record.encoded.dropLast())) == nil)
    }

    @Test(
        "a name tells a file's type",
        arguments: [
            ("a.txt", "text/plain"), ("b.JPEG", "image/jpeg"), ("c.tar.gz", "application/gzip"),
            ("none", "application/octet-stream"), (".txt", "application/octet-stream"),
            ("x.", "application/octet-stream"), ("x.unknown", "application/octet-stream"),
        ])
    func types(name: String, type: String) {
        #expect(MimeType.of(name) == type)
    }
}
