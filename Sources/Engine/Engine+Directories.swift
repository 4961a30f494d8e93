// SPDX-License-Identifier: Apache-2.0
//
// Listings. An entry's offset is its cookie plus two, after `.` and `..`: cookies only grow, so a
// listing that is interrupted goes on where it was, whatever came and went meanwhile.

import Metadata
import Namespace
import Synchronization

extension Engine {
    /// Rows read from the database at a time.
    static let listingBatch = 256
    /// Offsets of `.` and `..` come before every cookie.
    static let firstCookieOffset: UInt64 = 2
    /// The two names that every directory has and nobody made: its own, and its parent's.
    package static let dot = Array(".".utf8)
    package static let dotDot = Array("..".utf8)
    package static let dots = [dot, dotDot]

    /// Whether an inode is of `files/` or `scratchpads/`, in this machine's own database.
    package static func isOwn(_ ino: UInt64) -> Bool {
        ino != rootInode && !VirtualTree.isVirtual(ino)
    }

    /// Opens a directory, for listing or to sync it: that alone moves no access time. While listing
    /// it would move that, the kernel may not use the names that it has, and asks for them.
    package func openDirectory(
        _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> OpenedFile {
        var keepsCache = true
        if Engine.isOwn(ino) {
            let row = try volume.row(ino)
            guard row.kind == .directory else { throw .notDirectory }
            try loader.ensureListable(row, context.patience)
            keepsCache = !isAccessDue(row.attributes, .now())
        } else if ForeignInodes.isForeign(ino) {
            try requireForeignDirectory(ino, context)
        } else if VirtualTree.isVirtual(ino), ino != VirtualTree.directory {
            throw .notDirectory
        }
        let handle = try handles.add(.directory(ino))
        return OpenedFile(handle: handle, keepsCache: keepsCache, isDirect: false)
    }

    /// Whether a directory of `files/` or `scratchpads/` has no more than so many entries.
    package func hasAtMost(_ count: UInt64, entriesIn directory: UInt64) -> Bool {
        guard let row = try? volume.row(directory) else { return false }
        return row.kind == .directory && row.size <= count
    }

    /// Lists from `offset` on until `body` returns false; the entry it refused is given again next
    /// time.
    ///
    /// A large directory that is on its way from the store is listed as its pages come: without
    /// statuses, as its names are looked up in the whole, or once it is whole if they are wanted of
    /// all.
    ///
    /// - Parameters:
    ///   - withStatus: every entry but the dots has a status; with `inPieces`, only those of
    ///     directories that are whole.
    ///   - inPieces: what is there already is enough, if it is anything: the caller asks again from
    ///     where it ended, and takes only a call that gives nothing for the end.
    package func readDirectory(
        _ handle: UInt64, ino: UInt64, from offset: UInt64, withStatus: Bool,
        inPieces: Bool = false, _ context: RequestContext, _ body: (ListedEntry) -> Bool
    ) throws(FileError) {
        if !Engine.isOwn(ino) {
            try listFixed(ino, from: offset, withStatus, context, body)
            return
        }
        if withStatus && !inPieces {
            try loader.ensureLoaded(try volume.row(ino), context.patience)
        }
        guard try listDots(ino, from: offset, body) else { return }
        var cursor = offset <= Engine.firstCookieOffset ? 0 : offset - Engine.firstCookieOffset
        var isEmpty = offset >= Engine.firstCookieOffset
        while true {
            let from = cursor
            // Of a directory that is being loaded what is there, without more: a name counts only
            // once all are there.
            let extent = loader.extent(of: ino)
            let withStatus = withStatus && extent == nil
            let mark = volume.drained.load(ordering: .acquiring)
            let page = try volume.query { (reader) throws(MetadataError) in
                withStatus
                    ? try reader.entriesWithInodes(
                        parent: ino, after: from, limit: Engine.listingBatch
                    ).map { ($0.0, Optional($0.1)) }
                    : try reader.entries(parent: ino, after: from, limit: Engine.listingBatch)
                        .map { ($0, nil) }
            }
            for (item, row) in page {
                var status: FileStatus?
                if let row {
                    // Gone between the two looks: it is listed no more.
                    guard let found = try? volume.status(of: row, readAt: mark) else { continue }
                    status = found
                }
                let entry = ListedEntry(
                    name: item.name, ino: item.ino, kind: item.kind,
                    nextOffset: item.cookie + Engine.firstCookieOffset, status: status)
                if !body(entry) { return }
                cursor = item.cookie
                isEmpty = false
            }
            if page.count < Engine.listingBatch {
                guard let extent, isEmpty || !inPieces else { return }
                try loader.waitForGrowth(of: ino, beyond: extent, context.patience)
            }
        }
    }

    /// A directory was listed from its start: that moves its access time, if it is due.
    ///
    /// - Parameter isAnswered: the kernel gets the names as an answer, with which it drops the time
    ///   that it has; else it is told.
    package func noteListing(of ino: UInt64, isAnswered: Bool) throws(FileError) {
        guard Engine.isOwn(ino) else { return }
        try volume.with(ino) { (inode) throws(FileError) in
            try noteAccess(inode, isKnown: isAnswered)
        }
    }

    /// Closes a listing.
    package func releaseDirectory(_ handle: UInt64) {
        _ = handles.remove(handle)
    }

    /// - Returns: false when the body has had enough.
    private func listDots(
        _ ino: UInt64, from offset: UInt64, _ body: (ListedEntry) -> Bool
    ) throws(FileError) -> Bool {
        if offset < 1 {
            let itself = ListedEntry(
                name: Engine.dot, ino: ino, kind: .directory, nextOffset: 1, status: nil)
            if !body(itself) { return false }
        }
        if offset < 2 {
            let above = Engine.isOwn(ino) ? try volume.row(ino).parent : Engine.rootInode
            let parent = ListedEntry(
                name: Engine.dotDot, ino: above, kind: .directory, nextOffset: 2, status: nil)
            if !body(parent) { return false }
        }
        return true
    }

    /// The mount's root and `.cairn`: their names never change.
    private func listFixed(
        _ ino: UInt64, from offset: UInt64, _ withStatus: Bool, _ context: RequestContext,
        _ body: (ListedEntry) -> Bool
    ) throws(FileError) {
        guard try listDots(ino, from: offset, body) else { return }
        if ForeignInodes.isForeign(ino) {
            try listForeign(ino, from: offset, withStatus: withStatus, context, body)
            return
        }
        let names: [(String, UInt64, FileKind)] =
            ino == Engine.rootInode
            ? [
                ("files", Engine.filesInode, .directory),
                ("scratchpads", Engine.scratchpadsInode, .directory),
                (VirtualTree.directoryName, VirtualTree.directory, .directory),
            ] + foreignRoots.map { ($0.name, $0.ino, .directory) }
            : VirtualTree.files.map { ($0.name, $0.ino, .regular) }
        for (index, (name, ino, kind)) in names.enumerated() {
            let own = Engine.firstCookieOffset + UInt64(index)
            if own < offset { continue }
            let status =
                withStatus
                ? try self.status(of: ino, RequestContext(user: 0, group: 0)) : nil
            let entry = ListedEntry(
                name: Array(name.utf8), ino: ino, kind: kind, nextOffset: own + 1, status: status)
            if !body(entry) { return }
        }
    }
}
