// SPDX-License-Identifier: Apache-2.0
//
// Whether those who list directories look at what is in them afterwards. A listing with statuses
// spares them a lookup for each name (25 µs), and costs the kernel an inode for each (5 µs), which
// is in vain where somebody only wants the names. docs/decisions/0042-names-alone.md.
//
// A name that is listed without its status shows it: who looks at it asks for it. So what was
// listed last is watched, if a name of it came without.

import Synchronization

/// What listings are followed by, on one mount.
final class ListingHabit: Sendable {
    /// Which entry of a listing's first part comes without a status although the others have
    /// theirs, counted from 0, the two dots among them. Directories with fewer are listed with all
    /// statuses: one lookup more would cost as much as it could spare.
    ///
    /// - Parameter size: bytes of the answer. Kernels before Linux 6.16 ask for a page at a time,
    ///   which has room for 24 short names, or for 9 long ones.
    static func leftOut(of size: Int) -> Int { size < 16_384 ? 8 : 32 }
    /// Entries of a directory that is listed with statuses to its end if it is so at first. Of
    /// larger ones each part has them if names of the part before were looked up: some programs do
    /// at once, and of those that list everything first most want no more than names of so many.
    static let wholeCount: UInt64 = 4096
    /// No directory: no inode has this number.
    private static let none: UInt64 = 0

    /// The directory that was listed last, if a name of it came without a status and nobody has
    /// asked for one since.
    private let watched = Atomic<UInt64>(none)
    private let isLookedAt = Atomic<Bool>(true)

    /// A listing begins.
    ///
    /// - Returns: whether its names should come with their statuses.
    func begin() -> Bool {
        if watched.exchange(Self.none, ordering: .relaxed) != Self.none {
            isLookedAt.store(false, ordering: .relaxed)
        }
        return isLookedAt.load(ordering: .relaxed)
    }

    /// The listing of this directory goes on.
    ///
    /// - Parameter isSmall: it has at most `wholeCount` entries.
    /// - Returns: whether the next names should come with their statuses.
    func goesOn(in directory: UInt64, isSmall: Bool) -> Bool {
        if !isSmall && watched.load(ordering: .relaxed) == directory { return false }
        return isLookedAt.load(ordering: .relaxed)
    }

    /// A name of this directory was listed without its status.
    func watch(_ directory: UInt64) { watched.store(directory, ordering: .relaxed) }

    /// Somebody asks for a name in this directory.
    func note(lookupIn directory: UInt64) {
        guard watched.load(ordering: .relaxed) == directory else { return }
        watched.store(Self.none, ordering: .relaxed)
        isLookedAt.store(true, ordering: .relaxed)
    }
}
