// SPDX-License-Identifier: Apache-2.0
//
// What `cairn status`, `.cairn/status.json` and `.cairn/metrics` show: one value, taken at one
// moment.

package import Stores

/// Where one file stands on its way to the store.
package enum FileState: String, Sendable {
    /// Has bytes that exist on this machine only.
    case dirty
    /// Those bytes are being stored right now.
    case flushing
    /// All bytes are on the store, the revision that names them is not.
    case stored
    /// A published revision names exactly this content.
    case published
}

/// Changes that are in the memory of this process only, because a commit of them failed.
package struct UncommittedChanges: Sendable, Equatable {
    /// How many, of names and of files.
    package var count: UInt64
    /// Why they could not be committed; a sentence.
    package var cause: String
    /// No later commit can keep them either.
    package var isLasting: Bool

    /// Names them.
    package init(count: UInt64, cause: String, isLasting: Bool) {
        self.count = count
        self.cause = cause
        self.isLasting = isLasting
    }
}

/// The engine's condition at one moment.
package struct EngineStatus: Sendable, Equatable {
    /// The last published revision this machine knows.
    package var revision: UInt64 = 0
    /// Why nothing more is published from here: another machine has published since. Empty while
    /// that is not so.
    package var halted = ""
    /// True while something is not yet published.
    package var hasUnpublishedChanges = false
    /// Bytes of files that exist on this machine only (blocks in memory and arena).
    package var dirtyBytes: UInt64 = 0
    /// Files that wait for or are in a flush.
    package var dirtyFiles = 0
    /// Pads whose newest content is not acknowledged by the store.
    package var pendingPads = 0
    /// Files of trees beside the volume's own (`aleph/me/`) that are not published, or were
    /// refused.
    package var pendingForeign = 0
    /// Chunks handed to the store and not yet acknowledged.
    package var pendingChunks = 0
    /// Arena bytes in use.
    package var cacheUsed: UInt64 = 0
    /// Arena bytes allowed.
    package var cacheBudget: UInt64 = 0
    /// Files, as the engine knows them (directories not yet loaded count by their pages' totals).
    package var fileCount: UInt64 = 0
    /// Bytes of those files.
    package var byteCount: UInt64 = 0
    /// Most bytes that files and pads may have together; 0 for no limit.
    package var quota: UInt64 = 0
    /// Chunks put since the start.
    package var chunksStored: UInt64 = 0
    /// Bytes of them.
    package var bytesStored: UInt64 = 0
    /// Bytes of files whose chunks were handed to the store since the start, before compression.
    package var bytesFlushed: UInt64 = 0
    /// Chunks fetched since the start.
    package var chunksFetched: UInt64 = 0
    /// Bytes of them.
    package var bytesFetched: UInt64 = 0
    /// Seconds since 1970 when the store last answered; 0 for never.
    package var storeAnsweredAt: Int64 = 0
    /// Seconds since 1970 since when the store is away; 0 while it is there.
    package var offlineSince: Int64 = 0
    /// The sentence of the store's last failure, empty when the last call went well.
    package var storeFailure = ""
    /// Calls of the store since the start, each attempt counted; 0 for a store that does not count.
    package var storeCalls: UInt64 = 0
    /// Calls of them that failed.
    package var storeFailures: UInt64 = 0
    /// Bytes that went to the store.
    package var storeSentBytes: UInt64 = 0
    /// Bytes that came from it.
    package var storeReceivedBytes: UInt64 = 0
    /// The same by what was asked, with failures by kind and latencies; empty for a store that does
    /// not count.
    package var storeMetrics: StoreMetrics = [:]
    /// Requests of programs since the mount; 0 where nothing is mounted.
    package var requests: UInt64 = 0
    /// Open file handles.
    package var openHandles = 0
    /// Conflicts not yet looked at.
    package var conflicts = 0
    /// Lines in `.cairn/errors`.
    package var errors = 0
    /// What a commit could not keep, where one was made for this status; else nil.
    package var uncommitted: UncommittedChanges?

    /// All zero.
    package init() {}

    /// The sums of `storeMetrics`, in the order of `StoreOperation.allCases`.
    package var operations: [OperationStatus] {
        StoreOperation.allCases.compactMap { operation in
            storeMetrics[operation].map { OperationStatus(operation, $0) }
        }
    }
}

/// The calls of one kind to the store since the start.
package struct OperationStatus: Sendable, Equatable {
    /// What was asked, as `.cairn/metrics` names it.
    package var name: String
    /// Calls that ended.
    package var count: UInt64
    /// Those of them that failed.
    package var failures: UInt64
    /// Bytes that went to the store.
    package var sentBytes: UInt64
    /// Bytes that came from it.
    package var receivedBytes: UInt64
    /// How long all of them took together, in microseconds.
    package var microseconds: UInt64

    /// Names them.
    package init(
        name: String, count: UInt64, failures: UInt64, sentBytes: UInt64, receivedBytes: UInt64,
        microseconds: UInt64
    ) {
        self.name = name
        self.count = count
        self.failures = failures
        self.sentBytes = sentBytes
        self.receivedBytes = receivedBytes
        self.microseconds = microseconds
    }
}

/// One file as `cairn info` describes it.
package struct FileDescription: Sendable {
    /// What `stat` shows.
    package var status: FileStatus
    /// `inline`, `data map`, `blocks`, `pad`, `directory`, `symlink` or `special`.
    package var form: String
    /// On its way to the store.
    package var state: FileState
    /// Data maps at their offsets, as (offset, size, msgpack bytes); empty when inline.
    package var dataMaps: [(offset: UInt64, size: UInt64, encoded: [UInt8])] = []
    /// Addresses of all chunks, hex; file content only.
    package var chunkAddresses: [String] = []
    /// Pad address, hex.
    package var padAddress: String?
    /// Pad counter.
    package var padCounter: UInt64?
    /// Pad data encoding.
    package var padEncoding: UInt64?
}
