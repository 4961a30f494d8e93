// SPDX-License-Identifier: Apache-2.0
//
// What the newest revision says of a name: the entries of its pages, read back from the store.
// Asked only for files of which the store has nothing newer.

import Metadata
import Namespace
import Primitives
import Stores

/// The entries of the revision that a publication goes on from.
struct PublishedEntries {
    /// Opened leaves kept in memory: neighbours are asked for one after the other.
    static let leafLimit = 16

    private let volume: Volume
    private let snapshot: MetadataSnapshot
    private var leaves: [Digest: [Entry]] = [:]
    /// By inode, what stood at names that were given away since; nil when nobody asked yet.
    private var moved: [UInt64: Entry]?

    init(volume: Volume, snapshot: MetadataSnapshot) {
        self.volume = volume
        self.snapshot = snapshot
    }

    /// What can stand in for the content of a file that has this name now; nil for nothing.
    ///
    /// Not a directory, which was empty before its name was taken, and not a pad, whose identity
    /// goes with the name and may stand elsewhere.
    mutating func content(
        at name: [UInt8], in directory: UInt64
    ) throws(EntryBuilder.Failure) -> Entry? {
        guard var found = try entry(name, in: directory) else { return nil }
        if case .link = found.body {
            let key = Entry.hardLinkName(of: found.ino)
            guard let linked = try entry(key, in: Volume.hardLinkDirectory) else { return nil }
            found = linked
        }
        switch found.body {
        case .regular, .symlink, .special: return found
        case .directory, .pad, .link: return nil
        }
    }

    /// What the revision has of an inode whose name, or form of entry, is another one now.
    mutating func moved(_ ino: UInt64) throws(EntryBuilder.Failure) -> Entry? {
        if let moved { return moved[ino] }
        var all: [UInt64: Entry] = [:]
        let names = try read { (s) throws(MetadataError) in
            try s.touchedNames(upTo: UInt64(Int64.max))
        }
        for touched in names {
            guard let entry = try entry(touched.name, in: touched.directory),
                case .regular = entry.body,
                let row = try read({ (s) throws(MetadataError) in try s.inode(entry.ino) }),
                row.linkCount > 0
            else { continue }
            all[entry.ino] = entry
        }
        moved = all
        return all[ino]
    }

    /// The entry of one name as the revision has it.
    private mutating func entry(
        _ name: [UInt8], in directory: UInt64
    ) throws(EntryBuilder.Failure) -> Entry? {
        let rows = try read { (s) throws(MetadataError) in try s.leaves(directory) }
        if rows.isEmpty { return nil }
        let reference = rows[PageWriter.leaf(of: name, in: rows)].reference
        return try leaf(reference).first { $0.name == name }
    }

    /// A leaf that is gone or damaged has nothing to say: it does not keep what is new from being
    /// published.
    private mutating func leaf(_ reference: PageReference) throws(EntryBuilder.Failure) -> [Entry] {
        if let known = leaves[reference.address] { return known }
        var entries: [Entry] = []
        do {
            let chunk = try volume.configuration.chunks.get(reference.address)
            guard case .leaf(let found) = try PageCodec.open(chunk, reference: reference) else {
                throw NamespaceError.malformed("a leaf is expected here")
            }
            entries = found
        } catch let error as StoreError {
            switch error {
            case .missing, .corrupt: report(reference)
            default: throw .store(error)
            }
        } catch {
            report(reference)
        }
        if leaves.count >= PublishedEntries.leafLimit { leaves.removeAll() }
        leaves[reference.address] = entries
        return entries
    }

    private func report(_ reference: PageReference) {
        volume.errors.add(
            .page,
            "a page of the last revision is damaged on the store: files that are not stored yet "
                + "may be missing from the next", detail: reference.address.hex)
    }

    private func read<R>(
        _ body: (borrowing MetadataSnapshot) throws(MetadataError) -> R
    ) throws(EntryBuilder.Failure) -> R {
        do { return try body(snapshot) } catch { throw .metadata(error) }
    }
}
