// SPDX-License-Identifier: Apache-2.0
//
// What the journal of small commits holds: rows that are newer than the arena, and that a start
// moves there. A start refuses a journal that it cannot take up whole; so its damage is found here.

import Blocks
import Engine
import Metadata
import Namespace

/// The journal, as far as a check needs it.
struct JournalRows {
    /// Blocks over whose slots rows lie: no copy of these may be forgotten.
    private(set) var covered: Set<BlockOwner> = []
    /// Files of which a row is damaged.
    private(set) var damaged: Set<UInt64> = []

    /// Reads and opens every row. More than a start believes in are damage of their files.
    init(_ state: LocalState, _ keys: VolumeKeys) throws(MetadataError) {
        let sealer = try Self.sealer(state.snapshot, keys)
        var flags: [BlockOwner: Bool] = [:]
        var damaged: Set<UInt64> = []
        let limit = JournalLimits.ceiling
        try state.snapshot.forEachJournalPiece { (row) throws(MetadataError) in
            let block = row.piece / Self.piecesPerBlock
            guard damaged.count < limit, flags.count < limit, block < BlockOwner.blockLimit,
                let piece = sealer?.open(row.bytes, ino: row.ino, piece: row.piece)
            else {
                if damaged.count < limit { damaged.insert(row.ino) }
                return
            }
            let owner = BlockOwner(ino: row.ino, block: block)
            if flags.updateValue(piece.isOverEntry, forKey: owner) == !piece.isOverEntry {
                damaged.insert(row.ino)
            }
        }
        for (owner, isOverEntry) in flags {
            let row = try state.snapshot.inode(owner.ino)
            if row?.form != .blocks { damaged.insert(owner.ino) }
            if !isOverEntry { continue }
            covered.insert(owner)
            if try Self.reference(of: owner, state.snapshot) == nil { damaged.insert(owner.ino) }
        }
        self.damaged = damaged
    }

    /// - Source: docs/format.md §18: pieces of 4096 bytes.
    private static let piecesPerBlock = UInt64(Arena.blockSize / 4096)

    private static func sealer(
        _ snapshot: MetadataSnapshot, _ keys: VolumeKeys
    ) throws(MetadataError) -> JournalSealer? {
        guard let salt = try snapshot.value("journal-salt"),
            salt.count >= VolumeKeys.minimumSaltSize
        else { return nil }
        // It fails for a key of a wrong size only, which this is not.
        return try? JournalSealer(key: keys.localKey(salt: salt))
    }

    private static func reference(
        of owner: BlockOwner, _ snapshot: MetadataSnapshot
    ) throws(MetadataError) -> BlockReference? {
        let span = UInt64(BlockGroup.span)
        guard let map = try snapshot.blockGroup(owner.ino, owner.block / span) else { return nil }
        return BlockGroup(decoding: map)?[Int(owner.block % span)].reference
    }
}
