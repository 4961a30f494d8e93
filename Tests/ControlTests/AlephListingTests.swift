// SPDX-License-Identifier: Apache-2.0
//
// What `aleph/` keeps of long directories: names as hashes, sizes without texts, and limits.

import Aleph
import AlephProtocol
import Cryptography
import Engine
import JSON
import Primitives
import TestSupport
import Testing

@testable import Control

/// Messages of one account.
private struct Writer {
    let account: AlephAccount

    init() throws {
        account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 3, count: 32)), chain: .solana)
    }

    func post(_ seed: Int, size: Int = 10) throws -> AlephEntry {
        let text = JSONValue.string(String(repeating: "x", count: size))
        return try entry(.post(type: "t", content: text), seed)
    }

    func file(_ seed: Int, name: String, note: Int) throws -> (AlephEntry, VerifiedMessage) {
        var draft = StoreDraft(file: ItemHash(sha256Of: [UInt8(seed & 255)]), tags: ["a"])
        draft.metadata = JSONObject([
            ("name", .string(name)), ("size", 5), ("mode", 384),
            ("note", .string(String(repeating: "n", count: note))),
        ])
        let message = try self.message(.store(draft), seed)
        return (try #require(AlephEntry.entries(from: message).first), message)
    }

    private func entry(_ draft: MessageDraft, _ seed: Int) throws -> AlephEntry {
        try #require(AlephEntry.entries(from: try message(draft, seed)).first)
    }

    func message(_ draft: MessageDraft, _ seed: Int) throws -> VerifiedMessage {
        let signed = try account.sign(draft, time: Double(seed), channel: nil)
        return try VerifiedMessage(signed.envelope, content: signed.content)
    }
}

struct AlephMessageNameTests {
    @Test(
        "a message's name is 32 bytes and leads back, and no other spelling does", arguments: 1...20
    )
    func names(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let hash = ItemHash(sha256Of: random.bytes(8))
        let name = try #require(AlephMessageName(hash))
        #expect(name.hash == hash && name.fileName == "\(hash).json", "seed \(seed)")
        #expect(AlephMessageName(fileName: name.fileName) == name, "seed \(seed)")
        #expect(AlephMessageName(ItemHash(sha256Of: random.bytes(8))) != name, "seed \(seed)")
        let wrong = [
            hash.text, hash.text.uppercased() + ".json", hash.text.dropLast() + "g.json",
            hash.text.dropLast() + ".json", hash.text + "0.json", hash.text + ".JSON",
            "é" + hash.text.dropLast(2) + ".json",
        ]
        for text in wrong.map({ String($0) }) where text != name.fileName {
            #expect(AlephMessageName(fileName: text) == nil, "\(text), seed \(seed)")
        }
        let cid = try #require(ItemHash("QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"))
        #expect(AlephMessageName(cid) == nil)
    }
}

struct AlephListingTests {
    // Posts that were replaced are kept whole, others as hashes: nobody may see which.
    @Test("entries are the same however they are kept", arguments: 1...30)
    func model(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let writer = try Writer()
        let posts = try (0..<12).map { try writer.post($0) }
        let address = writer.account.address
        let listing = AlephListing(.part(address, .posts))
        var model: [(entry: AlephEntry?, size: Int?)] = []
        func position(_ name: String) -> Int? {
            model.firstIndex { $0.entry?.name == name }
        }
        for _ in 0..<200 {
            var entry = posts[random.below(posts.count)]
            let name = entry.name
            switch random.below(5) {
            case 0:
                listing.remove(name)
                position(name).map { model[$0] = (nil, nil) }
            case 1:
                let fact = AlephFact(size: random.below(1000), time: Double(random.below(50)))
                listing.note(fact, of: name)
                position(name).map {
                    model[$0].size = fact.size
                    model[$0].entry?.time = fact.time
                }
            default:
                if random.below(2) == 0 { entry.sources.append(posts[0].sources[0]) }
                if random.below(3) == 0 { entry.text = nil }
                #expect(listing.put(entry))
                var kept = entry
                kept.text = nil
                if let position = position(name) {
                    model[position] = (kept, entry.text?.count)
                } else {
                    model.append((kept, entry.text?.count))
                }
            }
            #expect(listing.entries == model.compactMap { $0.entry }, "seed \(seed)")
            for post in posts {
                let expected = position(post.name).map { model[$0] }
                #expect(listing.known(post.name) == expected?.entry, "seed \(seed)")
                #expect(listing.fact(post.name)?.size == expected?.size, "seed \(seed)")
            }
            let wanted = Set(posts.prefix(2).flatMap { $0.sources })
            let from = model.compactMap { $0.entry }.filter { !wanted.isDisjoint(with: $0.sources) }
            #expect(
                Set(listing.names(from: wanted)) == Set(from.map { $0.name }), "seed \(seed)")
        }
        let trouble = AlephTrouble()
        listing.finish(nil)
        let page = try listing.page(from: 1, limit: 3, nil, trouble)
        let expected = model.enumerated().dropFirst().filter { $0.element.entry != nil }.prefix(3)
        #expect(page.map { $0.next } == expected.map { $0.offset + 1 }, "seed \(seed)")
    }

    @Test("of a message in a list no more is kept than its name, time and size")
    func cost() throws {
        let writer = try Writer()
        let listing = AlephListing(.part(writer.account.address, .posts))
        var first: AlephEntry?
        for index in 0..<1000 {
            let post = try writer.post(index, size: 3000)
            first = first ?? post
            #expect(listing.put(post))
        }
        #expect(listing.bytes == 1000 * AlephListingTable.messageCost)
        let known = try #require(first.flatMap { listing.fact($0.name) })
        #expect(known.size == first?.text?.count && known.time == 0)
        // Large enough that who sees them all would notice.
        #expect(AlephListing.limit * AlephListingTable.messageCost < AlephListing.byteLimit / 4)
    }

    @Test("what owners say of their files is kept within limits, and asked for beyond them")
    func details() throws {
        let writer = try Writer()
        let listing = AlephListing(.part(writer.account.address, .files))
        let (short, _) = try writer.file(1, name: "short", note: 100)
        let (long, message) = try writer.file(2, name: "long", note: 50_000)
        #expect(listing.put(short) && listing.put(long))
        #expect(listing.known("short") == short)
        let kept = try #require(listing.known("long"))
        #expect(kept.isBrief && kept.detailSize < 100 && kept.tags.isEmpty)
        #expect(kept.statedSize == 5 && kept.mode == 0o600 && kept.file == long.file)
        #expect(kept.completed(from: message) == long)
        // Another message says nothing of it.
        let (_, other) = try writer.file(3, name: "long", note: 60_000)
        #expect(kept.completed(from: other) == kept)
        var details = AlephDetails()
        var whole = 0
        let (next, _) = try writer.file(1, name: "n", note: 3000)
        while whole * 3000 <= AlephDetails.limit {
            if details.fit(next).isBrief { break }
            whole += 1
        }
        #expect(whole > 1000 && whole * 3000 <= AlephDetails.limit)
    }

    // SEMANTICS: one directory of `aleph/` in memory: 128 MiB
    @Test("a directory ends where its bytes do, however few its names are")
    func bytes() throws {
        let writer = try Writer()
        let listing = AlephListing(.part(writer.account.address, .posts))
        var count = 0
        while count < 1000 {
            var entry = try writer.post(count)
            // As many versions as nobody has, but somebody may list.
            entry.sources = Array(repeating: entry.sources[0], count: 10_000)
            guard listing.put(entry) else { break }
            count += 1
        }
        #expect(count > 50 && count < 1000)
        #expect(listing.bytes <= AlephListing.byteLimit)
    }
}

struct AlephMessageNodesTests {
    private let names = (0..<6).map { ItemHash(sha256Of: [UInt8($0)]).text + ".json" }

    /// What a name is, where names of messages are kept as hashes and where they are not.
    private func place(_ name: String, in parent: AlephPlace) -> AlephPlace? {
        let hash = ItemHash(String(name.dropLast(5)))
        switch parent {
        case .mine(let part): return .own(part)
        case .network(.part(let owner, .posts)): return hash.map { .network(.post(owner, $0)) }
        default: return hash.map { .network(.message($0)) }
        }
    }

    @Test("numbers of messages lead to their names and places as all others do", arguments: 1...30)
    func nodes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var nodes = AlephNodes()
        let places: [AlephPlace] = [
            .mine(.posts), .mine(.files), .network(.part("A", .posts)), .network(.tagged(["t"])),
        ]
        let parents = places.enumerated().map { nodes.number("d\($0.offset)", in: 0, $0.element) }
        var model: [String: UInt64] = [:]
        for _ in 0..<400 {
            let index = random.below(parents.count)
            let (parent, directory) = (parents[index], places[index])
            let name = random.below(3) == 0 ? "plain" : names[random.below(names.count)]
            let key = "\(index)/\(name)"
            switch random.below(4) {
            case 0:
                let isGone = nodes.drop(name, in: parent)
                #expect(isGone == (model.removeValue(forKey: key) != nil), "seed \(seed)")
            case 1:
                // Only own names move, to names that are messages' and to others.
                guard index == 0 else { continue }
                let other = random.below(2) == 0 ? "other" : names[random.below(names.count)]
                if other == name { continue }
                nodes.move(name, in: parent, to: other, in: parent)
                model["0/\(other)"] = model.removeValue(forKey: key)
            default:
                guard let place = place(name, in: directory) else { continue }
                let number = nodes.number(name, in: parent, place)
                #expect(model[key] == nil || model[key] == number, "seed \(seed)")
                #expect(nodes[number]?.place == place, "seed \(seed)")
                model[key] = number
            }
            for (key, number) in model {
                let parts = key.split(separator: "/")
                #expect(nodes[number]?.name == String(parts[1]), "seed \(seed)")
                #expect(nodes.names(to: number) == ["d\(parts[0])", String(parts[1])])
            }
        }
    }

    @Test("what is in a directory that went stale is stale as well")
    func stale() {
        var nodes = AlephNodes()
        let posts = nodes.number("posts", in: 0, .network(.part("A", .posts)))
        let hash = ItemHash(sha256Of: [1])
        let post = nodes.number("\(hash).json", in: posts, .network(.post("A", hash)))
        #expect(nodes[post] != nil)
        nodes.drop("posts", in: 0)
        #expect(nodes[post] == nil && nodes.names(to: post) == nil)
    }
}

struct AlephPartsReadTests {
    /// A part on the disk, in a folder of its own.
    private func file(_ bytes: [UInt8], _ folder: TemporaryFolder) throws -> AlephLocalFile {
        let path = try folder.file("\(bytes.first ?? 0)", String(decoding: bytes, as: UTF8.self))
        return try AlephLocalFile(try Descriptor.open(path, 0))
    }

    @Test("who reads from front to end asks for each part once, though none is kept")
    func once() throws {
        let folder = try TemporaryFolder()
        let parts = (0..<3).map { ItemHash(sha256Of: [UInt8($0)]) }
        let manifest = try LargeFileManifest(
            name: nil, size: 250, sha256: [UInt8](repeating: 0, count: 32), partSize: 100,
            parts: parts)
        let asked = Lock<[Int]>([])
        let files = try (0..<3).map { index in
            try file([UInt8](repeating: UInt8(65 + index), count: index == 2 ? 50 : 100), folder)
        }
        let content = AlephPartsContent(
            manifest,
            part: { index, _ in
                asked.withLock { $0.append(index) }
                return files[index]
            }, ahead: { _ in })
        var whole: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 7)
        while true {
            var span = bytes.mutableSpan
            let count = try content.read(at: UInt64(whole.count), into: &span, nil)
            if count == 0 { break }
            whole += bytes.prefix(count)
        }
        let expected = (0..<250).map { UInt8(65 + $0 / 100) }
        #expect(whole == expected)
        #expect(asked.withLock { $0 } == [0, 1, 2])
    }
}
