// SPDX-License-Identifier: Apache-2.0
//
// The most bytes that a volume's files and pads may have together. A change that makes one larger
// takes its bytes here first, and gives back what it did not need.
//
// Counted are sizes, as `ls -l` shows them: holes too, and each file once, however many names it
// has. A size is known without the store, also where nobody has looked yet, and no write into a
// hole or a map can pass what was granted before.
//
// Invariant: `used` is the sum of the sizes of all inodes, plus what changes under way have taken,
// modulo 2⁶⁴: three sparse files of 8 EiB are more, and the sum is right again when one goes. It
// may be above the limit, where that was lowered; nothing grows then, and everything may shrink.

import Metadata
import Synchronization

/// Counts the bytes of all files as they are now, and grants more up to a limit.
final class ByteQuota: Sendable {
    /// The most bytes; nil for no limit.
    let limit: UInt64?
    private let count: Atomic<UInt64>

    /// - Parameters:
    ///   - limit: the most bytes; nil for no limit.
    ///   - used: what the volume's files have now.
    init(limit: UInt64?, used: UInt64) {
        self.limit = limit
        count = Atomic(used)
    }

    /// Bytes that are taken.
    var used: UInt64 { count.load(ordering: .relaxed) }

    /// Bytes that may be taken yet; nil without a limit.
    var free: UInt64? { limit.map { $0 - min($0, used) } }

    /// Whether a file may grow so, as far as can be said now.
    func hasRoom(from size: UInt64, to end: UInt64) -> Bool {
        guard end > size, let free else { return true }
        return end - size <= free
    }

    /// Takes bytes for a file that is to grow.
    ///
    /// - Throws: `quotaExceeded` if they would pass the limit; nothing is taken then.
    func take(_ bytes: UInt64) throws(FileError) {
        if bytes == 0 { return }
        guard let limit else {
            count.wrappingAdd(bytes, ordering: .relaxed)
            return
        }
        var seen = count.load(ordering: .relaxed)
        while true {
            let (sum, overflows) = seen.addingReportingOverflow(bytes)
            if overflows || sum > limit { throw .quotaExceeded }
            let result = count.compareExchange(
                expected: seen, desired: sum, ordering: .relaxed)
            if result.exchanged { return }
            seen = result.original
        }
    }

    /// Gives bytes back: a file shrank, went, or did not grow after all.
    func giveBack(_ bytes: UInt64) {
        count.wrappingSubtract(bytes, ordering: .relaxed)
    }

    /// Counts a size that turned out to be another than was believed; never refused.
    func correct(_ old: UInt64, to new: UInt64) {
        count.wrappingAdd(new &- old, ordering: .relaxed)
    }
}

extension Volume {
    /// Runs a change that brings a file to at most `end` bytes, unless it is larger.
    ///
    /// - Parameter isExempt: the bytes are counted, and not refused.
    /// - Throws: `quotaExceeded`, with nothing done, if the volume's quota does not allow that.
    func sized<Result>(
        _ state: inout InodeState, upTo end: UInt64, isExempt: Bool = false,
        _ body: (inout InodeState) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        let granted = max(state.row.size, end)
        if isExempt {
            quota.correct(state.row.size, to: granted)
        } else {
            try quota.take(granted - state.row.size)
        }
        defer { quota.giveBack(granted - min(granted, state.row.size)) }
        return try body(&state)
    }
}
