// SPDX-License-Identifier: Apache-2.0
//
// Inline content, stored content, block groups, attributes and pads, written and read back.

import Namespace
import SelfEncryption
import TestSupport
import Testing

@testable import Metadata

@Suite("Content, extended attributes and scratchpads")
struct ContentTests {
    /// Around the memory a statement keeps for short blobs, and what overflows a page.
    static let sizes = [0, 1, 255, 511, 512, 513, 981, 982, 4096, 16_384, 65_536, 3_000_000]

    private static func segments(_ count: Int, chunks: Int) throws -> [Segment] {
        try (0..<count).map { index in
            let version: FormatVersion = index % 2 == 0 ? .v2 : .v1
            let algorithm = version.digestAlgorithm
            let list = try (0..<chunks).map { chunk in
                ChunkDescriptor(
                    index: UInt64(chunk), address: try digest(UInt8(chunk % 256), algorithm),
                    source: try digest(UInt8(index % 256), algorithm), size: .max)
            }
            let map = DataMap(
                version: version, chunks: list, child: index % 3 == 0 ? nil : UInt64(index))
            return Segment(offset: UInt64(index) << 40, size: UInt64.max >> 1, map: map)
        }
    }

    @Test("inline content of any size comes back, and goes", arguments: sizes)
    func inline(size: Int) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var dice = SeededGenerator(seed: UInt64(size))
        let first = dice.bytes(size)
        let second = dice.bytes(3)
        try database.write { (writer) throws in
            #expect(try writer.inline(4) == nil)
            try writer.setInline(4, first)
            #expect(try writer.inline(4) == first)
            try writer.setInline(4, second)
            #expect(try writer.inline(4) == second)
            try writer.setInline(4, nil)
            #expect(try writer.inline(4) == nil)
        }
    }

    @Test("stored content comes back whole", arguments: [(0, 0), (1, 3), (64, 3), (2, 1024)])
    func stored(segmentCount: Int, chunkCount: Int) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var content = StoredContent(
            segments: try Self.segments(segmentCount, chunks: chunkCount), size: .max,
            modified: Timestamp(seconds: .min, nanoseconds: 999_999_999), baseLimit: 1 << 63,
            isDirty: true, generation: .max)
        try database.write { (writer) throws in
            #expect(try writer.content(4) == nil)
            try writer.setContent(4, content)
            #expect(try writer.content(4) == content)
            #expect(try writer.dirtyFiles() == [4])
            content.isDirty = false
            content.segments = []
            try writer.setContent(4, content)
            #expect(try writer.content(4) == content)
            #expect(try writer.dirtyFiles() == [])
            try writer.setDirty(4, true)
            try writer.setDirty(5, true)
            #expect(try writer.dirtyFiles() == [4])
            try writer.setContent(4, nil)
            #expect(try writer.content(4) == nil && writer.dirtyFiles() == [])
        }
    }

    @Test("no cut or changed list of segments is taken for a whole one, and none traps")
    func hostileSegments() throws {
        let content = StoredContent(segments: try Self.segments(2, chunks: 3))
        let whole = content.encodedSegments
        #expect(try StoredContent.segments(decoding: whole) == content.segments)
        for count in 0..<whole.count {
            #expect(throws: MetadataError.corrupt("a list of segments")) {
                try StoredContent.segments(decoding: Array(whole.prefix(count)))
            }
        }
        #expect(throws: MetadataError.self) {
            try StoredContent.segments(decoding: whole + [0])
        }
        var dice = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            var changed = whole
            changed[Int.random(in: 0..<whole.count, using: &dice)] = UInt8.random(
                in: 0...255, using: &dice)
            // Any answer but a trap: a changed digest is a digest.
            _ = try? StoredContent.segments(decoding: changed)
        }
    }

    @Test("block groups are found by range, shown all, and cut off", arguments: [1, 576, 4000])
    func blockGroups(size: Int) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        func map(_ group: UInt64) -> [UInt8] { .init(repeating: UInt8(group), count: size) }
        try database.write { (writer) throws in
            for ino in [8, 3] as [UInt64] {
                for group in [0, 1, 5, 9, 200] as [UInt64] {
                    try writer.setBlockGroup(ino, group, map(group))
                }
            }
            try writer.setBlockGroup(3, 5, [77])
            #expect(try writer.blockGroup(3, 5) == [77])
            #expect(try writer.blockGroup(8, 5) == map(5))
            #expect(try writer.blockGroup(8, 6) == nil)
            let some = try writer.blockGroups(8, in: 1..<9)
            #expect(some.map(\.0) == [1, 5] && some.map(\.1) == [map(1), map(5)])
            #expect(try writer.blockGroups(8, in: 0..<UInt64.max).map(\.0) == [0, 1, 5, 9, 200])
            try writer.setBlockGroup(8, 0, nil)
            try writer.deleteBlockGroups(8, from: 9)
            var all: [BlockGroupRow] = []
            try writer.forEachBlockGroup { row in all.append(row) }
            #expect(all.map(\.ino) == [3, 3, 3, 3, 3, 8, 8])
            #expect(all.map(\.group) == [0, 1, 5, 9, 200, 1, 5])
            #expect(all[2].map == [77])
        }
    }

    @Test("a walk over block groups can be left, and begun again")
    func leavingAWalk() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for group in 0..<10 as Range<UInt64> { try writer.setBlockGroup(1, group, [1]) }
            for _ in 0..<2 {
                var count = 0
                #expect(throws: MetadataError.full) {
                    try writer.forEachBlockGroup { _ throws(MetadataError) in
                        count += 1
                        if count == 4 { throw .full }
                    }
                }
                #expect(count == 4)
            }
        }
    }

    @Test("extended attributes keep name and value whole", arguments: [0, 1, 300, 65_536])
    func xattrs(size: Int) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var dice = SeededGenerator(seed: UInt64(size))
        let value = dice.bytes(size)
        let long = [UInt8](repeating: 0x7a, count: 255)
        try database.write { (writer) throws in
            try writer.setXattr(3, bytes("user.b"), value)
            try writer.setXattr(3, long, value)
            try writer.setXattr(3, bytes("user.a"), bytes("old"))
            try writer.setXattr(3, bytes("user.a"), bytes("new"))
            try writer.setXattr(4, bytes("user.a"), value)
            #expect(try writer.xattr(3, bytes("user.a")) == bytes("new"))
            #expect(try writer.xattr(3, bytes("user.b")) == value)
            #expect(try writer.xattr(3, long) == value)
            #expect(try writer.xattr(3, bytes("user.")) == nil)
            #expect(try writer.xattrNames(3) == [bytes("user.a"), bytes("user.b"), long])
            #expect(
                try writer.xattrs(3) == [
                    ExtendedAttribute(name: bytes("user.a"), value: bytes("new")),
                    ExtendedAttribute(name: bytes("user.b"), value: value),
                    ExtendedAttribute(name: long, value: value),
                ])
            #expect(try writer.removeXattr(3, bytes("user.b")))
            #expect(try !writer.removeXattr(3, bytes("user.b")))
            #expect(try writer.xattrNames(3) == [bytes("user.a"), long])
        }
    }

    @Test("a scratchpad keeps all that is known of it, and its identity is its own")
    func pads() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let identity = [UInt8](repeating: 9, count: 32)
        var row = PadRow(ino: 3, identity: identity, address: try padAddress(1), isLocalOnly: true)
        let other = PadRow(
            ino: 4, identity: [UInt8](repeating: 8, count: 32), address: try padAddress(2),
            encoding: .max, counter: .max, publishedDigest: [UInt8](repeating: 3, count: 32),
            pendingRecord: [UInt8](repeating: 5, count: 4_000_000))
        try database.write { (writer) throws in
            try writer.setPad(row)
            try writer.setPad(other)
            #expect(try writer.pad(3) == row && writer.pad(4) == other)
            #expect(try writer.pad(5) == nil)
            #expect(try writer.pad(identity: identity) == row)
            #expect(try writer.pad(identity: []) == nil)
            row.counter = 7
            row.isLocalOnly = false
            row.pendingRecord = []
            try writer.setPad(row)
            #expect(try writer.pads() == [row, other])
            var thief = other
            thief.identity = identity
            #expect(throws: MetadataError.self) { try writer.setPad(thief) }
            #expect(try writer.pad(4) == other)
            try writer.removePad(3)
            try writer.setPad(thief)
            #expect(try writer.pads() == [thief])
        }
    }

    @Test("journal rows are replaced, removed one by one, and all", arguments: [1, 4000, 4141])
    func journal(size: Int) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        func shown(_ writer: borrowing MetadataWriter) throws -> [JournalPieceRow] {
            var rows: [JournalPieceRow] = []
            try writer.forEachJournalPiece { rows.append($0) }
            return rows
        }
        func row(_ ino: UInt64, _ piece: UInt64, _ byte: UInt8) -> JournalPieceRow {
            JournalPieceRow(ino: ino, piece: piece, bytes: .init(repeating: byte, count: size))
        }
        let rows = [row(3, 9, 1), row(8, 0, 2), row(8, 1 << 51, 3)]
        try database.write { (writer) throws in
            for row in rows.reversed() {
                try writer.setJournalPiece(row.ino, row.piece, [77])
                try writer.setJournalPiece(row.ino, row.piece, row.bytes)
            }
            #expect(try shown(writer) == rows)
            try writer.removeJournalPiece(8, 0)
            try writer.removeJournalPiece(8, 7)
            #expect(try shown(writer) == [rows[0], rows[2]])
        }
        try database.commit()
        try database.write { (writer) throws in
            try writer.clearJournal()
            #expect(try shown(writer) == [])
        }
    }

    @Test("removing an inode removes what belongs to it, and nothing else")
    func removal() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let leaf = LeafRow(first: bytes("a"), reference: try reference(1), entryCount: 2)
        func fill(_ writer: borrowing MetadataWriter, _ ino: UInt64) throws {
            try writer.insertInode(file(ino))
            try writer.setInline(ino, [1])
            try writer.setContent(ino, StoredContent(isDirty: true))
            try writer.setBlockGroup(ino, 0, [1])
            try writer.setBlockGroup(ino, 1 << 40, [1])
            try writer.setJournalPiece(ino, 0, [1])
            try writer.setJournalPiece(ino, 1 << 40, [1])
            try writer.setXattr(ino, [1], [2])
            try writer.setPad(
                PadRow(ino: ino, identity: [UInt8(ino)], address: try padAddress(1)))
            try writer.setPage(ino, try reference(2))
            try writer.replaceLeaves(ino, [leaf])
        }
        try database.write { (writer) throws in
            try fill(writer, 3)
            try fill(writer, 4)
            try writer.deleteInode(3)
            #expect(try writer.inode(3) == nil && writer.inode(4) != nil)
            #expect(try writer.inline(3) == nil && writer.inline(4) != nil)
            #expect(try writer.dirtyFiles() == [4])
            #expect(try writer.blockGroups(3, in: 0..<UInt64.max).isEmpty)
            #expect(try writer.blockGroups(4, in: 0..<UInt64.max).count == 2)
            var journaled: [UInt64] = []
            try writer.forEachJournalPiece { journaled.append($0.ino) }
            #expect(journaled == [4, 4])
            #expect(try writer.xattrNames(3) == [] && writer.xattrNames(4) == [[1]])
            #expect(try writer.pads().map(\.ino) == [4])
            #expect(try writer.pageOf(3) == nil && writer.pageOf(4) == (try reference(2)))
            #expect(try writer.leaves(3) == [] && writer.leaves(4) == [leaf])
            try writer.deleteInode(99)
        }
    }
}
