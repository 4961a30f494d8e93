// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the arena share: a folder that goes away, repeatable dice, and checks.

import Cryptography
import Foundation
import Synchronization
import TestSupport
import Primitives
import Testing

@testable import Blocks

/// A folder of its own that is removed with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("blocks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        // A folder left in the temporary one is no reason to fail a test that passed.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The arena's path.
    var arena: String { path + "/arena" }
}

/// `count` bytes that differ from those of any other seed.
func content(_ seed: UInt64, count: Int) -> [UInt8] {
    var dice = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
        let word = dice.next()
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
        }
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// A key that is the same in every test.
func testKey(_ byte: UInt8 = 7) -> SecretBytes {
    SecretBytes([UInt8](repeating: byte, count: 32))
}

let blockSize = Arena.blockSize
let mebibyte: UInt64 = 1 << 20

/// An arena in `folder`, ready for writing.
func openArena(
    _ folder: TemporaryFolder, budget: UInt64 = 16 * mebibyte
) throws(ArenaError) -> Arena {
    try openArena(at: folder.arena, budget: budget)
}

/// An arena in this file, ready for writing.
func openArena(at path: String, budget: UInt64) throws(ArenaError) -> Arena {
    let arena = try Arena(path: path, key: testKey(), budget: budget)
    arena.adoptionFinished()
    return arena
}

/// `count` blocks of one byte each, for consecutive rows of inode `ino`.
func smallBlocks(
    _ count: Int, ino: UInt64 = 1, first: Int = 0, isDirty: Bool = true, reserved: Bool = false
) -> [PlainBlock] {
    (first..<first + count).map { index in
        PlainBlock(
            bytes: [UInt8(truncatingIfNeeded: index)],
            owner: BlockOwner(ino: ino, block: UInt64(index)), isDirty: isDirty,
            usesReservation: reserved)
    }
}

/// The reference that `bytes` encode. (A span cannot be an argument inside `#expect`.)
func decoded(_ bytes: [UInt8]) -> BlockReference? { BlockReference(decoding: bytes.span) }

extension Arena {
    /// The bytes of one block from `offset` on.
    func bytes(
        _ reference: BlockReference, from offset: Int = 0, count: Int = Arena.blockSize
    ) throws(ArenaError) -> [UInt8] {
        // Not zero to begin with: what is not filled shows.
        var bytes = [UInt8](repeating: 0xee, count: count)
        var span = bytes.mutableSpan
        try read(reference, from: offset, into: &span)
        return bytes
    }

    /// The bytes of consecutive blocks.
    func bytes(_ run: [BlockReference], count: Int) throws(ArenaError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        var span = bytes.mutableSpan
        try read(run, into: &span)
        return bytes
    }

    /// Writes one block.
    func writeOne(
        _ bytes: [UInt8], ino: UInt64 = 1, block: UInt64 = 0, isDirty: Bool = true,
        reserved: Bool = false
    ) throws(ArenaError) -> BlockReference {
        try write([
            PlainBlock(
                bytes: bytes, owner: BlockOwner(ino: ino, block: block), isDirty: isDirty,
                usesReservation: reserved)
        ])[0]
    }

    /// A whole commit: what was released before it is free after it.
    func commit() { endCommit(beginCommit()) }

    /// What the bookkeeping got wrong; empty when it is sound.
    func violations() -> [String] { table.withLock { $0.violations() } }
}

/// `bytes` and zeros up to `count`.
func padded(_ bytes: [UInt8], to count: Int = Arena.blockSize) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: max(0, count - bytes.count))
}

extension SlotTable {
    /// Recounts everything from the records and compares it with the running counts.
    borrowing func violations() -> [String] {
        var found: [String] = []
        var counts: [SlotState: Int] = [:]
        var free = 0
        var backedFree = 0
        var evictable = 0
        var pinned = 0
        for (position, chunk) in chunks.enumerated() {
            guard let chunk else { continue }
            var freeHere = 0
            for index in 0..<SlotChunk.slotCount {
                let slot = position * SlotChunk.slotCount + index
                let record = chunk.records[index]
                let bit: UInt64 = 1 << UInt64(index % 64)
                counts[record.state, default: 0] += 1
                pinned += record.count > 1 ? 1 : 0
                if chunk.free[index / 64] & bit != 0 {
                    freeHere += 1
                    if record.state != .free || slot >= capacity { found.append("free \(slot)") }
                    if slot < extent {
                        free += 1
                        backedFree += chunk.backed[index / 64] & bit != 0 ? 1 : 0
                    }
                }
                let isEvictable = chunk.evictable[index / 64] & bit != 0
                evictable += isEvictable ? 1 : 0
                let rows = shared[UInt32(slot)]?.count ?? (record.owner == nil ? 0 : 1)
                let references = largeCounts[UInt32(slot)] ?? Int(record.count)
                let isUnpinned = rows > 0 && rows == references
                if isEvictable != (record.state == .clean && isUnpinned) {
                    found.append("evictable bit of \(slot)")
                }
                let isUnnamed = record.state == .free || record.state == .deferred
                if (record.count == 0) != isUnnamed { found.append("count of \(slot)") }
            }
            if freeHere != chunk.freeCount { found.append("free count of chunk \(position)") }
        }
        let expected = [
            (dirty, counts[.dirty, default: 0], "dirty"),
            (clean, counts[.clean, default: 0], "clean"),
            (writing, counts[.writing, default: 0], "writing"),
            (deferred, counts[.deferred, default: 0], "deferred"),
            (deferred, deferredLists.reduce(0) { $0 + $1.slots.count }, "deferred lists"),
            (freeInExtent, free, "free"), (self.backedFree, backedFree, "backed"),
            (self.evictable, evictable, "evictable"), (self.pinned, pinned, "pinned"),
        ]
        for (kept, counted, name) in expected where kept != counted {
            found.append("\(name): \(kept) kept, \(counted) counted")
        }
        return found
    }
}
