// SPDX-License-Identifier: Apache-2.0
//
// What a commit keeps, what a crash loses, and what a snapshot sees.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("Commits, crashes and snapshots")
struct TransactionTests {
    @Test("uncommitted changes are seen at once, and a crash leaves only what was committed")
    func crash() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        try database.write { (writer) throws in
            try writer.insertInode(file(2))
            try writer.updateInode(file(1, size: 5))
            #expect(try writer.inode(2) == file(2))
        }
        #expect(try database.write { try $0.inode(1) } == file(1, size: 5))
        let copy = try folder.crashCopy(name: "crashed")
        try copy.write { (writer) throws in
            #expect(try writer.inode(1) == file(1))
            #expect(try writer.inode(2) == nil)
            #expect(try writer.highestInode() == 1)
        }
    }

    @Test("wherever the log is torn, what is left is one commit and all before it")
    func tornLog() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var sizes: [Int] = [try folder.size(of: "-wal")]
        for ino in 1...12 as ClosedRange<UInt64> {
            try database.write { (writer) throws in
                try writer.insertInode(file(ino))
                try writer.setInline(ino, [UInt8](repeating: UInt8(ino), count: 3000))
                try writer.setInteger("count", Int64(ino))
            }
            try database.commit()
            sizes.append(try folder.size(of: "-wal"))
        }
        var dice = SeededGenerator(seed: 7)
        for round in 0..<25 {
            let cut = Int.random(in: 0...sizes[12], using: &dice)
            let copy = try folder.crashCopy(name: "torn\(round)", logBytes: cut)
            // Commits whose frames are all there: the copy of the database has none of them.
            let whole = UInt64(max(0, sizes.count { $0 <= cut } - 1))
            try copy.write { (writer) throws in
                #expect(try writer.integer("count") ?? 0 == Int64(whole), "cut at \(cut)")
                #expect(try writer.highestInode() == whole, "cut at \(cut)")
                for ino in 1...12 as ClosedRange<UInt64> {
                    let wanted = [UInt8](repeating: UInt8(ino), count: 3000)
                    #expect(try writer.inline(ino) == (ino <= whole ? wanted : nil))
                }
            }
        }
    }

    @Test("a snapshot stays as it was while the writer goes on")
    func snapshots() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        let first = try database.snapshot()
        try database.write { try $0.updateInode(file(1, size: 1)) }
        let second = try database.snapshot()
        try database.commit()
        let third = try database.snapshot()
        try database.write { try $0.deleteInode(1) }
        try database.commit()
        try database.checkpoint()
        for _ in 0..<2 {
            #expect(try first.inode(1) == file(1))
            #expect(try second.inode(1) == file(1))
            #expect(try third.inode(1) == file(1, size: 1))
        }
        #expect(try database.snapshot().inode(1) == nil)
        first.close()
        first.close()
        #expect(throws: MetadataError.closed) { try first.inode(1) }
        #expect(throws: MetadataError.closed) { try first.integer("a") }
        try database.close()
        #expect(try third.inode(1) == file(1, size: 1))
    }

    @Test("a snapshot closed inside its own walk ends the walk with an error")
    func closingInsideAWalk() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            for group in 0..<5 as Range<UInt64> { try writer.setBlockGroup(1, group, [1]) }
        }
        try database.commit()
        let snapshot = try database.snapshot()
        var count = 0
        #expect(throws: MetadataError.closed) {
            try snapshot.forEachBlockGroup { _ in
                count += 1
                snapshot.close()
            }
        }
        #expect(count == 1)
    }

    @Test("steps that are one either all happen or none")
    func atomically() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            try writer.insertInode(file(1))
            #expect(throws: MetadataError.full) {
                try writer.atomically { writer throws(MetadataError) in
                    try writer.insertInode(file(2))
                    try writer.deleteInode(1)
                    #expect(try writer.inode(2) != nil)
                    throw .full
                }
            }
            #expect(try writer.inode(1) == file(1) && writer.inode(2) == nil)
            let answer = try writer.atomically { writer throws(MetadataError) in
                try writer.insertInode(file(3))
                try? writer.atomically { writer throws(MetadataError) in
                    try writer.insertInode(file(4))
                    throw .full
                }
                return try writer.inode(3)
            }
            #expect(answer == file(3))
        }
        try database.commit()
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.inode(3) == file(3) && writer.inode(4) == nil)
        }
    }

    @Test(
        "the log starts anew once it is long, and nothing is lost by it", arguments: [false, true])
    func longLog(busy: Bool) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        // Pages that stay the same are not written again: each round has bytes of its own.
        func block(_ round: UInt64) -> [UInt8] { .init(repeating: UInt8(round), count: 1 << 20) }
        for round in 0..<70 as Range<UInt64> {
            try database.write { (writer) throws in
                try writer.setInline(round % 4, block(round))
                try writer.setInteger("round", Int64(round))
            }
            try database.commit()
        }
        let long = try folder.size(of: "-wal")
        #expect(long > MetadataDatabase.logLimit)
        // With changes waiting, the log starts anew in the commit that ends them.
        if busy { try database.write { try $0.setInteger("waiting", 1) } }
        try database.checkpoint()
        try database.commit()
        let longest = try folder.size(of: "-wal")
        for round in 0..<20 {
            try database.write { try $0.setInteger("after", Int64(round)) }
            try database.commit()
            try database.syncLog()
        }
        #expect(try folder.size(of: "-wal") == longest)
        let copy = try folder.crashCopy(name: "crashed")
        try copy.write { (writer) throws in
            #expect(try writer.integer("round") == 69)
            #expect(try writer.integer("after") == 19)
            #expect(try writer.integer("waiting") == (busy ? 1 : nil))
            #expect(try writer.inline(3) == block(67))
        }
    }

    @Test("a log that wants it starts anew in the first commit that adds little behind a copy")
    func restartBetweenChanges() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var changes = 0
        func change(_ mebibytes: Int) throws {
            for number in 0..<mebibytes {
                // Pages that stay the same are not written again.
                changes += 1
                let block = [UInt8](repeating: UInt8(changes % 256), count: 1 << 20)
                try database.write { try $0.setInline(UInt64(number), block) }
            }
        }
        #expect(!database.wantsRestart)
        for _ in 0..<70 {
            try change(1)
            try database.commit()
        }
        #expect(database.wantsRestart)
        let snapshot = try database.snapshot()
        #expect(!database.wantsRestart)
        snapshot.close()
        // What comes before the commit behind the copy is too much to be copied at once.
        try change(1)
        try database.checkpoint()
        try change(6)
        try database.commit()
        #expect(database.wantsRestart)
        try change(1)
        try database.checkpoint()
        try database.commit()
        #expect(!database.wantsRestart)
        // What is written now begins the file anew.
        let long = try folder.size(of: "-wal")
        try change(6)
        try database.commit()
        #expect(try folder.size(of: "-wal") == long)
        #expect(try folder.crashCopy(name: "crashed").write { try $0.inline(5)?.count } == 1 << 20)
    }

    @Test("a snapshot keeps the log from starting anew, and the next checkpoint does it")
    func snapshotPinsLog() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let snapshot = try database.snapshot()
        for round in 0..<66 {
            let block = [UInt8](repeating: UInt8(round), count: 1 << 20)
            try database.write { try $0.setInline(1, block) }
            try database.commit()
        }
        try database.checkpoint()
        try database.write { try $0.setInteger("a", 1) }
        try database.commit()
        let long = try folder.size(of: "-wal")
        #expect(long > MetadataDatabase.logLimit)
        #expect(try snapshot.inline(1) == nil)
        snapshot.close()
        try database.checkpoint()
        for _ in 0..<20 {
            try database.write { try $0.setInteger("a", 2) }
            try database.commit()
        }
        #expect(try folder.size(of: "-wal") == long)
        #expect(try folder.crashCopy(name: "crashed").write { try $0.integer("a") } == 2)
    }

    @Test("a commit without changes writes nothing")
    func emptyCommit() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        let before = try folder.size(of: "-wal")
        for _ in 0..<10 {
            try database.write { (writer) throws in #expect(try writer.inode(1) != nil) }
            try database.commit()
            try database.syncLog()
        }
        #expect(try folder.size(of: "-wal") == before)
    }
}
