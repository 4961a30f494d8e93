// SPDX-License-Identifier: Apache-2.0
//
// What directories below `aleph/` list, and how lists of the network become that.

import Aleph
import AlephProtocol
import Engine
import Primitives

extension AlephMount {
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
        if let known = known.listing(path) {
            if let interest = interest(in: path) { watch.noteUse(of: interest) }
            return known
        }
        // First: what comes while it is read is told.
        if let interest = interest(in: path) { watch.watch(interest) }
        let (listing, isNew) = known.makeListing(path)
        guard isNew else { return listing }
        let moment = known.moment
        jobs.list { [self] in
            do throws(AlephError) {
                try tree.list(path, beyond: { listing.noteBeyond($0) }) { entry in
                    take(entry, into: listing, of: path, since: moment)
                }
                reportCut(path, listing)
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
    /// - Returns: false if there is no room, and no need to read on.
    private func take(
        _ entry: AlephEntry, into listing: AlephListing, of path: AlephPath, since moment: UInt64
    ) -> Bool {
        // A file that several messages keep is there until all are taken back.
        switch listing.list(entry, joins: AlephMount.isFiles(path)) {
        case .full:
            guard case .part(_, .files) = path else {
                // By its name it is asked for like any other.
                listing.noteCut()
                return false
            }
            return listing.noteBeyond(entry)
        case .placed(let placed, let gone):
            if placed.text != nil { known.keep(placed, as: placed.path, since: moment) }
            if !gone.isEmpty { forgotten(placed.name, in: path, listing, gone) }
        case .gone:
            // Of aggregates only the last elements are known here: others may have the key.
            if case .part(_, .aggregates) = path { known.forgetListing(path, listing) }
        }
        return true
    }

    /// Says that a list is cut, once.
    func reportCut(_ path: AlephPath, _ listing: AlephListing) {
        guard listing.isNewlyCut() else { return }
        // One of more elements than there are names is not listed at all.
        if case .history = path {
            return trouble.report(
                "the elements of an aggregate have more than the \(AlephListing.byteLimit >> 20)"
                    + " MiB that are listed: `ls` does not show the rest, but each of them opens"
                    + " by its name")
        }
        let what =
            switch path {
            case .part(_, .posts): "posts"
            case .part(_, .files): "files"
            case .part(_, .aggregates): "aggregates"
            default: "messages"
            }
        trouble.report(
            "a directory of \(what) has more than the \(known.nameLimit) names, or the"
                + " \(AlephListing.byteLimit >> 20) MiB, that are listed: `ls` does not show the"
                + " rest, but each of them opens by its name")
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
