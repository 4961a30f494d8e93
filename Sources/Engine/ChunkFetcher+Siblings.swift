// SPDX-License-Identifier: Apache-2.0
//
// Fetching the small files that `SiblingAhead` expects to be opened next, as far as they are not on
// this machine. Large ones have the window of their own reader.

import Metadata
import Namespace
import Primitives
import Synchronization

extension ChunkFetcher {
    /// Bytes that may be fetched ahead in one directory: a window of the largest files that are.
    private static let mostSiblingBytes = UInt64(SiblingAhead.most) * ReadAhead.opening

    /// Notes that a reader at the beginning of a file has to wait for the store, and starts what
    /// comes next in its directory if it is the reader's first. Never waits for the store itself.
    func noteBeginning(_ inode: Inode, _ reads: FileReads) {
        guard !reads.hasBegun.exchange(true, ordering: .relaxed) else { return }
        // On a narrow line it would be in the way, and without room nothing of it would be kept.
        guard widest >= ChunkFetcher.mostSiblingBytes else { return }
        let place = inode.state.withLock { state -> (parent: UInt64, cookie: UInt64)? in
            // Who has patience comes here before the read that would load it.
            guard state.row.form == .blocks, !state.row.isHardLinked,
                (try? volume.loadBase(&state)) != nil, state.baseLimit > 0
            else { return nil }
            return (state.row.parent, state.row.cookie)
        }
        guard let place else { return }
        // A database that fails says so to the next operation that needs it.
        let coming = try? siblings.withLock { (siblings) throws(FileError) in
            try siblings.note(place.cookie, in: place.parent) { (cookie, count) throws(FileError) in
                try list(place.parent, after: cookie, count)
            }
        }
        for sibling in coming ?? [] { begin(sibling.ino) }
    }

    /// So many entries of a directory behind a place of its listing.
    private func list(
        _ directory: UInt64, after cookie: UInt64, _ count: Int
    ) throws(FileError) -> [SiblingAhead.Sibling] {
        let items = try volume.query { (reader) throws(MetadataError) in
            try reader.entries(parent: directory, after: cookie, limit: count)
        }
        return items.map { SiblingAhead.Sibling(cookie: $0.cookie, ino: $0.ino) }
    }

    /// Starts the chunks at the beginning of a file.
    private func begin(_ ino: UInt64) {
        // Gone since it was listed, or its row does not decode: then it is not opened either.
        guard let inode = try? volume.pinIfPresent(ino) else { return }
        defer { volume.table.unpin(inode) }
        let size = inode.state.withLock { state -> UInt64? in
            guard state.row.kind == .regular, state.row.form == .blocks, !state.isDeleted else {
                return nil
            }
            guard (try? volume.loadBase(&state)) != nil, state.baseLimit > 0 else { return nil }
            return state.row.size
        }
        // A chunk is fetched whole: the beginning of a large file would cost four times its bytes.
        guard let size, size > 0, size <= ReadAhead.opening else { return }
        _ = begin(inode, siblingReader, 0..<size)
    }
}
