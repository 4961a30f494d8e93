// SPDX-License-Identifier: Apache-2.0
//
// What small commits left in the journal becomes dirty blocks of the arena, before anybody reads:
// patches, where a block's rows are whole pieces over one that is there.
//
// One commit does all: it names the new slots, removes the rows, and changes the key. Whatever ends
// the start before that commit is durable leaves the journal as it was.

import Blocks
import Cryptography
import Metadata
import Namespace

extension EngineStarter {
    private static let saltKey = "journal-salt"

    /// Moves every journaled block into the arena, whose rows have all been adopted.
    ///
    /// - Returns: the files that had some, and the sealer of the journal that begins now.
    /// - Throws: `state` when a row does not open or belongs to nothing: bytes that were promised
    ///   to be there are gone, which no start passes over in silence.
    func takeUpJournal(
        _ metadata: MetadataDatabase, _ arena: Arena
    ) throws(EngineStartError) -> (files: Set<UInt64>, sealer: JournalSealer) {
        let rows = try journalRows(metadata)
        var plain: [PlainBlock] = []
        if !rows.isEmpty {
            let salt = try wrap { () throws(MetadataError) in
                try metadata.write { (reader) throws(MetadataError) in
                    try reader.value(EngineStarter.saltKey)
                }
            }
            plain = try assemble(rows, try journalSealer(salt ?? []), metadata, arena)
        }
        let references = try writeToArena(plain, arena)
        let salt = SystemRandom.bytes(EngineStarter.saltSize)
        try wrap { () throws(MetadataError) in
            try metadata.write(frees: true) { (writer) throws(MetadataError) in
                for (block, reference) in zip(plain, references) {
                    try replaceEntry(block.owner, reference, arena, writer)
                }
                try writer.clearJournal()
                try writer.setValue(EngineStarter.saltKey, salt)
            }
            let epoch = arena.beginCommit()
            try metadata.commit()
            try metadata.syncLog()
            arena.endCommit(epoch)
        }
        return (Set(rows.map { $0.ino }), try journalSealer(salt))
    }

    private func journalSealer(_ salt: [UInt8]) throws(EngineStartError) -> JournalSealer {
        guard salt.count >= VolumeKeys.minimumSaltSize else {
            throw EngineStarter.nonsense(EngineStarter.saltKey)
        }
        do {
            return try JournalSealer(key: configuration.keys.localKey(salt: salt))
        } catch {
            throw .state("its journal has no key: \(error)")
        }
    }

    private func journalRows(
        _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> [JournalPieceRow] {
        var rows: [JournalPieceRow] = []
        try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                try reader.forEachJournalPiece { (row) throws(MetadataError) in
                    guard rows.count < JournalLimits.ceiling * Arena.pieceCount else {
                        throw .corrupt("the journal has more rows than it can have")
                    }
                    guard row.bytes.count <= JournalSealer.rowLimit,
                        row.piece / UInt64(Arena.pieceCount) < BlockOwner.blockLimit
                    else { throw .corrupt("a journal row is malformed") }
                    rows.append(row)
                }
                for ino in Set(rows.map { $0.ino }) {
                    guard let inode = try reader.inode(ino), inode.form == .blocks else {
                        throw .corrupt("a journal row belongs to no file in blocks")
                    }
                }
            }
        }
        return rows
    }

    /// Puts the pieces of each block together.
    private func assemble(
        _ rows: [JournalPieceRow], _ sealer: JournalSealer, _ metadata: MetadataDatabase,
        _ arena: Arena
    ) throws(EngineStartError) -> [PlainBlock] {
        var plain: [PlainBlock] = []
        var index = 0
        while index < rows.count {
            let block = rows[index].piece / UInt64(Arena.pieceCount)
            let owner = BlockOwner(ino: rows[index].ino, block: block)
            var pieces: [(number: Int, bytes: [UInt8])] = []
            var isOver: Bool?
            while index < rows.count, rows[index].ino == owner.ino,
                rows[index].piece / UInt64(Arena.pieceCount) == block
            {
                let row = rows[index]
                guard let piece = sealer.open(row.bytes, ino: row.ino, piece: row.piece) else {
                    throw .state("a journal row does not open: the state folder is damaged")
                }
                guard isOver ?? piece.isOverEntry == piece.isOverEntry else {
                    throw .state("journal rows contradict each other: the state folder is damaged")
                }
                isOver = piece.isOverEntry
                pieces.append((Int(row.piece % UInt64(Arena.pieceCount)), piece.content))
                index += 1
            }
            let entry = isOver == true ? try self.entry(of: owner, metadata) : nil
            plain.append(try self.plain(pieces, of: owner, over: entry, arena))
        }
        return plain
    }

    /// What is sealed of one block: its pieces alone, if they are whole and so is the block below
    /// them. Its own slot need not be read then: a copy of what the store has may be damaged there,
    /// which is no reason not to start.
    private func plain(
        _ pieces: [(number: Int, bytes: [UInt8])], of owner: BlockOwner, over entry: BlockEntry?,
        _ arena: Arena
    ) throws(EngineStartError) -> PlainBlock {
        var bytes: [UInt8] = []
        var over: PatchedBlock?
        if let entry {
            guard let reference = entry.reference else {
                throw .state("a journal row lies over no block: the state folder is damaged")
            }
            let present = pieces.reduce(reference.patch?.pieces ?? 0) { $0 | 1 << $1.number }
            let isWhole = pieces.allSatisfy { $0.bytes.count == Arena.pieceSize }
            do {
                if isWhole, Int(reference.length) == Arena.blockSize {
                    if present != Arena.allPieces { over = entry.patched(present) }
                    bytes = try arena.patchContent(of: reference)
                } else {
                    bytes = try arena.content(of: reference)
                }
            } catch {
                throw .state("the block below a journal row cannot be read: \(error)")
            }
        }
        for piece in pieces {
            let start = piece.number * Arena.pieceSize
            let end = start + piece.bytes.count
            if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
            bytes.replaceSubrange(start..<end, with: piece.bytes)
        }
        return PlainBlock(
            bytes: bytes, owner: owner, isDirty: true, usesReservation: true, over: over)
    }

    /// The entry of a block, over which its rows lie.
    private func entry(
        of owner: BlockOwner, _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> BlockEntry {
        try wrap { () throws(MetadataError) -> BlockEntry in
            try metadata.write { (reader) throws(MetadataError) -> BlockEntry in
                try self.entry(of: owner, reader).1
            }
        }
    }

    /// The group of a block, and its entry.
    private func entry(
        of owner: BlockOwner, _ reader: borrowing MetadataWriter
    ) throws(MetadataError) -> (BlockGroup, BlockEntry) {
        let position = BlockPosition(owner.block)
        guard let map = try reader.blockGroup(owner.ino, position.group) else {
            return (BlockGroup(), .absent)
        }
        guard let group = BlockGroup(decoding: map) else {
            throw .corrupt("a block map row is malformed")
        }
        return (group, group[position.index])
    }

    /// Durable when it returns: a row that names one of the slots may be committed.
    private func writeToArena(
        _ plain: [PlainBlock], _ arena: Arena
    ) throws(EngineStartError) -> [BlockReference] {
        if plain.isEmpty { return [] }
        do {
            // They are few, and on a disk that others have filled nothing could be done for room
            // before this start.
            try arena.reserve(plain.count, usesMargin: true)
            let references = try arena.write(plain)
            try arena.sync()
            return references
        } catch {
            switch error {
            case .full:
                throw .state(
                    "its cache has no room for what was written last: give it a larger cache size")
            case .diskFull: throw .noRoom
            default: throw .state("its cache failed: \(error)")
            }
        }
    }

    /// The map entry of one block becomes the new slot, or patch; the one it named waits for the
    /// commit, unless it is needed still.
    private func replaceEntry(
        _ owner: BlockOwner, _ reference: BlockReference, _ arena: Arena,
        _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        let position = BlockPosition(owner.block)
        var (group, old) = try entry(of: owner, writer)
        arena.note(owner, names: .dirty(reference), after: old) { slot in
            arena.release(slot, owner: owner)
        }
        group[position.index] = .dirty(reference)
        try writer.setBlockGroup(owner.ino, position.group, group.encoded())
    }
}
