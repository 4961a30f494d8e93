// SPDX-License-Identifier: Apache-2.0
//
// What a start finds in the state folder: the salts of its keys, inodes without names, who owns
// which slot of the arena, and what was never brought to the store.

import Blocks
import Cryptography
import Metadata
import Namespace
import Primitives

extension EngineStarter {
    /// Groups of a file's block map; a row of a later one is damage.
    private static let groupLimit = BlockOwner.blockLimit / UInt64(BlockGroup.span)

    /// The salts of this state folder's keys, made if it has none yet.
    ///
    /// - Throws: `state` for one that is too short, or gone although things are sealed with it.
    func salts(
        _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> (arena: [UInt8], inline: [UInt8]) {
        let arena = try salt("arena-salt", metadata)
        let inline = try salt("inline-salt", metadata)
        try wrap { () throws(MetadataError) in
            try metadata.write(frees: true) { (writer) throws(MetadataError) in
                try writer.setValue("arena-salt", arena)
                try writer.setValue("inline-salt", inline)
            }
            // Durable before the first block is sealed with them.
            try metadata.commit()
            try metadata.syncLog()
        }
        return (arena, inline)
    }

    private func salt(
        _ key: String, _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> [UInt8] {
        let (stored, highest) = try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                (try reader.value(key), try reader.highestInode())
            }
        }
        guard let stored else {
            if highest < Volume.firstOrdinaryInode {
                return SystemRandom.bytes(EngineStarter.saltSize)
            }
            throw EngineStarter.nonsense(key)
        }
        guard stored.count >= VolumeKeys.minimumSaltSize else { throw EngineStarter.nonsense(key) }
        return stored
    }

    /// Why a start that needs a setting ends.
    static func nonsense(_ key: String) -> EngineStartError {
        .state("its local setting “\(key)” makes no sense: the state folder is damaged")
    }

    /// Sees to it that no row names a block of an arena that is gone: a new one would be made, and
    /// hide that. What the store has too is forgotten, and fetched again.
    ///
    /// - Throws: `state` when bytes are gone that no store has.
    func forgetLostArena(_ metadata: MetadataDatabase) throws(EngineStartError) {
        do {
            if try Arena.identifier(ofFileAt: configuration.stateFolder + "/arena") != nil {
                return
            }
        } catch {
            // One that is there; whoever opens it says what is wrong with it.
            return
        }
        var isOnlyHere = false
        var count = 0
        try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                try reader.forEachBlockGroup { (row) throws(MetadataError) in
                    count += 1
                    // What does not decode may be anything.
                    let group = BlockGroup(decoding: row.map)
                    if group?.entries.contains(where: { $0.differsFromBase }) ?? true {
                        isOnlyHere = true
                    }
                }
                // They may lie over blocks.
                try reader.forEachJournalPiece { _ in isOnlyHere = true }
            }
        }
        if isOnlyHere {
            throw .state(
                "the file “arena” is gone or empty, and with it what was not on the store yet: put "
                    + "it back, or recover the volume from its phrase")
        }
        if count == 0 { return }
        try wrap { () throws(MetadataError) in
            try metadata.write(frees: true) { (writer) throws(MetadataError) in
                try writer.clearBlockGroups()
            }
            try metadata.commit()
            try metadata.syncLog()
        }
    }

    /// Inodes that lost their last name while something had them open, in a run that ended early.
    func removeOrphans(_ metadata: MetadataDatabase) throws(EngineStartError) {
        try wrap { () throws(MetadataError) in
            try metadata.write(frees: true) { (writer) throws(MetadataError) in
                let orphans = try writer.orphans()
                if orphans.isEmpty { return }
                let totals = TotalsCounter(try TotalsCounter.load(writer))
                for ino in orphans {
                    if let row = try writer.inode(ino) {
                        totals.remove(row.kind, bytes: row.kind == .regular ? row.size : 0)
                    }
                    try writer.deleteInode(ino)
                }
                try totals.save(writer)
            }
            try metadata.commit()
            // Durable before the arena is told which slots are free: a power loss must not bring
            // back rows whose slots somebody else has by then.
            try metadata.syncLog()
        }
    }

    /// Tells the arena who owns which slot. Returns the files that have dirty blocks.
    func adopt(
        _ metadata: MetadataDatabase, _ arena: Arena
    ) throws(EngineStartError) -> Set<UInt64> {
        var dirty: Set<UInt64> = []
        try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                try reader.forEachBlockGroup { (row) throws(MetadataError) in
                    guard row.group < EngineStarter.groupLimit,
                        let group = BlockGroup(decoding: row.map)
                    else { throw .corrupt("a block map row is malformed") }
                    for (index, entry) in group.entries.enumerated() {
                        if entry.differsFromBase { dirty.insert(row.ino) }
                        guard let reference = entry.reference else { continue }
                        let block = row.group * UInt64(BlockGroup.span) + UInt64(index)
                        arena.adopt(
                            reference, owner: BlockOwner(ino: row.ino, block: block),
                            isDirty: entry.differsFromBase)
                    }
                }
            }
        }
        arena.adoptionFinished()
        return dirty
    }

    /// Files in blocks that changed since the head, as a truncation leaves no dirty block behind;
    /// and pads, whose content may not have been sealed. Likewise what was waiting when the head
    /// was published, for the head may be newer than these changes.
    func changedFiles(
        _ metadata: MetadataDatabase, after change: UInt64
    ) throws(EngineStartError) -> (files: Set<UInt64>, pads: Set<UInt64>) {
        var files: Set<UInt64> = []
        var pads: Set<UInt64> = []
        var cursor = change
        func sort(_ rows: [InodeRow]) {
            for row in rows where row.kind == .regular && row.linkCount > 0 {
                if row.form == .blocks { files.insert(row.ino) }
                if row.form == .pad { pads.insert(row.ino) }
            }
        }
        let waiting = try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                var rows: [InodeRow] = []
                for ino in try HeadStorage.loadUnstored(reader) {
                    if let row = try reader.inode(ino) { rows.append(row) }
                }
                return rows
            }
        }
        sort(waiting)
        while true {
            let from = cursor
            let rows = try wrap { () throws(MetadataError) in
                try metadata.write { (reader) throws(MetadataError) in
                    try reader.changedInodes(after: from, limit: Publisher.rowBatch)
                }
            }
            sort(rows)
            guard let last = rows.last, rows.count == Publisher.rowBatch else {
                return (files, pads)
            }
            cursor = last.change
        }
    }
}
