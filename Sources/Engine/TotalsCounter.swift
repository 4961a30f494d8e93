// SPDX-License-Identifier: Apache-2.0
//
// How many files and bytes the volume has, loaded or not, as of the last commit: what the root
// says.
//
// Bytes are counted modulo 2⁶⁴: three sparse files of 8 EiB are more than that, and when one of
// them goes the sum is right again.

import Primitives
import Metadata
import Namespace
import Synchronization

/// The volume's totals, kept current by those who create, remove and resize.
final class TotalsCounter: Sendable {
    private let totals: Lock<Totals>

    init(_ totals: Totals) {
        self.totals = Lock(totals)
    }

    /// The totals now.
    var value: Totals { totals.withLock { $0 } }

    /// One more inode of this kind.
    func add(_ kind: FileKind) {
        totals.withLock { totals in
            if kind == .directory { totals.directoryCount += 1 } else { totals.fileCount += 1 }
        }
    }

    /// One inode less, with the bytes it was counted with.
    func remove(_ kind: FileKind, bytes: UInt64) {
        totals.withLock { totals in
            if kind == .directory {
                totals.directoryCount -= min(totals.directoryCount, 1)
            } else {
                totals.fileCount -= min(totals.fileCount, 1)
            }
            totals.byteCount &-= bytes
        }
    }

    /// A file's size changed.
    func replace(_ old: UInt64, with new: UInt64) {
        totals.withLock { $0.byteCount = $0.byteCount &- old &+ new }
    }

    /// Puts the totals into the settings.
    func save(_ writer: borrowing MetadataWriter) throws(MetadataError) {
        let now = value
        try writer.setInteger("total-files", Int64(bitPattern: now.fileCount))
        try writer.setInteger("total-directories", Int64(bitPattern: now.directoryCount))
        try writer.setInteger("total-bytes", Int64(bitPattern: now.byteCount))
    }

    /// The totals of the last commit.
    static func load(_ reader: borrowing MetadataWriter) throws(MetadataError) -> Totals {
        Totals(
            fileCount: UInt64(bitPattern: try reader.integer("total-files") ?? 0),
            directoryCount: UInt64(bitPattern: try reader.integer("total-directories") ?? 0),
            byteCount: UInt64(bitPattern: try reader.integer("total-bytes") ?? 0))
    }
}
