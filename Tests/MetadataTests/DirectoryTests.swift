// SPDX-License-Identifier: Apache-2.0
//
// Names, cookies and listings.

import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Names in directories")
struct DirectoryTests {
    private struct Key: Hashable {
        let parent: UInt64
        let name: [UInt8]
    }

    /// Names that are hard to tell apart: prefixes of each other, all bytes, the longest ones.
    private static func name(_ dice: inout SeededGenerator) -> [UInt8] {
        let alphabet: [UInt8] = [0, 1, 0x27, 0x61, 0x62, 0xff]
        let count = [1, 2, 3, 255].randomElement(using: &dice) ?? 1
        let fill = alphabet.randomElement(using: &dice) ?? 0
        if count == 255 { return [UInt8](repeating: fill, count: 255) }
        return (0..<count).map { _ in alphabet.randomElement(using: &dice) ?? 0 }
    }

    @Test("names behave as in a plain dictionary, through commits", arguments: 1...6)
    func model(seed: UInt64) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var dice = SeededGenerator(seed: seed)
        var model: [Key: DirectoryItem] = [:]
        var highest: UInt64 = 0
        for step in 0..<500 {
            let key = Key(
                parent: UInt64.random(in: 1...4, using: &dice), name: Self.name(&dice))
            let other = Key(
                parent: UInt64.random(in: 1...4, using: &dice), name: Self.name(&dice))
            let kind: FileKind = Bool.random(using: &dice) ? .regular : .directory
            let ino = UInt64.random(in: 10...99, using: &dice)
            try database.write { (writer) throws in
                switch (Int.random(in: 0..<6, using: &dice), model[key]) {
                case (0...2, nil):
                    let cookie = try writer.insertDentry(
                        parent: key.parent, name: key.name, ino: ino, kind: kind)
                    #expect(cookie > highest, "seed \(seed)")
                    highest = cookie
                    model[key] = DirectoryItem(
                        cookie: cookie, name: key.name, ino: ino, kind: kind)
                case (3, let old):
                    let done = try writer.replaceDentry(
                        parent: key.parent, name: key.name, ino: ino, kind: kind)
                    #expect(done == (old != nil), "seed \(seed)")
                    model[key]?.ino = ino
                    model[key]?.kind = kind
                case (4, let old) where model[other] == nil:
                    let cookie = try writer.moveDentry(
                        parent: key.parent, name: key.name, toParent: other.parent,
                        name: other.name)
                    #expect((cookie == nil) == (old == nil), "seed \(seed)")
                    guard var moved = old, let cookie else { return }
                    #expect(cookie > highest, "seed \(seed)")
                    highest = cookie
                    moved.cookie = cookie
                    moved.name = other.name
                    model[key] = nil
                    model[other] = moved
                default:
                    let done = try writer.removeDentry(parent: key.parent, name: key.name)
                    #expect(done == (model[key] != nil), "seed \(seed)")
                    model[key] = nil
                }
            }
            if step % 40 == 39 { try database.commit() }
            if step % 100 == 99 {
                try database.write { try Self.compare($0, model, seed: seed, dice: &dice) }
            }
        }
    }

    private static func compare(
        _ writer: borrowing MetadataWriter, _ model: [Key: DirectoryItem], seed: UInt64,
        dice: inout SeededGenerator
    ) throws {
        for parent in 1...4 as ClosedRange<UInt64> {
            let items = model.filter { $0.key.parent == parent }.map(\.value)
            let byCookie = items.sorted { $0.cookie < $1.cookie }
            let byName = items.sorted { $0.name.lexicographicallyPrecedes($1.name) }
            #expect(try writer.entries(parent: parent, after: 0, limit: 999) == byCookie)
            #expect(try writer.entries(parent: parent, from: [], before: nil, limit: 999) == byName)
            let start = Self.name(&dice)
            let end = Self.name(&dice)
            let run = byName.filter {
                !$0.name.lexicographicallyPrecedes(start) && $0.name.lexicographicallyPrecedes(end)
            }
            #expect(
                try writer.entries(parent: parent, from: start, before: end, limit: 5)
                    == Array(run.prefix(5)), "seed \(seed)")
            #expect(try writer.isEmpty(parent) == items.isEmpty)
            #expect(
                try writer.childDirectoryCount(parent)
                    == items.count { $0.kind == .directory }, "seed \(seed)")
            for item in items {
                #expect(try writer.dentry(parent: parent, name: item.name) == item)
                #expect(try writer.name(parent: parent, cookie: item.cookie) == item.name)
            }
            #expect(try writer.dentry(parent: parent, name: bytes("never")) == nil)
            #expect(try writer.name(parent: parent, cookie: 3) == nil)
        }
    }

    @Test("a listing taken in pieces shows each name that stays once, whatever comes and goes")
    func listingIsStable() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for index in 0..<300 as Range<UInt64> {
                try writer.insertInode(file(100 + index))
                _ = try writer.insertDentry(
                    parent: 1, name: bytes("stays\(index)"), ino: 100 + index, kind: .regular)
                _ = try writer.insertDentry(
                    parent: 1, name: bytes("goes\(index)"), ino: 100 + index, kind: .regular)
            }
        }
        var seen: [[UInt8]] = []
        var after: UInt64 = 0
        var round = 0
        while true {
            let items = try database.write { try $0.entries(parent: 1, after: after, limit: 16) }
            seen += items.map(\.name)
            guard let last = items.last, round < 200 else { break }
            after = last.cookie
            try database.write { (writer) throws in
                for index in 0..<10 {
                    try writer.removeDentry(parent: 1, name: bytes("goes\(round * 10 + index)"))
                }
                // Few enough that the reader gains on them.
                _ = try writer.insertDentry(
                    parent: 1, name: bytes("comes\(round)"), ino: 100, kind: .regular)
            }
            try database.commit()
            round += 1
        }
        let stayed = seen.filter { $0.starts(with: bytes("stays")) }
        #expect(stayed == (0..<300).map { bytes("stays\($0)") })
        #expect(Set(seen).count == seen.count)
    }

    @Test("cookies are never given twice, also across crashes and lost names")
    func cookiesGrow() throws {
        let folder = try TestFolder()
        var highest: UInt64 = 0
        for round in 0..<3 {
            let database = try folder.open()
            for index in 0..<50 {
                let cookie = try database.write {
                    try $0.insertDentry(
                        parent: 1, name: bytes("\(round).\(index)"), ino: 9, kind: .regular)
                }
                #expect(cookie > highest)
                if index < 40 { highest = cookie }
                if index == 39 { try database.commit() }
            }
        }
    }

    @Test("a lookup gives the inode of the name, and the joined listing both")
    func joins() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for ino in 20..<40 as Range<UInt64> {
                try writer.insertInode(file(ino, size: ino * 3))
                _ = try writer.insertDentry(
                    parent: 1, name: bytes("n\(ino)"), ino: ino, kind: .regular)
            }
            #expect(try writer.lookup(parent: 1, name: bytes("n33")) == file(33, size: 99))
            #expect(try writer.lookup(parent: 2, name: bytes("n33")) == nil)
            #expect(try writer.lookup(parent: 1, name: bytes("n3")) == nil)
            let first = try writer.entriesWithInodes(parent: 1, after: 0, limit: 15)
            let rest = try writer.entriesWithInodes(
                parent: 1, after: try #require(first.last).0.cookie, limit: 15)
            #expect(first.count == 15 && rest.count == 5)
            #expect((first + rest).map(\.1) == (20..<40).map { file($0, size: $0 * 3) })
            #expect((first + rest).map(\.0.name) == (20..<40).map { bytes("n\($0)") })
        }
    }

    @Test("a name that is taken is refused, and hostile cookies find nothing")
    func limits() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            _ = try writer.insertDentry(parent: 1, name: bytes("a"), ino: 5, kind: .regular)
            _ = try writer.insertDentry(parent: 1, name: bytes("b"), ino: 6, kind: .regular)
        }
        #expect(throws: MetadataError.taken) {
            try database.write {
                try $0.insertDentry(parent: 1, name: bytes("a"), ino: 7, kind: .fifo)
            }
        }
        #expect(throws: MetadataError.taken) {
            try database.write {
                try $0.moveDentry(parent: 1, name: bytes("a"), toParent: 1, name: bytes("b"))
            }
        }
        try database.write { (writer) throws in
            #expect(try writer.dentry(parent: 1, name: bytes("a"))?.ino == 5)
            #expect(try writer.entries(parent: 1, after: .max, limit: 9).isEmpty)
            #expect(try writer.entries(parent: 1, after: 1 << 63, limit: 9).isEmpty)
            #expect(try writer.entries(parent: 1, after: 0, limit: 0).isEmpty)
            #expect(try writer.name(parent: 1, cookie: .max) == nil)
        }
    }
}
