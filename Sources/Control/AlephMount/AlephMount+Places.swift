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
            return try letterPlace(name, patience)
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
        case .network(.history(let address, let key)):
            let aggregates = listing(.part(address, .aggregates))
            if try aggregates.entry(name, patience, trouble) != nil { return }
            guard aggregates.isCut else { throw .notFound }
            // What is not listed is there if it has elements.
            let elements = listing(.history(address, key: key))
            guard try !elements.page(from: 0, limit: 1, patience, trouble).isEmpty else {
                throw .notFound
            }
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
            if let found = try files.entry(name, patience, trouble) { return found }
            return try unlisted(path, name, of: address, files.beyond(name), patience)
        case .element(let address, let key, let name):
            let listing = listing(.history(address, key: key))
            guard try listing.entry(name, patience, trouble) != nil || listing.isCut else {
                throw .notFound
            }
            if let found = known.file(path) { return found }
        case .aggregate(let address, let key):
            // Its list says whether it is there; and what is listed is watched.
            let name = AlephName.name(for: key, suffix: ".json")
            let aggregates = listing(.part(address, .aggregates))
            guard try aggregates.entry(name, patience, trouble) != nil || aggregates.isCut else {
                throw .notFound
            }
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

    /// A file for whose name its directory has no room.
    ///
    /// - Throws: `notFound` only where it is known that there is no such name.
    private func unlisted(
        _ path: AlephPath, _ name: String, of address: String, _ answer: AlephBeyond.Answer,
        _ patience: Patience?
    ) throws(FileError) -> AlephEntry {
        switch answer {
        case .absent: throw .notFound
        case .messages(let messages):
            if known.isAbsent(path, now) { throw .notFound }
            let tree = tree
            return try fetched(path, patience) { () throws(AlephError) in
                try tree.storedFile(name, of: address, from: messages)
            }
        case .unknown:
            let (limit, versions) = (AlephBeyond.limit, AlephBeyond.versionLimit)
            trouble.report(
                "an account has more than \(limit) messages of files besides those"
                    + " that are listed, or more than \(versions) of one name: what is not among"
                    + " these cannot be looked up. Files open by their messages' hashes in files/")
            throw .inputOutput
        }
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
}
