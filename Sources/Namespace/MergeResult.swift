// SPDX-License-Identifier: Apache-2.0
//
// What a three-way merge of one directory gives.

/// Whose version of an entry: this machine's, or the one published by another meanwhile.
package enum MergeSide: Sendable, Hashable {
    case ours
    case theirs
}

/// Two machines changed one name in ways that do not go together, and both versions were kept.
package struct MergeConflict: Hashable, Sendable {
    /// The name both wanted. Theirs has it, unless only ours is a directory.
    package let keptName: [UInt8]
    /// The name the other version has now.
    ///
    /// If both were versions of one inode then both entries carry its number, and the caller
    /// gives one of them a fresh one.
    package let conflictName: [UInt8]
    /// Whose version is under `conflictName`.
    package let displaced: MergeSide

    package init(keptName: [UInt8], conflictName: [UInt8], displaced: MergeSide) {
        self.keptName = keptName
        self.conflictName = conflictName
        self.displaced = displaced
    }
}

/// A directory that changed on both sides: the caller merges its three sets of entries in turn.
///
/// If one side removed the directory, and nothing is left after the caller's merge, then all that
/// the other did in it was to remove things, and the directory goes too.
package struct DirectoryMerge: Hashable, Sendable {
    /// Its name in the merged directory. The entry there has one side's pages until the caller
    /// puts those of the merge in their place.
    package let name: [UInt8]
    /// The last common state; nil if both machines made the directory. An absent side is empty.
    package let base: Entry?
    /// This machine's; nil if it removed the directory.
    package let ours: Entry?
    /// The published one; nil if the others removed the directory.
    package let theirs: Entry?

    package init(name: [UInt8], base: Entry?, ours: Entry?, theirs: Entry?) {
        self.name = name
        self.base = base
        self.ours = ours
        self.theirs = theirs
    }
}

/// One directory, or the hard-link table, after a merge.
package struct MergeResult: Hashable, Sendable {
    /// All entries, sorted, each name once.
    package var entries: [Entry]
    /// The second names that were made, in the order of the kept names.
    package var conflicts: [MergeConflict]
    /// The directories below that need a merge of their own, in name order.
    package var recursions: [DirectoryMerge]
    /// Only when hard-link tables are merged, where a key can not be a second name: ours'
    /// versions of inodes whose number theirs has. The caller gives each a fresh number and name.
    package var displaced: [Entry]

    package init(
        entries: [Entry] = [], conflicts: [MergeConflict] = [], recursions: [DirectoryMerge] = [],
        displaced: [Entry] = []
    ) {
        self.entries = entries
        self.conflicts = conflicts
        self.recursions = recursions
        self.displaced = displaced
    }
}
