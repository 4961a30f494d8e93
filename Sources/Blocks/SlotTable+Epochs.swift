// SPDX-License-Identifier: Apache-2.0
//
// The ways back to free: epochs of deferred slots, the clock that names victims, and holes.

extension SlotTable {
    // MARK: Epochs

    /// Notes a slot that nothing names any more.
    mutating func deferToEpoch(_ slot: UInt32) {
        if deferredLists.last?.epoch != epoch { deferredLists.append((epoch, [])) }
        deferredLists[deferredLists.count - 1].slots.append(slot)
    }

    /// Closes the current epoch.
    mutating func closeEpoch() -> FreeEpoch {
        let closed = FreeEpoch(number: epoch)
        epoch += 1
        return closed
    }

    /// Frees at most `limit` slots of the epochs up to `last`; false when there are no more.
    mutating func freeDeferred(upTo last: FreeEpoch, limit: Int) -> Bool {
        precondition(last.number < epoch, "an epoch that beginCommit never returned")
        var left = limit
        while left > 0, !deferredLists.isEmpty, deferredLists[0].epoch <= last.number {
            // Copied out first: a second reference to the list would copy all of it.
            let batch = Array(deferredLists[0].slots.suffix(left))
            deferredLists[0].slots.removeLast(batch.count)
            if deferredLists[0].slots.isEmpty { deferredLists.removeFirst() }
            for slot in batch {
                let (chunk, index) = place(slot)
                setState(.free, of: chunk, at: index)
                setFree(slot)
            }
            left -= batch.count
        }
        return left == 0
    }

    // MARK: The clock

    /// Moves the clock's hand over at most `words` words and adds what it finds to `victims`.
    ///
    /// A slot read since the last pass loses its bit and is passed over. One that is named gets
    /// the bit, so that the next pass names others first.
    mutating func sweep(
        words: Int, wanted: Int, referenced: ReferencedBits,
        into victims: inout [(slot: UInt32, owner: BlockOwner)]
    ) {
        let total = chunks.count * SlotChunk.wordCount
        guard total > 0 else { return }
        var left = words
        while left > 0, victims.count < wanted {
            if clockWord >= total { clockWord = 0 }
            let index = clockWord / SlotChunk.wordCount
            guard let chunk = chunks[index] else {
                clockWord = (index + 1) * SlotChunk.wordCount
                left -= SlotChunk.wordCount
                continue
            }
            let word = clockWord % SlotChunk.wordCount
            var found = chunk.evictable[word]
            let spared = found == 0 ? 0 : referenced.take(word: clockWord, mask: found)
            found &= ~spared
            while found != 0 {
                if victims.count >= wanted {
                    // The hand stays on this word: what it spared keeps its second chance.
                    referenced.put(word: clockWord, bits: spared)
                    return
                }
                let place = word * 64 + found.trailingZeroBitCount
                found &= found - 1
                let slot = UInt32(index * SlotChunk.slotCount + place)
                guard let owner = chunk.records[place].owner else { continue }
                // A shared slot comes free when all its rows are dropped.
                victims += sharedRows(slot)?.map { (slot, $0.owner) } ?? [(slot, owner)]
                referenced.set(slot)
            }
            clockWord += 1
            left -= 1
        }
    }

    // MARK: Holes

    /// A nearly full arena would write to the holes at once: it keeps its blocks of the disk,
    /// unless that is short itself.
    private var isWorthPunching: Bool {
        isDiskShort || budget - used - reserved > 2 * lowWater
    }

    /// How many slots may be punched: all, unless the disk lacks a part of its margin. It gets what
    /// a commit may need then, and the rest but for what writers may want next.
    private var punchableCount: Int {
        guard let disk = diskSlots, disk < 0 else { return .max }
        return max(
            commitRoom - (disk + Arena.diskMargin) - punching,
            backedFree - reserved - Arena.lowDisk)
    }

    /// Takes a run of free slots that hold blocks of the disk, for punching; nil when done.
    ///
    /// - Parameters:
    ///   - position: where to look on; moved past what was found.
    ///   - minimum: shorter runs are left.
    ///   - limit: slots at most.
    mutating func takePunchable(
        from position: inout Int, minimum: Int, limit: Int
    ) -> SlotRun? {
        let limit = min(limit, punchableCount)
        guard isWorthPunching, limit > 0 else { return nil }
        while let start = next(from: position, free: true, below: extent, true) {
            let bound = min(extent, start + limit)
            let end = next(from: start, free: false, below: bound, true) ?? bound
            position = end
            let run = SlotRun(first: UInt32(start), count: end - start)
            guard run.count >= min(minimum, limit) else { continue }
            guard committed + run.count <= capacity else { return nil }
            clearFree(run)
            punching += run.count
            return run
        }
        return nil
    }

    /// Ends the punching of `run`: its slots may be allocated again.
    mutating func punched(_ run: SlotRun, succeeded: Bool) {
        punching -= run.count
        let isSeen = min(run.count, punchingAtLook)
        punchingAtLook -= isSeen
        if succeeded, let disk = diskSlots { diskSlots = disk + run.count - isSeen }
        for slot in Int(run.first)..<run.end {
            let (chunk, index) = place(UInt32(slot))
            if succeeded { chunk.backed[index / 64] &= ~(1 << UInt64(index % 64)) }
            setFree(UInt32(slot))
        }
    }

    /// Takes all freed slots above the capacity, in runs.
    mutating func takeBeyond() -> [SlotRun] {
        guard !beyond.isEmpty else { return [] }
        let slots = beyond.sorted()
        beyond = []
        var runs: [SlotRun] = []
        for slot in slots {
            let (chunk, index) = place(slot)
            chunk.backed[index / 64] &= ~(1 << UInt64(index % 64))
            if let last = runs.last, last.end == Int(slot) {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(SlotRun(first: slot, count: 1))
            }
        }
        return runs
    }
}
