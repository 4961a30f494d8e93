// SPDX-License-Identifier: Apache-2.0
//
// From rows to entries: what a page says of one inode. Reads one snapshot of the database, changes
// nothing.
//
// Invariant (docs/ARCHITECTURE.md §6.1): an entry names only what the store has acknowledged. A
// file whose newest bytes are not stored yet appears with those that are, and not at all if none
// are.

import Cryptography
import Metadata
import Namespace
import Scratchpads

/// Makes the entries of one publication.
struct EntryBuilder {
    let volume: Volume
    let snapshot: MetadataSnapshot
    /// Directories rebuilt in this publication, with their new pages.
    var rebuilt: [UInt64: DirectoryPages] = [:]
    /// Pages made on the way (long segment lists), to be stored before the leaf that names them.
    var sidePages: [SealedPage] = []

    /// A directory's pages as they will be published.
    struct DirectoryPages {
        let root: PageReference?
        let leaves: [LeafRow]
        var entryCount: UInt64 { leaves.reduce(0) { $0 + $1.entryCount } }
    }

    /// Why an entry could not be made: a damaged row, or a limit of the format.
    enum Failure: Error {
        case metadata(MetadataError)
        case namespace(NamespaceError)
        case sealed
    }

    init(volume: Volume, snapshot: MetadataSnapshot) {
        self.volume = volume
        self.snapshot = snapshot
    }

    /// The entry under `name`; nil when the inode has nothing to publish yet.
    mutating func entry(name: [UInt8], ino: UInt64, isTable: Bool) throws(Failure) -> Entry? {
        guard let row = try read({ (s) throws(MetadataError) in try s.inode(ino) }) else {
            return nil
        }
        if row.isHardLinked && !isTable { return .link(name: name, ino: ino) }
        return try entry(name: name, row)
    }

    /// The entry of one inode with its own body, whether it has more names or not.
    mutating func entry(name: [UInt8], _ row: InodeRow) throws(Failure) -> Entry? {
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
            guard
                let stored = try read({ (s) throws(MetadataError) in try s.content(row.ino) })
            else { return nil }
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
            let acknowledged = pad.pendingRecord == nil ? pad.counter : pad.counter - 1
            guard acknowledged > 0 else { return nil }
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
