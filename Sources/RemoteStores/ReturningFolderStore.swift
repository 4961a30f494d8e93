// SPDX-License-Identifier: Apache-2.0
//
// A folder store whose disk may go away and come back: a NAS that restarts, a network folder that
// is mounted anew, a USB disk that is plugged in again. What a `FolderStore` holds open is of no
// use afterwards, although the same path leads to the same store; so it is opened anew.
//
// Invariants:
// - Another store takes the place of the one in use only when that one did not answer, and the
//   path leads to something else than what it has open.
// - What the old one had put, and not made durable, is in doubt at the new one: its sync succeeds
//   only after each such chunk was written anew there.
// - A call whose store was replaced meanwhile is made again; its outcome is not told to anybody.
// - Locks are taken in this order: `opening`, then `current`, then the store's own.

package import Primitives
package import Scratchpads
package import Stores

/// Chunks and pads in a folder that is looked for again when it stops answering.
///
/// Any number of threads may call it at once.
package final class ReturningFolderStore: ListableChunkStore, CapacityReporting, PadStore {
    /// A call is made at so many stores at most: a disk that comes and goes is no reason to hold a
    /// thread for ever.
    static let attemptLimit = 3

    private let path: String
    private let current: Lock<FolderStore>
    /// Held by the one thread that opens the store anew.
    private let opening = Lock(())

    /// Opens the store at `path`; as `FolderStore` does.
    package init(path: String, createIfMissing: Bool) throws(StoreError) {
        self.path = path
        current = Lock(try FolderStore(path: path, createIfMissing: createIfMissing))
    }

    /// Runs `body` with the store that is in use, and again with the one that replaced it.
    func withStore<Result>(
        _ body: (FolderStore) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        var store = current.withLock { $0 }
        for _ in 1..<ReturningFolderStore.attemptLimit {
            do throws(StoreError) {
                let result = try body(store)
                let now = current.withLock { $0 }
                // What it says of a place that was given up meanwhile does not count.
                if now === store { return result }
                store = now
            } catch {
                guard case .unreachable = error, let next = successor(of: store) else {
                    throw error
                }
                store = next
            }
        }
        let result = try body(store)
        guard current.withLock({ $0 === store }) else { throw .unreachable(retryAfter: nil) }
        return result
    }

    /// The store that takes the place of one that does not answer; nil if there is none yet.
    private func successor(of failed: FolderStore) -> FolderStore? {
        opening.withLock { _ in
            let inUse = current.withLock { $0 }
            if inUse !== failed { return inUse }
            let found: FolderStore
            do throws(StoreError) {
                found = try FolderStore(path: path, createIfMissing: false)
            } catch {
                // Still away, or not mounted yet: the caller's own failure says enough.
                return nil
            }
            guard !found.isSamePlace(as: failed) else { return nil }
            current.withLock { store in
                // Under the lock, so that a put that ends now is either in the list or made again.
                found.doubt(failed.undurable())
                store = found
            }
            return found
        }
    }
}

extension ReturningFolderStore {
    /// Keeps a chunk.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        try withStore { store throws(StoreError) in try store.put(digest, bytes) }
    }

    /// The bytes of a chunk, verified.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try withStore { store throws(StoreError) in try store.get(digest) }
    }

    /// Those of the chunks that have a file.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try withStore { store throws(StoreError) in try store.has(digests) }
    }

    /// Makes what was put durable.
    package func sync() throws(StoreError) {
        try withStore { store throws(StoreError) in try store.sync() }
    }

    /// Forgets a chunk.
    package func delete(_ digest: Digest) throws(StoreError) {
        try withStore { store throws(StoreError) in try store.delete(digest) }
    }

    /// Hands over the digest of each chunk's file. Not begun anew when the store goes away within:
    /// `body` would see digests twice.
    package func list(_ body: (Digest) -> Bool) throws(StoreError) {
        try current.withLock { $0 }.list(body)
    }

    /// The room on the filesystem that the folder is on.
    package func capacity() throws(StoreError) -> StoreCapacity {
        try withStore { store throws(StoreError) in try store.capacity() }
    }

    /// The standing record of a pad.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try withStore { store throws(StoreError) in try store.get(address) }
    }

    /// Offers a record; it is on the disk when this returns `accepted`.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        try withStore { store throws(StoreError) in try store.put(record) }
    }
}
