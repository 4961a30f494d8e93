// SPDX-License-Identifier: Apache-2.0
//
// Bytes that a commit keeps in the database's log, so that it syncs one file and not two.
// docs/decisions/0010 says why, docs/format.md §18 what a row is.
//
// Invariants (docs/ARCHITECTURE.md §6.8):
// 1. A journal row is newer than the map entry of its block. The rows of a block are all whole, or
//    all over its entry; over it, that entry names what is below in the same commit, and is neither
//    evicted nor replaced while the rows stand.
// 2. While a volume runs, a block has a row only if its buffer is in memory, or the row is removed
//    by the next commit: rows are read by a start alone.
// 3. A start leaves no row: each block of them becomes a dirty one of the arena in the commit that
//    removes them.

import Blocks
package import Cryptography

/// When a commit journals buffers instead of sealing them into the arena.
package struct JournalLimits: Sendable, Equatable {
    /// Most changed pieces of 4 KiB that a commit journals; one of more seals all it has. 0 turns
    /// the journal off.
    ///
    /// - Source: docs/decisions/0010, measured.
    package var piecesPerCommit = 32
    /// Most blocks with rows in the journal at a time, and so 16 KiB times this of memory; from
    /// half on the background seals them, and a commit that would need more seals all. At most
    /// `ceiling`.
    ///
    /// - Source: docs/decisions/0010, measured.
    package var blocks = 512

    /// Blocks that are believed at a start: more is damage, not a journal.
    package static let ceiling = 4096

    /// The defaults.
    package init() {}

    /// Other limits, for tests and measurements.
    package init(piecesPerCommit: Int, blocks: Int) {
        self.piecesPerCommit = piecesPerCommit
        self.blocks = min(blocks, JournalLimits.ceiling)
    }
}

/// Seals and opens journal rows, with a key that lives from one start to the next.
package struct JournalSealer: Sendable {
    /// Bytes before the content: inode, piece, and whether it lies over the entry.
    static let headerSize = 17
    /// Bytes of the longest row: nonce, tag, header and a whole piece.
    static let rowLimit = LocalSealer.overhead + headerSize + Arena.pieceSize

    private let sealer: LocalSealer

    /// - Parameter key: `VolumeKeys.localKey` of the folder's `journal-salt`.
    package init(key: SecretBytes) throws(CryptographyError) {
        sealer = try LocalSealer(key: key)
    }

    /// The row of a piece's content.
    ///
    /// - Parameter piece: counted from the start of the file.
    func seal(
        _ content: ArraySlice<UInt8>, ino: UInt64, piece: UInt64, isOverEntry: Bool
    ) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(JournalSealer.headerSize + content.count)
        JournalSealer.append(ino, piece, to: &plain)
        plain.append(isOverEntry ? 1 : 0)
        plain += content
        return sealer.seal(plain)
    }

    /// The content of a row; nil unless it was sealed by this key for this very piece.
    package func open(
        _ row: [UInt8], ino: UInt64, piece: UInt64
    ) -> (content: [UInt8], isOverEntry: Bool)? {
        guard row.count > LocalSealer.overhead + JournalSealer.headerSize,
            row.count <= JournalSealer.rowLimit
        else { return nil }
        let plain: [UInt8]
        do { plain = try sealer.open(row) } catch { return nil }
        var owner: [UInt8] = []
        JournalSealer.append(ino, piece, to: &owner)
        let flag = plain[JournalSealer.headerSize - 1]
        guard plain.starts(with: owner), flag <= 1 else { return nil }
        return (Array(plain[JournalSealer.headerSize...]), flag == 1)
    }

    private static func append(_ ino: UInt64, _ piece: UInt64, to bytes: inout [UInt8]) {
        for number in [ino, piece] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
    }
}
