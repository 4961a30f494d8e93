// SPDX-License-Identifier: Apache-2.0
//
// The entries of a listing, in as little memory as they take. Pure.
//
// Invariants:
// - `messages` and `names` lead to exactly the slots that are not `gone`, by what they are.
// - `bytes` is the cost of all slots, as `cost` counts it, and of `beyond`; of a slot that went it
//   stays, for its position stays.

import Aleph
import AlephProtocol

/// What a listing has.
struct AlephListingTable: Sendable {
    /// What a name costs that is kept as its message's hash, in bytes: its slot, and its place in a
    /// table that is half full. Measured in docs/performance.md.
    static let messageCost = 160
    /// The same for an entry, besides the texts in it.
    static let entryCost = 640
    /// The same for a hash as text.
    static let hashCost = 96

    private enum Slot: Sendable {
        case gone
        /// `size` is `unknownSize` if nobody knows it.
        case message(AlephMessageName, time: Double, size: UInt32)
        case entry(Boxed)
    }

    /// An entry beside the slots, which are as small as most of them need.
    private final class Boxed: Sendable {
        let entry: AlephEntry
        let size: Int?

        init(_ entry: AlephEntry, size: Int?) {
            self.entry = entry
            self.size = size
        }
    }

    private static let unknownSize = UInt32.max

    private let shape: AlephListing.Shape
    private var slots: [Slot] = []
    private var messages: [AlephMessageName: UInt32] = [:]
    private var names: [String: UInt32] = [:]
    private(set) var bytes = 0
    private var details = AlephDetails()
    /// What came of which the list knows nothing yet.
    var meanwhile = AlephMeanwhile()
    var isComplete = false
    var failure: AlephError?
    /// Whether there are names that have no room.
    var isCut = false
    /// Whether somebody was told of that.
    var isCutKnown = false
    /// Those of them that cannot be asked for by what they are called.
    private(set) var beyond = AlephBeyond()
    private let limit: Int

    /// No entries.
    ///
    /// - Parameter limit: the most positions.
    init(_ shape: AlephListing.Shape, limit: Int) {
        self.shape = shape
        self.limit = limit
    }

    /// How many positions there are.
    var count: Int { slots.count }

    // MARK: Looking

    private func position(_ name: String) -> Int? {
        if let message = AlephMessageName(fileName: name), let found = messages[message] {
            return Int(found)
        }
        return names[name].map { Int($0) }
    }

    private func entry(at position: Int) -> AlephEntry? {
        switch slots[position] {
        case .gone: nil
        case .message(let name, let time, _): shape.entry(name, time)
        case .entry(let boxed): boxed.entry
        }
    }

    /// The entry of a name.
    func entry(_ name: String) -> AlephEntry? { position(name).flatMap { entry(at: $0) } }

    /// What is shown of a name's text, if its size is known.
    func fact(_ name: String) -> AlephFact? {
        guard let position = position(name) else { return nil }
        switch slots[position] {
        case .message(_, let time, let size) where size != AlephListingTable.unknownSize:
            return AlephFact(size: Int(size), time: time)
        case .entry(let boxed):
            return boxed.size.map { AlephFact(size: $0, time: boxed.entry.modified) }
        case .gone, .message: return nil
        }
    }

    /// The entries that `isWanted` picks.
    func entries(where isWanted: (AlephEntry) -> Bool) -> [AlephEntry] {
        slots.indices.lazy.compactMap { entry(at: $0) }.filter(isWanted)
    }

    /// Names of the entries that come from one of these messages.
    func names(from wanted: Set<ItemHash>) -> [String] {
        let found = wanted.compactMap { hash in
            AlephMessageName(hash).flatMap { messages[$0] != nil ? $0.fileName : nil }
        }
        let others = names.compactMap { name, position -> String? in
            guard case .entry(let boxed) = slots[Int(position)] else { return nil }
            return wanted.isDisjoint(with: boxed.entry.sources) ? nil : name
        }
        return found + others
    }

    /// Entries from a position on, each with the position behind it.
    func page(from start: Int, limit: Int) -> [(next: Int, entry: AlephEntry)] {
        var found: [(next: Int, entry: AlephEntry)] = []
        for position in slots.indices.dropFirst(start) {
            if found.count >= limit { break }
            if let entry = entry(at: position) { found.append((position + 1, entry)) }
        }
        return found
    }

    // MARK: Changing

    /// Adds an entry that a list brought: what came as news since it was asked for is newer.
    ///
    /// - Parameter joins: whether all messages with its name make one entry.
    mutating func list(_ entry: AlephEntry, joins: Bool) -> AlephListed {
        let current = meanwhile.current(entry)
        if meanwhile.isGone(current) { return .gone }
        guard let standing = self.entry(entry.name) else {
            guard add(current) else { return .full }
            return .placed(current, gone: meanwhile.gone(of: current))
        }
        // Of two that are as new, one may know how long the text is.
        let isNewer = standing.time < current.time || current.text != nil
        if joins {
            replace(current.joined(with: standing))
        } else if standing.time <= current.time, isNewer {
            replace(current)
        } else {
            return .placed(standing, gone: meanwhile.gone(of: standing))
        }
        return .placed(current, gone: meanwhile.gone(of: current))
    }

    /// Notes that a post was replaced: how long its text is nobody knows before it is read.
    ///
    /// - Returns: whether that is news.
    mutating func noteReplaced(
        _ post: ItemHash, by message: ItemHash, _ time: Double
    ) -> Bool {
        guard var entry = entry(post.text + AlephMessageName.suffix) else {
            meanwhile.noteReplaced(post, by: message, time)
            return true
        }
        guard time > entry.time else { return false }
        entry.sources.append(message)
        entry.time = time
        entry.text = nil
        replace(entry)
        return true
    }

    /// Adds an entry with a new name.
    ///
    /// - Returns: false if there is no room.
    mutating func add(_ entry: AlephEntry) -> Bool {
        let slot = slot(for: entry)
        let cost = AlephListingTable.cost(of: slot)
        guard slots.count < limit, bytes + cost <= AlephListing.byteLimit else {
            return false
        }
        bytes += cost
        slots.append(.gone)
        set(slot, named: entry.name, at: slots.count - 1)
        return true
    }

    /// Notes a name that has no room.
    mutating func noteBeyond(_ entry: AlephEntry) {
        isCut = true
        bytes -= beyond.count * AlephBeyond.cost
        beyond.note(entry.name, entry.sources)
        bytes += beyond.count * AlephBeyond.cost
    }

    /// Puts an entry in the place of the one with its name.
    mutating func replace(_ entry: AlephEntry) {
        guard let position = position(entry.name) else { return }
        let slot = slot(for: entry)
        bytes += AlephListingTable.cost(of: slot) - AlephListingTable.cost(of: slots[position])
        unlink(entry.name)
        set(slot, named: entry.name, at: position)
    }

    /// Takes an entry away.
    mutating func remove(_ name: String) {
        guard let position = position(name) else { return }
        unlink(name)
        slots[position] = .gone
    }

    /// Keeps how long a text is, and of when.
    mutating func note(_ fact: AlephFact, of name: String) {
        guard let position = position(name) else { return }
        switch slots[position] {
        case .gone: break
        case .message(let message, _, _):
            slots[position] = .message(
                message, time: fact.time, size: AlephListingTable.packed(fact.size))
        case .entry(let boxed):
            var entry = boxed.entry
            entry.time = fact.time
            slots[position] = .entry(Boxed(entry, size: fact.size))
        }
    }

    private mutating func slot(for entry: AlephEntry) -> Slot {
        let size = entry.text?.count
        if let name = shape.message(entry) {
            return .message(name, time: entry.time, size: AlephListingTable.packed(size))
        }
        var kept = details.fit(entry)
        kept.text = nil
        return .entry(Boxed(kept, size: size))
    }

    private static func packed(_ size: Int?) -> UInt32 {
        size.flatMap { UInt32(exactly: $0) } ?? unknownSize
    }

    private static func cost(of slot: Slot) -> Int {
        switch slot {
        case .gone, .message: return messageCost
        case .entry(let boxed):
            let entry = boxed.entry
            var size = entryCost + entry.name.utf8.count + entry.detailSize
            // Besides its own, a name may have the messages of all versions before it.
            size += (entry.sources.count + entry.manifests.count) * hashCost
            if case .aggregate(_, let key) = entry.path { size += key.utf8.count }
            if case .history(_, let key) = entry.path { size += key.utf8.count }
            if case .element(_, let key, _) = entry.path { size += key.utf8.count }
            return size
        }
    }

    private mutating func set(_ slot: Slot, named name: String, at position: Int) {
        slots[position] = slot
        switch slot {
        case .message(let message, _, _): messages[message] = UInt32(position)
        case .entry: names[name] = UInt32(position)
        case .gone: break
        }
    }

    private mutating func unlink(_ name: String) {
        if let message = AlephMessageName(fileName: name), messages[message] != nil {
            messages[message] = nil
        } else {
            names[name] = nil
        }
    }
}
