// SPDX-License-Identifier: Apache-2.0
//
// Which slots a short disk lets be taken.

import Testing

@testable import Blocks

@Suite("slot table")
struct SlotTableTests {
    /// A table of whose first slots some are free, and have their blocks of the disk.
    private static func table(used: Int, freed: Int) throws -> SlotTable {
        try table(used: used, freed: [0..<UInt32(freed)])
    }

    private static func table(
        used: Int, freed: [Range<UInt32>], budget: Int = 4096
    ) throws -> SlotTable {
        var table = SlotTable(budget: budget, overshoot: 512, lowWater: 256)
        _ = table.finishAdoption()
        for run in try table.allocate(used, reservedCount: 0) {
            for slot in run.first..<UInt32(run.end) {
                let owner = BlockOwner(ino: 1, block: UInt64(slot))
                table.install(slot, owner: owner, isDirty: true)
            }
        }
        for slot in freed.joined() { table.release(slot) }
        let epoch = table.closeEpoch()
        let isMore = table.freeDeferred(upTo: epoch, limit: used + 1)
        #expect(!isMore)
        return table
    }

    private static func promised(_ count: Int, _ table: inout SlotTable) throws -> [SlotRun] {
        try table.reserve(count)
        return try table.allocate(count, reservedCount: count)
    }

    private static func isRefused(_ count: Int, _ table: inout SlotTable) -> Bool {
        do throws(ArenaError) {
            try table.reserve(count)
            return false
        } catch {
            return error == .diskFull
        }
    }

    /// How many slots are to be punched first.
    private static func punchable(_ table: inout SlotTable) -> Int? {
        var position = 0
        return table.takePunchable(from: &position, minimum: 1, limit: 4096)?.count
    }

    @Test("room that was promised on slots with blocks of the disk is not taken from its margin")
    func margin() throws {
        var table = try Self.table(used: 1000, freed: 500)
        table.diskMeasured(-100)
        for _ in 0..<10 {
            let runs = try Self.promised(50, &table)
            #expect(runs.allSatisfy { $0.end <= 500 }, "\(runs)")
            // The disk is as full as before, however often it is looked at.
            let disk = table.diskSlots
            #expect(disk == -100)
        }
        #expect(Self.isRefused(1, &table))
    }

    @Test("what the disk has beyond its margin is taken once")
    func once() throws {
        var table = try Self.table(used: 1000, freed: 100)
        table.diskMeasured(150)
        #expect(try Self.promised(100, &table).allSatisfy { $0.first >= 1000 })
        let disk = table.diskSlots
        #expect(disk == 50)
        #expect(try Self.promised(60, &table).allSatisfy { $0.end <= 100 })
        #expect(Self.isRefused(91, &table))
        try table.reserve(90)
    }

    @Test("below its margin the disk gets what a commit needs, and writers keep some slots")
    func holes() throws {
        var table = try Self.table(used: 2000, freed: 1500)
        table.diskMeasured(-Arena.diskMargin)
        var (position, punched) = (0, 0)
        while let run = table.takePunchable(from: &position, minimum: 1, limit: 100) {
            table.punched(run, succeeded: true)
            punched += run.count
        }
        let (disk, backed) = (table.diskSlots, table.backedFree)
        #expect(backed == Arena.lowDisk && punched == 1500 - backed)
        #expect(punched >= Arena.commitRoom && disk == punched - Arena.diskMargin)
        #expect(Self.isRefused(backed + 1, &table))
        try table.reserve(backed)
    }

    @Test("a search for slots with blocks of the disk goes not far beyond the first")
    func farRun() throws {
        var table = try Self.table(used: 12_000, freed: [0..<2, 9000..<9016], budget: 16_384)
        table.diskMeasured(0)
        let runs = try Self.promised(16, &table)
        #expect(runs == [SlotRun(first: 0, count: 2), SlotRun(first: 9000, count: 14)])
    }

    @Test("the disk gets as much as the metadata says that it lacks")
    func asked() throws {
        var table = try Self.table(used: 2000, freed: 1300)
        table.diskMeasured(100 - Arena.diskMargin)
        table.commitRoom = 1200
        #expect(Self.punchable(&table) == 1100)
    }

    @Test("what is being punched is not asked for twice, nor counted twice")
    func punchedOnce() throws {
        var table = try Self.table(used: 2000, freed: 1000)
        table.diskMeasured(-Arena.diskMargin)
        var position = 0
        let first = table.takePunchable(from: &position, minimum: 1, limit: 600)
        let second = table.takePunchable(from: &position, minimum: 1, limit: 600)
        #expect(first?.count == 600 && second?.count == Arena.commitRoom - 600)
        // The disk has the first already, and says so.
        table.diskMeasured(600 - Arena.diskMargin)
        table.punched(SlotRun(first: 0, count: 600), succeeded: true)
        let disk = table.diskSlots
        #expect(disk == 600 - Arena.diskMargin)
    }

    @Test("where few slots have blocks of the disk, a commit comes before writers")
    func fewHoles() throws {
        var table = try Self.table(used: 1000, freed: 600)
        table.diskMeasured(-Arena.diskMargin)
        #expect(Self.punchable(&table) == 600)
    }
}
