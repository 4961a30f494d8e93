// SPDX-License-Identifier: Apache-2.0
//
// What new messages change of what is kept and shown.

import Aleph
import AlephProtocol
import Engine
import JSON
import Primitives

/// Messages that were heard of. Pure.
///
/// Invariant: at most `limit`, those that came last.
struct AlephHeard: Sendable {
    /// The most that are remembered.
    static let limit = MessageFeed.seenLimit

    private var hashes: Set<ItemHash> = []
    private var order: [ItemHash] = []

    init() {}

    /// Whether a message is heard of for the first time.
    mutating func isNews(_ hash: ItemHash) -> Bool {
        guard hashes.insert(hash).inserted else { return false }
        order.append(hash)
        if order.count > AlephHeard.limit {
            let half = order.count / 2
            for old in order.prefix(half) { hashes.remove(old) }
            order.removeFirst(half)
        }
        return true
    }
}

extension AlephMount {
    /// A message of ours was processed.
    func published(_ message: VerifiedMessage) {
        guard heard.withLock({ $0.isNews(message.itemHash) }) else { return }
        apply(message, isOurs: true)
    }

    /// A message that may be new.
    func news(_ interest: AlephInterest, _ message: VerifiedMessage) {
        switch interest {
        case .owner:
            guard heard.withLock({ $0.isNews(message.itemHash) }) else { return }
            apply(message, isOurs: false)
        case .tags:
            for case .tagged(let tags) in known.listed {
                guard let entry = AlephTree.entry(tagged: tags, message),
                    let listing = known.listing(.tagged(tags)), listing.known(entry.name) == nil
                else { continue }
                known.keep(entry, as: entry.path)
                if !listing.put(entry) { noteCut(.tagged(tags), listing) }
                tell(entry.name, in: .tagged(tags), isOther: false)
            }
        case .letters: putLetter(message)
        }
    }

    /// Nobody tells of something any more: it is read anew when somebody looks.
    func lost(_ interest: AlephInterest) {
        if case .letters = interest {
            letters.withLock { shelf in
                shelf.listing = nil
                // Those that were taken back meanwhile would have the room of others.
                shelf.letters = [:]
            }
        }
        let gone = known.listed.filter { self.interest(in: $0) == interest }
        known.forgetListings { self.interest(in: $0) == interest }
        var owner: String?
        if case .owner(let address) = interest { owner = address }
        known.forgetFiles(of: owner) { self.interest(in: $0) == interest }
        for path in gone {
            for directory in directories(path) { trouble.listener?.nameChanged(directory, nil) }
        }
        if case .owner(own) = interest { lostOwn() }
        if case .letters = interest, let inbox = number(["me", "inbox"]) {
            trouble.listener?.nameChanged(inbox, nil)
        }
    }

    /// What was saved here is shown as it was written until others change it; nobody would tell of
    /// that any more.
    private func lostOwn() {
        for part in AlephPath.Part.allCases {
            for (_, item) in mine.names(in: part) where item.view != nil && item.staged == nil {
                mine.othersChanged(item.name)
                changed(item.name)
            }
        }
    }

    /// Makes a message part of what is shown.
    private func apply(_ message: VerifiedMessage, isOurs: Bool) {
        guard message.isOwnersOwn, let owner = AlephAddress(message.owner)?.text else { return }
        let key = message.type == .aggregate ? AggregateValue.key(of: message) : nil
        let shown = key.flatMap { known.known(.aggregate(owner, key: $0)) }
        // What was read after it came has it already.
        let isShown = shown?.sources.contains(message.itemHash) ?? false
        // Before its list hears of it, so that no answer to an earlier question gets into that.
        if let key, !isShown { known.forget(.aggregate(owner, key: key)) }
        for entry in AlephEntry.entries(from: message) { put(entry, owner, isOurs) }
        if owner == own { putShared(message) }
        switch message.type {
        case .aggregate:
            guard let key, !isShown else { return }
            known.forgetListing(.history(owner, key: key))
            let name = AlephName.name(for: key, suffix: ".json")
            other(name, owner, .aggregates, isOurs)
            for directory in directories(.history(owner, key: key)) {
                trouble.listener?.nameChanged(directory, nil)
            }
        case .post where message.content["type"] == "amend":
            guard let ref = message.content["ref"]?.string.flatMap({ ItemHash($0) }) else { return }
            guard replaced(.post(owner, ref), ref, of: owner, by: message) else { return }
            other("\(ref).json", owner, .posts, isOurs)
            for (_, item) in mine.names(in: .posts) where item.record.target == ref && !isOurs {
                changed(item.name)
            }
        case .forget:
            let targets = (message.content["hashes"]?.array ?? []).compactMap { $0.string }
            forgotten(Set(targets.compactMap { ItemHash($0) }), owner)
        default: break
        }
    }

    /// A post's text is another: how long it is nobody knows before it is read.
    ///
    /// - Returns: false if what is shown has it already.
    private func replaced(
        _ path: AlephPath, _ post: ItemHash, of owner: String, by message: VerifiedMessage
    ) -> Bool {
        let shown = known.known(path)
        let isOld = shown.map { $0.time < message.time } ?? true
        // Before the list is told, so that no answer to an earlier question gets into it after
        // that; and after it, for a list that is being read keeps what it brings.
        if isOld { known.forget(path) }
        let posts = known.listing(.part(owner, .posts))
        let isNews = posts?.noteReplaced(post, by: message.itemHash, message.time) ?? true
        guard isOld, isNews || shown != nil else { return false }
        known.forget(path)
        return true
    }

    private func put(_ entry: AlephEntry, _ owner: String, _ isOurs: Bool) {
        let part: AlephPath.Part
        switch entry.path {
        case .post: part = .posts
        case .storedFile: part = .files
        default: part = .aggregates
        }
        guard let listing = known.listing(.part(owner, part)) else { return }
        let standing = listing.known(entry.name)
        // It may be in the list already, or older than what is.
        if let standing, standing.sources.contains(where: { entry.sources.contains($0) }) { return }
        let entry = listing.current(entry)
        if entry.text != nil { known.keep(entry, as: entry.path) }
        guard listing.put(entry, isNews: true) else {
            return putUnlisted(entry, owner, part, listing, isOurs: isOurs)
        }
        if part == .files, standing != nil, listing.known(entry.name)?.message == entry.message {
            other(entry.name, owner, part, isOurs)
        } else if standing == nil {
            tell(entry.name, in: .part(owner, part), isOther: false)
        }
    }

    /// Messages of an owner were taken back.
    private func forgotten(_ targets: Set<ItemHash>, _ owner: String) {
        for target in targets {
            known.forget(.message(target))
            let name = "\(target).json"
            seen.withLock { seen in
                seen.remove(name, from: .messages)
                // A file in parts has there the name of its manifest.
                seen.remove(target.text, from: .files)
            }
            known.forget(.file(target))
            tell(name, in: .messages, isOther: true)
            tell(target.text, in: .files, isOther: true)
        }
        known.forgetStored(from: targets)
        for (_, item) in mine.names(in: .posts) {
            guard let target = item.record.target, targets.contains(target) else { continue }
            mine.targetForgotten(item.name)
            changed(item.name)
        }
        for path in known.listed {
            guard let listing = known.listing(path) else { continue }
            listing.noteGone(targets)
            let names = listing.names(from: targets)
            for name in names { forgotten(name, in: path, listing, targets) }
            forgottenUnlisted(targets, in: path, listing)
        }
        // Of aggregates only the last element is known: any may be another now.
        guard let aggregates = known.listing(.part(owner, .aggregates)) else { return }
        let isElsewhere = aggregates.names(from: targets).isEmpty
        if isElsewhere, !known.hasAggregate(of: owner, from: targets) { return }
        let touched = aggregates.names { entry in
            if case .history = entry.path { return false }
            return true
        }
        let unlisted = unlistedNames(in: .part(owner, .aggregates), aggregates)
            .filter { AlephName.text(of: $0, suffix: ".json") != nil }
        known.forgetListing(.part(owner, .aggregates))
        known.forgetListings { path in
            if case .history(owner, _) = path { return true }
            return false
        }
        known.forgetFiles(of: owner) { path in
            switch path {
            case .aggregate(owner, _), .element(owner, _, _): true
            default: false
            }
        }
        for name in touched + unlisted { other(name, owner, .aggregates, false) }
    }

    /// Messages that a name comes from were taken back.
    func forgotten(
        _ name: String, in path: AlephPath, _ listing: AlephListing, _ targets: Set<ItemHash>
    ) {
        guard var entry = listing.known(name) else { return }
        known.forget(entry.path)
        let left = entry.sources.filter { !targets.contains($0) }
        let first = entry.sources.first
        switch path {
        case .part(_, .posts) where first.map({ !targets.contains($0) }) ?? false:
            // What replaced it is gone: it is read anew, and nobody knows what it is until then.
            entry.sources = left
            entry.time = 0
            listing.put(entry)
            known.forget(entry.path)
        case .part(_, .files) where entry.message.map({ !targets.contains($0) }) ?? false:
            // Older versions are gone; the name shows what it did.
            entry.sources = left
            listing.put(entry)
            return
        case .part(_, .files) where !left.isEmpty:
            // An older version shows again.
            known.forgetListing(path)
        case .part(_, .aggregates): return
        case .files where !left.isEmpty, .ipfs where !left.isEmpty:
            entry.sources = left
            listing.put(entry)
            return
        default: listing.remove(name)
        }
        tell(name, in: path, isOther: true)
    }

    // MARK: Telling

    /// A name of ours shows other bytes.
    func changed(_ name: AlephOwnName) { tell(name.name, in: .part(own, name.part), isOther: true) }

    /// A name in an account's directory shows other bytes, unless it shows what was written here.
    func other(
        _ name: String, _ owner: String, _ part: AlephPath.Part, _ isOurs: Bool
    ) {
        if owner == own {
            let mineName = AlephOwnName(part: part, name: name)
            if !isOurs { mine.othersChanged(mineName) }
        }
        tell(name, in: .part(owner, part), isOther: true)
    }

    /// Tells the kernel of a name.
    ///
    /// - Parameter isOther: whether it leads to something else than before, if it led anywhere.
    func tell(_ name: String, in path: AlephPath, isOther: Bool) {
        for directory in directories(path) {
            let isShownHere =
                nodes.withLock { nodes -> Bool in
                    guard let number = nodes.number(name, in: directory),
                        case .own(let part) = nodes[number]?.place
                    else { return false }
                    return mine.own(AlephOwnName(part: part, name: name)).map {
                        !$0.record.isGone && ($0.staged != nil || $0.view != nil)
                    } ?? false
                }
            if isShownHere { continue }
            if isOther { nodes.withLock { _ = $0.drop(name, in: directory) } }
            trouble.listener?.nameChanged(directory, Array(name.utf8))
        }
    }

    /// The numbers of a directory, of those that have been seen.
    func directories(_ path: AlephPath) -> [UInt64] {
        let names: [[String]]
        switch path {
        case .part(let address, let part):
            names = places(address).map { $0 + [part.rawValue] }
        case .history(let address, let key):
            let name = AlephName.name(for: key, suffix: ".history")
            names = places(address).map { $0 + ["aggregates", name] }
        case .messages: names = [["messages"]]
        case .files: names = [["files"]]
        case .ipfs: names = [["ipfs"]]
        case .accounts: names = [["accounts"]]
        case .tags: names = [["tags"]]
        case .tagged(let tags): names = [["tags"] + tags.map { AlephName.name(for: $0) }]
        default: names = []
        }
        return names.compactMap { number($0) }
    }

    private func places(_ address: String) -> [[String]] {
        let general = ["accounts", address]
        return address == own ? [general, ["me"]] : [general]
    }

    private func number(_ names: [String]) -> UInt64? {
        nodes.withLock { nodes in
            var number = AlephNodes.root
            for name in names {
                guard let next = nodes.number(name, in: number) else { return nil }
                number = next
            }
            return number
        }
    }
}
