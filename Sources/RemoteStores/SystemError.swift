// SPDX-License-Identifier: Apache-2.0
//
// What the system said, and what that means for a store. The only file of this target that knows
// which errno is which cause.

internal import Glibc
internal import Stores

/// The error number of a system call that failed.
struct SystemError: Error, Equatable {
    let code: Int32

    init(code: Int32) {
        self.code = code
    }

    /// The error of the call this thread made last.
    static var last: SystemError { SystemError(code: errno) }

    /// The cause, in the words of stores.
    ///
    /// A number that is not named here is one that may pass: an I/O error of a disk or a network
    /// folder, too many open files, a stale handle.
    var storeError: StoreError {
        switch code {
        case ENOSPC: .full
        case EDQUOT: .quotaExceeded
        case EROFS: .readOnly
        case EACCES, EPERM: .refused("permission denied")
        case ENOENT: .notAStore("a folder of the store is gone")
        case ENOTDIR, EISDIR, ELOOP, ENOTEMPTY, EEXIST, ENXIO:
            .notAStore("a file or folder of the store is of another kind than it should be")
        case EFBIG: .refused("the filesystem takes no file of this size")
        case EXDEV: .notAStore("its folders are on different filesystems")
        case ENAMETOOLONG: .notAStore("the path is too long")
        case ENOLCK, EOPNOTSUPP, ENOSYS: .refused("the filesystem cannot do this")
        default: .unreachable(retryAfter: nil)
        }
    }
}

/// What `call` returns, asked again for as long as a signal interrupts it.
///
/// - Parameter call: a system call; negative on failure, with errno set.
func retrying<Number: SignedInteger>(_ call: () -> Number) throws(SystemError) -> Number {
    while true {
        let outcome = call()
        if outcome >= 0 { return outcome }
        let error = SystemError.last
        guard error.code == EINTR else { throw error }
    }
}
