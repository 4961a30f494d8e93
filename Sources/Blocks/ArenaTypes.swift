// SPDX-License-Identifier: Apache-2.0
//
// The small values that go in and out of the arena: owners, blocks to write, epochs, usage.

/// The row that names a slot: one block of one file.
package struct BlockOwner: Hashable, Sendable {
    /// The file's inode number.
    package let ino: UInt64
    /// The block's index in the file; below `BlockOwner.blockLimit`.
    package let block: UInt64

    /// One more than the largest block index the arena can note down: 2^52 − 1.
    ///
    /// The kernel's largest file offset, 2^63, is block 2^49.
    package static let blockLimit: UInt64 = (1 << 52) - 1

    /// The owner that is block `block` of inode `ino`.
    package init(ino: UInt64, block: UInt64) {
        self.ino = ino
        self.block = block
    }
}

/// One block to be sealed and written.
package struct PlainBlock: Sendable {
    /// The plaintext, at most `Arena.blockSize` bytes; the rest of the block reads as zero.
    package let bytes: [UInt8]
    /// The row that will name the new slot.
    package let owner: BlockOwner
    /// Whether these bytes exist nowhere else yet. A dirty slot is never offered for eviction.
    package let isDirty: Bool
    /// Whether one slot of an earlier `Arena.reserve` is spent on this block.
    package let usesReservation: Bool
    /// What lies in the arena already, if only pieces of `bytes` are to be written over it.
    package let over: PatchedBlock?

    /// A block of `bytes` for `owner`.
    package init(
        bytes: [UInt8], owner: BlockOwner, isDirty: Bool, usesReservation: Bool,
        over: PatchedBlock? = nil
    ) {
        if let over {
            precondition(isDirty, "a patch that the store has")
            precondition(bytes.count >= Arena.end(of: over.pieces), "a patch without its bytes")
        }
        self.bytes = bytes
        self.owner = owner
        self.isDirty = isDirty
        self.usesReservation = usesReservation
        self.over = over
    }
}

/// A block in the arena of which some pieces are written anew, and the others stay where they are.
package struct PatchedBlock: Sendable {
    /// The block, which the owner's row names.
    package let reference: BlockReference
    /// The pieces that are written: among them all of the patch that the block has.
    package let pieces: BlockPatch.Pieces
    /// As of the patch that it becomes.
    let isBelowStored: Bool

    /// One to three pieces of a block; they lie within what it has.
    ///
    /// - Parameter isBelowStored: the store has the other pieces.
    package init(
        _ reference: BlockReference, pieces: BlockPatch.Pieces, isBelowStored: Bool = false
    ) {
        let before = reference.patch?.pieces ?? 0
        precondition(before & ~pieces == 0, "a patch that forgets pieces of the one before")
        self.reference = reference
        self.pieces = pieces
        self.isBelowStored = isBelowStored
    }

}

/// The slots that were freed up to one `Arena.beginCommit`.
package struct FreeEpoch: Hashable, Comparable, Sendable {
    let number: UInt64

    package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// How the arena's budget is spent. All in bytes of whole slots.
package struct ArenaUsage: Equatable, Sendable {
    /// What the arena may use.
    package var budget: UInt64 = 0
    /// Slots that something names: dirty, clean, or just being written.
    package var used: UInt64 = 0
    /// Slots whose bytes exist nowhere else yet.
    package var dirty: UInt64 = 0
    /// Slots whose bytes can be fetched again.
    package var clean: UInt64 = 0
    /// Of the used, those that more than one row or snapshot names.
    package var pinned: UInt64 = 0
    /// Of the clean, those that `Arena.evictable` may offer: rows, and no snapshot.
    package var evictable: UInt64 = 0
    /// Slots that nothing names, waiting for the commit that forgot them to be synced.
    package var deferred: UInt64 = 0
    /// Slots promised by `Arena.reserve` and not yet written.
    package var reserved: UInt64 = 0
    /// Free slots that still hold blocks of the disk, which `Arena.punchFreed` can give back.
    package var punchable: UInt64 = 0
}
