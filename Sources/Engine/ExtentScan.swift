// SPDX-License-Identifier: Apache-2.0
//
// Which parts of a file have bytes, and which are holes. Costs what lies between the place where a
// walk begins and the place where it is stopped, not what the file has: holes and parts that only
// the store has are passed in one step.

import Blocks
import Metadata
import Namespace

/// A walk over the data runs of one file in blocks.
struct ExtentScan {
    /// What the store has of it.
    let base: StoredContent?

    /// A group that has been stored or changed, by its number.
    typealias NumberedGroup = (number: UInt64, group: BlockGroup)

    private static let blockSize = UInt64(Arena.blockSize)
    private static let groupBytes = UInt64(BlockGroup.span) * blockSize

    /// Visits maximal runs in order, as byte ranges clipped to `range`, until `visit` returns
    /// false.
    ///
    /// - Parameters:
    ///   - nextGroup: the first group at or after a number; nil when none follows.
    ///   - isBuffered: whether a block has bytes in memory; its group counts as stored.
    func forEach(
        in range: Range<UInt64>,
        nextGroup: (UInt64) throws(FileError) -> NumberedGroup?,
        isBuffered: (UInt64) -> Bool = { _ in false },
        _ visit: (Range<UInt64>) -> Bool
    ) throws(FileError) {
        var joiner = RunJoiner(range: range)
        var position = range.lowerBound / Self.groupBytes
        while position * Self.groupBytes < range.upperBound {
            let next = try nextGroup(position)
            let gapEnd = min(
                next.map { $0.number } ?? UInt64.max / Self.groupBytes,
                range.upperBound.dividedUp(by: Self.groupBytes))
            if position < gapEnd {
                let gap = (position * Self.groupBytes)..<(gapEnd * Self.groupBytes)
                if !joiner.add(baseRuns(in: gap), visit) { return }
            }
            guard let next, next.number * Self.groupBytes < range.upperBound else { break }
            for index in 0..<BlockGroup.span {
                let block = next.number * UInt64(BlockGroup.span) + UInt64(index)
                let start = block * Self.blockSize
                if start >= range.upperBound { break }
                guard start + Self.blockSize > range.lowerBound else { continue }
                if isBuffered(block) || hasData(block, next.group[index]) {
                    if !joiner.add([start..<start + Self.blockSize], visit) { return }
                }
            }
            position = next.number + 1
        }
        joiner.finish(visit)
    }

    private func hasData(_ block: UInt64, _ entry: BlockEntry) -> Bool {
        switch entry {
        case .clean, .dirty: true
        case .zero: false
        case .absent: !baseRuns(in: block * Self.blockSize..<(block + 1) * Self.blockSize).isEmpty
        }
    }

    /// Runs of whole blocks that the base has bytes of, within `range`, which begins and ends with
    /// a block.
    private func baseRuns(in range: Range<UInt64>) -> [Range<UInt64>] {
        guard let base, range.lowerBound < base.baseLimit,
            let first = base.firstSegment(endingAfter: range.lowerBound)
        else { return [] }
        var runs: [Range<UInt64>] = []
        let end = min(range.upperBound, base.baseLimit)
        for segment in base.segments[first...] {
            if segment.offset >= end { break }
            let last = min(segment.offset + segment.size, end).dividedUp(by: Self.blockSize)
            let first = segment.offset / Self.blockSize
            let run = (first * Self.blockSize..<last * Self.blockSize).clamped(to: range)
            if !run.isEmpty { runs.append(run) }
        }
        return runs
    }
}

/// Joins neighbouring runs, and clips them to the range that was asked for.
private struct RunJoiner {
    let range: Range<UInt64>
    private var open: Range<UInt64>?

    init(range: Range<UInt64>) {
        self.range = range
    }

    /// - Returns: false when the visitor has had enough.
    mutating func add(_ runs: [Range<UInt64>], _ visit: (Range<UInt64>) -> Bool) -> Bool {
        for run in runs {
            if let last = open, run.lowerBound <= last.upperBound {
                open = last.lowerBound..<max(last.upperBound, run.upperBound)
                continue
            }
            if !give(visit) { return false }
            open = run
        }
        return true
    }

    mutating func finish(_ visit: (Range<UInt64>) -> Bool) {
        _ = give(visit)
    }

    private mutating func give(_ visit: (Range<UInt64>) -> Bool) -> Bool {
        defer { open = nil }
        guard let run = open?.clamped(to: range), !run.isEmpty else { return true }
        return visit(run)
    }
}

extension UInt64 {
    /// The quotient, rounded up.
    fileprivate func dividedUp(by divisor: UInt64) -> UInt64 {
        self / divisor + (self % divisor == 0 ? 0 : 1)
    }
}

/// The groups of one file from some place on: those in memory, and those only the database has.
/// What is asked for never goes back.
private struct GroupCursor {
    /// Rows that are read at a time: 26 MiB of a file's map.
    private static let batch = 64

    let volume: Volume
    let state: InodeState
    /// Numbers of the groups in memory, and of those that only buffers belong to.
    private let resident: [UInt64]
    private var rows: ArraySlice<(UInt64, [UInt8])> = []
    private var isRead = false

    init(_ volume: Volume, _ state: InodeState, from number: UInt64) {
        self.volume = volume
        self.state = state
        let buffered = state.buffers.blocks.lazy.map { BlockPosition($0).group }
        resident = Set(state.groups.keys).union(buffered).filter { $0 >= number }.sorted()
    }

    /// The first group at or after `number`.
    mutating func next(_ number: UInt64) throws(FileError) -> ExtentScan.NumberedGroup? {
        if let group = state.groups[number] { return (number, group) }
        let stored = try nextRow(number)
        let inMemory = nextResident(number)
        guard let first = [stored?.0, inMemory].compactMap(\.self).min() else { return nil }
        if let group = state.groups[first] { return (first, group) }
        guard let stored, stored.0 == first else { return (first, BlockGroup()) }
        guard let group = BlockGroup(decoding: stored.1) else {
            volume.errors.add(
                .database, "a block map row is malformed: the state folder is damaged")
            throw .inputOutput
        }
        return (first, group)
    }

    private mutating func nextRow(_ number: UInt64) throws(FileError) -> (UInt64, [UInt8])? {
        while true {
            while let row = rows.first, row.0 < number { rows.removeFirst() }
            if let row = rows.first { return row }
            if isRead { return nil }
            let ino = state.ino
            let batch = try volume.query { (reader) throws(MetadataError) in
                try reader.blockGroups(
                    ino, in: number..<UInt64(Int64.max), limit: GroupCursor.batch)
            }
            isRead = batch.count < GroupCursor.batch
            rows = batch[...]
        }
    }

    private func nextResident(_ number: UInt64) -> UInt64? {
        var low = 0
        var high = resident.count
        while low < high {
            let middle = (low + high) / 2
            if resident[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low < resident.count ? resident[low] : nil
    }
}

extension Volume {
    /// Visits the runs of a file's content that are not holes, in order, clipped to `range`, until
    /// `visit` returns false. The inode's lock is held.
    func forEachExtent(
        _ state: inout InodeState, in range: Range<UInt64>, _ visit: (Range<UInt64>) -> Bool
    ) throws(FileError) {
        if state.row.form != .blocks {
            let run = range.clamped(to: 0..<state.row.size)
            if !run.isEmpty { _ = visit(run) }
            return
        }
        try loadBase(&state)
        let now = state
        let first = BlockPosition(range.lowerBound / UInt64(Arena.blockSize)).group
        var cursor = GroupCursor(self, now, from: first)
        try ExtentScan(base: now.base).forEach(
            in: range, nextGroup: { (number) throws(FileError) in try cursor.next(number) },
            isBuffered: { now.buffers.contains($0) }, visit)
    }

    /// Bytes of the blocks within `range` that are not holes; whole blocks, so that what is counted
    /// for neighbouring ranges adds up. `range` begins with a block.
    func allocatedBytes(
        _ state: inout InodeState, in range: Range<UInt64>
    ) throws(FileError) -> UInt64 {
        var total: UInt64 = 0
        let size = UInt64(Arena.blockSize)
        try forEachExtent(&state, in: range) { extent in
            total += (extent.upperBound - extent.lowerBound + size - 1) / size * size
            return true
        }
        return total
    }
}
