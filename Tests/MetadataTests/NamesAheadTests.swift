// SPDX-License-Identifier: Apache-2.0
//
// Names that are read before anybody asks for them.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Names read ahead")
struct NamesAheadTests {
    private static let directories: UInt64 = 5
    private static let perDirectory: UInt64 = 600

    private func name(_ ino: UInt64) -> [UInt8] { bytes("a name of some length, \(ino)") }

    /// Inodes of a directory: numbers that lie apart in the table.
    private func inodes(of parent: UInt64) -> [UInt64] {
        (0..<Self.perDirectory).map { 100 + $0 * Self.directories + parent }
    }

    private func fill(_ folder: TestFolder) throws {
        let database = try folder.open()
        for parent in 0..<Self.directories {
            try database.write { (writer) throws in
                for ino in inodes(of: parent) {
                    try writer.insertInode(file(ino))
                    _ = try writer.insertDentry(
                        parent: parent, name: name(ino), ino: ino, kind: .regular)
                    try writer.setInline(ino, [UInt8](repeating: 1, count: 500))
                }
            }
        }
        try database.close()
    }

    /// Everything of the file but its first page becomes what no database has.
    private func spoil(_ folder: TestFolder) throws {
        let size = try folder.size(of: "")
        let handle = try #require(FileHandle(forWritingAtPath: folder.database))
        try handle.seek(toOffset: UInt64(Schema.pageSize))
        try handle.write(contentsOf: Data(repeating: 0xee, count: size - Schema.pageSize))
        try handle.close()
    }

    private func readAhead(_ database: MetadataDatabase) throws -> Int {
        var place = NamesAhead()
        var steps = 0
        while !place.isAtEnd {
            try #require(steps < 10_000)
            let before = place
            place = try database.write { try $0.readAhead(before) }
            steps += 1
        }
        return steps
    }

    @Test("what was read ahead is told from memory, whatever becomes of the disk")
    func fromMemory() throws {
        let folder = try TestFolder()
        try fill(folder)
        let database = try folder.open()
        let rows = Int(Self.directories * Self.perDirectory)
        #expect(try readAhead(database) == 3 * (rows / NamesAhead.step + 1))
        try spoil(folder)
        try database.write { (writer) throws in
            for parent in 0..<Self.directories {
                let wanted = inodes(of: parent)
                let listing = try writer.entriesWithInodes(
                    parent: parent, after: 0, limit: 10_000)
                #expect(listing.map { $0.1.ino } == wanted)
                #expect(listing.map { $0.0.name } == wanted.map { name($0) })
                for ino in wanted.prefix(50) {
                    #expect(try writer.lookup(parent: parent, name: name(ino)) == file(ino))
                }
            }
        }
    }

    @Test("what was not read ahead is not")
    func fromDisk() throws {
        let folder = try TestFolder()
        try fill(folder)
        let database = try folder.open()
        try spoil(folder)
        #expect(throws: MetadataError.self) {
            try database.write {
                try $0.entriesWithInodes(parent: 1, after: 0, limit: 10_000).count
            }
        }
    }

    @Test("a database without names has nothing to read")
    func empty() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        #expect(try readAhead(database) == 3)
    }

    @Test("of a large database no more is read than the limit")
    func limit() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let count = UInt64(NamesAhead.limit + 1000)
        try database.write { (writer) throws in
            for ino in 0..<count {
                _ = try writer.insertDentry(parent: 1, name: name(ino), ino: ino, kind: .regular)
            }
        }
        #expect(try readAhead(database) == 2 * NamesAhead.limit / NamesAhead.step + 1)
    }
}
