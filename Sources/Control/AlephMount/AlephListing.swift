// SPDX-License-Identifier: Apache-2.0
//
// One directory of the network as far as it was read: page by page, in the background, while
// those who list it follow.
//
// Invariants:
// - An entry keeps its position for the life of the listing; one that went leaves a gap.
// - `positions` has exactly the entries that are there.
// - There are at most `limit` positions.

import Aleph
import AlephProtocol
import Engine
import Threading

/// The entries of a directory. Their texts are elsewhere.
final class AlephListing: Sendable {
    /// The most entries that are shown of one directory.
    static let limit = 100_000

    private struct State {
        var entries: [AlephEntry?] = []
        var positions: [String: Int] = [:]
        var isComplete = false
        var failure: AlephError?
    }

    private let state = Monitor(State())

    init() {}

    /// How many positions there are.
    var count: Int { state.withLock { $0.entries.count } }

    /// Whether reading it failed: who asks next reads anew.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

    /// Adds an entry, or puts it in the place of the one with its name.
    ///
    /// - Returns: false when no more fit.
    @discardableResult
    func put(_ entry: AlephEntry, isNews: Bool = false) -> Bool {
        var entry = entry
        entry.text = nil
        let added = entry
        return state.update { state in
            if let position = state.positions[added.name], let standing = state.entries[position] {
                // A post that came again is the whole of it; a file adds what it takes to
                // remove it.
                state.entries[position] = isNews ? added.joined(with: standing) : added
                return true
            }
            guard state.entries.count < AlephListing.limit else { return false }
            state.positions[added.name] = state.entries.count
            state.entries.append(added)
            return true
        }
    }

    /// Takes an entry away.
    func remove(_ name: String) {
        state.update { state in
            guard let position = state.positions.removeValue(forKey: name) else { return }
            state.entries[position] = nil
        }
    }

    /// All entries were read, or reading them failed.
    func finish(_ failure: AlephError?) {
        state.update { state in
            state.isComplete = failure == nil
            state.failure = failure
        }
    }

    /// An entry that is known already.
    func known(_ name: String) -> AlephEntry? {
        state.withLock { state in state.positions[name].flatMap { state.entries[$0] } }
    }

    /// All entries that were read.
    var entries: [AlephEntry] { state.withLock { $0.entries.compactMap { $0 } } }

    /// Names of all entries that `isWanted` picks.
    func names(where isWanted: (AlephEntry) -> Bool) -> [String] {
        state.withLock { $0.entries.compactMap { $0 }.filter(isWanted).map { $0.name } }
    }

    /// The entry of a name, once it was read; nil if all were and it is not there.
    func entry(
        _ name: String, _ patience: Patience?, _ trouble: AlephTrouble
    ) throws(FileError) -> AlephEntry? {
        try wait(patience, trouble) { state -> AlephEntry?? in
            if let position = state.positions[name] { return .some(state.entries[position]) }
            return state.isComplete ? .some(nil) : nil
        }
    }

    /// Entries from a position on, as soon as there are any; none at the end.
    func page(
        from start: Int, limit: Int, _ patience: Patience?, _ trouble: AlephTrouble
    ) throws(FileError) -> [(next: Int, entry: AlephEntry)] {
        try wait(patience, trouble) { state in
            var found: [(next: Int, entry: AlephEntry)] = []
            for position in state.entries.indices.dropFirst(start) where found.count < limit {
                if let entry = state.entries[position] { found.append((position + 1, entry)) }
            }
            return found.isEmpty && !state.isComplete ? nil : found
        }
    }

    private func wait<Result>(
        _ patience: Patience?, _ trouble: AlephTrouble,
        _ body: @escaping (inout State) -> Result?
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
