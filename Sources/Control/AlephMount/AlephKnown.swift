// SPDX-License-Identifier: Apache-2.0
//
// What the network said, kept in memory within limits.
//
// Texts are few: of what a directory lists, `AlephListing` knows names and sizes. A text that has
// no room here goes to the disk, and one that has none there either is asked for when somebody
// opens it; how long it is, and of when, stays.
//
// Invariants:
// - `bytes` is the cost of all files, at most `byteLimit` once something was added.
// - What `spill` has of a path that is in `files` is the same.
// - The lock is taken before that of `spill`, and of a listing; never under one.

import Aleph
import AlephProtocol
import Primitives

/// Files and listings that were asked for before.
final class AlephKnown: Sendable {
    /// The most bytes of files that are known, with their texts or without: some ten thousand
    /// messages of a few hundred bytes.
    static let byteLimit = 16 << 20
    /// What a file is counted as besides its text, in bytes.
    static let fileCost = 768
    /// The most bytes of a text that is kept in memory: one more would let go of too many others.
    static let textLimit = byteLimit / 4
    /// The most texts of which no more is known than how long they are, and of when.
    static let bareLimit = 4096
    /// The most sizes of stored files that are known.
    static let sizeLimit = 50_000
    /// The most directories.
    static let listingLimit = 64
    /// The most bytes of all directories together; the one that was read last always stays.
    static let listingByteLimit = 256 << 20
    /// For how many seconds it is believed that there is no such thing.
    static let absence = 5.0
    /// The most things that are known not to be there.
    static let absenceLimit = 4096
    /// The most files of which it is remembered when they were let go of last.
    static let forgottenLimit = 4096

    private struct State {
        var files: [AlephPath: (entry: AlephEntry, use: UInt64)] = [:]
        var listings: [AlephPath: (listing: AlephListing, use: UInt64)] = [:]
        var sizes: [ItemHash: Int] = [:]
        var absent: [AlephPath: Double] = [:]
        var bare: [AlephPath: AlephFact] = [:]
        var bytes = 0
        var clock: UInt64 = 0
        /// When files were let go of: what was asked for before that is old.
        var forgotten: [AlephPath: UInt64] = [:]
        /// The same for all that are not in `forgotten` any more.
        var allForgotten: UInt64 = 0

        mutating func tick() -> UInt64 {
            clock += 1
            return clock
        }

        mutating func noteForgotten(_ path: AlephPath) {
            if forgotten.count >= AlephKnown.forgottenLimit { noteAllForgotten() }
            forgotten[path] = tick()
        }

        mutating func noteAllForgotten() {
            forgotten = [:]
            allForgotten = tick()
        }
    }

    private let state = Lock(State())
    private let spill: AlephSpill?

    /// The most names of one directory.
    let nameLimit: Int

    /// - Parameters:
    ///   - spill: where texts go that have no room in memory; nil for nowhere.
    ///   - nameLimit: the most names of one directory.
    init(spill: AlephSpill? = nil, nameLimit: Int = AlephListing.limit) {
        self.spill = spill
        self.nameLimit = nameLimit
    }

    // MARK: Files

    /// A file that was read.
    func file(_ path: AlephPath) -> AlephEntry? {
        state.withLock { state in
            let now = state.tick()
            state.files[path]?.use = now
            if let known = state.files[path]?.entry { return known }
            guard let text = spill?.entry(path) else { return nil }
            add(text, as: path, &state)
            return text
        }
    }

    /// The same, for who does not use it.
    func known(_ path: AlephPath) -> AlephEntry? {
        state.withLock { $0.files[path]?.entry ?? spill?.entry(path) }
    }

    /// What is known of a text that was read, and is not here.
    func bare(_ path: AlephPath) -> AlephFact? { state.withLock { $0.bare[path] } }

    /// Whether an aggregate of an account was made from one of these messages.
    ///
    /// Of those on the disk, or nowhere any more, nobody knows, and so each of them may be.
    func hasAggregate(of owner: String, from messages: Set<ItemHash>) -> Bool {
        if spill?.hasAggregate(of: owner) == true { return true }
        return state.withLock { state in
            let isBare = state.bare.keys.contains { path in
                if case .aggregate(owner, _) = path { return true }
                return false
            }
            if isBare { return true }
            return state.files.contains { path, file in
                guard case .aggregate(owner, _) = path else { return false }
                return !messages.isDisjoint(with: file.entry.sources)
            }
        }
    }

    /// A moment, for who asks for something that may be let go of before the answer is there.
    var moment: UInt64 { state.withLock { $0.tick() } }

    /// Keeps a file, unless its text is too long for that, or one that is newer is kept.
    ///
    /// - Parameters:
    ///   - moment: when it was asked for; nil for what came unasked, and is as new as can be.
    ///   - note: done in the same step, if it counts.
    /// - Returns: false if the file was let go of since it was asked for: it may be another now.
    @discardableResult
    func keep(
        _ entry: AlephEntry, as path: AlephPath, since moment: UInt64? = nil,
        _ note: () -> Void = {}
    ) -> Bool {
        state.withLock { state in
            if let moment, max(state.forgotten[path] ?? 0, state.allForgotten) > moment {
                return false
            }
            state.absent[path] = nil
            let standing = state.files[path]?.entry.time ?? spill?.time(path)
            if let standing, standing > entry.time { return true }
            drop(path, &state)
            note()
            add(entry, as: path, &state)
            return true
        }
    }

    /// Puts a file that is not in memory there, or where else it has room.
    private func add(_ entry: AlephEntry, as path: AlephPath, _ state: inout State) {
        let cost = AlephKnown.cost(entry)
        guard cost <= AlephKnown.textLimit else { return setAside(entry, as: path, &state) }
        let now = state.tick()
        state.bytes += cost
        state.files[path] = (entry, now)
        if state.bytes > AlephKnown.byteLimit { trim(&state) }
    }

    /// Has a text on the disk, or only what is shown of it.
    private func setAside(_ entry: AlephEntry, as path: AlephPath, _ state: inout State) {
        guard let text = entry.text, spill?.keep(entry, as: path) != true else { return }
        if state.bare.count >= AlephKnown.bareLimit { state.bare = [:] }
        state.bare[path] = AlephFact(size: text.count, time: entry.modified)
    }

    private static func cost(_ entry: AlephEntry) -> Int {
        // An aggregate has the messages of all its changes, which others may make many.
        fileCost + (entry.text?.count ?? 0) + entry.detailSize
            + (entry.sources.count + entry.manifests.count) * AlephListingTable.hashCost
    }

    private func drop(_ path: AlephPath, _ state: inout State) {
        if let gone = state.files.removeValue(forKey: path) {
            state.bytes -= AlephKnown.cost(gone.entry)
        }
        state.bare[path] = nil
        spill?.drop(path)
    }

    /// A file is not what it was.
    func forget(_ path: AlephPath) {
        state.withLock { state in
            drop(path, &state)
            state.absent[path] = nil
            state.noteForgotten(path)
        }
    }

    /// Messages were taken back: files that were found by them are looked for anew.
    func forgetStored(from messages: Set<ItemHash>) {
        state.withLock { state in
            for (path, file) in state.files {
                guard case .storedFile = path, !messages.isDisjoint(with: file.entry.sources) else {
                    continue
                }
                drop(path, &state)
            }
            // Of what is being asked for nobody knows yet whether it is among them.
            state.noteAllForgotten()
        }
    }

    /// Lets go of what was used least lately until a quarter of the room is free: to look for
    /// one at a time would cost as much each time.
    private func trim(_ state: inout State) {
        for (path, file) in state.files.sorted(by: { $0.value.use < $1.value.use }) {
            guard state.bytes > AlephKnown.byteLimit / 4 * 3 else { return }
            state.bytes -= AlephKnown.cost(file.entry)
            state.files[path] = nil
            setAside(file.entry, as: path, &state)
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
            if state.sizes.count >= AlephKnown.sizeLimit { state.sizes.removeAll() }
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
            let fresh = AlephListing(path, limit: nameLimit)
            state.listings[path] = (fresh, now)
            var total = state.listings.values.reduce(0) { $0 + $1.listing.bytes }
            for (path, old) in state.listings.sorted(by: { $0.value.use < $1.value.use }) {
                guard
                    state.listings.count > AlephKnown.listingLimit
                        || total > AlephKnown.listingByteLimit,
                    old.listing !== fresh
                else { break }
                total -= old.listing.bytes
                state.listings[path] = nil
            }
            return (fresh, true)
        }
    }

    /// A directory is to be read anew.
    ///
    /// - Parameter listing: the one that is to go; nil for whichever there is.
    func forgetListing(_ path: AlephPath, _ listing: AlephListing? = nil) {
        state.withLock { state in
            if let listing, state.listings[path]?.listing !== listing { return }
            state.listings[path] = nil
        }
    }

    /// The directories that are known.
    var listed: [AlephPath] { state.withLock { Array($0.listings.keys) } }

    /// Lets go of all directories that `isGone` picks.
    func forgetListings(where isGone: (AlephPath) -> Bool) {
        state.withLock { state in
            for path in state.listings.keys where isGone(path) { state.listings[path] = nil }
        }
    }

    /// Lets go of all files that `isGone` picks.
    ///
    /// - Parameter owner: the account of all of these that come from one: its texts on the disk go.
    func forgetFiles(of owner: String?, where isGone: (AlephPath) -> Bool) {
        state.withLock { state in
            for path in state.files.keys where isGone(path) { drop(path, &state) }
            for path in state.bare.keys where isGone(path) { state.bare[path] = nil }
            if let owner { spill?.drop(of: owner) }
            state.noteAllForgotten()
        }
    }
}
