// SPDX-License-Identifier: Apache-2.0
//
// One file's content at one moment, held still while a flush reads it: the slots it names are
// pinned, writers go on beside it (their blocks go to other slots).

import Blocks
import Metadata
import Namespace
import Primitives
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
    /// Blocks whose slots turned out damaged, and of which the store had what was needed.
    let healed = Lock<Set<UInt64>>([])

    /// Takes a snapshot; the inode's lock is held and its buffers are sealed.
    init(_ inode: Inode, _ state: inout InodeState, _ volume: Volume) throws(FileError) {
        self.inode = inode
        size = state.row.size
        modified = state.row.attributes.modified
        base = state.base
        groups = state.groups
        runs = try FileSnapshot.runs(of: state)
        slots = state.groups.values.lazy.flatMap { $0.entries }.compactMap { $0.reference }.slots
        volume.arena.retain(slots)
    }

    /// Unpins the slots; the snapshot is of no use afterwards.
    func release(_ volume: Volume) {
        volume.arena.release(slots)
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
}
