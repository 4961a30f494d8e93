// SPDX-License-Identifier: Apache-2.0
//
// From rows to entries: what a page says of one inode. Reads one snapshot of the database, changes
// nothing.
//
// Invariants:
// 1. An entry names only what the store has acknowledged (docs/ARCHITECTURE.md §6.1). A file whose
//    newest bytes are not stored yet appears with those that are; but not under a name that it took
//    from another file after they were stored, and not with those of the file that it is a copy of.
// 2. If none are, it has what the revision before had at its name; if that had nothing there, what
//    it had of the file under its older name; else it is not in the revision. So a name that
//    nobody removed is in each revision, with what it had or with what it has.
// 3. No inode has two entries: what stands in for a file's content goes by the file's inode.
// 4. A link is published only with the entry of the hard-link table that it leads to: one that
//    leads to nothing is damage.

import Cryptography
import Metadata
import Namespace
import Scratchpads
import Stores

/// Makes the entries of one publication.
struct EntryBuilder {
    let volume: Volume
    let snapshot: MetadataSnapshot
    /// Directories rebuilt in this publication, with their new pages.
    var rebuilt: [UInt64: DirectoryPages] = [:]
    /// Pages made on the way (long segment lists), to be stored before the leaf that names them.
    var sidePages: [SealedPage] = []
    private var published: PublishedEntries
    /// What the revision before had at names that are hard links now, by inode; for those of which
    /// nothing is stored. Complete when the hard-link table's turn comes, after all directories.
    private var standIns: [UInt64: Entry] = [:]
    /// Names that invariant 4 left out: to be looked at again by each publication until the file is
    /// stored, since what changes of it then is the table's entry alone.
    private(set) var unlinked: [TouchedName] = []

    /// A directory's pages as they will be published.
    struct DirectoryPages {
        let root: PageReference?
        let leaves: [LeafRow]
        var entryCount: UInt64 { leaves.reduce(0) { $0 + $1.entryCount } }
    }

    /// Why an entry could not be made: a damaged row, a limit of the format, or no answer from the
    /// store.
    enum Failure: Error {
        case metadata(MetadataError)
        case namespace(NamespaceError)
        case sealed
        case store(StoreError)
    }

    init(volume: Volume, snapshot: MetadataSnapshot) {
        self.volume = volume
        self.snapshot = snapshot
        published = PublishedEntries(volume: volume, snapshot: snapshot)
    }

    /// The entry under `name` of a directory or the hard-link table; nil when the inode has nothing
    /// to publish yet.
    mutating func entry(
        name: [UInt8], ino: UInt64, in directory: UInt64
    ) throws(Failure) -> Entry? {
        guard let row = try read({ (s) throws(MetadataError) in try s.inode(ino) }) else {
            return nil
        }
        if row.isHardLinked && directory != Volume.hardLinkDirectory {
            try keepStandIn(for: row, at: name, in: directory)
            guard try isInTable(row) else {
                unlinked.append(TouchedName(directory: directory, name: name))
                return nil
            }
            return .link(name: name, ino: ino)
        }
        // Stored before it took this name: what stood here before goes on, if anything did.
        if isHeld(row), let found = try published.content(at: name, in: directory) ?? standIns[ino]
        {
            return try standIn(found, for: row, named: name)
        }
        if let entry = try entry(name: name, row) { return entry }
        guard row.form == .blocks else { return nil }
        var found = try published.content(at: name, in: directory)
        if found == nil { found = try published.moved(ino) }
        guard let found = found ?? standIns[ino] else { return nil }
        return try standIn(found, for: row, named: name)
    }

    // MARK: Nothing is stored yet

    /// Whether what is stored of the file is older than its name.
    private func isHeld(_ row: InodeRow) -> Bool { row.form == .blocks && row.isContentHeld }

    /// What the store has of a file in blocks; nil for nothing, or nothing that it ever was.
    private func stored(_ row: InodeRow) throws(Failure) -> StoredContent? {
        if row.isContentBorrowed { return nil }
        return try read { (s) throws(MetadataError) in try s.content(row.ino) }
    }

    /// Invariant 2: an older entry in the place of a file of which the store has nothing.
    private func standIn(
        _ found: Entry, for row: InodeRow, named name: [UInt8]
    ) throws(Failure) -> Entry {
        var entry = found
        if entry.ino == row.ino {
            let modified = entry.attributes.modified
            entry.attributes = row.attributes
            entry.attributes.modified = modified
            entry.xattrs = try read { (s) throws(MetadataError) in try s.xattrs(row.ino) }
        }
        entry.name = name
        entry.ino = row.ino
        entry.linkCount = row.linkCount
        return entry
    }

    /// What the table will have of a linked file of which nothing is stored, if it has nothing yet.
    private mutating func keepStandIn(
        for row: InodeRow, at name: [UInt8], in directory: UInt64
    ) throws(Failure) {
        guard row.form == .blocks, standIns[row.ino] == nil else { return }
        if !isHeld(row), try stored(row) != nil { return }
        standIns[row.ino] = try published.content(at: name, in: directory)
    }

    /// Whether the hard-link table has, or will have, an entry of a linked file.
    private mutating func isInTable(_ row: InodeRow) throws(Failure) -> Bool {
        guard row.form == .blocks, standIns[row.ino] == nil else { return true }
        if try stored(row) != nil { return true }
        let key = Entry.hardLinkName(of: row.ino)
        if try published.content(at: key, in: Volume.hardLinkDirectory) != nil { return true }
        return try published.moved(row.ino) != nil
    }

    // MARK: What is stored

    /// The entry of one inode with its own body, whether it has more names or not.
    private mutating func entry(name: [UInt8], _ row: InodeRow) throws(Failure) -> Entry? {
        var attributes = row.attributes
        let body: Body
        switch row.kind {
        case .directory:
            body = try directory(row)
        case .symlink:
            body = .symlink(try inline(row))
        case .fifo, .socket, .characterDevice, .blockDevice:
            body = .special(row.kind, device: row.device)
        case .regular:
            guard let (regular, modified) = try regular(row) else { return nil }
            body = regular
            if let modified { attributes.modified = modified }
        }
        let xattrs = try read { (s) throws(MetadataError) in try s.xattrs(row.ino) }
        return Entry(
            name: name, ino: row.ino, attributes: attributes, linkCount: row.linkCount,
            body: body, xattrs: xattrs)
    }

    private func directory(_ row: InodeRow) throws(Failure) -> Body {
        if let pages = rebuilt[row.ino] {
            return .directory(
                pages: pages.root, entryCount: pages.entryCount, linkCount: row.linkCount)
        }
        let reference = try read { (s) throws(MetadataError) in try s.pageOf(row.ino) }
        guard let reference else {
            return .directory(pages: nil, entryCount: 0, linkCount: row.linkCount)
        }
        var count = row.size
        if row.isLoaded {
            let leaves = try read { (s) throws(MetadataError) in try s.leaves(row.ino) }
            count = leaves.reduce(0) { $0 + $1.entryCount }
        }
        return .directory(pages: reference, entryCount: count, linkCount: row.linkCount)
    }

    private mutating func regular(_ row: InodeRow) throws(Failure) -> (Body, Timestamp?)? {
        switch row.form {
        case .inline, .none:
            let bytes = try inline(row)
            return (.regular(size: UInt64(bytes.count), .inline(bytes)), nil)
        case .blocks:
            guard let stored = try stored(row) else { return nil }
            let secret = volume.configuration.keys.pageSecret
            do {
                let (content, page) = try PageBuilder.content(of: stored.segments, secret: secret)
                if let page { sidePages.append(page) }
                return (.regular(size: stored.size, content), stored.modified)
            } catch {
                throw .namespace(error)
            }
        case .pad:
            guard let pad = try read({ (s) throws(MetadataError) in try s.pad(row.ino) }) else {
                return nil
            }
            guard let acknowledged = pad.acknowledgedCounter else { return nil }
            let reference = PadReference(
                identity: pad.identity, address: pad.address, encoding: pad.encoding,
                counter: acknowledged, size: row.size)
            return (.pad(reference), nil)
        }
    }

    private func inline(_ row: InodeRow) throws(Failure) -> [UInt8] {
        let sealed = try read { (s) throws(MetadataError) in try s.inline(row.ino) }
        guard let sealed else { return [] }
        do {
            return try volume.sealer.open(sealed)
        } catch {
            throw .sealed
        }
    }

    private func read<R>(
        _ body: (borrowing MetadataSnapshot) throws(MetadataError) -> R
    ) throws(Failure) -> R {
        do { return try body(snapshot) } catch { throw .metadata(error) }
    }
}
