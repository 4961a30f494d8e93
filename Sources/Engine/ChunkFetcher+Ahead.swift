// SPDX-License-Identifier: Apache-2.0
//
// Fetching ahead of readers: what `ReadAhead` advises, as far as it is not on this machine.

import Blocks
import Metadata
import Namespace
import Primitives
import SelfEncryption
import Synchronization

/// The reads of one open file, and the name under which chunks are fetched ahead of it.
final class FileReads: Sendable {
    /// Whose fetches are dropped together.
    let number: UInt64
    /// The kernel has in its pages of the mount what was read.
    let isCached: Bool
    /// A leaf: nothing is taken while it is held.
    let ahead = Lock(ReadAhead())
    /// As `ahead`, for what is on this machine.
    let around = Lock(ReadAround())
    /// Set by the first read at the file's beginning.
    let hasBegun = Atomic<Bool>(false)

    init(number: UInt64, isCached: Bool = true) {
        self.number = number
        self.isCached = isCached
    }
}

extension ChunkFetcher {
    /// The widest window of the moment, in bytes: what is fetched ahead has to lie somewhere until
    /// it is read.
    var widest: UInt64 {
        let room = isKeeping.load(ordering: .relaxed) ? ReadAhead.most : ChunkFetcher.unkept
        guard let limit = volume.configuration.downloadLimit else { return room }
        // Somebody who then wants something else must not wait long for what nobody asked for.
        let (bytes, overflows) = limit.multipliedReportingOverflow(by: ChunkFetcher.aheadSeconds)
        return overflows ? room : min(room, bytes)
    }
    /// Seconds of a limited line that are fetched ahead: far fewer than a read's deadline.
    static let aheadSeconds: UInt64 = 4
    /// The widest window where chunks are kept in memory only.
    static let unkept = UInt64(ChunkFetcher.recentLimit / 2)

    /// Notes a read of a file of the volume, and starts what it is good to have next. Never waits
    /// for the store.
    ///
    /// - Parameter asksStore: not all of it is on this machine.
    func note(
        _ inode: Inode, _ reads: FileReads, _ range: Range<UInt64>, asksStore: Bool
    ) {
        if range.isEmpty { return }
        noteOwn(inode, reads, range)
        if range.lowerBound == 0 && asksStore { noteBeginning(inode, reads) }
    }

    /// What comes next in the same file.
    private func noteOwn(_ inode: Inode, _ reads: FileReads, _ range: Range<UInt64>) {
        let size = inode.state.withLock { state -> UInt64? in
            guard state.row.form == .blocks, state.baseLimit > 0 else { return nil }
            return state.row.size
        }
        guard let size else { return }
        let advice = reads.ahead.withLock { $0.note(range, size: size, most: widest) }
        if advice.isSeek { cancel(reads) }
        guard let wanted = advice.range else { return }
        if let missing = begin(inode, reads, wanted) {
            reads.ahead.withLock { $0.retract(to: missing) }
        }
    }

    /// As above, for a file that is none of the volume's.
    func note(
        _ map: DataMap, _ layout: ChunkLayout, _ reads: FileReads, _ range: Range<UInt64>
    ) {
        let advice = reads.ahead.withLock {
            $0.note(range, size: layout.fileSize, most: ChunkFetcher.unkept)
        }
        if advice.isSeek { cancel(reads) }
        guard let wanted = advice.range else { return }
        for index in layout.chunks(overlapping: wanted) {
            let place = Place(home: nil, map: map, index: index, layout: layout)
            if guess(place, for: reads.number) { continue }
            let start = layout.range(of: index).lowerBound
            reads.ahead.withLock { $0.retract(to: start) }
            return
        }
    }

    /// Drops what is not begun of a reader who went elsewhere, or away.
    func cancel(_ reads: FileReads) {
        forget(pool.cancel(reads.number))
    }

    /// Starts the chunks of a range.
    ///
    /// - Returns: from where on it could not be done; nil if it was.
    func begin(_ inode: Inode, _ reads: FileReads, _ range: Range<UInt64>) -> UInt64? {
        let segments = inode.state.withLock { $0.base?.segments ?? [] }
        for segment in segments {
            let wanted = (segment.offset..<segment.offset + segment.size).clamped(to: range)
            if wanted.isEmpty { continue }
            // Else its upper levels are not here yet: the reader's own fetch brings them.
            guard let map = inode.state.withLock({ $0.fullMap(of: segment) }),
                map.fileSize == segment.size,
                let layout = try? ChunkLayout(describedBy: map)
            else { return wanted.lowerBound }
            let home = Home(ino: inode.ino, segment: segment)
            let inner = (wanted.lowerBound - segment.offset)..<(wanted.upperBound - segment.offset)
            for index in layout.chunks(overlapping: inner) {
                let place = Place(home: home, map: map, index: index, layout: layout)
                let span = layout.range(of: index)
                guard isMissing(inode, segment.offset + span.lowerBound, Int(span.count)) else {
                    continue
                }
                if !guess(place, for: reads.number) {
                    return max(range.lowerBound, segment.offset + span.lowerBound)
                }
            }
        }
        return nil
    }

    /// Whether any block of the bytes is on the store only.
    private func isMissing(_ inode: Inode, _ offset: UInt64, _ count: Int) -> Bool {
        let size = UInt64(Arena.blockSize)
        let blocks = (offset / size)..<((offset + UInt64(count) + size - 1) / size)
        return inode.state.withLock { state in
            blocks.contains { isAbsent($0, &state) }
        }
    }
}
