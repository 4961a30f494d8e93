// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's side hands to the engine and gets back: plain values, no kernel types.

package import Namespace
import Synchronization
import Threading

/// Whether one request may wait for the store, and who can end the wait.
///
/// A request without patience throws `FileError.wouldBlock` where it would have to fetch; the host
/// then runs it again, whole, on a thread that may block. An operation changes nothing before it
/// knows that it need not wait, so running it twice is safe.
package final class Patience: Sendable {
    private let interruptedFlag = Atomic<Bool>(false)
    private let leader: Patience?
    private let isTimeOver: @Sendable () -> Bool

    /// - Parameters:
    ///   - limit: how long waiting goes on, from now.
    ///   - clock: what it is measured by. The default stands still in a suspend, during which no
    ///     store can answer; tests bring clocks of their own.
    ///   - leader: whose interruption ends this wait too; for a part of a longer one.
    package init<Measure: Clock>(
        for limit: Duration, by clock: Measure = WaitClock(), following leader: Patience? = nil
    ) where Measure.Duration == Duration {
        let deadline = clock.now.advanced(by: limit)
        isTimeOver = { clock.now >= deadline }
        self.leader = leader
    }

    /// True from the moment on at which the wait ends with `FileError.inputOutput`.
    package var isOver: Bool { isTimeOver() }

    /// Ends the wait with `FileError.interrupted`, at the latest 100 ms from now. Any thread may
    /// call it.
    package func interrupt() {
        interruptedFlag.store(true, ordering: .releasing)
    }

    /// True after `interrupt()`.
    package var isInterrupted: Bool {
        interruptedFlag.load(ordering: .acquiring) || leader?.isInterrupted ?? false
    }
}

/// Who asks, and whether they can wait.
package struct RequestContext: Sendable {
    /// The caller's user id.
    package var user: UInt32
    /// The caller's group id.
    package var group: UInt32
    /// The caller's umask; the engine applies it at creation (the kernel's DONT_MASK is on).
    package var umask: UInt32
    /// Nil on a worker thread that must not block.
    package var patience: Patience?

    /// Describes a caller.
    package init(user: UInt32, group: UInt32, umask: UInt32 = 0, patience: Patience? = nil) {
        self.user = user
        self.group = group
        self.umask = umask
        self.patience = patience
    }
}

/// What `stat` shows of one inode.
package struct FileStatus: Sendable, Hashable {
    /// Inode number; stable across remounts.
    package var ino: UInt64
    /// Kind of file.
    package var kind: FileKind
    /// Permission bits (07777), owner and times.
    package var attributes: FileAttributes
    /// Bytes; for a symlink the length of its target.
    package var size: UInt64
    /// Hard links; for a directory 2 + its subdirectories.
    package var linkCount: UInt32
    /// Device number of a device node, else 0.
    package var device: UInt64
    /// Allocated bytes (holes take none); `st_blocks` is this in units of 512, rounded up.
    package var allocated: UInt64

    /// A status; used by the engine and by tests.
    package init(
        ino: UInt64, kind: FileKind, attributes: FileAttributes, size: UInt64, linkCount: UInt32,
        device: UInt64, allocated: UInt64
    ) {
        self.ino = ino
        self.kind = kind
        self.attributes = attributes
        self.size = size
        self.linkCount = linkCount
        self.device = device
        self.allocated = allocated
    }
}

/// A change of attributes: every nil stays as it is.
package struct AttributeChange: Sendable {
    /// New permission bits, 07777.
    package var mode: UInt32?
    /// New owner.
    package var user: UInt32?
    /// New group.
    package var group: UInt32?
    /// New size; grows with zeros, shrinks by truncation.
    package var size: UInt64?
    /// New access time.
    package var accessed: TimeChange?
    /// New modification time.
    package var modified: TimeChange?
    /// New change time, sent by a kernel that keeps times itself (writeback cache).
    package var changed: Timestamp?
    /// The kernel wants set-user-id and set-group-id cleared (a write or chown by somebody else).
    package var clearsPrivileges = false
    /// Nobody asks for it: the kernel brings the times that it kept of a file that is open.
    package var isKept = false

    /// No change at all.
    package init() {}
}

/// A time given, or "now" by the engine's clock.
package enum TimeChange: Sendable, Hashable {
    /// The engine's clock.
    case now
    /// Exactly this.
    case at(Timestamp)
}

/// How a file is opened.
package struct OpenIntent: Sendable, Hashable {
    /// The caller may read.
    package var reads: Bool
    /// The caller may write.
    package var writes: Bool
    /// The content is cut to nothing first (O_TRUNC).
    package var truncates: Bool
    /// What is read goes past the kernel's pages of the mount (O_DIRECT), which keep none of it.
    package var isUncached: Bool
    /// Opened to be read only, which moves the access time.
    package var isRead: Bool { reads && !writes && !truncates }

    /// - Parameters: as the properties.
    package init(
        reads: Bool, writes: Bool, truncates: Bool = false, isUncached: Bool = false
    ) {
        self.reads = reads
        self.writes = writes
        self.truncates = truncates
        self.isUncached = isUncached
    }
}

/// An open file or directory, as the host keeps it.
package struct OpenedFile: Sendable, Hashable {
    /// Names the open file until `release`.
    package var handle: UInt64
    /// The kernel may keep the pages, or names, it has from earlier opens.
    package var keepsCache: Bool
    /// Reads and writes go past the kernel's cache (pads, and virtual files whose size
    /// is not known).
    package var isDirect: Bool
}

/// One name of a directory listing.
package struct ListedEntry: Sendable {
    /// The name.
    package var name: [UInt8]
    /// The inode it names.
    package var ino: UInt64
    /// Its kind.
    package var kind: FileKind
    /// Where to go on after this entry; also what `telldir` gives.
    package var nextOffset: UInt64
    /// Whole status, in listings that ask for it; nil for `.` and `..`.
    package var status: FileStatus?
}

/// What `statfs` shows. Bytes, not blocks.
package struct VolumeStatistics: Sendable, Hashable {
    /// Room in all.
    package var totalBytes: UInt64
    /// Room left.
    package var freeBytes: UInt64
    /// Inodes in use.
    package var usedInodes: UInt64
}

/// What `rename` may do with what stands at the new name.
package enum RenameMode: Sendable, Hashable {
    /// Replace it.
    case replace
    /// Fail with `exists`.
    case noReplace
    /// Swap the two.
    case exchange
}

/// What `fallocate` does with its range.
package enum AllocationMode: Sendable, Hashable {
    /// Make room; grow the file unless `keepsSize`.
    case allocate(keepsSize: Bool)
    /// Make a hole; never changes the size.
    case punchHole
    /// Zeros; grow the file unless `keepsSize`.
    case zeroRange(keepsSize: Bool)
}

/// What `setxattr` expects to find.
package enum AttributeExpectation: Sendable, Hashable {
    /// Whatever is there.
    case any
    /// XATTR_CREATE: must not exist.
    case absent
    /// XATTR_REPLACE: must exist.
    case present
}
