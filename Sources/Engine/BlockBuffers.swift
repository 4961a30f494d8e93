// SPDX-License-Identifier: Apache-2.0
//
// The blocks of one file that are in memory and not in the arena, and what the journal has of them.
// A pure value: who changes it seals, reserves and writes rows.
//
// A block is in one of these states:
//   absent     no buffer, no row
//   changed    a buffer that is newer than its row, or has none
//   journaled  a buffer, and a row with the same bytes
//   stale      a row without a buffer: the arena or nobody has the bytes now
//
// Invariants:
// 1. `changed` names only blocks that have a buffer.
// 2. A row in the journal is named in `rows` from before it is written until after it is removed: a
//    statement that fails leaves one row too many here, never one too few.

/// Unsealed blocks by number, each with the state of its journal row.
struct BlockBuffers: Sendable {
    /// Content by block. Shorter than a block: the rest is zeros.
    private var contents: [UInt64: [UInt8]] = [:]
    /// Blocks whose bytes no journal row has.
    private(set) var changed: Set<UInt64> = []
    /// Blocks with a row in the journal, whatever it holds.
    private(set) var rows: Set<UInt64> = []

    /// The buffer of a block. Setting it marks the block changed; nil drops the buffer.
    subscript(block: UInt64) -> [UInt8]? {
        get { contents[block] }
        set {
            contents[block] = newValue
            if newValue == nil { changed.remove(block) } else { changed.insert(block) }
        }
    }

    /// Lends a block's bytes for a change in place and marks the block changed; none is empty.
    mutating func change(_ block: UInt64, _ body: (inout [UInt8]) -> Void) {
        body(&contents[block, default: []])
        changed.insert(block)
    }

    var isEmpty: Bool { contents.isEmpty }
    var count: Int { contents.count }

    /// The blocks that have a buffer, in no order.
    var blocks: Dictionary<UInt64, [UInt8]>.Keys { contents.keys }

    /// Blocks whose row must go with the next commit.
    var staleRows: [UInt64] { rows.filter { contents[$0] == nil } }

    /// True when a row must be removed; cheap where the journal is not used.
    var hasStaleRows: Bool { !rows.isEmpty && rows.contains { contents[$0] == nil } }

    /// A row of this block is about to be written.
    mutating func noteRow(_ block: UInt64) { rows.insert(block) }

    /// The rows of `blocks` are gone.
    mutating func forgetRows(_ blocks: [UInt64]) { rows.subtract(blocks) }

    /// Every buffer's bytes are in its row now.
    mutating func markJournaled() { changed.removeAll(keepingCapacity: true) }

    /// Drops every buffer and forgets every row: the inode's rows are all removed.
    mutating func removeAll() { self = BlockBuffers() }
}
