// SPDX-License-Identifier: Apache-2.0
//
// Reading a file that is held still: from slots, from the store, and from the store in the place of
// slots that are damaged.

import Blocks
import Metadata
import Primitives

extension FileSnapshot {
    /// The bytes of `range`; evicted ones are fetched, and damaged ones that the store has.
    func read(
        _ range: Range<UInt64>, _ volume: Volume, _ fetcher: ChunkFetcher, _ patience: Patience
    ) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        let size = UInt64(Arena.blockSize)
        var position = range.lowerBound
        // Up to here blocks were read together, or are read one by one because some are damaged.
        var triedEnd = position
        while position < range.upperBound {
            let block = position / size
            let end = min((block + 1) * size, range.upperBound)
            let start = Int(position - range.lowerBound)
            var out = bytes.mutableSpan
            let isAligned = position >= triedEnd && position == block * size
            let run = slotRun(from: block, to: range.upperBound, aligned: isAligned)
            if run.count > 1 {
                var wide = out._mutatingExtracting(start..<start + run.count * Arena.blockSize)
                triedEnd = position + UInt64(run.count) * size
                // If one fails, each has to say for itself why.
                if (try? volume.arena.read(run, into: &wide)) != nil {
                    position = triedEnd
                    continue
                }
            }
            var part = out._mutatingExtracting(start..<Int(end - range.lowerBound))
            try read(position..<end, into: &part, volume, fetcher, patience)
            position = end
        }
        return bytes
    }

    /// Reads what is wanted of one block.
    private func read(
        _ range: Range<UInt64>, into out: inout MutableSpan<UInt8>, _ volume: Volume,
        _ fetcher: ChunkFetcher, _ patience: Patience
    ) throws(FileError) {
        let block = range.lowerBound / UInt64(Arena.blockSize)
        let from = Int(range.lowerBound % UInt64(Arena.blockSize))
        let entry = self.entry(block)
        switch entry {
        case .clean(let reference), .dirty(let reference):
            let failure: ArenaError
            do throws(ArenaError) {
                try volume.arena.read(reference, from: from, into: &out)
                return
            } catch {
                failure = error
            }
            guard FileSnapshot.isDamage(failure), let base, isStored(block) else {
                throw volume.failure(failure)
            }
            try fetcher.read(inode, base.segments, range, into: &out, patience)
            if entry.differsFromBase, let patch = reference.patch {
                do {
                    try volume.arena.lay(patch, from: from, over: &out)
                } catch {
                    throw volume.failure(error)
                }
            }
            healed.withLock { _ = $0.insert(block) }
            volume.errors.add(
                .arena, "a damaged block of the local cache was read from the store",
                detail: "\(failure)")
        case .zero: break
        case .absent:
            guard let base else { return }
            let end = min(range.upperBound, base.baseLimit)
            if range.lowerBound < end {
                try fetcher.read(
                    inode, base.segments, range.lowerBound..<end, into: &out, patience)
            }
        }
    }

    /// The entry of a block.
    func entry(_ block: UInt64) -> BlockEntry {
        let place = BlockPosition(block)
        return groups[place.group]?[place.index] ?? .absent
    }

    /// Whether an error means that the bytes of a slot cannot be had any more.
    private static func isDamage(_ error: ArenaError) -> Bool {
        switch error {
        case .corrupt, .io: true
        default: false
        }
    }

    /// Whether the store has what a block's own slot has, or had before that was damaged.
    private func isStored(_ block: UInt64) -> Bool {
        guard let base, (block + 1) * UInt64(Arena.blockSize) <= base.baseLimit else {
            return false
        }
        return switch entry(block) {
        case .clean: true
        case .dirty(let reference): reference.patch?.isBelowStored == true
        case .zero, .absent: false
        }
    }

    /// Neighbouring whole blocks that all have slots.
    private func slotRun(from block: UInt64, to end: UInt64, aligned: Bool) -> [BlockReference] {
        guard aligned else { return [] }
        var run: [BlockReference] = []
        var next = block
        while (next + 1) * UInt64(Arena.blockSize) <= end {
            guard let reference = entry(next).reference else { break }
            run.append(reference)
            next += 1
        }
        return run
    }
}
