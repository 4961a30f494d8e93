// SPDX-License-Identifier: Apache-2.0
//
// A part of a file held still, for chunks that go out before the file is closed; and a name for
// where the bytes of a part lie.

import Blocks
import Cryptography
import Metadata
import Namespace
import Primitives

extension FileSnapshot {
    /// A snapshot of `part` alone; the inode's lock is held.
    ///
    /// - Returns: nil unless every block of it is dirty and sealed, with nothing newer in memory.
    init?(
        _ inode: Inode, part: Range<UInt64>, _ state: inout InodeState, _ volume: Volume
    ) throws(FileError) {
        var groups: [UInt64: BlockGroup] = [:]
        var slots: [UInt32] = []
        for block in FileSnapshot.blocks(of: part) {
            guard !state.buffers.contains(block),
                case .dirty(let reference) = try volume.entry(block, &state)
            else { return nil }
            reference.forEachSlot { slots.append($0) }
            let number = BlockPosition(block).group
            if groups[number] == nil { groups[number] = state.groups[number] }
        }
        self.inode = inode
        size = state.row.size
        modified = state.row.attributes.modified
        base = nil
        self.groups = groups
        runs = [part]
        volume.arena.retain(slots)
        self.slots = slots
    }

    /// A digest of where the bytes of `part` lie, which no other bytes have: a slot's nonce and tag
    /// are among it, and a slot is never written in place.
    ///
    /// - Returns: nil if some of them lie in no slot.
    func places(of part: Range<UInt64>) -> Digest? {
        var bytes: [UInt8] = []
        let blocks = FileSnapshot.blocks(of: part)
        bytes.reserveCapacity(blocks.count * BlockReference.encodedSize)
        for block in blocks {
            guard let reference = entry(block).reference else { return nil }
            reference.encode(into: &bytes)
        }
        return Digests.of(bytes)
    }

    private static func blocks(of part: Range<UInt64>) -> Range<UInt64> {
        let size = UInt64(Arena.blockSize)
        return part.lowerBound / size..<(part.upperBound + size - 1) / size
    }
}
