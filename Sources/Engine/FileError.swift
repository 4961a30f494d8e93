// SPDX-License-Identifier: Apache-2.0
//
// Why a filesystem operation failed, in the engine's words. Only FuseHost turns these into errno.

/// Why the engine refused or failed one filesystem operation.
package enum FileError: Error, Hashable, Sendable {
    /// No such file, directory or attribute target (ENOENT).
    case notFound
    /// The name is taken (EEXIST).
    case exists
    /// A directory that must be empty is not (ENOTEMPTY).
    case notEmpty
    /// A path component, or the target, is not a directory (ENOTDIR).
    case notDirectory
    /// The operation needs something that is not a directory (EISDIR).
    case isDirectory
    /// A name of more than 255 bytes (ENAMETOOLONG).
    case nameTooLong
    /// The file, or the pad, would pass its largest size (EFBIG).
    case tooLarge
    /// The local cache has no room for more unsaved bytes (ENOSPC).
    case noSpace
    /// The store wants payment or refuses more (EDQUOT).
    case quotaExceeded
    /// Bytes could not be had or did not verify (EIO); `.cairn/errors` has the sentence.
    case inputOutput
    /// The volume or the tree is read-only (EROFS).
    case readOnly
    /// Not allowed here whoever asks: fixed directories, virtual files (EPERM).
    case notPermitted
    /// The caller has no right to it (EACCES).
    case accessDenied
    /// The inode is gone (ESTALE).
    case stale
    /// Arguments that make no sense together (EINVAL).
    case invalid
    /// No such extended attribute (ENODATA).
    case noAttribute
    /// The caller's buffer is too small, or a value too large (ERANGE).
    case outOfRange
    /// No data or hole past the offset (ENXIO).
    case noSuchExtent
    /// The thing is in use (EBUSY).
    case busy
    /// More hard links than a file may have (EMLINK).
    case tooManyLinks
    /// A rename or link across trees that cannot share content (EXDEV).
    case crossDevice
    /// Not something this filesystem, or this kind of file, does (EOPNOTSUPP).
    case notSupported
    /// An extended attribute or argument larger than its limit (E2BIG).
    case argumentTooLong
    /// The caller was interrupted by a signal while it waited (EINTR).
    case interrupted
    /// The answer needs the store, and the caller may not wait here: ask again with patience.
    ///
    /// Never reaches the kernel: the host runs the same operation again on a thread that may block.
    case wouldBlock
}
