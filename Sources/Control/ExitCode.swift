// SPDX-License-Identifier: Apache-2.0
//
// Every exit code of the command, in one place. docs/exit-codes.md shows this table to people, and
// a test compares the two.

/// What the command's exit code means to a script.
///
/// A code, once given a meaning, keeps it. `usage` is sysexits' EX_USAGE, which ArgumentParser uses
/// too.
package enum ExitCode: Int32, CaseIterable, Sendable {
    /// It is done.
    case success = 0
    /// It failed for a cause that has no code of its own; the sentence says which.
    case failure = 1
    /// The recovery phrase is not one: word count, an unknown word, or the checksum.
    case invalidPhrase = 3
    /// The passphrase does not open the key file.
    case wrongPassphrase = 4
    /// No such volume here, or none of this phrase on the store.
    case noSuchVolume = 5
    /// A volume of this name is here already, or one of this phrase on the store.
    case volumeExists = 6
    /// The configuration or the key file cannot be understood, or is open to other users.
    case invalidConfiguration = 7
    /// The store is missing, unreachable, read-only, or refuses.
    case storeUnusable = 8
    /// The store has no room, or wants payment.
    case storeFull = 9
    /// The mount point is missing, not a directory, not empty, or has something mounted on it.
    case mountPointUnusable = 10
    /// Another process uses the volume's local state.
    case stateInUse = 11
    /// There is no /dev/fuse, or no permission to mount.
    case fuseUnavailable = 12
    /// Programs still use the mounted volume.
    case busy = 13
    /// Changes are safe on this machine, but not (all) on the store.
    case unpublished = 14
    /// The volume is not mounted.
    case notMounted = 15
    /// A path in the volume or on this machine cannot be used.
    case unusablePath = 16
    /// Something that was read did not verify: a damaged root, database or cache.
    case damaged = 17
    /// Of several files, some could not be copied.
    case incompleteCopy = 18
    /// A check found damage that is still there; each damaged path has a line.
    case damageFound = 19
    /// The network has no such message, file or aggregate, or not any more.
    case notOnNetwork = 20
    /// The arguments cannot be understood, or something had to be asked and there is no terminal.
    case usage = 64
}
