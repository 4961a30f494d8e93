// SPDX-License-Identifier: Apache-2.0
//
// What a request is answered with, and the only place that knows error numbers: the engine's
// reasons become the kernel's here, and what system calls report becomes a reason.

import CFuse
import Engine
import Glibc
import Namespace

/// The answer to one request.
enum FuseReply {
    /// It is done; there is nothing to give.
    case done
    /// An inode, with one reference that the kernel now holds.
    case entry(FileStatus)
    /// There is no such name, and the kernel may believe it for a while.
    case noEntry
    /// A new inode with one reference, and the open file.
    case created(FileStatus, OpenedFile)
    /// What `stat` shows.
    case attributes(FileStatus)
    /// A symlink's target.
    case target([UInt8])
    /// An open file; `ino` is the engine's.
    case opened(OpenedFile, ino: UInt64)
    /// An open directory.
    case openedDirectory(OpenedFile)
    /// Bytes written or copied.
    case count(Int)
    /// So many bytes of the thread's own buffer.
    case data(Int)
    /// So many bytes of directory entries in the thread's own buffer, whose inodes are counted in
    /// its `countedInodes`.
    case listing(Int)
    /// An extended attribute, or a list of their names, for a caller with room for `limit` bytes; a
    /// limit of 0 asks for the size only.
    case value([UInt8], limit: Int)
    /// What `statfs` shows.
    case statistics(VolumeStatistics)
    /// A place in a file.
    case offset(UInt64)
}

/// What the kernel may believe, and for how long, in seconds.
struct ReplyTimeouts: Sendable, Hashable {
    var entry: Double
    var attributes: Double
    var negative: Double

    init(_ options: MountOptions) {
        entry = Self.seconds(options.entryTimeout)
        attributes = Self.seconds(options.attributeTimeout)
        negative = Self.seconds(options.negativeTimeout)
    }

    /// For a status that goes with a name, or stands alone.
    ///
    /// What holds at this moment only has a name for this moment too: with each look the kernel is
    /// told which inode it leads to now.
    func believed(_ status: FileStatus?) -> cfuse_timeouts {
        let isMomentary = status?.isMomentary == true
        return cfuse_timeouts(
            entry: isMomentary ? 0 : entry, attributes: isMomentary ? 0 : attributes)
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return max(0, Double(seconds) + Double(attoseconds) / 1e18)
    }
}

/// The kernel's number for a reason of the engine's.
///
/// - Parameter error: any but `wouldBlock`, which asks the host to run the request elsewhere and
///   is never an answer; it becomes EIO.
func errorNumber(_ error: FileError) -> Int32 {
    switch error {
    case .notFound: ENOENT
    case .exists: EEXIST
    case .notEmpty: ENOTEMPTY
    case .notDirectory: ENOTDIR
    case .isDirectory: EISDIR
    case .nameTooLong: ENAMETOOLONG
    case .tooLarge: EFBIG
    case .noSpace: ENOSPC
    case .quotaExceeded: EDQUOT
    case .inputOutput: EIO
    case .readOnly: EROFS
    case .notPermitted: EPERM
    case .accessDenied: EACCES
    case .stale: ESTALE
    case .invalid: EINVAL
    case .noAttribute: ENODATA
    case .outOfRange: ERANGE
    case .noSuchExtent: ENXIO
    case .busy: EBUSY
    case .tooManyLinks: EMLINK
    case .crossDevice: EXDEV
    case .notSupported: EOPNOTSUPP
    case .argumentTooLong: E2BIG
    case .interrupted: EINTR
    case .wouldBlock: EIO
    }
}

/// What the host itself refuses, beyond what the engine has a reason for.
enum HostRefusal {
    /// `ioctl` on something that has none.
    static let noIoctl = ENOTTY
    /// As many requests wait for the store as ever may.
    static let tooMany = EAGAIN
    /// `flush` where no close says anything.
    static let noFlush = ENOSYS
    /// A request that nobody answered; a fault of ours, said at the file instead of hanging.
    static let forgotten = EIO
}

/// Why a system call of the host's own failed, as far as the host acts on it.
enum SystemFailure: Hashable, Sendable {
    /// Nothing is there.
    case missing
    /// Something is there that is not a directory.
    case notDirectory
    /// This user may not.
    case forbidden
    /// A mount whose process is gone.
    case disconnected
    /// A device without a driver.
    case noDevice
    /// Not mounted, or arguments the kernel does not take.
    case invalid
    /// It is in use.
    case busy
    /// A signal came first; to be tried again.
    case interrupted
    /// Anything else.
    case other

    /// The reason of the calling thread's last failed system call.
    static var last: SystemFailure { SystemFailure(number: errno) }

    init(number: Int32) {
        self =
            switch number {
            case ENOENT: .missing
            case ENOTDIR: .notDirectory
            case EACCES, EPERM: .forbidden
            // ECANCELED: the request was on its way to a thread of a ring when that died. No call
            // on a filesystem that is served gives it.
            case ENOTCONN, ECONNABORTED, ECANCELED, ESHUTDOWN: .disconnected
            case ENODEV, ENXIO: .noDevice
            case EINVAL: .invalid
            case EBUSY: .busy
            case EINTR: .interrupted
            default: .other
            }
    }
}

extension FileKind {
    /// The kernel's bits for this kind, as in `st_mode`.
    ///
    /// - Source: S_IFMT in linux/stat.h.
    var modeBits: UInt32 {
        switch self {
        case .regular: S_IFREG
        case .directory: S_IFDIR
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        case .socket: S_IFSOCK
        case .characterDevice: S_IFCHR
        case .blockDevice: S_IFBLK
        }
    }

    /// The kind in a mode of the kernel's; nil when there is none.
    ///
    /// - Parameter mode: as given to `mknod`, where no kind means a regular file.
    init?(mode: UInt32) {
        switch mode & S_IFMT {
        case 0, S_IFREG: self = .regular
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .symlink
        case S_IFIFO: self = .fifo
        case S_IFSOCK: self = .socket
        case S_IFCHR: self = .characterDevice
        case S_IFBLK: self = .blockDevice
        default: return nil
        }
    }
}

extension cfuse_status {
    /// Bytes of one of `stat`'s blocks.
    ///
    /// - Source: stat(2), st_blocks.
    static let blockBytes: UInt64 = 512

    /// An inode's status as the kernel takes it.
    init(_ status: FileStatus, _ inodes: InodeTranslation) {
        let attributes = status.attributes
        self.init(
            ino: status.isMomentary && status.kind == .regular
                ? inodes.kernel(momentary: status.ino, size: status.size)
                : inodes.kernel(status.ino),
            size: status.size,
            blocks: status.allocated / Self.blockBytes
                + (status.allocated % Self.blockBytes == 0 ? 0 : 1),
            device: status.device,
            accessed_seconds: attributes.accessed.seconds,
            modified_seconds: attributes.modified.seconds,
            changed_seconds: attributes.changed.seconds,
            accessed_nanoseconds: attributes.accessed.nanoseconds,
            modified_nanoseconds: attributes.modified.nanoseconds,
            changed_nanoseconds: attributes.changed.nanoseconds,
            mode: status.kind.modeBits | attributes.mode & FileAttributes.modeMask,
            links: status.linkCount,
            user: attributes.uid,
            group: attributes.gid,
            block_size: 0)
    }
}
