// SPDX-License-Identifier: Apache-2.0
//
// What the world can do to the arena.

/// Why the arena did not do what was asked. Nothing has changed when one of these is thrown.
package enum ArenaError: Error, Equatable, Sendable {
    /// The budget is spent: evict, commit, and ask again (the protocol is at `Arena`).
    case full
    /// The disk under the arena is full, whatever the budget says (ENOSPC or EDQUOT).
    case diskFull
    /// The slot does not hold what its reference names: torn, truncated, or overwritten.
    case corrupt(slot: UInt32)
    /// The operating system refused; a failed `sync` stays failed until the arena is reopened.
    case io(errno: Int32)
    /// Another process, or another `Arena` of this one, has the file open.
    case locked
    /// The file is not an arena, or its header is damaged.
    case notAnArena
    /// The file is an arena of a format version this program does not know.
    case unsupportedFormat(version: UInt32)
    /// The header does not open with the key that was given.
    case wrongKey
    /// The file is an arena with another identifier than the one asked for.
    case foreign
}
