// SPDX-License-Identifier: Apache-2.0
//
// Directories as trees of pages: what goes in comes out, and a small change stays small.

import Cryptography
import Primitives
import SelfEncryption
import TestSupport
import Testing

@testable import Namespace

@Suite("Trees of pages")
struct PageTreeTests {
    @Test("a walk gives what was built", arguments: [0, 1, 2, 100, 1500, 6000])
    func walkGivesAll(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count))
        let entries = try random.directory(count)
        let box = ChunkBox()
        let (root, leaves) = try box.build(entries)
        #expect((root == nil) == (count == 0))
        let walker = PageWalker(root: root, entryCount: UInt64(count))
        #expect(try box.walk(walker) == entries)
        #expect(leaves.map(\.entryCount).reduce(0, +) == UInt64(count))
    }

    @Test("every name is found by the pages on its way alone, and no other name is")
    func lookups() throws {
        let entries = manyFiles(60_000)
        let box = ChunkBox()
        let (root, leaves) = try box.build(entries)
        #expect(leaves.count > 10)
        for index in stride(from: 0, to: entries.count, by: 1999) {
            box.forgetFetches()
            let entry = entries[index]
            #expect(try PageWalker.entry(named: entry.name, below: root, box.fetch) == entry)
            #expect(box.fetches.count == 2)
            let absent = entry.name + [33]
            #expect(try PageWalker.entry(named: absent, below: root, box.fetch) == nil)
        }
        #expect(try PageWalker.entry(named: [1], below: root, box.fetch) == nil)
        #expect(try PageWalker.entry(named: [255], below: root, box.fetch) == nil)
        #expect(try PageWalker.entry(named: [65], below: nil, box.fetch) == nil)
    }

    @Test("a walk from a name skips the leaves before it")
    func walkFromName() throws {
        let entries = manyFiles(30_000)
        let box = ChunkBox()
        let (root, leaves) = try box.build(entries)
        for index in [0, 1, 14_000, 29_999] {
            box.forgetFetches()
            let name = entries[index].name
            let walked = try box.walk(PageWalker(root: root, from: name))
            #expect(walked.count < entries.count - index + 4000)
            #expect(Array(walked.suffix(entries.count - index)) == Array(entries[index...]))
        }
        let last = try box.walk(PageWalker(root: root, from: [255, 255]))
        #expect(last.count == leaves.last.map { Int($0.entryCount) })
    }

    @Test("what is said to be upcoming is what is opened next")
    func upcoming() throws {
        let box = ChunkBox()
        let (root, leaves) = try box.build(manyFiles(30_000))
        var walker = PageWalker(root: root)
        #expect(walker.upcoming(9) == [try #require(root).address])
        #expect(walker.upcoming(9, after: 1).isEmpty)
        _ = try walker.nextPage(box.fetch)
        let addresses = leaves.map(\.reference.address)
        #expect(addresses.count > 4)
        for index in addresses.indices {
            #expect(walker.upcoming(3) == Array(addresses.dropFirst(index).prefix(3)))
            #expect(walker.upcoming(3, after: 1) == Array(addresses.dropFirst(index + 1).prefix(3)))
            _ = try walker.nextPage(box.fetch)
        }
        #expect(walker.upcoming(3).isEmpty)
    }

    @Test("leaves fit into a page, keep the order, and are cut the same way again")
    func leafSizes() throws {
        var random = SeededGenerator(seed: 11)
        let entries = try random.directory(9000)
        let leaves = PageBuilder.leaves(of: entries)
        #expect(Array(leaves.joined()) == entries)
        #expect(leaves.count > 3)
        for leaf in leaves {
            #expect(try Page.leaf(leaf).encoded().count <= PageCodec.targetSize)
            #expect(PageBuilder.leaves(of: leaf) == [leaf])
        }
    }

    @Test("a leaf that outgrows its page becomes two with room in both")
    func splitting() throws {
        var entries = PageBuilder.leaves(of: manyFiles(20_000))[0]
        var number = 0
        while PageBuilder.leaves(of: entries).count == 1 {
            entries.append(file("z-\(100_000 + number)"))
            number += 1
        }
        let halves = PageBuilder.leaves(of: entries)
        #expect(halves.count == 2)
        for half in halves {
            let size = half.map(PageBuilder.encodedSize(of:)).reduce(0, +)
            #expect(size >= PageBuilder.minimumSize && size <= PageCodec.targetSize * 3 / 4)
        }
    }

    @Test("an entry larger than a page has a leaf to itself")
    func largeEntries() throws {
        var entries = [file("a"), file("b"), file("c")]
        entries[1].xattrs = (0..<10).map { index in
            ExtendedAttribute(
                name: Array("user.\(index)".utf8), value: [UInt8](repeating: 5, count: 65_536))
        }
        #expect(PageBuilder.leaves(of: entries).map(\.count) == [1, 1, 1])
        let box = ChunkBox()
        let (root, _) = try box.build(entries)
        #expect(try box.walk(PageWalker(root: root)) == entries)
    }

    @Test("one changed entry among a million rewrites one leaf and its ancestors")
    func smallChange() throws {
        // The leaves of a million entries, without the cost of sealing them all.
        var random = SeededGenerator(seed: 12)
        var links: [PageLink] = []
        for index in 0..<1300 {
            let name = "some quite long name of a file, as people have them \(index * 7919)"
            let padding = String(repeating: "x", count: 150)
            links.append(
                PageLink(
                    first: Array((name + padding).utf8), reference: try random.reference(),
                    entryCount: 770))
        }
        links.sort { bytesPrecede($0.first, $1.first) }
        let before = try PageBuilder.index(over: links, secret: testSecret())
        #expect(before.pages.count > 2, "the index has more than one page")

        var changed = links
        changed[650].reference = try random.reference()
        try expectFewNew(before.pages, PageBuilder.index(over: changed, secret: testSecret()).pages)

        var split = links
        var added = links[650]
        added.first += [200]
        added.reference = try random.reference()
        split.insert(added, at: 651)
        try expectFewNew(before.pages, PageBuilder.index(over: split, secret: testSecret()).pages)

        var joined = links
        joined.remove(at: 300)
        try expectFewNew(before.pages, PageBuilder.index(over: joined, secret: testSecret()).pages)
    }

    @Test("a changed entry in a real tree leaves all other leaves as they are")
    func sharing() throws {
        var entries = manyFiles(20_000)
        let box = ChunkBox()
        let before = try box.build(entries)
        entries[12_345].attributes.mode = 0o600
        let after = try box.build(entries)
        let changed = zip(before.leaves, after.leaves).filter { $0 != $1 }
        #expect(changed.count == 1)
        #expect(before.root != after.root)
    }

    @Test("many index levels are walked and searched")
    func deepTrees() throws {
        // Index pages of two links, one above the other: deeper than any real directory.
        let box = ChunkBox()
        let entries = (0..<128).map { file("f\(1000 + $0)") }
        var level = try entries.map { entry in
            let (link, page) = try PageBuilder.seal(leaf: [entry], secret: testSecret())
            box.put(page)
            return link
        }
        for _ in 0..<NamespaceLimits.maximumTreeDepth - 1 {
            level = try box.pairs(level)
        }
        let root = try #require(level.first)
        #expect(level.count == 1)
        #expect(try box.walk(PageWalker(root: root.reference)) == entries)
        let found = try PageWalker.entry(named: entries[77].name, below: root.reference, box.fetch)
        #expect(found == entries[77])
        let tooDeep = try box.pairs([root])[0]
        let address = Set(box.chunks.keys)
        #expect(
            performing: {
                try box.walk(PageWalker(root: tooDeep.reference))
            },
            throws: { error in
                guard
                    case .page(let culprit, .brokenTree)? = error
                        as? PageWalkError<ChunkBox.Missing>
                else { return false }
                return address.contains(culprit)
            })
    }

    @Test("trees that contradict themselves are refused")
    func brokenTrees() throws {
        let box = ChunkBox()
        let (a, b, c) = (file("a"), file("b"), file("c"))
        func link(_ entries: [Entry]) throws -> PageLink {
            let (link, page) = try PageBuilder.seal(leaf: entries, secret: testSecret())
            box.put(page)
            return link
        }
        func refuses(_ links: [PageLink], count: UInt64? = nil) throws {
            let page = try PageCodec.seal(.index(links), secret: testSecret())
            box.put(page)
            #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
                try box.walk(PageWalker(root: page.reference, entryCount: count))
            }
        }
        var wrongFirst = try link([b])
        wrongFirst.first = a.name
        try refuses([wrongFirst])
        var wrongCount = try link([a, b])
        wrongCount.entryCount = 3
        try refuses([wrongCount])
        try refuses([try link([a, c]), try link([b])])
        try refuses([try link([a]), try link([b])], count: 3)
        var huge = try link([a])
        huge.entryCount = .max
        try refuses([huge, try link([b])])
        var entry = file("a", ino: 5)
        entry.name = Entry.hardLinkName(of: 5)
        let table = try link([entry])
        #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
            try box.walk(PageWalker(root: table.reference))
        }
        #expect(try box.walk(PageWalker(root: table.reference, keys: .inodes)) == [entry])
        let segments = try PageCodec.seal(
            .segments([Segment(offset: 0, size: 1, map: try anyMap())]), secret: testSecret())
        box.put(segments)
        #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
            try box.walk(PageWalker(root: segments.reference))
        }
    }

    @Test("a walk that misses a chunk stays where it is and goes on when the chunk is there")
    func resuming() throws {
        let entries = manyFiles(12_000)
        let full = ChunkBox()
        let (root, leaves) = try full.build(entries)
        var walker = PageWalker(root: root)
        var walked: [Entry] = []
        let late = leaves[2].reference.address
        let chunk = try #require(full.chunks[late])
        full.lose(late)
        #expect(throws: PageWalkError.fetch(ChunkBox.Missing())) {
            while let leaf = try walker.nextLeaf(full.fetch) { walked += leaf.entries }
        }
        #expect(walked.count == Int(leaves[0].entryCount + leaves[1].entryCount))
        full.put(SealedPage(reference: leaves[2].reference, bytes: chunk))
        while let leaf = try walker.nextLeaf(full.fetch) { walked += leaf.entries }
        #expect(walked == entries)
    }

    @Test("long segment lists become a page, short ones stay in the entry")
    func segmentPages() throws {
        var random = SeededGenerator(seed: 13)
        let few = try random.segments(NamespaceLimits.maximumEntrySegmentCount).segments
        let inEntry = try PageBuilder.content(of: few, secret: testSecret())
        #expect(inEntry.content == .segments(few) && inEntry.page == nil)
        let many = try random.segments(NamespaceLimits.maximumEntrySegmentCount + 1).segments
        let apart = try PageBuilder.content(of: many, secret: testSecret())
        let page = try #require(apart.page)
        #expect(apart.content == .indirect(page.reference, count: many.count))
        let box = ChunkBox()
        box.put(page)
        let size = try #require(many.last.map { $0.offset + $0.size })
        #expect(try apart.content.segments(fileSize: size, box.fetch) == many)
        #expect(try inEntry.content.segments(fileSize: size, box.fetch) == few)
        #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
            try apart.content.segments(fileSize: size - 1, box.fetch)
        }
        let miscounted = Content.indirect(page.reference, count: many.count - 1)
        #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
            try miscounted.segments(fileSize: size, box.fetch)
        }
        box.lose(page.reference.address)
        #expect(throws: PageWalkError.fetch(ChunkBox.Missing())) {
            try apart.content.segments(fileSize: size, box.fetch)
        }
        let limit = NamespaceLimits.maximumSegmentCount
        let over = [Segment](repeating: many[0], count: limit + 1)
        #expect(throws: NamespaceError.tooLarge(limit: limit)) {
            try PageBuilder.content(of: over, secret: testSecret())
        }
    }

    // SEMANTICS: data runs of one sparse file, more than a chunk apart: 16 384
    @Test("a segments page has room for as many segments as a file may have")
    func fullSegmentsPage() throws {
        let map = try anyMap()
        let segments = (0..<NamespaceLimits.maximumSegmentCount).map { index in
            Segment(offset: UInt64(index) << 47, size: 1, map: map)
        }
        let (_, page) = try PageBuilder.content(of: segments, secret: testSecret())
        #expect(page != nil)
    }

    private func anyMap() throws -> DataMap {
        var random = SeededGenerator(seed: 14)
        return DataMap(
            version: .v2,
            chunks: try (0..<3).map { index in
                ChunkDescriptor(
                    index: UInt64(index), address: try random.digest(),
                    source: try random.digest(), size: 4_190_208)
            })
    }

    private func expectFewNew(_ before: [SealedPage], _ after: [SealedPage]) throws {
        let old = Set(before.map(\.reference))
        let fresh = after.filter { !old.contains($0.reference) }
        let size = fresh.reduce(0) { $0 + $1.bytes.count }
        #expect(fresh.count >= 1)
        // One leaf of 256 KiB beside them makes less than a MiB.
        #expect(size <= 768 * 1024, "\(fresh.count) pages, \(size) bytes")
        #expect(fresh.count < after.count)
    }

    private func manyFiles(_ count: Int) -> [Entry] {
        (0..<count).map { file("file-\(1_000_000 + $0)", ino: UInt64($0 + 1)) }
    }
}

extension ChunkBox {
    /// Index pages over every two links.
    fileprivate func pairs(_ links: [PageLink]) throws -> [PageLink] {
        try stride(from: 0, to: links.count, by: 2).map { start in
            let run = Array(links[start..<min(start + 2, links.count)])
            let page = try PageCodec.seal(.index(run), secret: testSecret())
            put(page)
            return PageLink(
                first: run[0].first, reference: page.reference,
                entryCount: run.map(\.entryCount).reduce(0, +))
        }
    }
}
