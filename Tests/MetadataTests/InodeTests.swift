// SPDX-License-Identifier: Apache-2.0
//
// Rows of inodes, written and read back.

import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Inodes")
struct InodeTests {
    private static func row(_ dice: inout SeededGenerator, ino: UInt64) -> InodeRow {
        func time(_ dice: inout SeededGenerator) -> Timestamp {
            let seconds: [Int64] = [
                0, -1, .min, .max, 1_780_000_000, Int64.random(in: .min ... .max, using: &dice),
            ]
            return Timestamp(
                seconds: seconds.randomElement(using: &dice) ?? 0,
                nanoseconds: UInt32.random(in: 0..<1_000_000_000, using: &dice))
        }
        func number(_ dice: inout SeededGenerator) -> UInt64 {
            [0, 1, .max, 1 << 63, dice.next()].randomElement(using: &dice) ?? 0
        }
        let attributes = FileAttributes(
            mode: UInt32.random(in: 0...0o7777, using: &dice),
            uid: [0, .max, 1000].randomElement(using: &dice) ?? 0,
            gid: [0, .max, 1000].randomElement(using: &dice) ?? 0,
            accessed: time(&dice), modified: time(&dice), changed: time(&dice),
            created: time(&dice))
        return InodeRow(
            ino: ino, kind: FileKind.allCases.randomElement(using: &dice) ?? .regular,
            attributes: attributes, size: number(&dice),
            linkCount: [0, 1, .max].randomElement(using: &dice) ?? 0, device: number(&dice),
            parent: number(&dice), cookie: number(&dice), change: number(&dice),
            form: StorageForm.allCases.randomElement(using: &dice) ?? .none,
            isHardLinked: Bool.random(using: &dice), isLoaded: Bool.random(using: &dice),
            allocated: number(&dice))
    }

    @Test("every row comes back as it was written, whatever its numbers", arguments: 1...4)
    func roundTrip(seed: UInt64) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var dice = SeededGenerator(seed: seed)
        var model: [UInt64: InodeRow] = [:]
        for step in 0..<300 {
            let ino = UInt64.random(in: 1...60, using: &dice)
            let row = Self.row(&dice, ino: ino)
            try database.write { (writer) throws in
                switch (model[ino], step % 5) {
                case (nil, _): try writer.insertInode(row)
                case (_, 0): try writer.deleteInode(ino)
                default: try writer.updateInode(row)
                }
            }
            model[ino] = model[ino] != nil && step % 5 == 0 ? nil : row
            if step % 50 == 49 { try database.commit() }
        }
        try database.write { (writer) throws in
            for ino in 1...60 as ClosedRange<UInt64> {
                #expect(try writer.inode(ino) == model[ino], "seed \(seed), inode \(ino)")
            }
            let orphans = model.values.filter { $0.linkCount == 0 }.map(\.ino).sorted()
            #expect(try writer.orphans() == orphans, "seed \(seed)")
            #expect(try writer.highestInode() == model.keys.max(), "seed \(seed)")
        }
    }

    @Test("a number that is taken is refused, and the row that has it stays")
    func taken() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(5, size: 1)) }
        #expect(throws: MetadataError.taken) {
            try database.write { try $0.insertInode(file(5, size: 2)) }
        }
        #expect(try database.write { try $0.inode(5) } == file(5, size: 1))
    }

    @Test("updating an inode that is not there does nothing")
    func updatingNothing() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.updateInode(file(5)) }
        #expect(try database.write { try $0.inode(5) } == nil)
        #expect(try database.write { try $0.highestInode() } == 0)
    }

    @Test("changed inodes come in the order of their changes, a piece at a time")
    func changes() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for ino in 1...50 as ClosedRange<UInt64> {
                try writer.insertInode(file(ino, change: 1000 - ino))
            }
            try writer.updateInode(file(25, change: 5000))
        }
        var found: [UInt64] = []
        var after: UInt64 = 960
        while true {
            let rows = try database.write { try $0.changedInodes(after: after, limit: 7) }
            found += rows.map(\.ino)
            guard let last = rows.last else { break }
            after = last.change
        }
        #expect(found == (1...39).reversed().filter { $0 != 25 } + [25])
        #expect(try database.write { try $0.changedInodes(after: .max, limit: 9) }.isEmpty)
    }
}
