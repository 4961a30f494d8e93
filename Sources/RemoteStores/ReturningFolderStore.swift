// SPDX-License-Identifier: Apache-2.0
//
// A folder store whose disk may go away and come back: a NAS that restarts, a network folder that
// is mounted anew, a USB disk that is plugged in later, a folder that somebody moves. What a
// `FolderStore` holds open is then of no use, or lies elsewhere than where people look for it; so
// the path is looked at before each call, and the store is opened anew when it leads elsewhere.
//
// Invariants:
// - The store in use is the one that the path leads to. While it leads to none, every call says
//   so, and nothing is made there: an unplugged disk leaves an empty folder, which is no store.
// - A store that takes the place of another has the same identity, where both have one.
// - What the old one had put, and not made durable, is in doubt at the new one: its sync succeeds
//   only after each such chunk was written anew there.
// - A call whose store was replaced meanwhile is made again; its outcome is not told to anybody.
// - Locks are taken in this order: `opening`, then `current`, then the store's own.

package import Primitives
package import Scratchpads
package import Stores

/// Chunks and pads in a folder that is looked for whenever it is not there.
///
/// Any number of threads may call it at once.
package final class ReturningFolderStore: ListableChunkStore, CapacityReporting, PadStore {
    /// A call is made at so many stores at most: a disk that comes and goes is no reason to hold a
    /// thread for ever.
    static let attemptLimit = 3

    private let path: String
    private let known: KnownStores?
    /// Nil while there is none.
    private let current: Lock<FolderStore?>
    /// Held by the one thread that opens the store anew.
    private let opening = Lock(())

    /// Opens the store at `path`; as `FolderStore` does, but one that is not there now is taken up
    /// when it is.
    ///
    /// - Parameter known: remembers which store it is; nil to take whichever is there.
    /// - Throws: `newerFormat`, `refused`, `readOnly`, `full`; with `createIfMissing` also
    ///   `notAStore` and `unreachable`, which otherwise the calls throw for as long as it is away.
    package init(
        path: String, createIfMissing: Bool, known: KnownStores? = nil
    ) throws(StoreError) {
        self.path = path
        self.known = known
        do throws(StoreError) {
            let store = try FolderStore(path: path, createIfMissing: createIfMissing)
            try known?.check(store.layout.identity, at: path)
            current = Lock(store)
        } catch {
            switch error {
            case .notAStore where !createIfMissing, .unreachable where !createIfMissing:
                current = Lock(nil)
            default: throw error
            }
        }
    }

    /// Runs `body` with the store that the path leads to, and again with the one that replaced it.
    func withStore<Result>(
        _ body: (FolderStore) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        var failed: FolderStore?
        for attempt in 1...ReturningFolderStore.attemptLimit {
            let store = try present(insteadOf: failed)
            do throws(StoreError) {
                let result = try body(store)
                // What it says of a place that was given up meanwhile does not count.
                if current.withLock({ $0 === store }) { return result }
            } catch {
                guard case .unreachable = error, attempt < ReturningFolderStore.attemptLimit else {
                    throw error
                }
                failed = store
            }
        }
        throw .unreachable(retryAfter: nil)
    }

    /// The store that the path leads to.
    ///
    /// - Parameter failed: one that did not answer, and is of use only if it was opened anew.
    /// - Throws: what opening throws while there is none; `unreachable` if it is the failed one.
    private func present(insteadOf failed: FolderStore? = nil) throws(StoreError) -> FolderStore {
        func usable() -> FolderStore? {
            guard let store = current.withLock({ $0 }), store !== failed, store.isAt(path) else {
                return nil
            }
            return store
        }
        if let store = usable() { return store }
        return try opening.withLock { _ throws(StoreError) in
            // Another thread may have found it meanwhile.
            if let store = usable() { return store }
            let found = try FolderStore(path: path, createIfMissing: false)
            let old = current.withLock { $0 }
            try known?.check(found.layout.identity, at: path)
            if let old {
                if let was = old.layout.identity, let now = found.layout.identity, was != now {
                    throw KnownStores.stranger
                }
                if old === failed && found.isSamePlace(as: old) {
                    throw .unreachable(retryAfter: nil)
                }
            }
            current.withLock { store in
                // Under the lock, so that a put that ends now is either in the list or made again.
                if let old { found.doubt(old.undurable()) }
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
        try present().list(body)
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
