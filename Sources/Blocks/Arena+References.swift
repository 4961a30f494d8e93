// SPDX-License-Identifier: Apache-2.0
//
// Who names a slot, as the engine tells it. Long lists are worked off in batches, so that readers
// and writers get the lock in between.

internal import Synchronization
internal import Primitives

extension Arena {
    /// Rows and pins of one slot to which no copy adds more: what a shared slot's rows are asked
    /// for takes as long as there are many, and everybody who writes waits for it.
    package static let shareLimit = 1024

    /// Pins a slot that something names: it is neither freed nor evicted until released.
    package func retain(_ slot: UInt32) {
        table.withLock { $0.retain(slot) }
    }

    /// Pins all of `slots`, as one snapshot does.
    package func retain(_ slots: [UInt32]) {
        inBatches(slots) { $0.retain($1) }
    }

    /// Pins slots that are to be shared, up to the first one that `shareLimit` names have.
    ///
    /// - Returns: how many are pinned, of the first ones.
    package func retainShared(_ slots: [UInt32]) -> Int {
        var count = 0
        while count < slots.count {
            let batch = slots[count..<min(count + Self.lockBatch, slots.count)]
            let taken = table.withLock { table in
                batch.firstIndex { !table.retain($0, below: Self.shareLimit) } ?? batch.endIndex
            }
            count = taken
            if taken < batch.endIndex { break }
        }
        return count
    }

    /// Counts one more row that names `slot`: a shared copy.
    ///
    /// While it is dirty, so is the slot, whatever the other rows are.
    package func retain(_ slot: UInt32, owner: BlockOwner, isDirty: Bool) {
        table.withLock { $0.retain(slot, owner: owner, isDirty: isDirty) }
    }

    /// Takes away a pin, or the row of a slot that only one row names.
    package func release(_ slot: UInt32) {
        table.withLock { $0.release(slot) }
    }

    /// Takes away a pin, or the only row, of each of `slots`.
    package func release(_ slots: [UInt32]) {
        inBatches(slots) { $0.release($1) }
    }

    /// Takes away the row of `owner`; right for shared slots too. Traps if it is not one.
    package func release(_ slot: UInt32, owner: BlockOwner) {
        table.withLock { $0.release(slot, owner: owner) }
    }

    /// Takes away a row of each slot; right for shared slots too.
    package func release(_ rows: [(slot: UInt32, owner: BlockOwner)]) {
        inBatches(rows) { $0.release($1.slot, owner: $1.owner) }
    }

    /// Notes that the one row of each slot is clean now. Slots that are not dirty, and slots that
    /// several rows share, stay as they are.
    package func setClean(_ slots: [UInt32]) {
        inBatches(slots) { $0.setClean($1) }
    }

    /// Notes that these rows are clean now; a slot is when all its rows are.
    package func setClean(_ rows: [(slot: UInt32, owner: BlockOwner)]) {
        inBatches(rows) { $0.setClean($1.slot, owner: $1.owner) }
    }

    /// Notes that the row of `owner` has bytes that exist nowhere else: it was clean, and its block
    /// was patched.
    package func setDirty(_ slot: UInt32, owner: BlockOwner) {
        table.withLock { $0.setDirty(slot, owner: owner) }
    }

    /// Runs `body` for each element, letting go of the lock now and then.
    private func inBatches<Element: Sendable>(
        _ elements: [Element], _ body: @Sendable (inout SlotTable, Element) -> Void
    ) {
        var start = 0
        while start < elements.count {
            let end = min(start + Self.lockBatch, elements.count)
            table.withLock { table in
                for index in start..<end { body(&table, elements[index]) }
            }
            start = end
        }
    }
}
