// SPDX-License-Identifier: Apache-2.0
//
// The 36 bytes of a reference, and the 16 of a slot's record.

import TestSupport
import Testing

@testable import Blocks

@Suite("References")
struct BlockReferenceTests {
    /// Frozen: format version 1, docs/format.md §17.
    private let frozen: [UInt8] = [
        0x04, 0x03, 0x02, 0x01, 0x00, 0x40, 0x00, 0x00, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
        0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29,
        0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f,
    ]

    private var sample: BlockReference {
        BlockReference(
            slot: 0x0102_0304, length: 16_384, nonce: InlineArray { UInt8(0x10 + $0) },
            tag: InlineArray { UInt8(0x20 + $0) })
    }

    @Test("a reference has the frozen bytes")
    func encodes() {
        #expect(sample.encoded == frozen)
        var appended: [UInt8] = [9]
        sample.encode(into: &appended)
        #expect(appended == [9] + frozen)
    }

    @Test("the frozen bytes decode to the reference they were made of")
    func decodes() throws {
        let read = try #require(decoded(frozen))
        #expect(read == sample && read.hashValue == sample.hashValue)
        #expect(read.slot == 0x0102_0304 && read.length == 16_384)
        for index in 0..<12 { #expect(read.nonce[index] == UInt8(0x10 + index)) }
        for index in 0..<16 { #expect(read.tag[index] == UInt8(0x20 + index)) }
    }

    /// As the format's §17 has it: the block, place 1, pieces 0b0101, and 8192 bytes in slot 5.
    private var frozenPatch: [UInt8] {
        frozen + [0x01, 0x05, 0x05, 0, 0, 0, 0, 0x20, 0, 0] + [UInt8](repeating: 0x30, count: 12)
            + [UInt8](repeating: 0x40, count: 16)
    }

    @Test("a reference with a patch has the frozen bytes, and is made of them")
    func patched() throws {
        let sealed = BlockReference(
            slot: 5, length: 8192, nonce: InlineArray(repeating: 0x30),
            tag: InlineArray(repeating: 0x40))
        let reference = sample.patched(by: BlockPatch(sealed, at: 1, pieces: 0b0101))
        #expect(reference.encoded == frozenPatch)
        #expect(frozenPatch.count == BlockReference.patchedSize)
        let read = try #require(decoded(frozenPatch))
        #expect(read == reference && read != sample && read.hashValue == reference.hashValue)
        #expect(read.patch?.end == 12_288 && read.writtenSlot == 5 && read.names(5))
        #expect(read.names(0x0102_0304) && !read.names(4) && read.unpatched == sample)
        // The highest bit of the pieces: the store has the others.
        var stored = frozenPatch
        stored[37] |= 0x80
        let other = try #require(decoded(stored))
        #expect(other.patch?.isBelowStored == true && other.patch?.pieces == 0b0101)
        #expect(other != read && other.encoded == stored && other.ofAnotherBlock == read)
    }

    @Test(
        "a patch that cannot be is refused",
        arguments: [
            // Place: behind the slot's end. Pieces: none, all, more than there are, another size.
            [36: UInt8(3)], [36: 4], [36: 0xff], [37: 0], [37: 0x0f], [37: 0x15], [37: 0x01],
            [37: 0x07],
            // 4096, 16384 and 24576 bytes; in the block's own slot.
            [43: 0x10], [43: 0x40], [43: 0x60], [38: 4, 39: 3, 40: 2, 41: 1],
            // Over a block that is too short for it.
            [4: 0xff, 5: 0x2f],
        ])
    func refusedPatches(change: [Int: UInt8]) {
        var bytes = frozenPatch
        for (index, byte) in change { bytes[index] = byte }
        #expect(decoded(bytes) == nil)
    }

    @Test("bytes of another size, or with a length over a block's, are refused")
    func refusesHostileBytes() {
        for count in [0, 1, 35] {
            let short = Array(frozen[0..<count])
            #expect(decoded(short) == nil)
        }
        let long = frozen + [0]
        #expect(decoded(long) == nil)
        for length: [UInt8] in [[0x01, 0x40, 0, 0], [0, 0, 1, 0], [0xff, 0xff, 0xff, 0xff]] {
            var bytes = frozen
            bytes.replaceSubrange(4..<8, with: length)
            #expect(decoded(bytes) == nil)
        }
    }

    @Test("references that differ in any byte are unequal")
    func everyByteCounts() throws {
        // The length's own bytes would go over the limit; its second one goes down instead.
        for index in frozen.indices where index != 4 && index != 6 && index != 7 {
            var bytes = frozen
            bytes[index] ^= index == 5 ? 0x40 : 1
            let other = try #require(decoded(bytes))
            #expect(other != sample)
        }
    }

    @Test("references and records take no more memory than they must")
    func areCompact() {
        #expect(MemoryLayout<BlockReference>.stride == 48)
        #expect(MemoryLayout<SlotRecord>.stride == 16)
    }

    @Test("any record of a slot gives back what was put in")
    func slotRecordsPack() {
        var dice = SeededGenerator(seed: 3)
        for _ in 0..<1000 {
            var record = SlotRecord()
            #expect(record.owner == nil && record.count == 0 && record.state == .free)
            let owner = BlockOwner(ino: dice.next(), block: dice.next() % BlockOwner.blockLimit)
            let count = UInt64(dice.below(256))
            let state = SlotState(rawValue: UInt8(dice.below(5))) ?? .free
            record.owner = owner
            record.count = count
            record.state = state
            #expect(record.owner == owner && record.count == count && record.state == state)
            record.owner = nil
            #expect(record.owner == nil && record.count == count && record.state == state)
        }
    }
}
