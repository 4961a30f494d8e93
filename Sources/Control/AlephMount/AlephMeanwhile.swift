// SPDX-License-Identifier: Apache-2.0
//
// What was heard of a directory that a list does not know yet: a page that was asked for before a
// message came brings what was before it. Pure.
//
// Invariant: `replaced` and `gone` have at most `limit` each; what had no room is `isLost`.

import Aleph
import AlephProtocol

/// What a list brought, as it stands now.
enum AlephListed: Sendable {
    /// There is no room for it.
    case full
    /// It is in the directory, or something newer with its name is; without a text if the list's is
    /// old. `gone` are those of its messages that were taken back since the list was asked for.
    case placed(AlephEntry, gone: Set<ItemHash>)
    /// All of it was taken back since the list was asked for.
    case gone
}

/// Replacements of posts that did not come yet, and messages that were taken back.
struct AlephMeanwhile: Sendable {
    /// The most of each: as many messages as one look for news remembers.
    static let limit = MessageFeed.seenLimit

    private var replaced: [ItemHash: (message: ItemHash, time: Double)] = [:]
    private var gone: Set<ItemHash> = []
    /// Whether something could not be remembered: what was listed may be old.
    private(set) var isLost = false

    init() {}

    /// A post was replaced that is not in the directory, or not yet.
    mutating func noteReplaced(_ post: ItemHash, by message: ItemHash, _ time: Double) {
        guard time > replaced[post]?.time ?? -1 else { return }
        if replaced.count >= AlephMeanwhile.limit {
            replaced = [:]
            isLost = true
        }
        replaced[post] = (message, time)
    }

    /// Messages were taken back.
    ///
    /// - Parameter isReading: whether a list may bring them still.
    mutating func noteGone(_ messages: Set<ItemHash>, isReading: Bool) {
        for (post, replacement) in replaced where messages.contains(replacement.message) {
            replaced[post] = nil
            // The list may have what this one replaced, or something between the two.
            isLost = true
        }
        guard isReading else { return }
        if gone.count + messages.count > AlephMeanwhile.limit {
            isLost = true
        } else {
            gone.formUnion(messages)
        }
    }

    /// What a list brought, or a message that came late, as the last replacement left it.
    func current(_ entry: AlephEntry) -> AlephEntry {
        guard case .post = entry.path, let message = entry.message,
            let replacement = replaced[message], replacement.time > entry.time
        else { return entry }
        var current = entry
        current.text = nil
        current.time = replacement.time
        current.sources.append(replacement.message)
        return current
    }

    /// Those of an entry's messages that were taken back.
    func gone(of entry: AlephEntry) -> Set<ItemHash> { gone.intersection(entry.sources) }

    /// Whether an entry is nothing without the messages that were taken back.
    func isGone(_ entry: AlephEntry) -> Bool {
        if case .post = entry.path, let message = entry.message { return gone.contains(message) }
        return !entry.sources.isEmpty && gone.isSuperset(of: entry.sources)
    }

    /// The list was read to its end: it brings nothing more. What replaced posts that never came is
    /// kept, for these may come as news.
    ///
    /// - Returns: whether something that was listed may be old.
    mutating func end() -> Bool {
        defer { isLost = false }
        gone = []
        return isLost
    }
}
