// SPDX-License-Identifier: Apache-2.0
//
// Which chunks of a folder store are written and not yet known to be on the disk. A value: the
// store holds it under a lock, and does the writing and syncing.
//
// States of a chunk, as this process knows them:
//   unsynced   its file has its name and its bytes, in memory at least
//   doubtful   a sync that failed may have been about it: the system may have dropped its bytes,
//              and a second sync would not say so again
//   (neither)  on the disk, or never put by this process
//
// Invariants:
// - A doubtful chunk leaves that state only by being written anew, or deleted.
// - Every chunk whose put returned is unsynced, in the hands of the one running sync, doubtful, or
//   on the disk.

internal import Primitives

/// The chunks that a power loss could take.
struct DurabilityLedger {
    /// What a put is told when it begins, and brings back when it is done.
    struct Ticket {
        /// Whether the chunk must be written even if its file seems right.
        let mustWrite: Bool
        fileprivate let failureCount: UInt64
    }

    /// What was put since the last sync began.
    private(set) var unsynced: Set<Digest> = []
    /// What a failed sync left in doubt, or a disk that went away.
    private(set) var doubtful: Set<Digest> = []
    /// How many syncs have failed.
    private var failureCount: UInt64 = 0

    /// Begins a put.
    func begin(_ digest: Digest) -> Ticket {
        Ticket(mustWrite: doubtful.contains(digest), failureCount: failureCount)
    }

    /// Notes that a put is done.
    ///
    /// - Parameter isWritten: whether the file was written, rather than found with its bytes.
    /// - Returns: how many chunks are unsynced now.
    mutating func finish(_ digest: Digest, _ ticket: Ticket, isWritten: Bool) -> Int {
        unsynced.insert(digest)
        if ticket.failureCount != failureCount {
            // A sync failed meanwhile, and a sync of the whole filesystem does not say for whom.
            doubtful.insert(digest)
        } else if isWritten {
            doubtful.remove(digest)
        }
        return unsynced.count
    }

    /// Hands the unsynced chunks to a sync that begins now.
    mutating func beginSync() -> Set<Digest> {
        defer { unsynced = [] }
        return unsynced
    }

    /// Notes that the sync of these chunks failed.
    mutating func syncFailed(_ batch: Set<Digest>) {
        failureCount += 1
        doubtful.formUnion(batch)
        doubtful.formUnion(unsynced)
    }

    /// Takes over what another ledger, whose store is gone, had not on the disk.
    mutating func inherit(_ digests: Set<Digest>) {
        doubtful.formUnion(digests)
    }

    /// Notes that a chunk was deleted: nobody waits for it any more.
    mutating func deleted(_ digest: Digest) {
        doubtful.remove(digest)
        unsynced.remove(digest)
    }
}
