// SPDX-License-Identifier: Apache-2.0
//
// What names below `aleph/` lead to, and whether it is there.

import Aleph
import AlephProtocol
import Engine
import Primitives

extension AlephMount {
    /// A node and what it is.
    func node(_ number: UInt64) throws(FileError) -> (AlephNode, AlephPlace) {
        guard let node = nodes.withLock({ $0[number] }) else { throw .stale }
        return (node, node.place)
    }

    /// A name that may be changed.
    func ownName(_ node: UInt64) throws(FileError) -> AlephOwnName {
        let (found, place) = try self.node(node)
        guard case .own(let part) = place else { throw .notPermitted }
        return AlephOwnName(part: part, name: found.name)
    }

    /// A name in a directory in which names may be changed.
    func ownName(_ name: [UInt8], in node: UInt64) throws(FileError) -> AlephOwnName {
        guard case .mine(let part) = try self.node(node).1 else { throw .notPermitted }
        guard let text = String(validating: name, as: UTF8.self) else { throw .invalid }
        // Histories are made by publishing.
        if part == .aggregates, AlephName.text(of: text, suffix: ".history") != nil {
            throw .notPermitted
        }
        return AlephOwnName(part: part, name: text)
    }

    /// What a name in a directory can be; nil if it can be nothing.
    func place(
        _ name: String, in node: UInt64, _ parent: AlephPlace, _ patience: Patience?
    ) throws(FileError) -> AlephPlace? {
        switch parent {
        case .me:
            return name == "inbox" ? .inbox : AlephPath.Part(rawValue: name).map { .mine($0) }
        case .mine(let part):
            if part == .aggregates, let key = AlephName.text(of: name, suffix: ".history") {
                return .network(.history(own, key: key))
            }
            return .own(part)
        case .inbox:
            return try inbox().entry(name, patience, trouble)?.message.map { .letter($0) }
        case .network(.root) where name == "me": return .me
        case .network:
            guard let names = nodes.withLock({ $0.names(to: node) }) else { throw .stale }
            return AlephPath(names + [name], own: own).map { .network($0) }
        case .own, .letter: return nil
        }
    }

    /// Asks whether what a name can be is there.
    ///
    /// - Throws: `notFound`.
    func requireThere(
        _ place: AlephPlace, _ name: String, in parent: UInt64, _ patience: Patience?
    ) throws(FileError) {
        switch place {
        case .me, .mine, .inbox, .letter: return
        case .network(.history(let address, _)):
            let listing = listing(.part(address, .aggregates))
            guard try listing.entry(name, patience, trouble) != nil else { throw .notFound }
        case .network(let path):
            if path.isDirectory || fact(name, in: parent) != nil || known.bare(path) != nil {
                return
            }
            _ = try size(try file(path, patience), patience)
        case .own(let part):
            let name = AlephOwnName(part: part, name: name)
            if let changed = mine.own(name) {
                if changed.record.isGone { throw .notFound }
                if mine.content(changed) != nil { return }
            } else if fact(name.name, in: parent) != nil {
                return
            }
            guard let entry = try entry(name, mine.own(name)?.record.target, patience) else {
                throw .notFound
            }
            _ = try size(entry, patience)
        }
    }

    // MARK: Files

    /// A file of the network, with its text if it has one.
    func file(_ path: AlephPath, _ patience: Patience?) throws(FileError) -> AlephEntry {
        if let found = known.file(path) { return found }
        switch path {
        case .storedFile(let address, let name):
            let files = listing(.part(address, .files))
            guard let found = try files.entry(name, patience, trouble) else { throw .notFound }
            return found
        case .element(let address, let key, let name):
            let listing = listing(.history(address, key: key))
            guard try listing.entry(name, patience, trouble) != nil else { throw .notFound }
            if let found = known.file(path) { return found }
        case .aggregate(let address, let key):
            // Its list says whether it is there; and what is listed is watched.
            let name = AlephName.name(for: key, suffix: ".json")
            let aggregates = listing(.part(address, .aggregates))
            guard try aggregates.entry(name, patience, trouble) != nil else { throw .notFound }
        case .post(let address, _): watch.watch(.owner(address))
        case .file(let hash):
            if let own = known.listing(.files)?.known(hash.text) { return own }
            let entry = AlephEntry(stored: hash)
            if known.isAbsent(path, now) { throw .notFound }
            do throws(FileError) {
                _ = try size(entry, patience)
                return entry
            } catch .notFound where hash.type == .storage {
                // It may be the message that keeps a file.
                let tree = tree
                return try fetched(path, patience) { () throws(AlephError) in
                    try tree.file(keptBy: hash)
                }
            } catch .notFound {
                known.noteAbsent(path, now)
                throw .notFound
            }
        default: break
        }
        if known.isAbsent(path, now) { throw .notFound }
        let tree = tree
        return try fetched(path, patience) { () throws(AlephError) in try tree.file(path) }
    }

    /// What somebody said of a file, and when he was asked.
    private struct Answer: Sendable {
        let entry: AlephEntry
        let moment: UInt64
    }

    /// How often a file is asked for that becomes another while it is.
    private static let askAttempts = 4

    /// Asks for a file, and keeps what is said of it.
    private func fetched(
        _ path: AlephPath, _ patience: Patience?,
        _ question: @escaping @Sendable () throws(AlephError) -> AlephEntry
    ) throws(FileError) -> AlephEntry {
        let known = known
        var last: AlephEntry?
        for _ in 0..<AlephMount.askAttempts {
            let answer: Answer
            do throws(FileError) {
                answer = try jobs.ask(.file(path), patience) { () throws(AlephError) in
                    let moment = known.moment
                    return Answer(entry: try question(), moment: moment)
                }
            } catch .notFound {
                known.noteAbsent(path, now)
                throw .notFound
            }
            let found = answer.entry
            let directory = AlephMount.directory(of: path).flatMap { known.listing($0) }
            let isCurrent = known.keep(found, as: path, since: answer.moment) {
                guard let directory, found.text != nil else { return }
                AlephMount.note(found, at: path, in: directory)
            }
            if isCurrent { return found }
            last = found
        }
        // It changes as fast as it is asked for: this was true a moment ago, and is not kept.
        guard let last else { throw .inputOutput }
        return last
    }

    /// The directory that says what a text is without it.
    private static func directory(of path: AlephPath) -> AlephPath? {
        switch path {
        case .post(let address, _): .part(address, .posts)
        case .aggregate(let address, _): .part(address, .aggregates)
        default: nil
        }
    }

    /// Has a directory say of a name what was read: who looks next asks nobody.
    private static func note(_ found: AlephEntry, at path: AlephPath, in directory: AlephListing) {
        switch path {
        case .post: directory.noteAsked(found)
        case .aggregate(_, let key):
            directory.note(
                AlephFact(size: found.text?.count ?? 0, time: found.time),
                of: AlephName.name(for: key, suffix: ".json"))
        default: break
        }
    }

    private var now: Double { session.client.time.now() }

    /// What a directory that was listed says of a name, so that its bytes need not be here.
    func fact(_ name: String, in directory: UInt64) -> AlephFact? {
        switch nodes.withLock({ $0[directory]?.place }) {
        case .network(let path): known.listing(path)?.fact(name)
        case .mine(let part): known.listing(.part(own, part))?.fact(name)
        default: nil
        }
    }

    /// What the network has under one of our own names; nil if nothing.
    ///
    /// - Parameter target: the post that the name stands for, if it is not named by its message.
    func entry(
        _ name: AlephOwnName, _ target: ItemHash?, _ patience: Patience?
    ) throws(FileError) -> AlephEntry? {
        let path: AlephPath
        switch name.part {
        case .posts:
            let named = name.name.hasSuffix(".json") ? ItemHash(String(name.name.dropLast(5))) : nil
            guard let hash = target ?? named else { return nil }
            path = .post(own, hash)
        case .files: path = .storedFile(own, name: name.name)
        case .aggregates:
            guard let key = AlephName.text(of: name.name, suffix: ".json") else { return nil }
            path = .aggregate(own, key: key)
        }
        do throws(FileError) {
            return try file(path, patience)
        } catch .notFound {
            return nil
        }
    }

    /// A stored file with all that its owner says of it: its directory may keep less.
    func whole(_ entry: AlephEntry, _ patience: Patience?) throws(FileError) -> AlephEntry {
        guard entry.isBrief, let hash = entry.message else { return entry }
        let client = session.client
        let message = try jobs.ask(.details(hash), patience) { () throws(AlephError) in
            try client.processedMessage(hash)
        }
        return entry.completed(from: message)
    }

    /// Bytes of a file.
    func size(_ entry: AlephEntry, _ patience: Patience?) throws(FileError) -> Int {
        if let text = entry.text { return text.count }
        if let size = entry.largeSize { return size }
        guard let hash = entry.file else { throw .stale }
        if let here = files.size(hash) { return Int(clamping: here) }
        if let size = known.size(hash) ?? entry.statedSize { return size }
        let client = session.client
        let size = try jobs.ask(.size(hash), patience) { () throws(AlephError) in
            try client.fileSize(hash)
        }
        known.keepSize(size, of: hash)
        return size
    }

    /// A stored file, on the local disk.
    func stored(
        _ hash: ItemHash, _ patience: Patience?
    ) throws(FileError) -> AlephLocalFile {
        if let file = files.checked(hash) { return file }
        let (files, client) = (files, session.client)
        return try jobs.ask(.download(hash), patience) { () throws(AlephError) in
            try files.fetch(hash, by: client)
        }
    }

    // MARK: Directories

    /// The names of a directory that are the same for everybody; nil of those that are asked for.
    func names(_ path: AlephPath) -> [(String, AlephPlace)]? {
        switch path {
        case .root:
            return AlephPath.rootNames.compactMap { name in
                if name == "me" { return (name, .me) }
                return AlephPath([name], own: own).map { (name, .network($0)) }
            }
        case .account(let address):
            return AlephPath.Part.allCases.map { ($0.rawValue, .network(.part(address, $0))) }
        default: return nil
        }
    }

    /// A directory's listing, which begins to be read if it was not.
    func listing(_ path: AlephPath) -> AlephListing {
        if let known = known.listing(path) { return known }
        // First: what comes while it is read is told.
        if let interest = interest(in: path) { watch.watch(interest) }
        let (listing, isNew) = known.makeListing(path)
        guard isNew else { return listing }
        let moment = known.moment
        jobs.list { [self] in
            do throws(AlephError) {
                var isCut = false
                try tree.list(path) { entry in
                    isCut = !take(entry, into: listing, of: path, since: moment)
                    return !isCut
                }
                if isCut {
                    trouble.report(
                        "a directory has more than \(AlephListing.limit) names, or is larger than"
                            + " \(AlephListing.byteLimit >> 20) MiB: the rest is not listed, but"
                            + " opens by its name")
                }
                // More came meanwhile than can be told apart from what was listed.
                if listing.finish(nil) { known.forgetListing(path, listing) }
            } catch {
                listing.finish(error)
            }
        }
        return listing
    }

    /// Makes what a list brought part of its directory.
    ///
    /// - Parameter moment: when the list was asked for.
    /// - Returns: false if there is no room.
    private func take(
        _ entry: AlephEntry, into listing: AlephListing, of path: AlephPath, since moment: UInt64
    ) -> Bool {
        // A file that several messages keep is there until all are taken back.
        switch listing.list(entry, joins: AlephMount.isFiles(path)) {
        case .full: return false
        case .placed(let placed, let gone):
            if placed.text != nil { known.keep(placed, as: placed.path, since: moment) }
            if !gone.isEmpty { forgotten(placed.name, in: path, listing, gone) }
        case .gone:
            // Of aggregates only the last elements are known here: others may have the key.
            if case .part(_, .aggregates) = path { known.forgetListing(path, listing) }
        }
        return true
    }

    /// Whether what several messages put under one name is one file.
    private static func isFiles(_ path: AlephPath) -> Bool {
        switch path {
        case .files, .ipfs, .part(_, .files): true
        default: false
        }
    }

    /// What tells of changes of a place.
    func interest(in path: AlephPath) -> AlephInterest? {
        switch path {
        case .messages, .files, .ipfs, .tags: .owner(own)
        case .part(let address, _), .history(let address, _), .post(let address, _),
            .storedFile(let address, _), .aggregate(let address, _), .element(let address, _, _):
            .owner(address)
        case .tagged(let tags): .tags(tags)
        default: nil
        }
    }

    /// The names of one of our own directories: the network's, without those that are changed
    /// here, and then these.
    func myChildren(
        _ part: AlephPath.Part, from start: Int, _ limit: Int, _ patience: Patience?
    ) throws(FileError) -> [(next: Int, name: String, place: AlephPlace)] {
        let changed = mine.names(in: part)
        let hidden = Set(changed.map { $0.own.record.name })
        let targets = Set(changed.compactMap { $0.own.record.target.map { "\($0).json" } })
        var found: [(next: Int, name: String, place: AlephPlace)] = []
        var position = start
        while position < AlephMount.changedStart {
            let page = try listing(.part(own, part)).page(
                from: position, limit: limit, patience, trouble)
            guard let last = page.last else { break }
            for (next, entry) in page
            where !hidden.contains(entry.name) && !targets.contains(entry.name) {
                let place: AlephPlace =
                    entry.path.isDirectory ? .network(entry.path) : .own(part)
                found.append((next, entry.name, place))
            }
            if !found.isEmpty { return found }
            position = last.next
        }
        for (number, item) in changed where !item.record.isGone {
            found.append((AlephMount.changedStart + Int(number) + 1, item.record.name, .own(part)))
        }
        return found
    }

    /// Positions of what is changed here come after all of the network's.
    static let changedStart = 1 << 40
}
