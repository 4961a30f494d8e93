// SPDX-License-Identifier: Apache-2.0
//
// The blocks of one file that are in memory and not in the arena, and what the journal has of them.
// A pure value: who changes it seals, reserves and writes rows.
//
// The journal has a block in pieces of 4 KiB, a row each. A buffer is *whole* if its rows have all
// of its bytes, and *over its entry* if the map entry of the block has those that no row has.
//
// Invariants:
// 1. A piece of a buffer is in one of three states: changed, in a row with the same bytes, or (only
//    over its entry) the same as in the slot that the entry names.
// 2. A buffer that was over its entry and is cut or replaced becomes whole: rows lie over an entry
//    only where they made it longer or changed it.
// 3. A row in the journal is named in `rows` from before it is written until after it is removed: a
//    statement that fails leaves one row too many here, never one too few. A buffer opened over
//    rows that are still there has their pieces changed.
// 4. A piece that a buffer lacks is in the block's own slot and nowhere else: the buffer is over
//    its entry, and the piece is neither changed, nor in a row, nor in the entry's patch. Nobody
//    is given the bytes of such a piece.
// 5. A buffer with changed pieces, and a block with rows that its buffer does not need, is in
//    `touched`: a sync costs what was changed since the last one, not what is in memory.

import Blocks

/// Unsealed blocks by number, each with the state of its journal rows.
struct BlockBuffers: Sendable {
    typealias Pieces = BlockPatch.Pieces

    fileprivate struct Buffer {
        var bytes: [UInt8]
        var changed: Pieces
        /// Those whose bytes here are not the block's: nobody read its slot.
        var lacking: Pieces = 0
        var isOverEntry: Bool
        /// Another number for other bytes.
        var version: UInt64
    }

    /// The number the next change gets.
    private var nextVersion: UInt64 = 0
    private var buffers: [UInt64: Buffer] = [:]
    /// Which rows the journal has of a block; no entry for none.
    private var rows: [UInt64: Pieces] = [:]
    /// Pieces whose bytes neither a row nor an entry has.
    private(set) var changedCount = 0
    /// Blocks to look at when the journal is written next; each has a buffer or rows.
    private var touched: Set<UInt64> = []

    /// Whether a block has a buffer.
    func contains(_ block: UInt64) -> Bool { !buffers.isEmpty && buffers[block] != nil }

    /// Makes a buffer of all bytes that a block has from now on.
    mutating func replace(_ block: UInt64, _ bytes: [UInt8]) {
        open(block, bytes, isOverEntry: false)
    }

    /// Makes a buffer of bytes that are in memory from now on.
    ///
    /// - Parameter isOverEntry: the block's map entry names these very bytes, and stays as long as
    ///   the buffer does.
    mutating func open(_ block: UInt64, _ bytes: [UInt8], isOverEntry: Bool) {
        drop(block)
        let changed = isOverEntry ? rows[block] ?? 0 : Arena.allPieces
        nextVersion += 1
        buffers[block] = Buffer(
            bytes: bytes, changed: changed, isOverEntry: isOverEntry, version: nextVersion)
        changedCount += changed.nonzeroBitCount
        touched.insert(block)
    }

    /// Drops a block's buffer, if it has one.
    mutating func drop(_ block: UInt64) {
        guard let old = buffers.removeValue(forKey: block) else { return }
        changedCount -= old.changed.nonzeroBitCount
        if rows[block] == nil { touched.remove(block) } else { touched.insert(block) }
    }

    /// Lends a buffer's bytes to be changed in `range`, which may begin beyond their end.
    mutating func change(_ block: UInt64, _ range: Range<Int>, _ body: (inout [UInt8]) -> Void) {
        if buffers[block] == nil { open(block, [], isOverEntry: false) }
        guard let end = buffers[block]?.bytes.count, !range.isEmpty else { return }
        // A gap before the range is new zeros.
        let first = min(range.lowerBound, end, range.upperBound - 1)
        let pieces = Arena.pieces(touching: first..<range.upperBound)
        let before = buffers[block]?.changed ?? 0
        changedCount += (pieces & ~before).nonzeroBitCount
        touched.insert(block)
        nextVersion += 1
        guard let index = buffers.index(forKey: block) else { return }
        precondition(
            buffers.values[index].lacking & pieces & ~Arena.pieces(within: range) == 0,
            "a part of a piece was changed that is not here")
        buffers.values[index].changed = before | pieces
        buffers.values[index].lacking &= ~pieces
        buffers.values[index].version = nextVersion
        body(&buffers.values[index].bytes)
    }

    // MARK: Pieces that are not here

    /// Makes a buffer over an entry that names a whole block, without reading what that has in its
    /// own slot.
    ///
    /// - Parameters:
    ///   - bytes: as many as a block has, of which only those in the entry's patch count.
    ///   - present: the pieces of that patch; none if it has none.
    mutating func openLacking(_ block: UInt64, _ bytes: [UInt8], present: Pieces) {
        precondition(rows[block] == nil, "a row's bytes would be lacking")
        drop(block)
        nextVersion += 1
        buffers[block] = Buffer(
            bytes: bytes, changed: 0, lacking: Arena.allPieces & ~present, isOverEntry: true,
            version: nextVersion)
    }

    /// What memory has of a block.
    struct Held: Sendable {
        /// Shorter than a block: the rest is zeros.
        let bytes: [UInt8]
        /// The pieces that are among the bytes.
        let present: Pieces

        fileprivate init(_ buffer: Buffer) {
            bytes = buffer.bytes
            present = Arena.allPieces & ~buffer.lacking
        }

        /// Whether all of a range of the block is among them.
        func has(_ range: Range<Int>) -> Bool {
            Arena.pieces(touching: range) & ~present == 0
        }

        /// Puts them over what the block's slot has.
        ///
        /// - Parameter offset: where in the block `out` begins.
        func lay(over out: inout MutableSpan<UInt8>, from offset: Int) {
            let room = offset..<offset + out.count
            var parts: [Range<Int>] = []
            Arena.forEachRange(of: present) { parts.append($0.clamped(to: room)) }
            for part in parts where !part.isEmpty {
                copyBytes(bytes.span.extracting(part), to: &out, at: part.lowerBound - offset)
            }
        }
    }

    /// What memory has of a block; nil for nothing.
    func held(_ block: UInt64) -> Held? {
        if buffers.isEmpty { return nil }
        return buffers[block].map(Held.init)
    }

    /// Whether the journal has rows of a block.
    func hasRows(_ block: UInt64) -> Bool { rows[block] != nil }

    /// The pieces that a block's buffer lacks; none if it has no buffer.
    func lacking(_ block: UInt64) -> Pieces { buffers[block]?.lacking ?? 0 }

    /// Brings what a buffer lacks.
    ///
    /// - Parameter content: what the block's own slot has; all of a block.
    mutating func fill(_ block: UInt64, from content: [UInt8]) {
        guard let index = buffers.index(forKey: block) else { return }
        Arena.forEachRange(of: buffers.values[index].lacking) {
            buffers.values[index].bytes.replaceSubrange($0, with: content[$0])
        }
        buffers.values[index].lacking = 0
    }

    var isEmpty: Bool { buffers.isEmpty }
    var count: Int { buffers.count }

    /// The blocks that have a buffer, in no order.
    var blocks: some Sequence<UInt64> { buffers.keys }

    /// A copy of a buffer whose rows are all written.
    struct Settled: Sendable {
        let block: UInt64
        let held: Held
        fileprivate let version: UInt64
    }

    /// The buffers that are journaled, in order.
    var settled: [Settled] {
        buffers.filter { $0.value.changed == 0 }.sorted { $0.key < $1.key }.map {
            Settled(block: $0.key, held: Held($0.value), version: $0.value.version)
        }
    }

    /// Whether the buffer is there and was not changed since the copy was taken.
    func isSame(_ copy: Settled) -> Bool { buffers[copy.block]?.version == copy.version }

    // MARK: Rows

    /// A row of the journal.
    struct Row: Hashable {
        let block: UInt64
        let piece: Int

        /// The piece counted from the start of the file.
        var number: UInt64 { block * UInt64(Arena.pieceCount) + UInt64(piece) }
    }

    /// A row to be written, with its bytes.
    struct Change {
        let row: Row
        let bytes: ArraySlice<UInt8>
        let isOverEntry: Bool
    }

    /// Rows that have to be written so that each buffer can be read back, in order.
    var changes: [Change] {
        if changedCount == 0 { return [] }
        return touched.sorted().flatMap { block -> [Change] in
            guard let buffer = buffers[block] else { return [] }
            return BlockBuffers.pieces(buffer.changed & BlockBuffers.live(buffer)).map { piece in
                let start = piece * Arena.pieceSize
                let end = min(start + Arena.pieceSize, buffer.bytes.count)
                return Change(
                    row: Row(block: block, piece: piece), bytes: buffer.bytes[start..<end],
                    isOverEntry: buffer.isOverEntry)
            }
        }
    }

    /// Rows that must go with the next commit: their block has no buffer, or a shorter one.
    var staleRows: [Row] {
        touched.flatMap { block -> [Row] in
            let needed = buffers[block].map(BlockBuffers.live) ?? 0
            return BlockBuffers.pieces((rows[block] ?? 0) & ~needed).map {
                Row(block: block, piece: $0)
            }
        }
    }

    /// True when there are rows without a buffer.
    var hasStaleRows: Bool { touched.contains { buffers[$0] == nil } }

    /// A row is about to be written.
    mutating func noteRow(_ row: Row) { rows[row.block, default: 0] |= 1 << row.piece }

    /// All of `staleRows` are removed.
    mutating func forgetStale(_ gone: [Row]) {
        for row in gone {
            let left = (rows[row.block] ?? 0) & ~(1 << row.piece)
            rows[row.block] = left == 0 ? nil : left
        }
        touched = touched.filter { (buffers[$0]?.changed ?? 0) != 0 }
    }

    /// All of `changes` are written.
    mutating func markJournaled() {
        if changedCount == 0 { return }
        for block in touched { buffers[block]?.changed = 0 }
        changedCount = 0
    }

    /// Drops every buffer and forgets every row: the inode's rows are all removed.
    mutating func removeAll() {
        let version = nextVersion
        self = BlockBuffers()
        // No copy that was taken before is the same as what comes.
        nextVersion = version
    }

    /// The pieces a buffer has bytes of.
    private static func live(_ buffer: Buffer) -> Pieces {
        Arena.pieces(touching: 0..<buffer.bytes.count)
    }

    private static func pieces(_ set: Pieces) -> [Int] {
        (0..<Arena.pieceCount).filter { set & (1 << $0) != 0 }
    }
}
