// SPDX-License-Identifier: Apache-2.0
//
// The hard-link table, which the first entry that is a link needs whole, and the first link that
// is made here: loaded once per volume, by a thread of its own, so that nobody's patience ends the
// work of all.
//
// Invariant: nothing becomes a row of directory 0 but by this load, before it has ended. What is
// published of a table is made of its rows: made of some, it would leave the others out.

import Metadata
import Namespace

extension DirectoryLoader {
    /// The setting that is 1 when all of the table is rows.
    static let hardLinksKey = "hard-links-loaded"

    /// Makes the hard-link table's entries present in the database.
    ///
    /// - Throws: as `ensureLoaded`.
    func ensureHardLinks(_ patience: Patience?) throws(FileError) {
        if try hasHardLinks() { return }
        guard let patience else { throw .wouldBlock }
        try loadHardLinks { patience }
    }

    /// Makes the hard-link table's entries present in the database.
    ///
    /// - Parameter patience: asked for once for each of the table's leaves.
    func loadHardLinks(_ patience: () -> Patience) throws(FileError) {
        if try hasHardLinks() { return }
        guard let load = begin(Volume.hardLinkDirectory) else {
            return try loadHardLinksOnce(patience, afterLeaf: {})
        }
        var leaves = 0
        while try !wait(for: load, beyond: &leaves, patience()) {}
    }

    /// Loads the table on this thread, unless another has.
    ///
    /// - Parameters:
    ///   - patience: asked for once for each page.
    ///   - afterLeaf: called when the entries of another leaf are rows.
    func loadHardLinksOnce(
        _ patience: () -> Patience, afterLeaf: () -> Void
    ) throws(FileError) {
        try once(Volume.hardLinkDirectory, patience()) { () throws(FileError) in
            if try hasHardLinks() { return }
            try loadPages(
                PageWalker(root: hardLinks(), keys: .inodes), of: nil, patience, afterLeaf)
            try volume.query { (writer) throws(MetadataError) in
                try writer.setInteger(DirectoryLoader.hardLinksKey, 1)
            }
        }
    }

    private func hasHardLinks() throws(FileError) -> Bool {
        try volume.query { (reader) throws(MetadataError) in
            try reader.integer(DirectoryLoader.hardLinksKey) == 1
        }
    }
}

extension MetadataReader where Self: ~Copyable {
    /// Whether every name that the last revision has in a directory, or in the hard-link table, was
    /// made a row: what is less may not be published.
    func isWhole(_ directory: UInt64) throws(MetadataError) -> Bool {
        if directory != Volume.hardLinkDirectory { return try inode(directory)?.isLoaded ?? false }
        if try integer(DirectoryLoader.hardLinksKey) == 1 { return true }
        return try HeadStorage.load(self)?.hardLinks == nil
    }
}
