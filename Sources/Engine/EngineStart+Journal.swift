// SPDX-License-Identifier: Apache-2.0
//
// What small commits left in the journal becomes dirty blocks of the arena, before anybody reads.
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
            plain = try open(rows, try journalSealer(salt ?? []))
        }
        let references = try writeToArena(plain, arena)
        let salt = SystemRandom.bytes(EngineStarter.saltSize)
        try wrap { () throws(MetadataError) in
            try metadata.write { (writer) throws(MetadataError) in
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
        do {
            return try JournalSealer(key: configuration.keys.localKey(salt: salt))
        } catch {
            throw .state("its journal has no key: \(error)")
        }
    }

    private func journalRows(
        _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> [JournalBlockRow] {
        var rows: [JournalBlockRow] = []
        try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                try reader.forEachJournalBlock { (row) throws(MetadataError) in
                    guard rows.count < JournalLimits.ceiling else {
                        throw .corrupt("the journal has more rows than it can have")
                    }
                    guard row.bytes.count <= JournalSealer.rowLimit,
                        row.block < BlockOwner.blockLimit
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

    private func open(
        _ rows: [JournalBlockRow], _ sealer: JournalSealer
    ) throws(EngineStartError) -> [PlainBlock] {
        var plain: [PlainBlock] = []
        for row in rows {
            let owner = BlockOwner(ino: row.ino, block: row.block)
            guard let bytes = sealer.open(row.bytes, owner) else {
                throw .state("a journal row does not open: the state folder is damaged")
            }
            plain.append(
                PlainBlock(bytes: bytes, owner: owner, isDirty: true, usesReservation: true))
        }
        return plain
    }

    /// Durable when it returns: a row that names one of the slots may be committed.
    private func writeToArena(
        _ plain: [PlainBlock], _ arena: Arena
    ) throws(EngineStartError) -> [BlockReference] {
        if plain.isEmpty { return [] }
        do {
            try arena.reserve(plain.count)
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

    /// The map entry of one block becomes the new slot; the one it named waits for the commit.
    private func replaceEntry(
        _ owner: BlockOwner, _ reference: BlockReference, _ arena: Arena,
        _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        let position = BlockPosition(owner.block)
        var group = BlockGroup()
        if let map = try writer.blockGroup(owner.ino, position.group) {
            guard let old = BlockGroup(decoding: map) else {
                throw .corrupt("a block map row is malformed")
            }
            group = old
        }
        if let old = group[position.index].reference { arena.release(old.slot) }
        group[position.index] = .dirty(reference)
        try writer.setBlockGroup(owner.ino, position.group, group.encoded())
    }
}
