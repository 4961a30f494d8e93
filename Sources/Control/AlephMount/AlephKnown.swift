// SPDX-License-Identifier: Apache-2.0
//
// What the network said, kept in memory within limits.
//
// Invariant: `bytes` is the size of all texts, at most `byteLimit` once something was added.

import Aleph
import AlephProtocol
import Primitives

/// Files and listings that were asked for before.
final class AlephKnown: Sendable {
    /// The most bytes of texts.
    static let byteLimit = 64 << 20
    /// The most files that are known, with their texts or without.
    static let fileLimit = 50_000
    /// The most directories.
    static let listingLimit = 64
    /// The most entries of all directories together; the one that was read last always stays.
    static let entryLimit = 400_000
    /// For how many seconds it is believed that there is no such thing.
    static let absence = 5.0
    /// The most things that are known not to be there.
    static let absenceLimit = 4096

    private struct State {
        var files: [AlephPath: (entry: AlephEntry, use: UInt64)] = [:]
        var listings: [AlephPath: (listing: AlephListing, use: UInt64)] = [:]
        var sizes: [ItemHash: Int] = [:]
        var absent: [AlephPath: Double] = [:]
        var bytes = 0
        var clock: UInt64 = 0

        mutating func tick() -> UInt64 {
            clock += 1
            return clock
        }
    }

    private let state = Lock(State())

    init() {}

    // MARK: Files

    /// A file that was read.
    func file(_ path: AlephPath) -> AlephEntry? {
        state.withLock { state in
            let now = state.tick()
            state.files[path]?.use = now
            return state.files[path]?.entry
        }
    }

    /// The same, for who does not use it.
    func known(_ path: AlephPath) -> AlephEntry? { state.withLock { $0.files[path]?.entry } }

    /// Whether an aggregate of an account was made from one of these messages.
    func hasAggregate(of owner: String, from messages: Set<ItemHash>) -> Bool {
        state.withLock { state in
            state.files.contains { path, file in
                guard case .aggregate(owner, _) = path else { return false }
                return !messages.isDisjoint(with: file.entry.sources)
            }
        }
    }

    /// Keeps a file.
    func keep(_ entry: AlephEntry, as path: AlephPath) {
        state.withLock { state in
            let now = state.tick()
            state.bytes -= state.files[path]?.entry.text?.count ?? 0
            state.bytes += entry.text?.count ?? 0
            state.files[path] = (entry, now)
            state.absent[path] = nil
            if state.bytes > AlephKnown.byteLimit || state.files.count > AlephKnown.fileLimit {
                AlephKnown.trim(&state)
            }
        }
    }

    /// A file is not what it was.
    func forget(_ path: AlephPath) {
        state.withLock { state in
            state.bytes -= state.files.removeValue(forKey: path)?.entry.text?.count ?? 0
            state.absent[path] = nil
        }
    }

    /// Lets go of what was used least lately until a quarter of the room is free: to look for
    /// one at a time would cost as much each time.
    private static func trim(_ state: inout State) {
        for (path, file) in state.files.sorted(by: { $0.value.use < $1.value.use }) {
            guard
                state.bytes > byteLimit / 4 * 3 || state.files.count > fileLimit / 4 * 3
            else { return }
            state.bytes -= file.entry.text?.count ?? 0
            state.files[path] = nil
        }
    }

    // MARK: What is not there

    /// Whether it was said shortly before `now` that there is no such thing.
    func isAbsent(_ path: AlephPath, _ now: Double) -> Bool {
        state.withLock { ($0.absent[path] ?? 0) > now }
    }

    /// There is no such thing now.
    func noteAbsent(_ path: AlephPath, _ now: Double) {
        state.withLock { state in
            if state.absent.count >= AlephKnown.absenceLimit { state.absent.removeAll() }
            state.absent[path] = now + AlephKnown.absence
        }
    }

    // MARK: Sizes

    /// Bytes of a stored file, as a node said, or as they came.
    func size(_ file: ItemHash) -> Int? { state.withLock { $0.sizes[file] } }

    /// Keeps a size. Sizes belong to hashes, and so stay true.
    func keepSize(_ size: Int, of file: ItemHash) {
        state.withLock { state in
            if state.sizes.count >= AlephKnown.fileLimit { state.sizes.removeAll() }
            state.sizes[file] = size
        }
    }

    // MARK: Listings

    /// A directory that was read, or is being read.
    func listing(_ path: AlephPath) -> AlephListing? {
        state.withLock { state in
            guard let found = state.listings[path], !found.listing.hasFailed else { return nil }
            let now = state.tick()
            state.listings[path]?.use = now
            return found.listing
        }
    }

    /// The listing of a directory.
    ///
    /// - Returns: and whether it is new, and to be read.
    func makeListing(_ path: AlephPath) -> (listing: AlephListing, isNew: Bool) {
        state.withLock { state in
            let now = state.tick()
            if let found = state.listings[path], !found.listing.hasFailed {
                state.listings[path]?.use = now
                return (found.listing, false)
            }
            let fresh = AlephListing()
            state.listings[path] = (fresh, now)
            var total = state.listings.values.reduce(0) { $0 + $1.listing.count }
            for (path, old) in state.listings.sorted(by: { $0.value.use < $1.value.use }) {
                guard
                    state.listings.count > AlephKnown.listingLimit || total > AlephKnown.entryLimit,
                    old.listing !== fresh
                else { break }
                total -= old.listing.count
                state.listings[path] = nil
            }
            return (fresh, true)
        }
    }

    /// A directory is to be read anew.
    func forgetListing(_ path: AlephPath) { state.withLock { $0.listings[path] = nil } }

    /// The directories that are known.
    var listed: [AlephPath] { state.withLock { Array($0.listings.keys) } }

    /// Lets go of all that `isGone` picks.
    func forget(where isGone: (AlephPath) -> Bool) {
        state.withLock { state in
            for path in state.listings.keys where isGone(path) { state.listings[path] = nil }
            for path in state.files.keys where isGone(path) {
                state.bytes -= state.files.removeValue(forKey: path)?.entry.text?.count ?? 0
            }
        }
    }
}
