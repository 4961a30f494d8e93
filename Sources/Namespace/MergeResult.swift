// SPDX-License-Identifier: Apache-2.0
//
// What a three-way merge of one directory gives.

/// Two machines changed one name in ways that do not go together, and both changes were kept.
package struct MergeConflict: Hashable, Sendable {
    /// The name both wanted; theirs has it.
    package let keptName: [UInt8]
    /// The name under which ours is now. If both were changes of one inode then both entries carry
    /// its number, and the caller gives one of them a fresh one.
    package let conflictName: [UInt8]

    package init(keptName: [UInt8], conflictName: [UInt8]) {
        self.keptName = keptName
        self.conflictName = conflictName
    }
}

/// A directory that changed on both sides: the caller merges its three sets of entries in turn.
package struct DirectoryMerge: Hashable, Sendable {
    /// Its name in the merged directory. The entry there has theirs' pages until the caller has
    /// merged them.
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

/// One directory after a merge.
package struct MergeResult: Hashable, Sendable {
    /// All entries, sorted, each name once.
    package var entries: [Entry]
    /// The second names that were made, in the order of their kept names.
    package var conflicts: [MergeConflict]
    /// The directories below that need a merge of their own, in name order.
    package var recursions: [DirectoryMerge]
    /// Only when hard-link tables are merged, where a key can not be a second name: ours' inodes
    /// that lost their number to theirs. The caller gives each a fresh number and a name.
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
