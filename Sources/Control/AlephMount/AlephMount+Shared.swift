// SPDX-License-Identifier: Apache-2.0
//
// `messages/`, `files/`, `ipfs/`, `tags/` and `accounts/`: directories of everything there is,
// which nobody can list. They show what there is of the own account, and what was looked up here.

import Aleph
import AlephProtocol
import Engine
import Primitives

extension AlephMount {
    /// Whether a directory has something of everybody.
    static func isShared(_ path: AlephPath) -> Bool {
        switch path {
        case .messages, .files, .ipfs, .tags, .accounts: true
        default: false
        }
    }

    /// The names of such a directory: first the own account's, then what was looked up.
    func sharedChildren(
        _ path: AlephPath, from start: Int, _ limit: Int, _ patience: Patience?
    ) throws(FileError) -> [(next: Int, name: String, place: AlephPlace)] {
        let listing = listing(path)
        if start < AlephMount.changedStart {
            let page = try listing.page(from: start, limit: limit, patience, trouble)
            if !page.isEmpty {
                return page.map { ($0.next, $0.entry.name, .network($0.entry.path)) }
            }
        }
        let first = max(start - AlephMount.changedStart, 0)
        var found: [(next: Int, name: String, place: AlephPlace)] = []
        for (number, name) in seen.withLock({ $0.names(in: path, from: first) })
        where listing.known(name) == nil {
            guard let child = child(name, of: path) else { continue }
            found.append((AlephMount.changedStart + number + 1, name, .network(child)))
            if found.count == limit { break }
        }
        return found
    }

    private func child(_ name: String, of directory: AlephPath) -> AlephPath? {
        let start =
            switch directory {
            case .messages: "messages"
            case .files: "files"
            case .ipfs: "ipfs"
            case .tags: "tags"
            default: "accounts"
            }
        return AlephPath([start, name], own: own)
    }

    /// Something was looked up and is there: it stays listed.
    func noteFound(_ place: AlephPlace, in parent: AlephPlace) {
        guard case .network(let path) = place, case .network(let directory) = parent,
            // Of a directory nobody knows that there is something in it before it was read.
            !path.isDirectory
        else { return }
        noteSeen(path, in: directory)
    }

    /// Something was found in a directory.
    func noteFound(in path: AlephPath) { noteSeen(path, in: path) }

    private func noteSeen(_ path: AlephPath, in parent: AlephPath) {
        guard let (directory, name) = AlephSeen.name(for: path, in: parent),
            known.listing(directory)?.known(name) == nil,
            seen.withLock({ $0.note(name, in: directory) })
        else { return }
        for number in directories(directory) { trouble.listener?.nameChanged(number, nil) }
    }

    /// What was looked up is not there: it is not listed any more.
    func noteAbsent(_ name: String, in parent: AlephPlace) {
        guard case .network(let path) = parent, AlephMount.isShared(path),
            seen.withLock({ $0.remove(name, from: path) })
        else { return }
        for number in directories(path) { trouble.listener?.nameChanged(number, nil) }
    }

    /// A message of the own account is part of what is everybody's.
    func putShared(_ message: VerifiedMessage) {
        for (directory, entry) in AlephTree.shared(from: message) {
            guard let listing = known.listing(directory) else { continue }
            let standing = listing.known(entry.name)
            let isKnown = entry.message.map { standing?.sources.contains($0) ?? false } ?? true
            if standing != nil, isKnown { continue }
            if entry.text != nil { known.keep(entry, as: entry.path) }
            if listing.put(entry, isNews: true) {
                tell(entry.name, in: directory, isOther: false)
            } else {
                noteCut(directory, listing)
            }
        }
    }
}
