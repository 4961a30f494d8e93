// SPDX-License-Identifier: Apache-2.0
//
// A file whose last bytes many wait for: who comes together shares a sync.
//
// Invariants:
// - `synced` never passes what was not written before an fdatasync began.
// - After one failed fdatasync no later one is believed: `failure` stays. The kernel may have
//   dropped what it could not write, and nobody can say what.
// - The lock is held during fdatasync, and no other lock is taken under it.

import Glibc
import Primitives
import Synchronization

/// Brings what was written to an open file to the disk.
final class SyncedFile: Sendable {
    /// Whose bytes these are. Closed with this object.
    let descriptor: Int32
    /// Writes so far.
    private let written: Atomic<UInt64>
    /// Writes that are on the disk. Held while syncing, so that those who wait find theirs synced
    /// by whoever went before them.
    private let synced = Lock<UInt64>(0)
    /// What `synced` has, for who may not wait.
    private let settled = Atomic<UInt64>(0)
    /// The errno of the first failed sync; 0 if there was none.
    private let failure = Atomic<Int32>(0)

    /// Takes an open file.
    ///
    /// - Parameter isSettled: false if there may be bytes in it that never were synced.
    init(_ descriptor: Int32, isSettled: Bool) {
        self.descriptor = descriptor
        written = Atomic(isSettled ? 0 : 1)
    }

    deinit {
        close(descriptor)
    }

    /// One more write is in the file. One thread at a time calls this.
    func note() {
        written.add(1, ordering: .releasing)
    }

    /// Whether everything that was noted is on the disk.
    var isSettled: Bool {
        settled.load(ordering: .acquiring) >= written.load(ordering: .acquiring)
    }

    /// Throws if a sync has ever failed: nothing may be built on such a file.
    func checkSound() throws(MetadataError) {
        let code = failure.load(ordering: .acquiring)
        if code != 0 { throw .logNotSynced(errno: code) }
    }

    /// Brings to the disk every write that was noted before this was called.
    func sync() throws(MetadataError) {
        let wanted = written.load(ordering: .acquiring)
        try synced.withLock { (synced) throws(MetadataError) in
            try checkSound()
            guard synced < wanted else { return }
            // Whatever was noted by now was written by now: the sync covers it too.
            let covered = written.load(ordering: .acquiring)
            try syncAtOnce()
            synced = covered
            settled.store(covered, ordering: .releasing)
        }
    }

    /// Brings everything to the disk, also what nobody noted.
    func syncAll() throws(MetadataError) {
        try synced.withLock { (_) throws(MetadataError) in
            try checkSound()
            try syncAtOnce()
        }
    }

    /// Makes the file longer by one step of zeros, if it is shorter than a size: so that what comes
    /// to lie there makes it no longer.
    ///
    /// - Returns: false when there is nothing more to do, or no room to do it.
    func lengthen(by step: Int, upTo size: Int) -> Bool {
        var file = stat()
        // SAFETY: the call fills a structure of ours.
        guard unsafe fstat(descriptor, &file) == 0 else { return false }
        let start = Int(file.st_size)
        let count = min(step, size - start)
        guard count > 0 else { return false }
        let zeros = [UInt8](repeating: 0, count: count)
        // SAFETY: the buffer has `count` bytes for the time of the call.
        let done = unsafe zeros.withUnsafeBytes { bytes in
            unsafe pwrite(descriptor, bytes.baseAddress, count, off_t(start))
        }
        // Less is no harm: it only makes a later sync as slow as it would have been.
        return done == count
    }

    private func syncAtOnce() throws(MetadataError) {
        var code = fdatasync(descriptor)
        while code != 0 && errno == EINTR { code = fdatasync(descriptor) }
        guard code == 0 else {
            failure.store(errno, ordering: .releasing)
            throw .logNotSynced(errno: errno)
        }
    }
}
