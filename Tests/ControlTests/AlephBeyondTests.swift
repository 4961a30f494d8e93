// SPDX-License-Identifier: Apache-2.0
//
// Names of `aleph/` for which a directory has no room.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Engine
import JSON
import Primitives
import TestSupport
import Testing

@testable import Control

struct AlephBeyondTests {
    private func hash(_ number: Int) -> ItemHash {
        ItemHash(sha256Of: Array("\(number)".utf8))
    }

    @Test("names beyond a directory have all their messages, each once", arguments: 1...20)
    func model(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var beyond = AlephBeyond()
        var model: [String: [ItemHash]] = [:]
        let cid = try #require(ItemHash("QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"))
        for _ in 0..<200 {
            let name = "n\(random.below(20))"
            let message = random.below(20) == 0 ? cid : hash(random.below(50))
            beyond.note(name, [message])
            if model[name]?.contains(message) != true { model[name, default: []].append(message) }
            #expect(beyond.count == model.values.reduce(0) { $0 + $1.count }, "seed \(seed)")
        }
        for index in 0..<25 {
            let expected = model["n\(index)"].map { AlephBeyond.Answer.messages($0) } ?? .absent
            #expect(beyond.answer("n\(index)") == expected, "seed \(seed)")
        }
    }

    // SEMANTICS: messages of files in one directory of `aleph/` besides those that are listed: 500
    // 000
    @Test("where there is no room for all of them nobody is told that one is not there")
    func limit() {
        var beyond = AlephBeyond()
        let message = hash(1)
        for index in 0..<AlephBeyond.limit { beyond.note("\(index)", [message]) }
        let (isCut, answer) = (beyond.isCut, beyond.answer("none"))
        #expect(!isCut && answer == .absent)
        let held = beyond.answer("7")
        #expect(held == .messages([message]))
        beyond.note("7", [message])
        let isCutByOld = beyond.isCut
        #expect(!isCutByOld)
        beyond.note("more", [message])
        let (isCutByNew, last, count) = (beyond.isCut, beyond.answer("none"), beyond.count)
        #expect(isCutByNew && last == .unknown && count == AlephBeyond.limit)
    }

    // SEMANTICS: messages of one of these files: 500
    @Test("of a name with more messages than are kept it is not said what it is")
    func versions() {
        var beyond = AlephBeyond()
        let messages = (0..<AlephBeyond.versionLimit).map { hash($0) }
        beyond.note("f", messages)
        beyond.note("g", [messages[0]])
        let (all, count) = (beyond.answer("f"), beyond.count)
        #expect(all == .messages(messages) && count == AlephBeyond.versionLimit + 1)
        beyond.note("f", [hash(-1)])
        let (many, other, none) = (beyond.answer("f"), beyond.answer("g"), beyond.answer("h"))
        #expect(many == .unknown && other == .messages([messages[0]]) && none == .absent)
        // What comes after that costs nothing.
        let noted = beyond.count
        for number in 0..<1000 { beyond.note("f", [hash(1_000_000 + number)]) }
        let (last, isCut) = (beyond.count, beyond.isCut)
        #expect(last == noted && !isCut)
    }

    @Test("a name that nobody can look up is an error with a reason")
    func unknown() throws {
        let shown = try Shown(nameLimit: 1)
        shown.node.fund(shown.account.address, tokens: 1000)
        for name in ["a", "b"] {
            _ = try shown.tree.session.client.store(
                AlephSource(Array(name.utf8)), by: shown.account
            ) { StoreDraft(file: $0, metadata: JSONObject([("name", .string(name))])) }
        }
        #expect(try shown.names(try shown.resolve("me/files"), shown.patience) == ["b"])
        let listing = shown.tree.listing(.part(shown.account.address, .files))
        for index in 0..<AlephBeyond.limit {
            var other = AlephEntry("\(index)", at: .messages, text: [])
            other.sources = [hash(1)]
            listing.noteBeyond(other)
        }
        #expect(throws: FileError.inputOutput) { try shown.resolve("me/files/z") }
        #expect(shown.told.withLock { $0.last?.contains("cannot be looked up") } == true)
        #expect(throws: Never.self) { try shown.resolve("me/files/b") }
    }
}
