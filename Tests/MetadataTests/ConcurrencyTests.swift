// SPDX-License-Identifier: Apache-2.0
//
// Many threads on one database at once.

import Foundation
import Namespace
import Primitives
import Testing

@testable import Metadata

@Suite("Many threads")
struct ConcurrencyTests {
    /// Runs a body on that many threads at once, and gives what they threw.
    private static func onThreads(
        _ count: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) -> [String] {
        let failures = Lock<[String]>([])
        DispatchQueue.concurrentPerform(iterations: count) { index in
            do {
                try body(index)
            } catch {
                failures.withLock { $0.append("thread \(index): \(error)") }
            }
        }
        return failures.withLock { $0 }
    }

    @Test("eight threads write, commit, sync, read, take snapshots and checkpoint at once")
    func everythingAtOnce() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let rounds = 150
        let failures = Self.onThreads(8) { thread in
            let parent = UInt64(thread + 1)
            for round in 0..<rounds {
                let ino = parent * 10_000 + UInt64(round)
                try database.write { (writer) throws in
                    try writer.insertInode(file(ino, size: parent))
                    _ = try writer.insertDentry(
                        parent: parent, name: bytes("\(round)"), ino: ino, kind: .regular)
                    // Two rows that only ever change together.
                    let sum = (try writer.integer("sum") ?? 0) + 1
                    try writer.setInteger("sum", sum)
                    try writer.setInteger("minus", -sum)
                }
                switch (round + thread) % 10 {
                case 0...2:
                    try database.commit()
                case 3:
                    try database.commit()
                    try database.syncLog()
                case 4:
                    try database.checkpoint()
                case 5:
                    let snapshot = try database.snapshot()
                    let sum = try snapshot.integer("sum") ?? 0
                    let names = try snapshot.entries(parent: parent, after: 0, limit: 9999).count
                    #expect(try snapshot.integer("minus") ?? 0 == -sum)
                    #expect(
                        try snapshot.entriesWithInodes(parent: parent, after: 0, limit: 9999).count
                            == names)
                    snapshot.close()
                default:
                    let found = try database.write {
                        try $0.lookup(parent: parent, name: bytes("\(round)"))
                    }
                    #expect(found == file(ino, size: parent))
                }
            }
        }
        #expect(failures.isEmpty)
        try database.commit()
        try folder.crashCopy(name: "crashed").write { (writer) throws in
            #expect(try writer.integer("sum") == Int64(8 * rounds))
            for parent in 1...8 as ClosedRange<UInt64> {
                #expect(try writer.entries(parent: parent, after: 0, limit: 9999).count == rounds)
            }
        }
        try database.close()
    }

    @Test("closing while others work leaves them with an error, not a trap")
    func closingAtOnce() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let failures = Self.onThreads(8) { thread in
            for round in 0..<200 {
                if thread == 0 && round == 100 { try database.close() }
                do {
                    try database.write { (writer) throws in
                        try writer.setInteger("\(thread)", Int64(round))
                    }
                    try database.commit()
                    let snapshot = try database.snapshot()
                    _ = try snapshot.integer("\(thread)")
                } catch MetadataError.closed {
                    continue
                }
            }
        }
        #expect(failures.isEmpty)
        let again = try folder.open()
        #expect(try again.write { try $0.integer("0") } ?? 0 >= 99)
    }
}
