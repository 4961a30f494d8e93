// SPDX-License-Identifier: Apache-2.0
//
// Finding free slots in runs. Next-fit over bitmaps: a cursor goes up through the extent, the
// part of the arena in use, and starts again at its bottom while a quarter of it is free; else
// the extent grows. So the file stays near the size of what it holds, a search looks at a
// bounded number of words, and blocks written one after the other lie one after the other. Where
// the disk is short of room, slots that have their blocks of it come first, wherever they are.

extension SlotTable {
    /// A run of this many slots is taken without looking for a longer one: 256 KiB.
    private static let goodRun = 16
    /// Slots searched for a good run before the longest one seen is taken.
    private static let searchWindow = 4096

    /// A write of at most this many blocks goes into slots freed last, wherever they are.
    ///
    /// Their disk blocks are there already, so syncing them is one write to the disk, where a fresh
    /// slot costs a commit of the filesystem's journal as well: what a program waits for that
    /// syncs every few kilobytes.
    private static let smallWrite = 8
    /// Slots remembered for small writes.
    private static let recentLimit = 64

    /// Takes `count` free slots, `reservedCount` of them promised before, and marks them writing.
    ///
    /// - Parameters:
    ///   - wanted: where they would best begin: they do if all are free there, below the extent.
    ///   - backedOnly: take only slots that hold blocks of the disk already.
    ///   - isCache: they are for what is only kept to be near, which must not take the room of the
    ///     disk that commits need.
    /// - Throws: `full` when the unpromised ones do not fit into the budget, or as a cache onto the
    ///   disk; `diskFull` when there are not enough backed ones.
    mutating func allocate(
        _ count: Int, reservedCount: Int, at wanted: UInt32? = nil, backedOnly: Bool = false,
        isCache: Bool = false
    ) throws(ArenaError) -> [SlotRun] {
        precondition(isAdopted, "adoptionFinished comes before the first write")
        precondition(reservedCount <= reserved, "more written than was reserved")
        let unpromised = count - reservedCount
        if unpromised > 0 {
            guard used + deferred + reserved + unpromised <= budget,
                committed + unpromised <= capacity
            else { throw .full }
            if isCache, let disk = diskSlots {
                guard reserved + unpromised - backedFree <= disk else { throw .full }
            }
            reservedSinceDisk += unpromised
        }
        if backedOnly, backedFree < count { throw .diskFull }
        var runs: [SlotRun] = []
        var missing = count
        // Room that was promised on these must not be taken from the disk's margin, over and over.
        let isShort = (diskSlots ?? .max) < count
        var backedCount = backedOnly ? count : isShort ? min(count, backedFree) : 0
        if count <= Self.smallWrite {
            while missing > 0, let slot = recent() {
                take(SlotRun(first: slot, count: 1))
                runs.append(SlotRun(first: slot, count: 1))
                missing -= 1
                backedCount -= 1
            }
        }
        if backedCount <= 0, missing == count, let wanted, growsFor(Int(wanted) + count),
            isFree(Int(wanted), count)
        {
            let run = SlotRun(first: wanted, count: count)
            take(run)
            runs.append(run)
            missing = 0
            // What is passed over is left to those that come before these in their file.
            cursor = max(cursor, run.end)
        }
        while missing > 0 {
            let isBacked = backedCount > 0
            let length = isBacked ? backedCount : missing
            guard let run = nextRun(wanted: length, backedOnly: isBacked) else {
                turnAround(backedOnly: isBacked)
                continue
            }
            take(run)
            missing -= run.count
            backedCount -= run.count
            if let last = runs.last, last.end == Int(run.first) {
                runs[runs.count - 1].count += run.count
            } else {
                runs.append(run)
            }
        }
        reserved -= reservedCount
        writing += count
        return runs
    }

    /// Gives back what `allocate` took and no reference was made of.
    ///
    /// - Parameter progress: how far they were written.
    mutating func abandon(_ runs: [SlotRun], reservedCount: Int, _ progress: WriteProgress) {
        var position = 0
        for run in runs {
            for slot in Int(run.first)..<run.end {
                let (chunk, index) = place(UInt32(slot))
                chunk.records[index] = SlotRecord()
                let bit: UInt64 = 1 << UInt64(index % 64)
                if position < progress.written {
                    chunk.backed[index / 64] |= bit
                } else if position == progress.written && progress.isNextEmpty {
                    chunk.backed[index / 64] &= ~bit
                }
                position += 1
                setFree(UInt32(slot))
            }
            writing -= run.count
        }
        reserved += reservedCount
    }

    /// Turns a written slot over to its row.
    mutating func install(_ slot: UInt32, owner: BlockOwner, isDirty: Bool) {
        let (chunk, index) = place(slot)
        assert(chunk.records[index].state == .writing, "installed twice")
        chunk.records[index].owner = owner
        chunk.backed[index / 64] |= 1 << UInt64(index % 64)
        writing -= 1
        setState(isDirty ? .dirty : .clean, of: chunk, at: index)
        refreshEvictable(slot, chunk, index)
    }

    /// Notes that a free slot may be allocated again, or only punched.
    mutating func setFree(_ slot: UInt32) {
        guard Int(slot) < capacity else {
            beyond.append(slot)
            return
        }
        let (chunk, index) = place(slot)
        let bit: UInt64 = 1 << UInt64(index % 64)
        assert(chunk.free[index / 64] & bit == 0, "freed twice")
        chunk.free[index / 64] |= bit
        chunk.freeCount += 1
        if Int(slot) < extent {
            freeInExtent += 1
            if chunk.backed[index / 64] & bit != 0 {
                backedFree += 1
                if recentlyFreed.count < Self.recentLimit { recentlyFreed.append(slot) }
            }
        }
    }

    /// A slot freed lately that is still free and still has its blocks of the disk.
    private mutating func recent() -> UInt32? {
        while let slot = recentlyFreed.popLast() {
            guard Int(slot) < extent else { continue }
            let (chunk, index) = place(slot)
            let bit: UInt64 = 1 << UInt64(index % 64)
            if chunk.free[index / 64] & chunk.backed[index / 64] & bit != 0 { return slot }
        }
        return nil
    }

    /// Clears the free bits of `run` and marks it writing, with one reference each.
    private mutating func take(_ run: SlotRun) {
        let backedBefore = backedFree
        clearFree(run)
        if let disk = diskSlots { diskSlots = disk - (run.count - (backedBefore - backedFree)) }
        var fresh = SlotRecord()
        fresh.state = .writing
        fresh.count = 1
        for slot in Int(run.first)..<run.end {
            let (chunk, index) = place(UInt32(slot))
            chunk.records[index] = fresh
        }
    }

    /// Clears the free bits of `run`, which are all set, a word at a time.
    mutating func clearFree(_ run: SlotRun) {
        var slot = Int(run.first)
        while slot < run.end {
            let (chunk, index) = place(UInt32(slot))
            let span = min(64 - index % 64, run.end - slot)
            let ones: UInt64 = span == 64 ? .max : (1 << UInt64(span)) - 1
            let mask = ones << UInt64(index % 64)
            assert(chunk.free[index / 64] & mask == mask, "taken twice")
            chunk.free[index / 64] &= ~mask
            chunk.freeCount -= span
            freeInExtent -= span
            backedFree -= (chunk.backed[index / 64] & mask).nonzeroBitCount
            slot += span
        }
    }

    /// Where the next long run begins, if nobody else takes it.
    var nextPlace: UInt32? {
        UInt32(exactly: next(from: cursor, free: true, below: extent, false) ?? extent)
    }

    /// Whether the extent reaches up to `end`, having grown if it was about to.
    private mutating func growsFor(_ end: Int) -> Bool {
        if end > extent, end <= extent + SlotChunk.slotCount, isToGrow {
            growExtent(to: extent + SlotChunk.slotCount)
        }
        return end <= extent
    }

    /// Whether the extent grows when all of it was looked through: so much of it is in use.
    private var isToGrow: Bool { extent < capacity && freeInExtent < max(1, extent / 4) }

    /// Whether a run of slots within the extent is free.
    private func isFree(_ first: Int, _ count: Int) -> Bool {
        next(from: first, free: false, below: first + count, false) == nil
    }

    /// The next run to take, at most `wanted` long; nil when none begins between cursor and extent.
    private mutating func nextRun(wanted: Int, backedOnly: Bool) -> SlotRun? {
        let good = min(wanted, Self.goodRun)
        var best: SlotRun?
        var position = cursor
        var bound = extent
        while let start = next(from: position, free: true, below: bound, backedOnly) {
            let limit = min(extent, start + wanted)
            let end = next(from: start, free: false, below: limit, backedOnly) ?? limit
            if end - start > best?.count ?? 0 {
                best = SlotRun(first: UInt32(start), count: end - start)
            }
            position = end
            // What is searched to find a longer one is no more than this, however rare they are.
            bound = min(extent, cursor + Self.searchWindow)
            if end - start >= good || end >= bound { break }
        }
        guard let best else { return nil }
        cursor = best.end
        return best
    }

    /// The first slot from `position` on whose bit is as asked; nil if there is none below `limit`.
    func next(from position: Int, free wanted: Bool, below limit: Int, _ backedOnly: Bool) -> Int? {
        var slot = position
        while slot < limit {
            let (chunk, index) = place(UInt32(slot))
            if wanted, chunk.freeCount == 0 {
                slot += SlotChunk.slotCount - index
                continue
            }
            var word = chunk.free[index / 64]
            if backedOnly { word &= chunk.backed[index / 64] }
            if !wanted { word = ~word }
            word &= .max << UInt64(index % 64)
            if word != 0 {
                let found = slot - index % 64 + word.trailingZeroBitCount
                return found < limit ? found : nil
            }
            slot += 64 - index % 64
        }
        return nil
    }

    /// At the end of the extent: back to its bottom, or up into a new chunk.
    private mutating func turnAround(backedOnly: Bool) {
        if backedOnly || !isToGrow {
            // The accounting promises a free slot; without one this would never end.
            precondition(freeInExtent > 0, "fewer free slots than the counts say")
            cursor = 0
            return
        }
        cursor = extent
        growExtent(to: extent + SlotChunk.slotCount)
    }

    /// Takes the slots below `end` into the extent, as far as there are so many.
    mutating func growExtent(to end: Int) {
        while extent < min(end, capacity) {
            let added = chunk(at: extent / SlotChunk.slotCount)
            freeInExtent += added.freeCount
            for word in 0..<SlotChunk.wordCount {
                backedFree += (added.free[word] & added.backed[word]).nonzeroBitCount
            }
            extent = min(extent + SlotChunk.slotCount, capacity)
        }
    }
}

/// How far the slots of some runs were written, side by side.
struct WriteProgress {
    /// Slots written whole, from the first on: they have blocks of the disk.
    var written = 0
    /// The one behind them had a part of its blocks, and they were given back.
    var isNextEmpty = false
}
