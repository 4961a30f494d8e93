// SPDX-License-Identifier: Apache-2.0
//
// What a process that holds keys, or runs for months, does to itself before anything else.

internal import CLinux
import Glibc

/// Settings of this process as a whole.
package enum ProcessSettings {
    /// Heap arenas of glibc. Threads beyond share them; more would each keep freed memory.
    static let heapArenaCount: Int32 = 2
    /// Blocks of this many bytes and more are memory of their own, which the system has to find and
    /// to clear for each. A chunk and the compressor's memory for it are smaller: where they were
    /// such memory, a flush spent half of its time on that.
    static let ownMemorySize: Int32 = 16 << 20
    /// Free bytes that an arena keeps at its end: what the encoding threads that share it use for a
    /// chunk each. `HeapMemory.giveBack` takes them when the work is done.
    static let heapKeptSize: Int32 = 64 << 20
    /// Open files we ask for, as far as the hard limit allows.
    static let openFileTarget: rlim_t = 65_536

    /// Opens /dev/null for each standard stream that is closed: a file that took its number would
    /// be read or written by who means the stream. It is open the wrong way: who reads standard
    /// input, or writes a result, is told that it is closed, and takes it for no empty file.
    package static func openStandardStreams() {
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 {
            // SAFETY: a constant string. The lowest free number is the one that is missing.
            _ = unsafe open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Keeps keys out of core files and of other processes' reach.
    ///
    /// Whatever reads a seed, a key, a phrase or a passphrase calls it first (`VolumeStart.seed`,
    /// `SecretInput`), so that no command can forget it.
    package static func protectMemory() throws(CommandFailure) {
        do {
            try SystemError.check("prctl", cairn_forbid_dumps())
        } catch {
            throw CommandFailure(.failure, "this process cannot protect its memory", error)
        }
    }

    /// Keeps a long-lived process small, and lets it open enough files.
    package static func prepareForLongLife() {
        // Both only tune; a system that refuses them still runs the daemon.
        _ = cairn_limit_heap(heapArenaCount, ownMemorySize, heapKeptSize)
        var limit = rlimit()
        // RLIMIT_NOFILE is 7 on Linux; Glibc's module gives the name an enumeration type of its
        // own.
        let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // SAFETY: `limit` is ours.
        guard unsafe getrlimit(openFiles, &limit) == 0 else { return }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, openFileTarget))
        _ = unsafe setrlimit(openFiles, &limit)
    }

    /// Lets go of what a daemon inherits: files above `keeping`, the directory, the umask; and the
    /// name of the link it was started by.
    package static func detach(keeping: Int32) throws(SystemError) {
        // SAFETY: a constant string, copied by the kernel.
        try SystemError.check("prctl", unsafe cairn_name_thread("cairn"))
        try SystemError.check("close_range", cairn_close_from(keeping + 1))
        // SAFETY: a constant string.
        guard unsafe chdir("/") == 0 else { throw SystemError.last("chdir") }
        _ = umask(0o077)
    }

    /// Makes the kernel write out what it holds of the filesystem that a directory is in.
    ///
    /// - Returns: the error of writes that failed before, and whose bytes the kernel has dropped:
    ///   it tells so once, to whoever asks first. nil if there was none.
    static func syncFilesystem(of root: borrowing Descriptor) throws(SystemError) -> SystemError? {
        do {
            try SystemError.check("syncfs", cairn_sync_filesystem(root.number))
            return nil
        } catch {
            // What still fails, fails again: an earlier error was told with the first call.
            try SystemError.check("syncfs", cairn_sync_filesystem(root.number))
            return error
        }
    }
}
