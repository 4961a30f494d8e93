// SPDX-License-Identifier: Apache-2.0
//
// How much of what owners say of their files is kept with the names of a directory. Pure.
//
// Invariant: `left` is never below zero.

/// Room for tags and metadata of one directory.
///
/// A message may have 200 000 characters of them, and a directory 100 000 names: what is too long,
/// or comes when there is no room any more, is left out, and its message is asked for it.
package struct AlephDetails: Sendable {
    /// The most bytes of one name's tags and metadata, as JSON has them.
    package static let entryLimit = 4096
    /// The most bytes of those of all names of a directory.
    package static let limit = 16 << 20

    private var left = AlephDetails.limit

    /// Room for all of them.
    package init() {}

    /// The entry as it is kept: whole if it fits.
    package mutating func fit(_ entry: AlephEntry) -> AlephEntry {
        let size = entry.detailSize
        guard size <= AlephDetails.entryLimit, size <= left else { return entry.brief }
        left -= size
        return entry
    }
}
