// SPDX-License-Identifier: Apache-2.0
//
// Who names a slot: rows, with an owner each, and pins, which have none. The last one to let go
// defers the slot to the current epoch.

extension SlotTable {
    /// Counts a row that was there before the start.
    mutating func adopt(_ slot: UInt32, owner: BlockOwner, isDirty: Bool) {
        precondition(!isAdopted, "adopted after adoptionFinished")
        let chunk = chunk(at: Int(slot) / SlotChunk.slotCount)
        let index = Int(slot) % SlotChunk.slotCount
        if chunk.records[index].count > 0 {
            retain(slot, owner: owner, isDirty: isDirty)
            return
        }
        let bit: UInt64 = 1 << UInt64(index % 64)
        if chunk.free[index / 64] & bit != 0 {
            chunk.free[index / 64] &= ~bit
            chunk.freeCount -= 1
        }
        chunk.backed[index / 64] |= bit
        chunk.records[index].count = 1
        chunk.records[index].owner = owner
        setState(isDirty ? .dirty : .clean, of: chunk, at: index)
        refreshEvictable(slot, chunk, index)
    }

    /// Ends adoption; the slots below the result hold all that was adopted.
    mutating func finishAdoption() -> Int {
        precondition(!isAdopted, "adoptionFinished twice")
        let last = chunks.lastIndex { $0 != nil } ?? -1
        let end = (last + 1) * SlotChunk.slotCount
        growExtent(to: end)
        isAdopted = true
        return end
    }

    /// Notes that the slots of `run` may hold blocks of the disk.
    mutating func markBacked(_ run: SlotRun) {
        for slot in Int(run.first)..<run.end where slot / SlotChunk.slotCount < chunks.count {
            guard let chunk = chunks[slot / SlotChunk.slotCount] else { continue }
            let index = slot % SlotChunk.slotCount
            let bit: UInt64 = 1 << UInt64(index % 64)
            guard chunk.backed[index / 64] & bit == 0 else { continue }
            chunk.backed[index / 64] |= bit
            if slot < extent, chunk.free[index / 64] & bit != 0 { backedFree += 1 }
            if slot >= capacity, chunk.records[index].state == .free {
                beyond.append(UInt32(slot))
            }
        }
    }

    /// Adds a pin.
    mutating func retain(_ slot: UInt32) {
        let (chunk, index) = place(slot)
        let state = chunk.records[index].state
        precondition(state == .dirty || state == .clean, "retained a slot nothing names")
        addCount(slot, chunk, index)
    }

    /// Adds a pin where fewer than `limit` rows and pins name the slot.
    mutating func retain(_ slot: UInt32, below limit: Int) -> Bool {
        let (chunk, index) = place(slot)
        guard references(of: slot, chunk.records[index]) < limit else { return false }
        retain(slot)
        return true
    }

    /// Adds a row.
    mutating func retain(_ slot: UInt32, owner: BlockOwner, isDirty: Bool) {
        retain(slot)
        let (chunk, index) = place(slot)
        if let first = chunk.records[index].owner {
            let firstRow = SharedRow(owner: first, isDirty: chunk.records[index].state == .dirty)
            shared[slot, default: [firstRow]].append(SharedRow(owner: owner, isDirty: isDirty))
        } else {
            chunk.records[index].owner = owner
        }
        if isDirty { setState(.dirty, of: chunk, at: index) }
        refreshEvictable(slot, chunk, index)
    }

    /// Takes a pin away, or the only row; the last one defers the slot.
    mutating func release(_ slot: UInt32) {
        let (chunk, index) = place(slot)
        dropCount(slot, chunk, index)
    }

    /// Takes the row of `owner` away, the oldest; the last reference defers the slot.
    mutating func release(_ slot: UInt32, owner: BlockOwner) {
        let (chunk, index) = place(slot)
        if var rows = sharedRows(slot) {
            guard let row = rows.firstIndex(where: { $0.owner == owner }) else {
                preconditionFailure("released for a row that does not name the slot")
            }
            rows.remove(at: row)
            settle(rows, of: slot, chunk, index)
        } else {
            precondition(
                chunk.records[index].owner == owner,
                "released for a row that does not name the slot")
            chunk.records[index].owner = nil
        }
        dropCount(slot, chunk, index)
    }

    /// Turns the slot clean if one row names it. With more rows it takes `setClean(_:owner:)`.
    mutating func setClean(_ slot: UInt32) {
        let (chunk, index) = place(slot)
        guard chunk.records[index].state == .dirty, sharedRows(slot) == nil else { return }
        setState(.clean, of: chunk, at: index)
        refreshEvictable(slot, chunk, index)
    }

    /// Notes that the row of `owner` is clean; the slot is when all its rows are.
    ///
    /// An owner may be there twice: with a row that is about to be released, and the one that has
    /// come after it, which is meant.
    mutating func setClean(_ slot: UInt32, owner: BlockOwner) {
        let (chunk, index) = place(slot)
        guard chunk.records[index].state == .dirty else { return }
        if var rows = sharedRows(slot) {
            guard let row = rows.lastIndex(where: { $0.owner == owner }) else { return }
            rows[row].isDirty = false
            settle(rows, of: slot, chunk, index)
        } else if chunk.records[index].owner == owner {
            setState(.clean, of: chunk, at: index)
        }
        refreshEvictable(slot, chunk, index)
    }

    /// Notes that the row of `owner`, the newest, is dirty, and with it the slot.
    mutating func setDirty(_ slot: UInt32, owner: BlockOwner) {
        let (chunk, index) = place(slot)
        if var rows = sharedRows(slot) {
            guard let row = rows.lastIndex(where: { $0.owner == owner }) else { return }
            rows[row].isDirty = true
            settle(rows, of: slot, chunk, index)
        } else if chunk.records[index].state == .clean, chunk.records[index].owner == owner {
            setState(.dirty, of: chunk, at: index)
        }
        refreshEvictable(slot, chunk, index)
    }

    /// Writes back the rows of a shared slot; one that is alone lives in the record.
    private mutating func settle(
        _ rows: [SharedRow], of slot: UInt32, _ chunk: SlotChunk, _ index: Int
    ) {
        chunk.records[index].owner = rows.first?.owner
        shared[slot] = rows.count > 1 ? rows : nil
        let isDirty = rows.contains { $0.isDirty }
        setState(isDirty ? .dirty : .clean, of: chunk, at: index)
    }

    /// The rows of a slot that two or more name. Most volumes share nothing: no hashing for them.
    func sharedRows(_ slot: UInt32) -> [SharedRow]? {
        shared.isEmpty ? nil : shared[slot]
    }

    /// Rows and pins that name the slot.
    private func references(of slot: UInt32, _ record: SlotRecord) -> Int {
        record.count == SlotRecord.countOverflow
            ? largeCounts[slot] ?? Int(record.count) : Int(record.count)
    }

    // MARK: Counts and states

    private mutating func addCount(_ slot: UInt32, _ chunk: SlotChunk, _ index: Int) {
        let count = chunk.records[index].count
        if count == SlotRecord.countOverflow {
            largeCounts[slot, default: Int(count)] += 1
        } else {
            chunk.records[index].count = count + 1
            if count + 1 == SlotRecord.countOverflow { largeCounts[slot] = Int(count) + 1 }
            if count == 1 { pinned += 1 }
        }
        refreshEvictable(slot, chunk, index)
    }

    private mutating func dropCount(_ slot: UInt32, _ chunk: SlotChunk, _ index: Int) {
        let state = chunk.records[index].state
        precondition(state == .dirty || state == .clean, "released a slot nothing names")
        let count = chunk.records[index].count
        if count == SlotRecord.countOverflow {
            let large = (largeCounts[slot] ?? Int(count)) - 1
            if large < Int(SlotRecord.countOverflow) {
                largeCounts[slot] = nil
                chunk.records[index].count = UInt64(large)
            } else {
                largeCounts[slot] = large
            }
            return
        }
        precondition(count > 0, "released more often than retained")
        chunk.records[index].count = count - 1
        if count == 2 { pinned -= 1 }
        if count == 1 {
            if !shared.isEmpty { shared[slot] = nil }
            chunk.records[index].owner = nil
            setState(.deferred, of: chunk, at: index)
            deferToEpoch(slot)
        }
        refreshEvictable(slot, chunk, index)
    }

    /// Moves a slot between the counts of states, but for `writing`, which moves in batches.
    mutating func setState(_ state: SlotState, of chunk: SlotChunk, at index: Int) {
        switch chunk.records[index].state {
        case .dirty: dirty -= 1
        case .clean: clean -= 1
        case .deferred: deferred -= 1
        case .free, .writing: break
        }
        switch state {
        case .dirty: dirty += 1
        case .clean: clean += 1
        case .deferred: deferred += 1
        case .free, .writing: break
        }
        chunk.records[index].state = state
    }

    /// Brings the slot's evictable bit up to its record.
    mutating func refreshEvictable(_ slot: UInt32, _ chunk: SlotChunk, _ index: Int) {
        let record = chunk.records[index]
        let bit: UInt64 = 1 << UInt64(index % 64)
        let was = chunk.evictable[index / 64] & bit != 0
        let now =
            record.state == .clean && record.owner != nil
            && references(of: slot, record) == sharedRows(slot)?.count ?? 1
        guard was != now else { return }
        chunk.evictable[index / 64] ^= bit
        evictable += now ? 1 : -1
    }
}
