// SPDX-License-Identifier: Apache-2.0
//
// Why a mount could not be made or served, each with one sentence for a person.

/// Why a mount could not be made or served.
package enum FuseHostError: Error, Hashable, Sendable {
    /// There is no `/dev/fuse`: the kernel has no FUSE, or a container was not given it.
    case noDevice
    /// `/dev/fuse` is there, and this user may not open it.
    case deviceForbidden
    /// Who is not root mounts through `fusermount3`, and it is not installed.
    case helperMissing
    /// `allow_other` needs `user_allow_other` in `/etc/fuse.conf`, for all but root.
    case allowOtherForbidden
    /// Nothing is at the mount point.
    case mountPointMissing(String)
    /// The mount point is not a directory.
    case mountPointNotDirectory(String)
    /// The mount point has files in it, which the mount would hide.
    case mountPointNotEmpty(String)
    /// This user may not look at, or not write to, the mount point.
    case mountPointForbidden(String)
    /// A FUSE filesystem is mounted there already.
    case alreadyMounted(String)
    /// A mount is there whose process has died.
    case deadMount(String)
    /// An option that is not known, or cannot be passed on.
    case badOption(String)
    /// The kernel or libfuse refused; the text is libfuse's own.
    case mountFailed(String)
    /// Serving ended with an error; the text is libfuse's own.
    case sessionFailed(String)
    /// The connection has no control file, or this user may not write to it.
    case connectionNotReachable(UInt64)

    /// What to tell a person: what is wrong, and what to do about it.
    package var sentence: String {
        switch self {
        case .noDevice:
            "There is no /dev/fuse here: load the kernel module with `modprobe fuse`, "
                + "or give the container the device."
        case .deviceForbidden:
            "This user may not open /dev/fuse: ask an administrator for access to it."
        case .helperMissing:
            "fusermount3 is not installed, and only root can mount without it: "
                + "install the package fuse3."
        case .allowOtherForbidden:
            "allow_other is for root only, unless /etc/fuse.conf has a line `user_allow_other`."
        case .mountPointMissing(let path):
            "There is no directory \(path): create it first."
        case .mountPointNotDirectory(let path):
            "\(path) is not a directory: choose an empty directory to mount on."
        case .mountPointNotEmpty(let path):
            "\(path) is not empty, and the mount would hide what is in it: choose an empty "
                + "directory."
        case .mountPointForbidden(let path):
            "This user may not mount on \(path): choose a directory of your own."
        case .alreadyMounted(let path):
            "Something is mounted on \(path) already: unmount it first."
        case .deadMount(let path):
            "\(path) is the mount of a process that has died: unmount it first."
        case .badOption(let text):
            "The mount options cannot be used: \(text)."
        case .mountFailed(let text):
            "The mount failed: \(text)."
        case .sessionFailed(let text):
            "The mount ended with an error: \(text)."
        case .connectionNotReachable(let number):
            "FUSE connection \(number) cannot be controlled: it is gone, belongs to somebody "
                + "else, or fusectl is not mounted on /sys/fs/fuse/connections."
        }
    }
}
