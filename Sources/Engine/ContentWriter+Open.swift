// SPDX-License-Identifier: Apache-2.0
//
// What a block's buffer begins with when a write covers a part of it: all that the block held, or,
// where the write has whole pieces, nothing that is not needed (docs/decisions/0046).

import Blocks
import Metadata

extension ContentWriter {
    /// The bytes of a block that a write is about.
    func part(of block: UInt64, _ offset: UInt64, _ end: UInt64) -> Range<Int> {
        let start = block * UInt64(Arena.blockSize)
        let stop = min(end - start, UInt64(Arena.blockSize))
        return Int(max(offset, start) - start)..<Int(stop)
    }

    /// Whether a write covers all that a block has, or will have.
    func isWhole(
        _ block: UInt64, _ offset: UInt64, _ end: UInt64, _ state: borrowing InodeState
    ) -> Bool {
        let size = UInt64(Arena.blockSize)
        let last = min((block + 1) * size, max(state.row.size, end))
        return offset <= block * size && end >= last
    }

    /// Whether a block's buffer may lack what a write leaves as it is: that has whole pieces then,
    /// which can be sealed without the rest.
    ///
    /// - Parameters:
    ///   - reference: what the block's entry names.
    ///   - part: what the write changes of the block.
    func mayLack(
        _ reference: BlockReference, _ block: UInt64, _ part: Range<Int>, _ old: OldBlocks,
        _ state: borrowing InodeState
    ) -> Bool {
        if state.buffers.hasRows(block) || Int(reference.length) < Arena.blockSize { return false }
        return old.mayPatch && Arena.pieces(touching: part) == Arena.pieces(within: part)
    }

    /// Makes the buffer of a block that a write is about to change; a slot is reserved for it.
    func open(
        _ block: UInt64, _ offset: UInt64, _ end: UInt64, _ old: OldBlocks,
        _ state: inout InodeState
    ) throws(FileError) {
        if isWhole(block, offset, end, state) {
            if try volume.isHole(block, &state) { state.row.allocated += UInt64(Arena.blockSize) }
            state.buffers.replace(block, [])
            return
        }
        switch try volume.entry(block, &state) {
        case .clean(let reference), .dirty(let reference):
            if mayLack(reference, block, part(of: block, offset, end), old, state) {
                let bytes = try old.patchBytes(of: reference, volume)
                state.buffers.openLacking(block, bytes, present: reference.patch?.pieces ?? 0)
            } else {
                let bytes = try old.bytes(of: reference, volume)
                state.buffers.open(block, bytes, isOverEntry: true)
            }
        case .zero, .absent:
            let isHole = try volume.isHole(block, &state)
            if isHole { state.row.allocated += UInt64(Arena.blockSize) }
            // A hole may have been made since the base was read.
            state.buffers.replace(block, isHole ? [] : old.base(of: block, state) ?? [])
        }
    }
}
