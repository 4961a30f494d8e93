// SPDX-License-Identifier: Apache-2.0
//
// What a check found: where, what, and what can be done. Values; the sentences are the command's
// output, and the only place that has them.

package import Metadata

/// One damaged thing.
package struct Finding: Equatable, Sendable {
    /// What is damaged.
    package enum Place: Hashable, Sendable {
        /// Something that is not of one file.
        case volume
        /// A file or directory, by its path from the volume's root: `files/a`.
        case path([UInt8])
        /// An inode to which no path leads.
        case inode(UInt64)
    }

    /// Where.
    package var place: Place
    /// What.
    package var problem: Problem
    /// What can be done, or was.
    package var remedy: Remedy

    /// - Parameters: as the properties.
    package init(_ place: Place, _ problem: Problem, _ remedy: Remedy) {
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }

    /// One line for a person: the path, what is wrong, what to do. Without a line's end.
    package var line: String { "\(place.text): \(problem.sentence); \(remedy.sentence)" }
}

/// What is wrong.
package enum Problem: Hashable, Sendable {
    // MARK: This machine

    /// The database file itself: SQLite's words.
    case database(String)
    /// A part of the database could not be read to its end.
    case unreadableRows(String)
    /// The arena does not open; the text says why.
    case cacheUnusable(String)
    /// The state folder belongs to another volume.
    case foreignState
    /// A setting of the database makes no sense: its key.
    case setting(String)
    /// The count of changes is behind the published one: some may be in no revision.
    case changeCount
    /// A row of this table does not decode.
    case row(IntegrityTable)
    /// An inode's row does not decode.
    case inodeRow
    /// Rows of this table belong to an inode that is not there.
    case strayRows(IntegrityTable)
    /// A name leads to an inode that is not there.
    case danglingName
    /// A name stands in something that is not there, or is no directory.
    case nameWithoutDirectory
    /// No file can have this name.
    case invalidName
    /// The name and the inode disagree about what kind it is.
    case kind
    /// No name leads here.
    case nameless
    /// The link count is not what the names say.
    case linkCount(found: UInt64, wanted: UInt64)
    /// A directory's count of entries is not what is in it.
    case entryCount(found: UInt64, wanted: UInt64)
    /// The name that an inode remembers is another's, or gone.
    case lostName
    /// The directories above go round in a circle, or end nowhere.
    case unreachable
    /// Blocks that are nowhere else do not open against their seals.
    case dirtyBlocks(damaged: UInt64, missing: UInt64, firstOffset: UInt64)
    /// Cached copies of what the store has do not open against their seals.
    case cachedBlocks(damaged: UInt64, missing: UInt64)
    /// Bytes that were written last, and are in the journal only, do not open, or lie over nothing.
    case journal
    /// Two rows say that this slot is theirs.
    case sharedSlot(UInt64)
    /// Inline content does not open, or is of another size than the inode says.
    case inlineContent
    /// Inline content is gone.
    case inlineMissing
    /// An extended attribute is over a limit.
    case attribute
    /// A pad's address does not follow from its identity.
    case padIdentity
    /// A pad's sealed record does not verify.
    case padPending

    // MARK: The store

    /// The root pad is gone.
    case rootMissing
    /// The root pad does not verify, or names something else; the text says what.
    case rootDamaged(String)
    /// The store offers an older revision than this machine has seen.
    case rollback(offered: UInt64, known: UInt64)
    /// A page of a directory's, of the hard-link table or of a segment list cannot be had.
    case page(Loss, entryCount: UInt64?)
    /// The hard-link table has no entry of the file that the name is a link to.
    case lostLink
    /// A page of the log of revisions cannot be had.
    case revisionLog(Loss, isNewest: Bool)
    /// A data map's upper level cannot be had.
    case dataMap(Loss)
    /// Chunks of a file.
    case chunks(missing: UInt64, damaged: UInt64, total: UInt64)
    /// A pad's record cannot be had.
    case pad(Loss)
    /// The store's record of a pad is older than the published revision says.
    case padRollback(offered: UInt64, known: UInt64)
}

/// How something is lost to the store.
package enum Loss: Hashable, Sendable {
    /// It has nothing under the name.
    case missing
    /// What it has is not what the name says, or does not open.
    case damaged
}

/// What can be done, or was done.
package enum Remedy: Hashable, Sendable {
    /// True when nothing is left to be done.
    package var isDone: Bool { self == .repaired || self == .forgotten }

    /// `--repair` mends it.
    case repairable
    /// It was mended.
    case repaired
    /// Nothing of a file is lost: the store has it, and `--repair` forgets the copy.
    case forgettable
    /// The copy was forgotten.
    case forgotten
    /// The bytes are gone from here; what the store has is older, or nothing.
    case lostHere
    /// Neither the store nor this machine has it.
    case lost
    /// The next mount publishes all of it once more.
    case publishedAnew
    /// It may be on this machine, which was not looked at: unmount.
    case unmounted
    /// The database is beyond what a check mends: recover from the store.
    case recover
    /// Another machine has published since: recover here.
    case elsewhere
    /// What stood at the place is lost; the rest is not.
    case history
}
