// SPDX-License-Identifier: Apache-2.0
//
// The network's archive: a list of files with their times, itself stored like a file.
//
// Invariants of an archive that was decoded, or made by `init(_:)`: entries ascend by path; no
// path is there twice, and none lies below another; at most `ArchiveLimits.entryCount` of them.

/// What an archive knows of one file.
package struct ArchiveEntry: Hashable, Sendable {
    /// Where its bytes are.
    package enum Content: Hashable, Sendable {
        /// In public: the address of its data map chunk, whose generation is the archive's own.
        case address(PublicAddress)
        /// In private: its data map, in the form that clients store.
        case dataMap([UInt8])
    }

    /// Where it lies in the archive's tree.
    package let path: ArchivePath
    /// Where its bytes are.
    package let content: Content
    /// Seconds since 1970, UTC.
    package let created: UInt64
    /// Seconds since 1970, UTC.
    package let modified: UInt64
    /// Bytes, as the writer said; what the data map says is what counts.
    package let size: UInt64
    /// Free text that the writer left beside the entry.
    package let extra: String?

    /// Names them.
    package init(
        path: ArchivePath, content: Content, created: UInt64, modified: UInt64, size: UInt64,
        extra: String? = nil
    ) {
        self.path = path
        self.content = content
        self.created = created
        self.modified = modified
        self.size = size
        self.extra = extra
    }
}

/// A list of files, each under its path.
///
/// It holds regular files only: no empty directories, links, modes or owners.
///
/// - Source: docs/format.md §3.
package struct Archive: Hashable, Sendable {
    /// The files, ascending by path.
    package let entries: [ArchiveEntry]

    /// Sorts and checks the files.
    ///
    /// - Throws: `tooLarge`; `taken`, with the number of the later one in the order of paths.
    package init(_ entries: [ArchiveEntry]) throws(ArchiveError) {
        guard entries.count <= ArchiveLimits.entryCount else {
            throw .tooLarge(what: "files", limit: ArchiveLimits.entryCount)
        }
        let sorted = entries.sorted { $0.path < $1.path }
        // In this order everything below a path comes right after it.
        for (position, pair) in zip(sorted, sorted.dropFirst()).enumerated() {
            let (first, second) = (pair.0.path.text.utf8, pair.1.path.text.utf8)
            let isBelow =
                second.starts(with: first)
                && (second.count == first.count
                    || second.dropFirst(first.count).first == UInt8(ascii: "/"))
            if isBelow { throw .taken(entry: position + 2) }
        }
        self.entries = sorted
    }
}
