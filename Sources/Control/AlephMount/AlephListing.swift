// SPDX-License-Identifier: Apache-2.0
//
// One directory of the network as far as it was read: page by page, in the background, while
// those who list it follow.
//
// Invariants:
// - An entry keeps its position for the life of the listing; one that went leaves a gap.
// - `table` leads to exactly the entries that are there.
// - There are at most `limit` positions, and all of it is about `byteLimit` bytes.

import Aleph
import AlephProtocol
import Engine
import Threading

/// What a directory shows of a name without its bytes.
struct AlephFact: Sendable, Equatable {
    /// Bytes of what it holds.
    let size: Int
    /// When it was published, in seconds since 1970.
    let time: Double
}

/// The entries of a directory. Their texts are elsewhere.
final class AlephListing: Sendable {
    /// The most entries that are shown of one directory.
    static let limit = 100_000
    /// The most bytes of one directory, as they are counted here: names that strangers choose, and
    /// what they say of their files.
    static let byteLimit = 128 << 20

    /// The messages that a directory names by their hashes, which are most of all there is: of
    /// these a hash, a time and a size are enough to make the entry anew.
    enum Shape: Sendable {
        /// `messages/`, and what is below `tags/`
        case messages
        /// The posts of an account
        case posts(String)
        /// Others have all entries as they are.
        case others

        /// That of a directory.
        init(_ path: AlephPath?) {
            switch path {
            case .messages, .tagged: self = .messages
            case .part(let address, .posts): self = .posts(address)
            default: self = .others
            }
        }

        /// What a message is in the directory.
        func entry(_ name: AlephMessageName, _ time: Double) -> AlephEntry? {
            let hash = name.hash
            switch self {
            case .messages:
                return AlephEntry(message: hash, at: .message(hash), time: time, sender: nil)
            case .posts(let address):
                return AlephEntry(
                    message: hash, at: .post(address, hash), time: time, sender: address)
            case .others: return nil
            }
        }

        /// The message that an entry is, if nothing else need be known of it.
        func message(_ entry: AlephEntry) -> AlephMessageName? {
            guard let hash = entry.message, entry.sources == [hash],
                let name = AlephMessageName(hash), entry.name == name.fileName
            else { return nil }
            switch (self, entry.path) {
            case (.messages, .message(hash)), (.posts, .post(_, hash)): return name
            default: return nil
            }
        }
    }

    private let state: Monitor<AlephListingTable>

    /// Nothing was read yet.
    ///
    /// - Parameters:
    ///   - path: of the directory; nil for one that no path leads to.
    ///   - limit: the most names.
    init(_ path: AlephPath? = nil, limit: Int = AlephListing.limit) {
        state = Monitor(AlephListingTable(Shape(path), limit: limit))
    }

    /// How many positions there are.
    var count: Int { state.withLock { $0.count } }

    /// What it takes, as `AlephListingTable` counts it.
    var bytes: Int { state.withLock { $0.bytes } }

    /// Whether reading it failed: who asks next reads anew.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

    /// Adds an entry, or puts it in the place of the one with its name.
    ///
    /// - Returns: false when no more fit.
    @discardableResult
    func put(_ entry: AlephEntry, isNews: Bool = false) -> Bool {
        state.update { state in
            guard let standing = state.entry(entry.name) else { return state.add(entry) }
            // A post that came again is the whole of it; a file adds what it takes to remove it.
            state.replace(isNews ? entry.joined(with: standing) : entry)
            return true
        }
    }

    /// Adds an entry that the list brought.
    ///
    /// - Parameter joins: whether all messages with its name make one entry.
    func list(_ entry: AlephEntry, joins: Bool) -> AlephListed {
        state.update { $0.list(entry, joins: joins) }
    }

    /// An entry that came as news, as what came before it left it.
    func current(_ entry: AlephEntry) -> AlephEntry {
        state.withLock { $0.meanwhile.current(entry) }
    }

    /// A post was replaced.
    ///
    /// - Returns: whether it was not known.
    func noteReplaced(_ post: ItemHash, by message: ItemHash, _ time: Double) -> Bool {
        state.update { $0.noteReplaced(post, by: message, time) }
    }

    /// Messages were taken back: a list that is being read may bring them still.
    func noteGone(_ messages: Set<ItemHash>) {
        state.update { $0.meanwhile.noteGone(messages, isReading: !$0.isComplete) }
    }

    /// There are names that have no room, and can be asked for by what they are called.
    func noteCut() { state.update { $0.isCut = true } }

    /// A name has no room.
    ///
    /// - Returns: false once it cannot be told any more what else has none: to know more names, or
    ///   more messages of these, is of no use.
    @discardableResult
    func noteBeyond(_ entry: AlephEntry) -> Bool {
        state.update { state in
            state.noteBeyond(entry)
            return !state.beyond.isCut
        }
    }

    /// Whether there are names that have no room, and this was not asked before.
    func isNewlyCut() -> Bool {
        state.update { state in
            defer { state.isCutKnown = state.isCut }
            return state.isCut && !state.isCutKnown
        }
    }

    /// Whether there are names that have no room.
    var isCut: Bool { state.withLock { $0.isCut } }

    /// What is known of a name that is not listed.
    func beyond(_ name: String) -> AlephBeyond.Answer { state.withLock { $0.beyond.answer(name) } }

    /// Takes an entry away.
    func remove(_ name: String) { state.update { $0.remove(name) } }

    /// All entries were read, or reading them failed.
    ///
    /// - Returns: whether so much came meanwhile that what was read may be old.
    @discardableResult
    func finish(_ failure: AlephError?) -> Bool {
        state.update { state in
            state.isComplete = failure == nil
            state.failure = failure
            return state.meanwhile.end()
        }
    }

    /// An entry that is known already.
    func known(_ name: String) -> AlephEntry? { state.withLock { $0.entry(name) } }

    /// What is shown of a message's file without its text; nil if that is not known.
    func fact(_ name: String) -> AlephFact? { state.withLock { $0.fact(name) } }

    /// Keeps how long the text of a name is, and of when, as both are shown from now on.
    func note(_ fact: AlephFact, of name: String) { state.withLock { $0.note(fact, of: name) } }

    /// Keeps what was asked for of a name that is here: it is newer than the list. Not if it is
    /// older all the same, for another node told it.
    func noteAsked(_ entry: AlephEntry) {
        state.update { state in
            guard let standing = state.entry(entry.name), standing.time <= entry.time else {
                return
            }
            state.replace(entry)
        }
    }

    /// All entries that were read.
    var entries: [AlephEntry] { state.withLock { $0.entries(where: { _ in true }) } }

    /// Names of all entries that `isWanted` picks.
    func names(where isWanted: (AlephEntry) -> Bool) -> [String] {
        state.withLock { $0.entries(where: isWanted).map { $0.name } }
    }

    /// Names of the entries that come from one of these messages.
    func names(from messages: Set<ItemHash>) -> [String] {
        state.withLock { $0.names(from: messages) }
    }

    /// The entry of a name, once it was read; nil if all were and it is not there.
    func entry(
        _ name: String, _ patience: Patience?, _ trouble: AlephTrouble
    ) throws(FileError) -> AlephEntry? {
        try wait(patience, trouble) { state -> AlephEntry?? in
            if let found = state.entry(name) { return .some(found) }
            return state.isComplete ? .some(nil) : nil
        }
    }

    /// Entries from a position on, as soon as there are any; none at the end.
    func page(
        from start: Int, limit: Int, _ patience: Patience?, _ trouble: AlephTrouble
    ) throws(FileError) -> [(next: Int, entry: AlephEntry)] {
        try wait(patience, trouble) { state in
            let found = state.page(from: start, limit: limit)
            return found.isEmpty && !state.isComplete ? nil : found
        }
    }

    private func wait<Result>(
        _ patience: Patience?, _ trouble: AlephTrouble,
        _ body: @escaping (inout AlephListingTable) -> Result?
    ) throws(FileError) -> Result {
        if let result = state.withLock({ body(&$0) }) { return result }
        guard let patience else { throw .wouldBlock }
        while true {
            let found = state.wait(atMost: AlephJobs.look) {
                state -> Swift.Result<Result, AlephError>? in
                if let result = body(&state) { return .success(result) }
                return state.failure.map { .failure($0) }
            }
            switch found {
            case .success(let result): return result
            case .failure(let error): throw trouble.reading(error)
            case nil: break
            }
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver {
                trouble.report("the network did not list a directory in time")
                throw .inputOutput
            }
        }
    }
}
