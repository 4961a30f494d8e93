// SPDX-License-Identifier: Apache-2.0
//
// What the tests of patches share: a volume whose background rests, and a look at its blocks.

import Blocks
import Foundation
import Metadata
import Namespace
import Primitives
import TestSupport
import Testing

@testable import Engine

/// A suite that works on patches.
protocol PatchWork {}

extension PatchWork {
    static var block: Int { Arena.blockSize }
    static var piece: Int { Arena.pieceSize }

    /// A volume whose background does nothing by itself for the time of a test.
    func quiet(
        _ journal: JournalLimits = JournalLimits(piecesPerCommit: 0, blocks: 0),
        budget: UInt64 = 64 << 20
    ) throws -> TestVolume {
        try TestVolume(on: TestStore()) { configuration in
            configuration.journal = journal
            configuration.cacheBudget = budget
            configuration.commitInterval = .seconds(3600)
            (configuration.flushDelay, configuration.flushCeiling) = (
                .seconds(3600), .seconds(3600)
            )
            (configuration.publishDelay, configuration.publishCeiling) = (
                .seconds(3600), .seconds(3600)
            )
        }
    }

    func sync(_ volume: TestVolume) throws {
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
    }

    func entries(
        _ volume: TestVolume, _ path: String, _ numbers: Range<UInt64>
    ) throws -> [BlockEntry] {
        let engine = volume.engine.volume
        return try engine.with(try volume.resolve(path)) { (inode) throws(FileError) in
            try engine.change(inode) { (state) throws(FileError) in
                var entries: [BlockEntry] = []
                for number in numbers { entries.append(try engine.entry(number, &state)) }
                return entries
            }
        }
    }

    /// Which pieces of each block are patches.
    func pieces(
        _ volume: TestVolume, _ path: String, _ numbers: Range<UInt64>
    ) throws -> [BlockPatch.Pieces] {
        try entries(volume, path, numbers).map { $0.reference?.patch?.pieces ?? 0 }
    }

    /// What a reader gets of a range of the file.
    func read(_ volume: TestVolume, _ range: Range<Int>) throws -> [UInt8] {
        try volume.readPart(try volume.resolve("/files/a"), range)
    }

    /// A file of eight blocks in the arena; what it holds.
    func makeFile(_ volume: TestVolume, _ path: String = "/files/a") throws -> [UInt8] {
        let content = pattern(8 * Self.block, seed: 1)
        try volume.writeFile(path, content)
        try sync(volume)
        return content
    }

    /// Writes pieces of a block, each with other bytes.
    func write(
        _ volume: TestVolume, _ content: inout [UInt8], _ block: Int, _ pieces: [Int],
        seed: UInt64, path: String = "/files/a"
    ) throws {
        for piece in pieces {
            let at = block * Self.block + piece * Self.piece
            let bytes = pattern(Self.piece, seed: seed << 8 | UInt64(piece))
            try volume.writeFile(path, bytes, at: UInt64(at))
            content.replaceSubrange(at..<at + Self.piece, with: bytes)
        }
    }

    /// Damages what a block of the file has in its own slot.
    func damage(_ volume: TestVolume, _ block: UInt64) throws {
        let entry = try entries(volume, "/files/a", block..<block + 1)[0]
        let slot = try #require(entry.reference?.slot)
        let file = try FileHandle(
            forUpdating: URL(fileURLWithPath: volume.stateFolder + "/arena"))
        try file.seek(toOffset: Arena.firstSlotOffset + UInt64(slot) * UInt64(Self.block))
        try file.write(contentsOf: Data(repeating: 0x55, count: 16))
        try file.close()
    }
}

extension TestVolume {
    /// Copies the beginning of one file to another, as `copy_file_range` does.
    func copyWhole(_ source: String, _ target: String, count: Int) throws {
        try writeFile(target, [])
        try copyRange(source, target, from: 0, count: UInt64(count))
    }

    /// Copies a range to a place, or to the same one.
    func copyRange(
        _ source: String, _ target: String, from start: UInt64, to place: UInt64? = nil,
        count: UInt64
    ) throws {
        let (from, to) = (try resolve(source), try resolve(target))
        let reading = try engine.open(from, OpenIntent(reads: true, writes: false), context)
        defer { engine.release(reading.handle, ino: from) }
        let writing = try engine.open(to, OpenIntent(reads: true, writes: true), context)
        defer { engine.release(writing.handle, ino: to) }
        var copied: UInt64 = 0
        while copied < count {
            // A call ends before a block that was evicted meanwhile: the next one begins there.
            let more = try engine.copyRange(
                from: (reading.handle, from, start + copied),
                to: (writing.handle, to, (place ?? start) + copied), count: count - copied, context)
            if more == 0 { break }
            copied += more
        }
        #expect(copied == count)
    }
}
