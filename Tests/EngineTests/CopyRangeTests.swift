// SPDX-License-Identifier: Apache-2.0
//
// Blocks that many rows share: how many may, and what is copied beyond.

import Blocks
import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite("copies of ranges")
struct CopyRangeTests: PatchWork {
    /// How many blocks of a file lie in each slot.
    private func sharing(
        _ volume: TestVolume, _ path: String, _ count: Int
    ) throws -> [UInt32: Int] {
        var rows: [UInt32: Int] = [:]
        for entry in try entries(volume, path, 0..<UInt64(count)) {
            entry.reference?.forEachSlot { rows[$0, default: 0] += 1 }
        }
        return rows
    }

    // SEMANTICS: blocks that share the same bytes; more are copied: 1024
    @Test("a file that is copied behind itself, over and over, shares no block too often")
    func doubled() throws {
        let volume = try quiet()
        let bytes = pattern(2 * Self.block, seed: 1)
        try volume.writeFile("/files/a", bytes)
        var count = 2
        while count < 2 * Arena.shareLimit + 1000 {
            let size = UInt64(count * Self.block)
            try volume.copyRange("/files/a", "/files/a", from: 0, to: size, count: size)
            count *= 2
        }
        let rows = try sharing(volume, "/files/a", count)
        #expect(rows.values.max() == Arena.shareLimit)
        #expect(rows.values.reduce(0, +) == count)
        let content = try volume.readFile("/files/a")
        #expect(content.count == count * Self.block)
        let isSame = stride(from: 0, to: content.count, by: bytes.count).allSatisfy {
            same(Array(content[$0..<$0 + bytes.count]), bytes)
        }
        #expect(isSame)
    }

    @Test("a stored file whose blocks are shared too often gives a copy its data maps all the same")
    func mapsAlone() throws {
        let volume = try quiet()
        let content = try makeFile(volume)
        try volume.publish()
        let rows = try entries(volume, "/files/a", 0..<8)
        let slot = try #require(rows[3].reference?.slot)
        let pins = [UInt32](repeating: slot, count: Arena.shareLimit)
        #expect(volume.engine.volume.arena.retainShared(pins) == Arena.shareLimit - 1)
        let fetched = volume.engine.engineStatus().chunksFetched
        try volume.copyWhole("/files/a", "/files/b", count: content.count)
        #expect(try entries(volume, "/files/b", 0..<8).allSatisfy { $0 == .absent })
        #expect(volume.engine.engineStatus().chunksFetched == fetched)
        #expect(try same(volume.readFile("/files/b"), content))
        volume.engine.volume.arena.release(Array(pins.dropLast()))
    }

    @Test("a run ends before the first block that is shared too often")
    func endOfRun() throws {
        let volume = try quiet()
        let content = try makeFile(volume)
        let slots = try entries(volume, "/files/a", 0..<8).map { $0.reference?.slot }
        let slot = try #require(slots[3])
        let pins = [UInt32](repeating: slot, count: Arena.shareLimit - 1)
        #expect(volume.engine.volume.arena.retainShared(pins) == pins.count)
        try volume.copyWhole("/files/a", "/files/b", count: content.count)
        volume.engine.volume.arena.release(pins)
        let copies = try entries(volume, "/files/b", 0..<3).map { $0.reference?.slot }
        #expect(copies == Array(slots[..<3]))
        #expect(try entries(volume, "/files/b", 3..<4)[0].reference?.slot != slot)
        #expect(try same(volume.readFile("/files/b"), content))
        try volume.recover()
        #expect(try same(volume.readFile("/files/b"), content))
    }
}
