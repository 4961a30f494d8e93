// SPDX-License-Identifier: Apache-2.0
//
// Who has which slot, and what may be handed out. A value without files, clocks or randomness:
// the arena holds it under one lock and does everything slow outside.
//
// States of a slot: free → writing → dirty ⇄ clean → deferred → free (`SlotState`); a free slot
// whose free bit is clear is being punched.
//
// Invariants:
// - used + deferred + reserved + punching never grows past `capacity`, so that a reserved write
//   always finds a slot. (More may be adopted when the budget was made smaller.)
// - A deferred slot becomes free only through `freeDeferred` of its epoch or a later one.
// - An evictable bit is set exactly for clean slots all of whose references are rows.
// - Slots at `extent` and above are free, without a free bit of their own in `freeInExtent`.
// - Slots at `capacity` and above are never allocated; freed, they only wait to be punched.

/// Neighbouring slots.
struct SlotRun: Equatable {
    var first: UInt32
    var count: Int
    /// One more than the last slot.
    var end: Int { Int(first) + count }
}

/// A row of a shared slot.
struct SharedRow: Equatable {
    var owner: BlockOwner
    var isDirty: Bool
}

/// The arena's bookkeeping.
struct SlotTable: ~Copyable {
    /// Slots the arena may use by its budget.
    let budget: Int
    /// Slots there are: the budget and the overshoot.
    let capacity: Int
    /// Free slots the engine should keep at hand by evicting.
    let lowWater: Int

    /// Chunks by slot / 4096; nil where none was ever used.
    var chunks: [SlotChunk?] = []
    /// Slots below this are allocated from; grows by chunks.
    var extent = 0
    /// Free bits set below `extent`.
    var freeInExtent = 0
    /// Of those, the ones whose slot may hold blocks of the disk.
    var backedFree = 0
    /// Slots that were freed with their disk blocks, newest last; some may be in use again.
    var recentlyFreed: [UInt32] = []
    /// Where the next search for free slots begins.
    var cursor = 0
    /// Where the clock goes on.
    var clockWord = 0
    /// Whether `finishAdoption` was called.
    var isAdopted = false

    var writing = 0
    var dirty = 0
    var clean = 0
    var deferred = 0
    var reserved = 0
    var punching = 0
    var evictable = 0
    /// Slots with a count of two or more.
    var pinned = 0

    /// Counts too large for a record.
    var largeCounts: [UInt32: Int] = [:]
    /// All rows of the slots that two or more rows name.
    var shared: [UInt32: [SharedRow]] = [:]

    /// The epoch that slots are freed in now.
    var epoch: UInt64 = 1
    /// Freed slots by epoch, oldest first.
    var deferredLists: [(epoch: UInt64, slots: [UInt32])] = []
    /// Freed slots above `capacity`, to be punched.
    var beyond: [UInt32] = []

    /// Slots for which the disk has room beyond its margin, less those taken since it was looked
    /// at; negative for what the margin lacks; nil before.
    var diskSlots: Int?
    /// Slots that were being punched then: the disk may have had their blocks already.
    var punchingAtLook = 0
    /// Slots for which the disk should have room whatever else is: what the metadata may ask for
    /// at once.
    var commitRoom = Arena.commitRoom
    /// Slots reserved since the disk was last looked at.
    var reservedSinceDisk = 0

    init(budget: Int, overshoot: Int, lowWater: Int) {
        self.budget = budget
        self.capacity = budget + overshoot
        self.lowWater = lowWater
    }

    /// Slots that something names.
    var used: Int { writing + dirty + clean }

    /// Slots that are taken or promised, and cannot be promised again.
    var committed: Int { used + deferred + reserved + punching }

    /// The chunk that `slot` is in, made if there is none.
    mutating func chunk(at index: Int) -> SlotChunk {
        if index < chunks.count, let chunk = chunks[index] { return chunk }
        while chunks.count <= index { chunks.append(nil) }
        let chunk = SlotChunk(allocatable: capacity - index * SlotChunk.slotCount)
        chunks[index] = chunk
        return chunk
    }

    /// The chunk of a slot that something names, and its place there.
    ///
    /// Traps for a slot nothing was ever kept in: a caller that lost count of its references.
    func place(_ slot: UInt32) -> (chunk: SlotChunk, index: Int) {
        let index = Int(slot) / SlotChunk.slotCount
        guard index < chunks.count, let chunk = chunks[index] else {
            preconditionFailure("a slot that was never handed out")
        }
        return (chunk, Int(slot) % SlotChunk.slotCount)
    }

    // MARK: Reservations

    /// Promises `count` slots, or throws `full`.
    ///
    /// - Parameter usesMargin: the disk's margin is room for them, too.
    mutating func reserve(_ count: Int, usesMargin: Bool = false) throws(ArenaError) {
        precondition(count >= 0, "a negative reservation")
        precondition(isAdopted, "adoptionFinished comes before the first reservation")
        let free = budget - used - deferred - reserved
        guard free + evictable >= count, committed + count <= capacity else { throw .full }
        if let disk = diskSlots {
            // Slots that still hold disk blocks need no new ones.
            let room = usesMargin ? disk + Arena.diskMargin : disk
            guard reserved + count - backedFree <= max(room, 0) else { throw .diskFull }
        }
        reserved += count
        reservedSinceDisk += count
    }

    /// Takes back `count` promised slots.
    mutating func unreserve(_ count: Int) {
        precondition(count >= 0 && count <= reserved, "more unreserved than was reserved")
        reserved -= count
    }

    /// Whether the disk should be looked at before `count` more are reserved.
    func wantsDiskMeasure(_ count: Int) -> Bool {
        guard let disk = diskSlots else { return true }
        // Often while it is scarce, now and then while it is not.
        return reservedSinceDisk + count > min(Arena.diskMeasureInterval, disk / 8)
    }

    /// Notes for how many slots the disk has room beyond its margin, or lacks it.
    mutating func diskMeasured(_ slots: Int) {
        diskSlots = slots
        punchingAtLook = punching
        reservedSinceDisk = 0
    }

    /// How many slots should be evicted now; 0 also when none can be.
    var shortfall: Int {
        // Deferred slots come free with the next commit: evicting more for them would be too much.
        let free = budget - used - reserved
        return max(0, min(max(lowWater - free, diskShortfall), evictable))
    }

    /// How many slots should be evicted for the disk's sake; freed ones can be punched.
    private var diskShortfall: Int {
        guard let disk = diskSlots else { return 0 }
        return wantedDisk + reserved - disk - backedFree - deferred
    }

    /// Slots for which the disk should have room beyond its margin.
    private var wantedDisk: Int { max(Arena.lowDisk, commitRoom - Arena.diskMargin) }

    /// Whether the disk has less room than it should: then holes are worth more than slots at hand.
    var isDiskShort: Bool { diskSlots.map { $0 < wantedDisk } ?? false }

    /// Numbers for people, in slots turned to bytes.
    func usage() -> ArenaUsage {
        func bytes(_ slots: Int) -> UInt64 { UInt64(slots) * UInt64(Arena.blockSize) }
        return ArenaUsage(
            budget: bytes(budget), used: bytes(used), dirty: bytes(dirty), clean: bytes(clean),
            pinned: bytes(pinned), evictable: bytes(evictable), deferred: bytes(deferred),
            reserved: bytes(reserved), punchable: bytes(backedFree + beyond.count))
    }
}
