// SPDX-License-Identifier: Apache-2.0
//
// What new messages change of names for which their directory's list has no room: the kernel may
// know these all the same.

import Aleph
import AlephProtocol
import Engine
import Primitives

extension AlephMount {
    /// A name that came as news has no room in its directory.
    ///
    /// - Parameter isOurs: whether it shows what was written here.
    func putUnlisted(
        _ entry: AlephEntry, _ owner: String, _ part: AlephPath.Part, _ listing: AlephListing,
        isOurs: Bool
    ) {
        let directory = AlephPath.part(owner, part)
        guard part == .files else {
            // By its name it is asked for like any other.
            noteCut(directory, listing)
            return tell(entry.name, in: directory, isOther: false)
        }
        let isNew = listing.beyond(entry.name) == .absent
        listing.noteBeyond(entry)
        reportCut(directory, listing)
        known.forget(entry.path)
        if isOurs, isNew {
            tell(entry.name, in: directory, isOther: false)
        } else {
            // It may have had another version.
            other(entry.name, owner, part, isOurs)
        }
    }

    /// What came as news has no room in its directory.
    func noteCut(_ path: AlephPath, _ listing: AlephListing) {
        listing.noteCut()
        reportCut(path, listing)
    }

    /// Messages were taken back, and with them what names show that are not listed.
    func forgottenUnlisted(
        _ targets: Set<ItemHash>, in path: AlephPath, _ listing: AlephListing
    ) {
        for name in unlistedNames(in: path, listing)
        where isUnlisted(name, in: path, listing, from: targets) {
            if let place = AlephMount.unlistedPath(name, in: path) { known.forget(place) }
            tell(name, in: path, isOther: true)
        }
    }

    /// Names of a directory that was cut that have been seen, and are not in its list.
    func unlistedNames(in path: AlephPath, _ listing: AlephListing) -> [String] {
        guard listing.isCut else { return [] }
        let numbers = directories(path)
        let names = nodes.withLock { nodes in Set(numbers.flatMap { nodes.names(in: $0) }) }
        return names.filter { listing.known($0) == nil }
    }

    /// Whether a name may come from one of these messages.
    private func isUnlisted(
        _ name: String, in path: AlephPath, _ listing: AlephListing, from targets: Set<ItemHash>
    ) -> Bool {
        switch path {
        case .part(_, .files):
            switch listing.beyond(name) {
            case .absent: return false
            case .messages(let messages): return !targets.isDisjoint(with: messages)
            case .unknown: return true
            }
        case .part(_, .posts), .history:
            guard let place = AlephMount.unlistedPath(name, in: path) else { return false }
            if case .post(_, let hash) = place, targets.contains(hash) { return true }
            // What replaced it is known with its text; without that it may be one of these.
            return known.known(place).map { !targets.isDisjoint(with: $0.sources) } ?? true
        default:
            return AlephMessageName(fileName: name).map { targets.contains($0.hash) } ?? false
        }
    }

    private static func unlistedPath(_ name: String, in path: AlephPath) -> AlephPath? {
        switch path {
        case .part(let address, .posts):
            AlephMessageName(fileName: name).map { .post(address, $0.hash) }
        case .history(let address, let key): .element(address, key: key, name: name)
        default: nil
        }
    }
}
