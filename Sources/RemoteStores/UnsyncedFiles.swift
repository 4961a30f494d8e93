// SPDX-License-Identifier: Apache-2.0
//
// Files of chunks that are not synced yet, kept open. The system tells of a write that failed
// through a file that was open by then; of one that was closed it may forget the failure together
// with the file, and who opens it later hears of nothing.
//
// Invariants:
// - At most `limit` files are open here.
// - A file here is a descriptor more, and stands for no name: whoever syncs it looks whether the
//   chunk's name still leads to it.

internal import Primitives

/// Some of the files that the next sync is about. Any number of threads may use it.
final class UnsyncedFiles: Sendable {
    /// One of them; closed when the last reference goes.
    final class File: Sendable {
        let file: OpenFile

        init(_ file: consuming OpenFile) {
            self.file = file
        }
    }

    private let limit: Int
    private let files = Lock<[Digest: File]>([:])

    /// - Parameter limit: the most files that are kept; of those beyond it none is.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether one more would be kept.
    var hasRoom: Bool { files.withLock { $0.count < limit } }

    /// Keeps the file that was just written for a chunk, instead of an earlier one of it.
    func keep(_ file: File, of digest: Digest) {
        files.withLock { files in
            if files.count < limit || files[digest] != nil { files[digest] = file }
        }
    }

    /// Hands out the files of these chunks, as far as they are here, and keeps the others.
    func take(_ digests: Set<Digest>) -> [Digest: File] {
        files.withLock { files in
            let taken = files.filter { digests.contains($0.key) }
            for digest in taken.keys { files[digest] = nil }
            return taken
        }
    }
}
