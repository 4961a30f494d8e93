// SPDX-License-Identifier: Apache-2.0
//
// The volume's growing numbers in the settings table, ahead of what was given out: so that a commit
// need not write them each time, and none is given out twice after a crash.
//
// Invariant: what the table has is never below what rows of the same commit have.

import Metadata
import Namespace
import Primitives
import Synchronization

/// What the settings table has of the volume's counters.
final class HighWater: Sendable {
    /// How far ahead the table is set when it is overtaken.
    static let changeMargin: UInt64 = 65_536
    static let inodeMargin: UInt64 = 1024

    private struct Stored {
        var change: UInt64
        var inode: UInt64
        var totals: Totals?
    }
    private let stored: Lock<Stored>

    /// - Parameters: what the table has at the start, which may be less than what rows have.
    init(change: UInt64, inode: UInt64) {
        stored = Lock(Stored(change: change, inode: inode))
    }

    /// Raises what the table has, where it was overtaken; writes it exactly with the last commit of
    /// an orderly end. Call it in the write that the commit follows.
    func save(
        _ volume: Volume, isLast: Bool, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        let change = volume.lastChange.load(ordering: .relaxed)
        let inode = volume.inodeHighWater
        let totals = volume.totals.value
        try stored.withLock { (stored) throws(MetadataError) in
            // Remembered only once they are written: a full disk refuses them, not the rows.
            if change > stored.change || isLast {
                let next = isLast ? change : change + HighWater.changeMargin
                try writer.setInteger("change", Int64(bitPattern: next))
                stored.change = next
            }
            if inode > stored.inode || isLast {
                let next = isLast ? inode : inode + HighWater.inodeMargin
                try writer.setInteger("next-inode", Int64(bitPattern: next))
                stored.inode = next
            }
            if stored.totals != totals {
                try volume.totals.save(writer)
                stored.totals = totals
            }
        }
    }
}
