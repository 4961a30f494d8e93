// SPDX-License-Identifier: Apache-2.0
//
// `aleph/` in a mount: Aleph Cloud as directories and files. This file is what the engine asks;
// `AlephMount+Places.swift` finds what names lead to, `AlephMount+News.swift` hears what changed,
// `AlephMine` has what was changed here.
//
// Invariants:
// - Nothing of the network is shown that `AlephClient` has not checked.
// - What is kept in memory or on the local disk is shown without a question to anybody; only what
//   is not kept waits for the network, and then with patience.
// - A node whose bytes become others is given another number: the kernel never forgets the size of
//   a file it has cached.

package import Aleph
package import AlephProtocol
package import Engine
import JSON
import Namespace
import Primitives
package import Threading

/// The tree `aleph/`.
package final class AlephMount: WritableForeignTree {
    package let name = "aleph"

    let own: String
    private let isReadOnly: Bool
    let account: AlephAccount
    let session: AlephSession
    let tree: AlephTree
    let trouble = AlephTrouble()
    let jobs: AlephJobs
    let known: AlephKnown
    let files: AlephFileStore
    /// Parts of large files, which are no files to be listed.
    let partFiles: AlephFileStore
    let watch: AlephWatch
    let mine: AlephMine
    let nodes = Lock(AlephNodes())
    /// Messages of ours that were made part of what is shown, so that they are not news.
    let heard = Lock(AlephHeard())
    let letters = Lock(AlephLetterShelf())
    /// What was looked up where nothing lists it.
    let seen = Lock(AlephSeen())
    let started = Timestamp.now()

    /// Asks for nothing yet.
    ///
    /// - Parameters:
    ///   - folder: of the volume; what is kept is in its folder `aleph`.
    ///   - cacheBudget: of the volume.
    ///   - plan: how files are stored and paid for.
    ///   - isReadOnly: whether what an earlier mount left to publish waits for another.
    ///   - interval: time between two questions for news.
    ///   - nameLimit: the most names that are listed of one directory.
    package init(
        _ session: AlephSession, _ account: AlephAccount, folder: String, cacheBudget: UInt64,
        plan: StorePlan, isReadOnly: Bool = false, interval: Duration = MessageFeed.interval,
        nameLimit: Int = AlephTree.maximumNameCount
    ) throws(CommandFailure) {
        self.isReadOnly = isReadOnly
        self.session = session
        self.account = account
        own = account.address
        tree = AlephTree(session.client, own: account.address, nameLimit: nameLimit)
        jobs = AlephJobs(trouble)
        watch = AlephWatch(session.client, interval: interval)
        let base = folder + "/aleph"
        do {
            files = try AlephFileStore(folder: base + "/files", cacheBudget: cacheBudget)
            partFiles = try AlephFileStore(folder: base + "/parts", cacheBudget: cacheBudget)
            known = AlephKnown(
                spill: try AlephSpill(folder: base, cacheBudget: cacheBudget), nameLimit: nameLimit)
            mine = AlephMine(
                staging: try AlephStaging(folder: base + "/staging"), account: account,
                client: session.client, plan: plan, trouble)
        } catch {
            throw CommandFailure(.failure, "the folder “\(base)” cannot be used", error)
        }
    }

    package func begin(_ host: ForeignHost) {
        trouble.begin(host)
        watch.begin(
            AlephWatch.Ears(
                news: { [weak self] in self?.news($0, $1) }, lost: { [weak self] in self?.lost($0) }
            ))
        mine.begin(
            resumes: !isReadOnly,
            AlephMineSurroundings(
                entry: { [weak self] (name, target, patience) throws(FileError) in
                    guard let self else { return nil }
                    // Who changes a file publishes all of what its owner said of it again.
                    return try self.entry(name, target, patience).map { (found) throws(FileError) in
                        try self.whole(found, patience)
                    }
                },
                source: { [weak self] (entry, patience) throws(FileError) in
                    guard let self else { throw .stale }
                    return try self.source(entry, patience)
                },
                manifests: { [weak self] in self?.knownManifests ?? [] },
                manifest: { [weak self] (hash, patience) throws(FileError) in
                    guard let self else { throw .stale }
                    return try self.manifest(hash, patience)
                },
                published: { [weak self] in self?.published($0) },
                changed: { [weak self] in self?.changed($0) },
                adopt: { [weak self] in self?.files.adopt($0, as: $1) }))
    }

    package func end() {
        watch.stop()
        mine.stop()
        session.stop()
        jobs.stop()
    }

    // MARK: Looking

    package func status(
        of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> ForeignStatus {
        let (found, place) = try self.node(node)
        switch place {
        case .mine:
            return ForeignStatus(isDirectory: true, modified: started, mode: 0o755)
        case .me, .inbox: return ForeignStatus(isDirectory: true, modified: started)
        case .network(let path):
            if path.isDirectory { return ForeignStatus(isDirectory: true, modified: started) }
            if let fact = fact(found.name, in: found.parent) ?? known.bare(path) {
                return status(of: fact)
            }
            return try status(of: try file(path, patience), patience)
        case .own(let part):
            let name = AlephOwnName(part: part, name: found.name)
            let changed = mine.own(name)
            if let changed, !changed.record.isGone,
                let size = changed.staged?.size ?? changed.view.map({ UInt64($0.count) })
            {
                return ForeignStatus(
                    isDirectory: false, size: size, modified: changed.record.modified,
                    mode: changed.record.mode)
            }
            if changed == nil, let fact = fact(found.name, in: found.parent) {
                var status = status(of: fact)
                status.mode = 0o644
                return status
            }
            guard changed?.record.isGone != true,
                let entry = try entry(name, changed?.record.target, patience)
            else { throw .stale }
            var status = try status(of: entry, patience)
            status.mode = entry.mode ?? 0o644
            return status
        case .letter(let hash): return try letterStatus(hash, patience)
        }
    }

    private func status(
        of entry: AlephEntry, _ patience: Patience?
    ) throws(FileError) -> ForeignStatus {
        status(of: AlephFact(size: try size(entry, patience), time: entry.modified))
    }

    private func status(of fact: AlephFact) -> ForeignStatus {
        let time = fact.time
        let modified = Timestamp(
            seconds: Int64(time), nanoseconds: UInt32(time.truncatingRemainder(dividingBy: 1) * 1e9)
        )
        return ForeignStatus(
            isDirectory: false, size: UInt64(fact.size), modified: time > 0 ? modified : started)
    }

    package func child(
        _ name: [UInt8], of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        watch.noteUse()
        let (_, parent) = try self.node(node)
        guard parent.isDirectory else { throw .notDirectory }
        guard let text = String(validating: name, as: UTF8.self),
            let place = try place(text, in: node, parent, patience)
        else { throw .notFound }
        do throws(FileError) {
            try requireThere(place, text, in: node, patience)
        } catch .notFound {
            noteAbsent(text, in: parent)
            throw .notFound
        }
        noteFound(place, in: parent)
        return nodes.withLock { $0.number(text, in: node, place) }
    }

    package func children(
        of node: UInt64, from start: Int, limit: Int, _ patience: Patience?
    ) throws(FileError) -> [ForeignChild] {
        watch.noteUse()
        let (_, place) = try self.node(node)
        let found: [(next: Int, name: String, place: AlephPlace)]
        switch place {
        case .me: found = fixed(["posts", "files", "aggregates"].map(myPart) + [("inbox", .inbox)])
        case .mine(let part): found = try myChildren(part, from: start, limit, patience)
        case .inbox:
            found = try inbox().page(from: start, limit: limit, patience, trouble).compactMap {
                item in item.entry.message.map { (item.next, item.entry.name, .letter($0)) }
            }
        case .network(let path):
            guard path.isDirectory else { throw .notDirectory }
            if let names = names(path) {
                found = fixed(names)
            } else if AlephMount.isShared(path) {
                found = try sharedChildren(path, from: start, limit, patience)
            } else {
                found = try listing(path).page(from: start, limit: limit, patience, trouble).map {
                    ($0.next, $0.entry.name, .network($0.entry.path))
                }
                if !found.isEmpty { noteFound(in: path) }
            }
        case .own, .letter: throw .notDirectory
        }
        let wanted = found.lazy.filter { $0.next > start }.prefix(limit)
        return nodes.withLock { nodes in
            wanted.map { item in
                ForeignChild(
                    name: Array(item.name.utf8),
                    node: nodes.number(item.name, in: node, item.place),
                    isDirectory: item.place.isDirectory, next: item.next)
            }
        }
    }

    private func fixed(
        _ names: [(String, AlephPlace)]
    ) -> [(next: Int, name: String, place: AlephPlace)] {
        names.enumerated().map { ($0.offset + 1, $0.element.0, $0.element.1) }
    }

    private func myPart(_ name: String) -> (String, AlephPlace) {
        (name, AlephPath.Part(rawValue: name).map { .mine($0) } ?? .inbox)
    }

    package func open(
        _ node: UInt64, _ patience: Patience?
    ) throws(FileError) -> any ForeignContent {
        watch.noteUse()
        let (found, place) = try self.node(node)
        switch place {
        case .network(let path):
            if path.isDirectory { throw .isDirectory }
            let entry = try file(path, patience)
            if case .status = path { known.forget(path) }
            return try content(of: entry, shown: fact(found.name, in: found.parent), patience)
        case .own(let part):
            let name = AlephOwnName(part: part, name: found.name)
            let changed = mine.own(name)
            if changed?.record.isGone == true { throw .stale }
            if let changed, let content = mine.content(changed) { return content }
            guard let entry = try entry(name, changed?.record.target, patience) else {
                throw .stale
            }
            let shown = changed == nil ? fact(found.name, in: found.parent) : nil
            return try content(of: entry, shown: shown, patience)
        case .letter(let hash): return try letter(hash, patience)
        case .me, .mine, .inbox: throw .isDirectory
        }
    }

    /// - Parameter shown: what the directory says of it.
    private func content(
        of entry: AlephEntry, shown fact: AlephFact?, _ patience: Patience?
    ) throws(FileError) -> any ForeignContent {
        if let text = entry.text {
            if case .status = entry.path { return AlephText(bytes: text, keepsCache: nil) }
            // What nodes add that nobody signed, such as a time, may be longer when it is asked
            // for again.
            let isAsShown = fact.map { $0.size == text.count } ?? true
            return AlephText(bytes: text, keepsCache: isAsShown ? true : nil)
        }
        if entry.largeSize != nil { return try parts(entry, patience) }
        guard let hash = entry.file else { throw .stale }
        let shown = try size(entry, patience)
        let file = try stored(hash, patience)
        // What its owner or a node said of its size may be wrong: the bytes are not.
        return AlephStoredContent(
            file: file, keepsCache: file.size == UInt64(shown) ? true : nil)
    }

    // MARK: Changing

    package func create(
        _ name: [UInt8], in node: UInt64, mode: UInt32, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        let own = try ownName(name, in: node)
        try mine.create(own, mode: mode, patience)
        return nodes.withLock { nodes in
            nodes.drop(own.name, in: node)
            return nodes.number(own.name, in: node, .own(own.part))
        }
    }

    package func openForWriting(
        _ node: UInt64, truncates: Bool, _ patience: Patience?
    ) throws(FileError) -> any WritableForeignContent {
        try mine.open(try ownName(node), truncates: truncates, patience)
    }

    package func change(
        _ node: UInt64, _ change: AttributeChange, _ patience: Patience?
    ) throws(FileError) {
        try mine.change(try ownName(node), change, patience)
    }

    package func remove(
        _ name: [UInt8], in node: UInt64, _ patience: Patience?
    ) throws(FileError) {
        let own = try ownName(name, in: node)
        try mine.remove(own, patience)
        nodes.withLock { _ = $0.drop(own.name, in: node) }
    }

    package func rename(
        _ name: [UInt8], in node: UInt64, to newName: [UInt8], in newNode: UInt64,
        _ mode: RenameMode, _ patience: Patience?
    ) throws(FileError) {
        let (old, new) = (try ownName(name, in: node), try ownName(newName, in: newNode))
        if old == new { return }
        try mine.rename(old, to: new, mode, patience)
        nodes.withLock { $0.move(old.name, in: node, to: new.name, in: newNode) }
    }

    package func synchronize(_ node: UInt64, _ patience: Patience?) throws(FileError) {
        let (found, place) = try self.node(node)
        guard case .own(let part) = place else { return }
        try mine.synchronize(AlephOwnName(part: part, name: found.name), patience)
    }

    package var pendingCount: Int { mine.pendingCount }

    package func flushAll(retrying: Bool, until deadline: WaitClock.Instant?) -> FileError? {
        mine.flushAll(retrying: retrying, until: deadline)
    }
}
