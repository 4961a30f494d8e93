// SPDX-License-Identifier: Apache-2.0
//
// The revision log over thousands of publishes: nothing is lost, pages stay small, searches short.

import Primitives
import TestSupport
import Testing

@testable import Namespace

@Suite("The revision log")
struct RevisionLogTests {
    @Test("every revision is found, and absent ones are not", arguments: [1, 63, 64, 65, 1000])
    func findsAll(count: Int) throws {
        let (box, log, records) = try build(count)
        for index in stride(from: 0, to: count, by: count > 100 ? 37 : 5) {
            let record = records[index]
            let found = try RevisionLog.record(of: record.revision, below: log.newest, box.fetch)
            #expect(found == record)
            let absent = record.revision + 1
            #expect(try RevisionLog.record(of: absent, below: log.newest, box.fetch) == nil)
        }
        #expect(try RevisionLog.record(of: 0, below: log.newest, box.fetch) == nil)
        #expect(try RevisionLog.record(of: 1, below: nil, box.fetch) == nil)
    }

    @Test("a walk back gives every record once")
    func walk() throws {
        let (box, log, records) = try build(1000)
        var walker = RevisionWalker(newest: log.newest)
        var pages: [[RevisionRecord]] = []
        while let page = try walker.next(box.fetch) { pages.append(page) }
        #expect(Array(pages.reversed().joined()) == records)
        #expect(pages.count == (1000 + 63) / 64)
    }

    @Test("a search among thousands of pages fetches a few")
    func searchIsShort() throws {
        // The chain alone, as if its pages had one record each.
        var log = try PagedLog()
        for revision in 1...3000 { try log.addPage(UInt64(revision)) }
        for revision in stride(from: 1, through: 3000, by: 97) {
            log.box.forgetFetches()
            let found = try RevisionLog.record(
                of: UInt64(revision), below: log.newest, log.box.fetch)
            #expect(found?.revision == UInt64(revision))
            #expect(log.box.fetches.count <= 26, "\(revision)")
        }
    }

    @Test("a log that was closed goes on where it was")
    func reopening() throws {
        var (box, log, records) = try build(70)
        let newest = try #require(log.newest)
        let page = try PageCodec.open(try box.fetch(newest.address), reference: newest)
        var reopened = try RevisionLog(page: page, reference: newest)
        #expect(reopened == log)
        var random = SeededGenerator(seed: 9)
        let record = try random.record(5000)
        records.append(record)
        let added = try log.append(record, secret: testSecret())
        #expect(try reopened.append(record, secret: testSecret()) == added)
        #expect(throws: NamespaceError.self) {
            try RevisionLog(page: .leaf([file("a")]), reference: newest)
        }
    }

    @Test("a revision that is not newer is refused, and changes nothing")
    func onlyForward() throws {
        var (_, log, records) = try build(64)
        let before = log
        for record in [records[63], records[0]] {
            #expect(throws: NamespaceError.self) {
                try log.append(record, secret: testSecret())
            }
            #expect(log == before)
        }
        var (_, full, others) = try build(63)
        others[62].device = String(repeating: "x", count: 200)
        others[62].revision += 1
        #expect(throws: NamespaceError.self) {
            try full.append(others[62], secret: testSecret())
        }
        #expect(full.records.count == 63)
    }

    @Test("large attributes of the top directories do not make a page too large")
    func largeRecords() throws {
        var log = RevisionLog()
        let box = ChunkBox()
        var random = SeededGenerator(seed: 10)
        for revision in 1...12 {
            var record = try random.record(UInt64(revision))
            record.files.xattrs = [
                ExtendedAttribute(name: Array("user.a".utf8), value: random.bytes(60_000))
            ]
            record.scratchpads.xattrs = []
            let page = try log.append(record, secret: testSecret())
            #expect(page.bytes.count < PageCodec.targetSize + 1024)
            box.put(page)
        }
        #expect(
            try RevisionLog.record(of: 1, below: log.newest, box.fetch)?.revision == 1)
    }

    @Test("a chain that does not lead back in time is refused")
    func circles() throws {
        let box = ChunkBox()
        var random = SeededGenerator(seed: 11)
        let late = try PageCodec.seal(
            .revisions([try random.record(90)], older: []), secret: testSecret())
        let head = try PageCodec.seal(
            .revisions(
                [try random.record(50)],
                older: [
                    RevisionSpan(newest: late.reference, firstRevision: 10, pageCount: 1)
                ]), secret: testSecret())
        box.put(late)
        box.put(head)
        #expect(throws: PageWalkError<ChunkBox.Missing>.self) {
            try RevisionLog.record(of: 20, below: head.reference, box.fetch)
        }
        #expect(throws: NamespaceError.self) {
            try PageCodec.seal(
                .revisions(
                    [try random.record(50)],
                    older: [
                        RevisionSpan(newest: late.reference, firstRevision: 50, pageCount: 1)
                    ]), secret: testSecret())
        }
    }

    @Test("a publish writes one page, and it is small")
    func costOfPublishing() throws {
        var random = SeededGenerator(seed: 12)
        var log = RevisionLog()
        for revision in 1...200 {
            var record = try random.record(UInt64(revision))
            record.files.xattrs = []
            record.scratchpads.xattrs = []
            let page = try log.append(record, secret: testSecret())
            #expect(page.bytes.count < 32 * 1024)
            #expect(log.records.count <= NamespaceLimits.maximumRevisionsPerPage)
        }
    }

    /// A log of `count` records with odd revisions.
    private func build(_ count: Int) throws -> (ChunkBox, RevisionLog, [RevisionRecord]) {
        var random = SeededGenerator(seed: UInt64(count))
        let box = ChunkBox()
        var log = RevisionLog()
        var records: [RevisionRecord] = []
        for index in 0..<count {
            let record = try random.record(UInt64(2 * index + 1))
            records.append(record)
            box.put(try log.append(record, secret: testSecret()))
        }
        return (box, log, records)
    }
}

/// Makes a page of every record, by taking all others away before the next is added.
private struct PagedLog {
    let box = ChunkBox()
    private(set) var newest: PageReference?
    private var older: [RevisionSpan] = []
    private var first: UInt64 = 0
    private var template: RevisionRecord

    init() throws {
        var random = SeededGenerator(seed: 20)
        template = try random.record(0)
        template.files.xattrs = []
        template.scratchpads.xattrs = []
    }

    mutating func addPage(_ revision: UInt64) throws {
        if let newest { older = RevisionLog.spans(adding: newest, first: first, to: older) }
        template.revision = revision
        first = revision
        let page = try PageCodec.seal(
            .revisions([template], older: older), secret: testSecret())
        box.put(page)
        newest = page.reference
    }
}
