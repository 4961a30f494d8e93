// SPDX-License-Identifier: Apache-2.0
//
// What `aleph/` remembers of names that were looked up, and of parts that several files have.

import AlephProtocol
import TestSupport
import Testing

@testable import Control

struct AlephSeenTests {
    // SEMANTICS: names in one of these that are listed because they were looked up: 1000
    @Test("names that were found stay in order, and beyond the limit the oldest go")
    func limit() {
        var seen = AlephSeen()
        for index in 0..<AlephSeen.limit + 5 {
            let (isNew, isNewAgain) = (
                seen.note("n\(index)", in: .files), seen.note("n\(index)", in: .files)
            )
            #expect(isNew && !isNewAgain)
        }
        let names = seen.names(in: .files, from: 0)
        #expect(names.count == AlephSeen.limit)
        #expect(names.first?.name == "n5" && names.first?.number == 5)
        #expect(
            seen.names(in: .files, from: AlephSeen.limit + 4).map { $0.name } == [
                "n\(AlephSeen.limit + 4)"
            ])
        #expect(seen.names(in: .ipfs, from: 0).isEmpty)
    }

    @Test(
        "a name that went comes back with a new number, and others keep theirs", arguments: 1...20)
    func numbers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var seen = AlephSeen()
        var model: [String: Int] = [:]
        var last = -1
        for _ in 0..<500 {
            let name = "n\(random.below(20))"
            if random.below(3) == 0 {
                let wasThere = seen.remove(name, from: .messages)
                #expect(wasThere == (model.removeValue(forKey: name) != nil), "seed \(seed)")
            } else if seen.note(name, in: .messages) {
                let number = seen.names(in: .messages, from: 0).last?.number ?? -1
                #expect(number > last && model[name] == nil, "seed \(seed)")
                model[name] = number
                last = number
            }
            let names = seen.names(in: .messages, from: 0)
            #expect(names.map { $0.number } == names.map { $0.number }.sorted(), "seed \(seed)")
            #expect(
                Dictionary(uniqueKeysWithValues: names.map { ($0.name, $0.number) }) == model,
                "seed \(seed)")
        }
    }

    @Test("what is found is noted where nothing lists it, and nowhere else")
    func places() throws {
        let hash = try #require(ItemHash(String(repeating: "a", count: 64)))
        func name(_ path: AlephPath, _ parent: AlephPath) -> String? {
            AlephSeen.name(for: path, in: parent).map { "\($0.0) \($0.1)" }
        }
        #expect(name(.message(hash), .messages) == "messages \(hash).json")
        #expect(name(.message(hash), .tagged(["a/b", "c"])) == "tags a%2Fb")
        #expect(name(.file(hash), .files) == "files \(hash)")
        #expect(name(.file(hash), .ipfs) == "ipfs \(hash)")
        #expect(name(.tagged(["x"]), .tags) == "tags x")
        #expect(name(.post("A", hash), .part("A", .posts)) == "accounts A")
        #expect(name(.status(hash), .messages) == nil)
        #expect(name(.account("A"), .accounts) == nil)
    }
}

struct AlephPartsInUseTests {
    @Test(
        "no part is taken back that a file relies on, and none relied on that is", arguments: 1...50
    )
    func exclusion(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let all = (0..<6).compactMap { ItemHash(String(repeating: "\($0)", count: 64)) }
        try #require(all.count == 6)
        var parts = AlephParts()
        var relied: [UInt64: Set<ItemHash>] = [:]
        var retiring: [Set<ItemHash>] = []
        for _ in 0..<300 {
            let user = UInt64(random.below(4))
            switch random.below(4) {
            case 0:
                let part = all[random.below(all.count)]
                if parts.use(part, by: user) { relied[user, default: []].insert(part) }
            case 1:
                parts.release(user)
                relied[user] = nil
            case 2:
                let wanted = Set(all.filter { _ in random.below(2) == 0 })
                let free = parts.retire(wanted)
                for held in relied.values { #expect(held.isDisjoint(with: free), "seed \(seed)") }
                #expect(free.isSubset(of: wanted), "seed \(seed)")
                retiring.append(free)
            default:
                if !retiring.isEmpty {
                    parts.retired(retiring.remove(at: random.below(retiring.count)))
                }
            }
            for part in retiring.reduce(Set(), { $0.union($1) }) {
                let isUsable = parts.use(part, by: 99)
                #expect(!isUsable, "seed \(seed)")
            }
            parts.release(99)
        }
    }
}
