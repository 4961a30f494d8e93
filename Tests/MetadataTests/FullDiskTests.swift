// SPDX-License-Identifier: Apache-2.0
//
// A disk without room: what grows is refused, and nothing is lost.

import Foundation
import TestSupport
import Testing

@testable import Metadata

@Suite("A full disk", .smallDisks)
struct FullDiskTests {
    private func open(_ disk: SmallDisk) throws -> MetadataDatabase {
        try MetadataDatabase(path: disk.path + "/metadata.db")
    }

    @Test("a full disk refuses what grows before it happens, and loses nothing")
    func filling() throws {
        let disk = try SmallDisk(bytes: 96 << 20)
        defer { disk.remove() }
        let database = try open(disk)
        let block = [UInt8](repeating: 7, count: 100_000)
        var written: UInt64 = 0
        var failure: MetadataError?
        while failure == nil && written < 2000 {
            do {
                try database.write { try $0.setInline(written, block) }
                written += 1
                if written % 10 == 0 { try database.commit() }
            } catch {
                failure = error as? MetadataError
            }
        }
        #expect(failure == .full)
        #expect(written > 50)
        // Everything accepted stands and can be committed; what shrinks is still allowed.
        try database.write { (writer) throws in
            for ino in 0..<written { #expect(try writer.inline(ino) == block) }
            for ino in 0..<written / 2 { try writer.setInline(ino, nil) }
        }
        try database.commit()
        try database.syncLog()
        // The log starts anew, and there is room again.
        try database.checkpoint()
        try database.write { (writer) throws in
            for ino in 0..<10 as Range<UInt64> { try writer.setInline(ino, block) }
        }
        try database.commit()
        try database.close()
        let again = try open(disk)
        try again.write { (writer) throws in
            #expect(try writer.inline(5) == block)
            #expect(try writer.inline(written / 2 - 1) == nil)
            #expect(try writer.inline(written - 1) == block)
        }
        try again.close()
    }

    @Test("on a disk that others have filled a commit that frees something can be made")
    func freeing() throws {
        let disk = try SmallDisk(bytes: 96 << 20)
        defer { disk.remove() }
        let database = try open(disk)
        var count: UInt64 = 0
        func insert(frees: Bool) throws {
            try database.write(frees: frees) { try $0.insertInode(file(count + 1)) }
            try database.commit()
            count += 1
        }
        func logSize() throws -> Int {
            let log = disk.path + "/metadata.db-wal"
            let size = try FileManager.default.attributesOfItem(atPath: log)[.size]
            return try #require(size as? Int)
        }
        // So long that it has hardly more space than it must have.
        let least = LogRoom.slack + LogRoom.freeing + WriterCore.cacheSizeKiB * 1024
        let over = least % LogRoom.step
        while try logSize() < LogRoom.step - over - 512 << 10 { try insert(frees: false) }
        try disk.fill()
        try insert(frees: false)
        #expect(throws: MetadataError.full) { try insert(frees: false) }
        let start = try logSize()
        #expect(throws: MetadataError.full) {
            while count < 10_000 { try insert(frees: true) }
        }
        #expect(try logSize() - start > 2 << 20)
        try database.syncLog()
        try database.close()
        let again = try open(disk)
        #expect(try again.write { try $0.highestInode() } == count)
        try again.close()
    }

    @Test("after a start on a disk that others have filled a commit that frees can be made")
    func freeingAfterStart() throws {
        let disk = try SmallDisk(bytes: 96 << 20)
        defer { disk.remove() }
        let first = try open(disk)
        try first.write { try $0.insertInode(file(1)) }
        try first.close()
        try disk.fill(leaving: 42 << 20)
        let database = try open(disk)
        #expect(throws: MetadataError.full) {
            try database.write { try $0.insertInode(file(2)) }
        }
        for ino in 2...5 as ClosedRange<UInt64> {
            try database.write(frees: true) { try $0.insertInode(file(ino)) }
            try database.commit()
        }
        try database.syncLog()
        // It has 36 MiB of them by now, and says how much is to be free for the rest.
        #expect(database.missingRoom > 4 << 20 && database.missingRoom < 16 << 20)
        try disk.empty()
        try disk.fill(leaving: database.missingRoom + 4096)
        try database.write { try $0.insertInode(file(6)) }
        #expect(database.missingRoom == 0)
        try database.close()
        let again = try open(disk)
        #expect(try again.write { try $0.highestInode() } == 6)
        try again.close()
    }

    @Test("a disk too full to begin with says so")
    func nothingLeft() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        defer { disk.remove() }
        let filler = Data(count: 1 << 20)
        _ = FileManager.default.createFile(atPath: disk.path + "/filler", contents: filler)
        #expect(throws: MetadataError.full) { try open(disk) }
    }

    @Test("a disk with little room opens, reads, and refuses what grows")
    func littleLeft() throws {
        let disk = try SmallDisk(bytes: 4 << 20)
        defer { disk.remove() }
        let database = try open(disk)
        #expect(try database.write { try $0.inode(1) } == nil)
        #expect(throws: MetadataError.full) {
            try database.write { try $0.insertInode(file(1)) }
        }
        try database.write { try $0.deleteInode(1) }
        try database.commit()
        try database.close()
    }
}
