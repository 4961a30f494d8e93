// SPDX-License-Identifier: Apache-2.0
//
// The hard-link table, which the first entry that is a link needs whole: loaded once per volume, by
// a thread of its own, so that nobody's patience ends the work of all.

import Metadata
import Namespace

extension DirectoryLoader {
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
                try writer.setInteger("hard-links-loaded", 1)
            }
        }
    }

    private func hasHardLinks() throws(FileError) -> Bool {
        try volume.query { (reader) throws(MetadataError) in
            try reader.integer("hard-links-loaded") == 1
        }
    }
}
