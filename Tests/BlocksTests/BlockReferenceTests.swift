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

    @Test("a reference has the frozen bytes, by each way of writing them")
    func encodes() {
        #expect(sample.encoded == frozen)
        var appended: [UInt8] = [9]
        sample.encode(into: &appended)
        #expect(appended == [9] + frozen)
        var placed = [UInt8](repeating: 0xee, count: 40)
        var span = placed.mutableSpan
        var room = span._mutatingExtracting(2..<40)
        sample.encode(into: &room)
        #expect(placed == [0xee, 0xee] + frozen + [0xee, 0xee])
    }

    @Test("the frozen bytes decode to the reference they were made of")
    func decodes() throws {
        let read = try #require(decoded(frozen))
        #expect(read == sample && read.hashValue == sample.hashValue)
        #expect(read.slot == 0x0102_0304 && read.length == 16_384)
        for index in 0..<12 { #expect(read.nonce[index] == UInt8(0x10 + index)) }
        for index in 0..<16 { #expect(read.tag[index] == UInt8(0x20 + index)) }
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
        #expect(MemoryLayout<BlockReference>.stride == 40)
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
