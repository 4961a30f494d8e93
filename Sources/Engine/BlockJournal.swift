// SPDX-License-Identifier: Apache-2.0
//
// Blocks whose bytes a commit keeps in the database's log, so that it syncs one file and not two.
// docs/decisions/0010 says why, docs/format.md §18a what a row is.
//
// Invariants (docs/ARCHITECTURE.md §6.8):
// 1. A journal row is newer than the map entry of its block, and complete: nothing else is needed
//    to read the block. So an entry under it may be evicted, flushed or released.
// 2. While a volume runs, a block has a row only if its buffer is in memory, or the row is removed
//    by the next commit: rows are read by a start alone.
// 3. A start leaves no row: each becomes a dirty block of the arena in the commit that removes it.

import Blocks
import Cryptography

/// When a commit journals buffers instead of sealing them into the arena.
package struct JournalLimits: Sendable, Equatable {
    /// Most changed blocks of a commit that are journaled; a commit of more seals all it has. 0
    /// turns the journal off.
    ///
    /// - Source: docs/decisions/0010, measured.
    package var blocksPerCommit = 8
    /// Most blocks in the journal at a time, and so 16 KiB times this of memory; the commit that
    /// would need more seals all. At most `ceiling`.
    ///
    /// - Source: docs/decisions/0010, measured.
    package var blocks = 64

    /// Rows that are believed at a start: more is damage, not a journal.
    package static let ceiling = 4096

    /// The defaults.
    package init() {}

    /// Other limits, for tests and measurements.
    package init(blocksPerCommit: Int, blocks: Int) {
        self.blocksPerCommit = blocksPerCommit
        self.blocks = min(blocks, JournalLimits.ceiling)
    }

    /// Whether a commit with so many buffers, so many of them changed, is small.
    func fits(buffers: Int, changed: Int) -> Bool {
        buffers <= blocks && changed <= blocksPerCommit
    }
}

/// Seals and opens journal rows, with a key that lives from one start to the next.
struct JournalSealer: Sendable {
    /// Bytes before the content that say whose it is: inode, block.
    static let ownerSize = 16
    /// Bytes of the longest row: nonce, tag, owner and a whole block.
    static let rowLimit = LocalSealer.overhead + ownerSize + Arena.blockSize

    private let sealer: LocalSealer

    init(key: SecretBytes) throws(CryptographyError) {
        sealer = try LocalSealer(key: key)
    }

    /// The row of a block's content.
    func seal(_ content: [UInt8], _ owner: BlockOwner) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(JournalSealer.ownerSize + content.count)
        JournalSealer.append(owner, to: &plain)
        plain += content
        return sealer.seal(plain)
    }

    /// The content of a row; nil unless it was sealed by this key for this very block.
    func open(_ row: [UInt8], _ owner: BlockOwner) -> [UInt8]? {
        guard row.count >= LocalSealer.overhead + JournalSealer.ownerSize,
            row.count <= JournalSealer.rowLimit
        else { return nil }
        let plain: [UInt8]
        do { plain = try sealer.open(row) } catch { return nil }
        var wanted: [UInt8] = []
        JournalSealer.append(owner, to: &wanted)
        guard plain.starts(with: wanted) else { return nil }
        return Array(plain[JournalSealer.ownerSize...])
    }

    private static func append(_ owner: BlockOwner, to bytes: inout [UInt8]) {
        for number in [owner.ino, owner.block] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
    }
}
