// SPDX-License-Identifier: Apache-2.0
//
// The promises of a place that keeps chunks.

package import Primitives

/// The sizes that every store keeps to.
package enum StoreLimits {
    /// The most bytes of one chunk.
    ///
    /// A plain chunk of 4 MiB that does not compress grows by 16 bytes of brotli framing and 16 of
    /// padding; nothing that is stored is larger.
    ///
    /// - Source: docs/format.md §3; the older network's own limit for a record.
    package static let maximumChunkSize = 4 * 1024 * 1024 + 32
}

/// A place that keeps immutable bytes by their digest.
///
/// Calls **block**, for as long as a disk or a network takes; they are made from threads that may
/// wait, never from one that answers the kernel. All of them may be made from many threads at once.
///
/// **When a chunk is safe.** `put` returning means that `get` finds the chunk. It is
/// *acknowledged*, the state in which other data may name it, only when a `sync` that began after
/// that has returned. A store that answers from another machine has usually acknowledged in `put`;
/// one that writes to a disk has not, and pays for durability once a batch rather than once a
/// chunk.
package protocol ChunkStore: Sendable {
    /// Keeps `bytes` under `digest`.
    ///
    /// The caller vouches that `digest` is theirs. A digest that is there already with the same
    /// bytes is success; one that is there with other bytes is damaged, and is replaced.
    ///
    /// - Throws: `tooLarge`, `full`, `paymentRequired`, `readOnly`, `refused`, `unreachable`.
    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError)

    /// The bytes that `digest` names, verified against it.
    ///
    /// - Throws: `missing` if there are none; `corrupt` if there are others, which are not
    ///   returned; `refused`, `unreachable`.
    func get(_ digest: Digest) throws(StoreError) -> [UInt8]

    /// Those of `digests` that have something under their name.
    ///
    /// A quick look that reads no bytes: what is named here may still turn out damaged in `get`,
    /// and is acknowledged only by `put` and `sync`.
    ///
    /// - Throws: `refused`, `unreachable`.
    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest>

    /// Makes every chunk durable whose `put` returned before this was called, by whichever thread.
    ///
    /// If it throws, nothing since the last success is acknowledged. It then goes on throwing until
    /// each chunk that the failure put in doubt has been saved by a later attempt or put again, so
    /// that no second caller is told that its chunks are safe because the first was told they are
    /// not.
    ///
    /// - Throws: `full`, `readOnly`, `missing`, `corrupt`, `unreachable`.
    func sync() throws(StoreError)

    /// How many calls at once are worth a thread each, whatever the processors: 1 for a store that
    /// is as fast as they are; more for one behind a network, where most of a call is waiting.
    var usefulConcurrency: Int { get }

    /// Whether a chunk that is put, and never named by anything, costs no more than its room: then
    /// chunks may go out while their file is still being written, and may change. False where each
    /// is paid for, or sent on by others, for ever.
    var takesUnnamedChunks: Bool { get }
}

extension ChunkStore {
    /// As for a store on this machine.
    package var usefulConcurrency: Int { 1 }
    /// As for a store that is near: a flush is soon done, and early chunks save no time.
    package var takesUnnamedChunks: Bool { false }
}

/// A chunk store whose contents can be looked through and thinned out.
package protocol ListableChunkStore: ChunkStore {
    /// Hands over each digest that is there, in no order, until `body` answers false.
    ///
    /// Chunks that come or go meanwhile may or may not be named. `body` may call the store.
    ///
    /// - Throws: `refused`, `unreachable`.
    func list(_ body: (Digest) -> Bool) throws(StoreError)

    /// Forgets a chunk. One that is not there is success: gone is gone.
    ///
    /// - Throws: `readOnly`, `refused`, `unreachable`.
    func delete(_ digest: Digest) throws(StoreError)
}

/// Room at a store, in bytes.
package struct StoreCapacity: Hashable, Sendable {
    /// What fits in all.
    package let total: UInt64
    /// What fits still, for this user.
    package let free: UInt64

    /// Names the two.
    package init(total: UInt64, free: UInt64) {
        self.total = total
        self.free = free
    }
}

/// A store that knows how much room it has.
package protocol CapacityReporting: Sendable {
    /// The room as of now.
    ///
    /// - Throws: `refused`, `unreachable`.
    func capacity() throws(StoreError) -> StoreCapacity
}
