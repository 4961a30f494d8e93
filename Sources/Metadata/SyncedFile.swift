// SPDX-License-Identifier: Apache-2.0
//
// A file whose last bytes many wait for: who comes together shares a sync (`SharedSync`).

import Glibc
import Primitives

/// Brings what was written to an open file to the disk.
final class SyncedFile: Sendable {
    /// Whose bytes these are. Closed with this object.
    let descriptor: Int32
    private let writes: SharedSync<MetadataError>

    /// Takes an open file.
    ///
    /// - Parameter isSettled: false if there may be bytes in it that never were synced.
    init(_ descriptor: Int32, isSettled: Bool) {
        self.descriptor = descriptor
        writes = SharedSync(isSettled: isSettled)
    }

    deinit {
        close(descriptor)
    }

    /// One more write is in the file.
    func note() { writes.note() }

    /// Whether everything that was noted is on the disk.
    var isSettled: Bool { writes.isSettled }

    /// Throws if a sync has ever failed: nothing may be built on such a file.
    func checkSound() throws(MetadataError) { try writes.checkSound() }

    /// Brings to the disk every write that was noted before this was called.
    ///
    /// - Parameters:
    ///   - isForced: everything, also what nobody noted.
    ///   - body: brings to the disk what goes there in another way, and says whether that was all.
    func sync(
        isForced: Bool = false, _ body: () throws(MetadataError) -> Bool = { false }
    ) throws(MetadataError) {
        try writes.sync(isForced: isForced) { () throws(MetadataError) in
            let wasAll = try body()
            if isForced || !wasAll { try syncAtOnce() }
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
        guard code == 0 else { throw .logNotSynced(errno: errno) }
    }
}
