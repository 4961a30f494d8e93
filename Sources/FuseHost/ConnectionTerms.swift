// SPDX-License-Identifier: Apache-2.0
//
// What is agreed with the kernel when a connection begins. Pure: the kernel's offer and our options
// go in, our answer comes out.

import CFuse

/// Our side of a connection's terms.
enum ConnectionTerms {
    /// What we want of a kernel that offers it.
    ///
    /// - AUTO_INVAL_DATA is not among them: pages are dropped when the engine says so
    ///   (EXPLICIT_INVAL_DATA), not when a time looks different.
    /// - DONT_MASK: the engine applies the umask, which a default access list sets aside.
    /// - POSIX_ACL: the kernel checks access by the lists; the engine keeps modes in step with them
    ///   and hands default lists down. Not where nothing is checked: the kernel takes it for
    ///   `default_permissions`.
    /// - READDIRPLUS without READDIRPLUS_AUTO: which names come with statuses is decided here, not
    ///   by the kernel, which asks for those of the first part alone (`ListingHabit`).
    /// - Neither POSIX locks nor flock: this mount is the one writer, so the kernel's are enough.
    static let wanted: UInt32 = [
        CFUSE_CAP_ASYNC_READ, CFUSE_CAP_ATOMIC_O_TRUNC, CFUSE_CAP_EXPORT_SUPPORT,
        CFUSE_CAP_DONT_MASK, CFUSE_CAP_READDIRPLUS, CFUSE_CAP_ASYNC_DIO,
        CFUSE_CAP_PARALLEL_DIROPS, CFUSE_CAP_CACHE_SYMLINKS, CFUSE_CAP_EXPLICIT_INVAL_DATA,
        CFUSE_CAP_POSIX_ACL,
    ].reduce(0, |)

    /// What we want besides, and libfuse 3.14 does not pass on.
    ///
    /// - PARALLEL_DIROPS: without it the kernel lets only one lookup at a time into a directory,
    ///   and one that waits for the store stops all others. libfuse takes the wish, and forgets
    ///   it.
    /// - HANDLE_KILLPRIV_V2: without it the kernel asks for `security.capability` before every
    ///   single write, and gathering small writes gains nothing (measured: 33 000 writes of 4 KiB a
    ///   second, and 1 200 000 with it). With it, clearing set-user-id after a change by an
    ///   ordinary user is ours to do; `Privileges.swift` does.
    /// - DIRECT_IO_ALLOW_MMAP, of Linux 6.6: without it a pad cannot be mapped shared, because its
    ///   writes go past the kernel's cache.
    static let flags: UInt64 =
        UInt64(CFUSE_INIT_PARALLEL_DIROPS | CFUSE_INIT_HANDLE_KILLPRIV_V2)
        | CFUSE_INIT_DIRECT_IO_ALLOW_MMAP

    /// Fewest and most requests in the background where they come by io_uring. One program's are in
    /// one queue, in which others ask too, and each keeps up to 1 MiB of memory for what it read.
    static let ringBackground = 64...128

    /// Most requests in the background.
    ///
    /// - Parameter ringShare: requests that a queue of io_uring takes; 0 for the device.
    static func background(_ options: MountOptions, ringShare: Int) -> Int {
        guard ringShare > 0 else { return Int(options.maxBackground) }
        let most = min(max(ringShare / 4, ringBackground.lowerBound), ringBackground.upperBound)
        return min(Int(options.maxBackground), most)
    }

    /// Most requests that may wait for others which the kernel makes meanwhile. By io_uring each
    /// keeps its place in a queue; if they had all of them, the others would never come.
    ///
    /// - Parameter ringShare: as for `background`.
    static func kernelWaits(ringShare: Int) -> Int {
        ringShare > 0 ? max(1, ringShare / 2) : .max
    }

    /// What to answer to a kernel's offer.
    ///
    /// - Parameter ringShare: as for `background`.
    static func answer(
        to offer: cfuse_connection, _ options: MountOptions, ringShare: Int = 0
    ) -> cfuse_connection {
        var answer = offer
        answer.wanted = wanted & offer.capable
        if options.writebackCache {
            answer.wanted |= CFUSE_CAP_WRITEBACK_CACHE & offer.capable
        }
        if !options.checksPermissions { answer.wanted &= ~CFUSE_CAP_POSIX_ACL }
        let size = UInt32(MountOptions.transferSize)
        answer.max_write = min(offer.max_write, size)
        answer.max_read = size
        // libfuse has lowered this to what the device's default allows; the device is raised first.
        answer.max_readahead = size
        let background = background(options, ringShare: ringShare)
        answer.max_background = UInt32(background)
        answer.congestion_threshold = UInt32(background / 4 * 3)
        answer.time_granularity = 1
        let ring = options.usesRing ? CFUSE_INIT_OVER_IO_URING : 0
        answer.init_flags = offer.init_flags & (flags | ring)
        return answer
    }
}
