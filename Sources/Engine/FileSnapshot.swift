// SPDX-License-Identifier: Apache-2.0
//
// One file's content at one moment, held still while a flush reads it: the slots it names are
// pinned, writers go on beside it (their blocks go to other slots).

import Blocks
import Metadata
import Namespace
import SelfEncryption

/// The bytes of one file as they were when the snapshot was taken.
struct FileSnapshot: Sendable {
    let inode: Inode
    let size: UInt64
    let modified: Timestamp
    let base: StoredContent?
    let groups: [UInt64: BlockGroup]
    /// The runs that become data maps: data runs with the small gaps between them filled by zeros.
    ///
    /// A gap of a chunk or more stays a hole; a run longer than `maximumSegmentSize` is cut.
    let runs: [Range<UInt64>]
    /// Slots retained for this snapshot.
    let slots: [UInt32]

    /// Takes a snapshot; the inode's lock is held and its buffers are sealed.
    init(_ inode: Inode, _ state: inout InodeState, _ volume: Volume) throws(FileError) {
        self.inode = inode
        size = state.row.size
        modified = state.row.attributes.modified
        base = state.base
        groups = state.groups
        runs = try FileSnapshot.runs(of: state)
        var slots: [UInt32] = []
        for group in state.groups.values {
            for entry in group.entries {
                entry.reference?.forEachSlot { slots.append($0) }
            }
        }
        for slot in slots { volume.arena.retain(slot) }
        self.slots = slots
    }

    /// Unpins the slots; the snapshot is of no use afterwards.
    func release(_ volume: Volume) {
        for slot in slots { volume.arena.release(slot) }
    }

    /// A gap of this many bytes stays a hole.
    private static let chunkSize = UInt64(FileEncoder.version.maximumChunkSize)

    private static func runs(of state: InodeState) throws(FileError) -> [Range<UInt64>] {
        let groups = state.groups
        var runs: [Range<UInt64>] = []
        let numbers = groups.keys.sorted()
        var index = 0
        func nextGroup(_ number: UInt64) -> ExtentScan.NumberedGroup? {
            while index < numbers.count, numbers[index] < number { index += 1 }
            guard index < numbers.count, let group = groups[numbers[index]] else { return nil }
            return (numbers[index], group)
        }
        try ExtentScan(base: state.base).forEach(
            in: 0..<state.row.size, nextGroup: nextGroup
        ) { run in
            if let last = runs.last, run.lowerBound - last.upperBound < chunkSize {
                runs[runs.count - 1] = last.lowerBound..<run.upperBound
            } else {
                runs.append(run)
            }
            return true
        }
        return runs.flatMap { run -> [Range<UInt64>] in
            var run = run
            if run.upperBound - run.lowerBound < UInt64(ChunkLayout.minimumFileSize) {
                // Self-encryption needs three bytes: the block before lends its zeros.
                run =
                    (run.lowerBound - min(run.lowerBound, UInt64(Arena.blockSize)))..<run.upperBound
            }
            return FileSnapshot.pieces(of: run)
        }
    }

    /// A run of at least three bytes in pieces of which each makes one data map.
    static func pieces(of run: Range<UInt64>) -> [Range<UInt64>] {
        var pieces: [Range<UInt64>] = []
        var start = run.lowerBound
        while start < run.upperBound {
            var end = min(start + min(maximumSegmentSize, run.upperBound - start), run.upperBound)
            // Nor may the last piece be too short for self-encryption.
            if end < run.upperBound, run.upperBound - end < UInt64(ChunkLayout.minimumFileSize) {
                end -= UInt64(Arena.blockSize)
            }
            pieces.append(start..<end)
            start = end
        }
        return pieces
    }

    /// Most bytes of one data map.
    ///
    /// - Source: docs/format.md §3; the reference library cannot read a map of much more.
    static let maximumSegmentSize: UInt64 = 512 << 30

    /// Where the content of `run` may differ from the old segment at the same place, relative to
    /// it.
    func changes(in run: Range<UInt64>, since old: Segment) -> [Range<UInt64>] {
        var changed: [Range<UInt64>] = []
        let size = UInt64(Arena.blockSize)
        let span = UInt64(BlockGroup.span)
        for (number, group) in groups {
            for index in 0..<BlockGroup.span where group[index].differsFromBase {
                let start = (number * span + UInt64(index)) * size
                let bytes = (start..<start + size).clamped(to: run)
                if bytes.isEmpty { continue }
                changed.append(
                    (bytes.lowerBound - run.lowerBound)..<(bytes.upperBound - run.lowerBound))
            }
        }
        // What was cut off and grown back is zeros now, whatever the old map says.
        let limit = base?.baseLimit ?? 0
        let end = min(old.offset + old.size, run.upperBound)
        if limit < end {
            let from = max(limit, run.lowerBound) - run.lowerBound
            changed.append(from..<(end - run.lowerBound))
        }
        return changed
    }

    /// The bytes of `range`; evicted ones are fetched.
    func read(
        _ range: Range<UInt64>, _ volume: Volume, _ fetcher: ChunkFetcher, _ patience: Patience
    ) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        let size = UInt64(Arena.blockSize)
        var position = range.lowerBound
        while position < range.upperBound {
            let block = position / size
            let end = min((block + 1) * size, range.upperBound)
            let place = BlockPosition(block)
            let start = Int(position - range.lowerBound)
            var out = bytes.mutableSpan
            let run = slotRun(from: block, to: range.upperBound, aligned: position == block * size)
            if run.count > 1 {
                var wide = out._mutatingExtracting(start..<start + run.count * Arena.blockSize)
                if try readRun(run, into: &wide, volume) {
                    position += UInt64(run.count) * size
                    continue
                }
            }
            var part = out._mutatingExtracting(start..<Int(end - range.lowerBound))
            switch groups[place.group]?[place.index] ?? .absent {
            case .clean(let reference), .dirty(let reference):
                let from = Int(position - block * size)
                do {
                    try volume.arena.read(reference, from: from, into: &part)
                } catch .corrupt where isStored(block) {
                    let segments = base?.segments ?? []
                    try fetcher.read(inode, segments, position..<end, into: &part, patience)
                    try layPatch(of: block, from: from, over: &part, volume)
                } catch { throw volume.failure(error) }
            case .zero:
                break
            case .absent:
                let limit = base?.baseLimit ?? 0
                let stop = min(end, limit)
                if let base, position < stop {
                    try fetcher.read(inode, base.segments, position..<stop, into: &part, patience)
                }
            }
            position = end
        }
        return bytes
    }

    /// Reads neighbouring blocks together.
    ///
    /// - Returns: false if one is damaged, of which the store may have what is needed.
    private func readRun(
        _ run: [BlockReference], into out: inout MutableSpan<UInt8>, _ volume: Volume
    ) throws(FileError) -> Bool {
        do {
            try volume.arena.read(run, into: &out)
            return true
        } catch .corrupt {
            return false
        } catch {
            throw volume.failure(error)
        }
    }

    /// Whether the store has what a block's own slot has, or had before that was damaged.
    private func isStored(_ block: UInt64) -> Bool {
        let place = BlockPosition(block)
        guard let base, (block + 1) * UInt64(Arena.blockSize) <= base.baseLimit else {
            return false
        }
        return switch groups[place.group]?[place.index] {
        case .clean: true
        case .dirty(let reference): reference.patch?.isBelowStored == true
        default: false
        }
    }

    /// Puts what is newer than the store over what it has of a block.
    private func layPatch(
        of block: UInt64, from offset: Int, over out: inout MutableSpan<UInt8>, _ volume: Volume
    ) throws(FileError) {
        let place = BlockPosition(block)
        guard case .dirty(let reference) = groups[place.group]?[place.index],
            let patch = reference.patch
        else { return }
        do {
            try volume.arena.lay(patch, from: offset, over: &out)
        } catch { throw volume.failure(error) }
    }

    /// Neighbouring whole blocks that all have slots.
    private func slotRun(from block: UInt64, to end: UInt64, aligned: Bool) -> [BlockReference] {
        guard aligned else { return [] }
        var run: [BlockReference] = []
        var next = block
        while (next + 1) * UInt64(Arena.blockSize) <= end {
            let place = BlockPosition(next)
            guard let reference = groups[place.group]?[place.index].reference else { break }
            run.append(reference)
            next += 1
        }
        return run
    }
}
