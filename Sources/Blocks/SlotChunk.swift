// SPDX-License-Identifier: Apache-2.0
//
// The bookkeeping of 4096 neighbouring slots: 64 MiB of arena in 66 KiB of memory.

/// What a slot is for.
enum SlotState: UInt8 {
    /// Nothing names it. It may be allocated if its free bit is set (not while it is punched).
    case free
    /// Allocated, its bytes on their way to the file; no reference has been handed out.
    case writing
    /// At least one row names it whose bytes exist nowhere else.
    case dirty
    /// Every row that names it could fetch the bytes again.
    case clean
    /// Nothing names it any more, but a commit that is not synced may have.
    case deferred
}

/// One slot: its first owner, how many name it, and its state, in 16 bytes.
struct SlotRecord {
    /// The owner's block that stands for "no row names this slot".
    static let noBlock = BlockOwner.blockLimit
    /// The count that stands for "look into the table of large counts".
    static let countOverflow: UInt64 = 255

    private var ino: UInt64 = 0
    /// Owner's block in bits 12 and up, state in bits 8–11, count in bits 0–7.
    private var packed: UInt64 = Self.noBlock << 12

    /// The row that names the slot; one of them, when it is shared.
    var owner: BlockOwner? {
        get {
            let block = packed >> 12
            return block == Self.noBlock ? nil : BlockOwner(ino: ino, block: block)
        }
        set {
            let block = newValue?.block ?? Self.noBlock
            precondition(newValue == nil || block < Self.noBlock, "a block index over the limit")
            ino = newValue?.ino ?? 0
            packed = packed & 0xfff | block << 12
        }
    }

    var state: SlotState {
        get { SlotState(rawValue: UInt8(truncatingIfNeeded: packed >> 8 & 0xf)) ?? .free }
        set { packed = packed & ~0xf00 | UInt64(newValue.rawValue) << 8 }
    }

    /// Rows and pins that name the slot, or `countOverflow`.
    var count: UInt64 {
        get { packed & 0xff }
        set { packed = packed & ~0xff | newValue & 0xff }
    }
}

/// Records and bitmaps of 4096 slots. Owned by one `SlotTable`, under its lock.
final class SlotChunk {
    static let slotCount = 4096
    static let wordCount = slotCount / 64

    var records: [SlotRecord]
    /// Slots that may be allocated.
    var free: [UInt64]
    /// Slots that may hold blocks of the disk.
    var backed: [UInt64]
    /// Clean slots that rows name and no pin does.
    var evictable: [UInt64]
    /// Bits set in `free`.
    var freeCount: Int

    /// A chunk of free slots, of which the first `allocatable` may ever be allocated.
    init(allocatable: Int) {
        records = Array(repeating: SlotRecord(), count: Self.slotCount)
        free = (0..<Self.wordCount).map { word in
            let bits = min(max(allocatable - word * 64, 0), 64)
            return bits == 64 ? .max : (1 << UInt64(bits)) - 1
        }
        backed = Array(repeating: 0, count: Self.wordCount)
        evictable = backed
        freeCount = min(max(allocatable, 0), Self.slotCount)
    }
}
