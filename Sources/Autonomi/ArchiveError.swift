// SPDX-License-Identifier: Apache-2.0
//
// Why bytes are no archive, or none that is safe to show. Sentences are fixed, and name an entry by
// its number: a path from outside is nobody's to print.

/// Why an archive was refused.
package enum ArchiveError: Error, Hashable, Sendable {
    /// The bytes are not an archive at all, or are cut off.
    case malformed(String)
    /// More than a named limit of `ArchiveLimits`, in the limit's own unit.
    case tooLarge(what: String, limit: Int)
    /// Entry `entry`, counted from 1, has a path that no tree can have.
    case path(entry: Int, ArchivePathError)
    /// Entry `entry`, counted from 1, has the path of an earlier one, or lies below a file, or is a
    /// file where an earlier one needs a directory.
    case taken(entry: Int)
}

extension ArchiveError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .malformed(let reason): "this is no archive: \(reason)"
        case .tooLarge(let what, let limit): "an archive has at most \(limit) \(what)"
        case .path(let entry, let problem): "entry \(entry) of the archive \(problem)"
        case .taken(let entry):
            "entry \(entry) of the archive has the place of another entry"
        }
    }
}

/// The limits of archives, wherever they come from.
package enum ArchiveLimits {
    /// The most bytes of a serialised archive: 64 MiB.
    ///
    /// Looked at before anything is fetched: a data map says how much it describes.
    package static let size = 64 << 20
    /// The most files of one archive.
    ///
    /// A tree of so many takes some 100 MiB of memory while it is shown.
    package static let entryCount = 262_144
    /// The most files and directories of one archive, the root included: paths may share none of
    /// their directories, and would make many times as many directories as there are files.
    package static let nodeCount = 2 * entryCount
    /// The most bytes of one path.
    ///
    /// - Source: PATH_MAX of Linux.
    package static let pathSize = 4096
    /// The most bytes of one name within a path.
    ///
    /// - Source: NAME_MAX of Linux.
    package static let nameSize = 255
    /// The most names of one path.
    package static let depth = 256
    /// The most bytes of the free text beside an entry.
    package static let extraSize = 64 << 10
    /// The most bytes of a data map inside a private archive.
    package static let dataMapSize = 1 << 20
    /// The most fields of an entry's metadata, unknown ones included.
    static let fieldCount = 64
}
