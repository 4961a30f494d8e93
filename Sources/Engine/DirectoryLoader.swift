// SPDX-License-Identifier: Apache-2.0
//
// The first look into a directory this machine knows only by its pages: they are fetched, verified,
// and become rows.

import Cryptography
import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import Threading

/// Loads directories on demand; each one once.
final class DirectoryLoader: Sendable {
    let volume: Volume
    let fetcher: ChunkFetcher
    let hardLinks: @Sendable () -> PageReference?
    /// Called when rows were added to the open transaction: on a mount that nobody writes to,
    /// nobody else asks whether they are too many.
    let afterRows: @Sendable () -> Void
    private let loading = Monitor<Set<UInt64>>([])
    let running = Monitor(RunningLoads())
    /// Interrupted when the engine stops; what it says of time counts for nobody.
    let stopping = Patience(for: .zero)
    /// Directories of which some rows are there already and others not: nobody may take them for
    /// whole, lest a publication leaves the others out.
    private let partial: Lock<Set<UInt64>>
    private let partialCount: Atomic<Int>
    /// Loads of which all rows are there; raised before the directory says that it is whole.
    let ended = Atomic<UInt64>(0)
    let pads: PadFetcher

    init(
        volume: Volume, fetcher: ChunkFetcher, partial: Set<UInt64>,
        hardLinks: @escaping @Sendable () -> PageReference?,
        afterRows: @escaping @Sendable () -> Void
    ) {
        self.volume = volume
        self.fetcher = fetcher
        self.hardLinks = hardLinks
        self.afterRows = afterRows
        self.partial = Lock(partial)
        partialCount = Atomic(partial.count)
        pads = PadFetcher(volume: volume)
    }

    func stop(until deadline: ContinuousClock.Instant) {
        stopLoads(until: deadline)
        pads.stop(until: deadline)
    }

    /// True for a directory whose loading has begun and not ended: a name found in it does not
    /// count.
    func isPartial(_ directory: UInt64) -> Bool {
        if partialCount.load(ordering: .acquiring) == 0 { return false }
        return partial.withLock { $0.contains(directory) }
    }

    /// Remembers, across a crash too, whether the directory is half loaded.
    private func setPartial(
        _ directory: UInt64, _ isPartial: Bool, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        let all = partial.withLock { partial -> Set<UInt64> in
            if isPartial { partial.insert(directory) } else { partial.remove(directory) }
            partialCount.store(partial.count, ordering: .releasing)
            return partial
        }
        try writer.setValue(
            DirectoryLoader.partialKey, all.isEmpty ? nil : DirectoryLoader.encoded(all))
    }

    /// Makes the directory's entries present in the database.
    ///
    /// - Throws: `wouldBlock` without patience; `inputOutput` when a page cannot be had.
    func ensureLoaded(_ row: InodeRow, _ patience: Patience?) throws(FileError) {
        if row.isLoaded { return }
        guard let patience else { throw .wouldBlock }
        let isLarge = row.size >= DirectoryLoader.largeDirectory
        if isLarge, try waitForLoad(of: row.ino, patience) { return }
        try loadOnce(row.ino, { patience }, afterLeaf: {})
    }

    /// Loads the directory on this thread, unless another has.
    ///
    /// - Parameters:
    ///   - patience: asked for once for each page, and for each thing that an entry needs.
    ///   - afterLeaf: called when the entries of another leaf are rows.
    func loadOnce(
        _ directory: UInt64, _ patience: () -> Patience, afterLeaf: () -> Void
    ) throws(FileError) {
        try once(directory, patience()) { () throws(FileError) in
            let row = try volume.row(directory)
            if !row.isLoaded { try load(row, patience, afterLeaf) }
        }
    }

    /// Runs `body` unless another thread is at the same directory; then waits for it and runs after
    /// it.
    func once(
        _ directory: UInt64, _ patience: Patience, _ body: () throws(FileError) -> Void
    ) throws(FileError) {
        while !loading.update({ $0.insert(directory).inserted }) {
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver { throw .inputOutput }
            _ = loading.wait(atMost: ChunkFetcher.step) { $0.contains(directory) ? nil : true }
        }
        defer { loading.update { _ = $0.remove(directory) } }
        try body()
    }

    private func load(
        _ row: InodeRow, _ patience: () -> Patience, _ afterLeaf: () -> Void
    ) throws(FileError) {
        let root = try volume.query { (reader) throws(MetadataError) in try reader.pageOf(row.ino) }
        try loadPages(
            PageWalker(root: root, entryCount: row.size), of: row, patience, afterLeaf)
    }

    /// Makes rows of all entries of a directory, or of the hard-link table.
    ///
    /// - Parameters:
    ///   - start: where the walk over the pages begins.
    ///   - row: the directory's; nil for the table.
    func loadPages(
        _ start: PageWalker, of row: InodeRow?, _ patience: () -> Patience, _ afterLeaf: () -> Void
    ) throws(FileError) {
        let directory = row?.ino ?? Volume.hardLinkDirectory
        var walker = start
        var leaves: [LeafRow] = []
        var pages = PagesAhead(fetcher)
        // Names of the table may also have gone here since, where an older version made links
        // without having all of it.
        let isResumed = if row == nil { true } else { try hasRows(directory) }
        var lostLinks = 0
        while let leaf = try next(&walker, &pages, patience) {
            leaves.append(
                LeafRow(
                    first: leaf.link.first, reference: leaf.link.reference,
                    entryCount: leaf.link.entryCount))
            if row != nil, leaf.entries.contains(where: { $0.body == .link }) {
                try loadHardLinks(patience)
            }
            let entries = isResumed ? try missing(leaf.entries, in: directory) : leaf.entries
            let rows = try prepare(entries, in: row, patience)
            let isFirst = row != nil && leaves.count == 1
            try volume.query { (writer) throws(MetadataError) in
                if isFirst { try setPartial(directory, true, writer) }
                for prepared in rows {
                    if try !insert(prepared, into: directory, writer) { lostLinks += 1 }
                }
            }
            afterRows()
            afterLeaf()
        }
        if lostLinks > 0 {
            volume.errors.add(
                .page,
                "a directory has hard links to files that the revision does not have: they are not "
                    + "shown", detail: "\(lostLinks)")
        }
        try finish(directory, leaves)
    }

    /// Whether some of the directory's entries are rows already: of a load that was cut off.
    private func hasRows(_ directory: UInt64) throws(FileError) -> Bool {
        try volume.query { (reader) throws(MetadataError) in
            try !reader.entries(parent: directory, after: 0, limit: 1).isEmpty
        }
    }

    /// Those entries that are no rows yet, and were none: nothing is fetched again for the others.
    private func missing(_ entries: [Entry], in directory: UInt64) throws(FileError) -> [Entry] {
        try volume.query { (reader) throws(MetadataError) in
            let touched = Set(try reader.touchedNames(in: directory, upTo: UInt64(Int64.max)))
            var missing: [Entry] = []
            for entry in entries where !touched.contains(entry.name) {
                guard try reader.dentry(parent: directory, name: entry.name) == nil else {
                    continue
                }
                missing.append(entry)
            }
            return missing
        }
    }

    private func finish(_ directory: UInt64, _ leaves: [LeafRow]) throws(FileError) {
        if directory == Volume.hardLinkDirectory {
            try volume.query { (writer) throws(MetadataError) in
                try writer.replaceLeaves(directory, leaves)
            }
            return
        }
        ended.add(1, ordering: .releasing)
        try volume.with(directory) { (inode) throws(FileError) in
            // Under the inode's lock: a commit must not write the row back as it was before.
            try inode.state.withLock { (state) throws(FileError) in
                try volume.query { (writer) throws(MetadataError) in
                    try writer.replaceLeaves(directory, leaves)
                    try setPartial(directory, false, writer)
                    guard var row = try writer.inode(directory) else { return }
                    row.isLoaded = true
                    try writer.updateInode(row)
                }
                state.row.isLoaded = true
            }
        }
    }

    /// The next leaf; `patience` is asked for once for each page.
    private func next(
        _ walker: inout PageWalker, _ pages: inout PagesAhead, _ patience: () -> Patience
    ) throws(FileError) -> (link: PageLink, entries: [Entry])? {
        do throws(PageWalkError<FileError>) {
            while true {
                // What comes after the page that is opened now.
                let upcoming = walker.upcoming(PagesAhead.window, after: 1)
                let visit = try walker.nextPage { (digest) throws(FileError) in
                    try pages.raw(digest, then: upcoming, patience())
                }
                guard let visit else { return nil }
                guard case .leaf(let entries) = visit.page else { continue }
                let link = PageLink(
                    first: visit.first, reference: visit.reference, entryCount: visit.entryCount)
                return (link, entries)
            }
        } catch {
            switch error {
            case .fetch(let cause): throw cause
            case .page(let digest, let cause):
                volume.errors.add(
                    .page, "a directory's page does not verify", detail: "\(digest.hex): \(cause)")
                throw .inputOutput
            }
        }
    }

    // MARK: Entries to rows

    /// An entry with everything its rows need, nothing left to fetch.
    struct Prepared: Sendable {
        let entry: Entry
        var row: InodeRow
        /// What the page, and so quota and totals, have for a pad that is of another size.
        var countedSize: UInt64?
        var inline: [UInt8]?
        var content: StoredContent?
        var pages: PageReference?
        var pad: PadRow?
    }

    /// Fetches what the entries' rows need; `patience` is asked for once for each thing.
    func prepare(
        _ entries: [Entry], in directory: InodeRow?, _ patience: () -> Patience
    ) throws(FileError) -> [Prepared] {
        var prepared: [Prepared] = []
        prepared.reserveCapacity(entries.count)
        var padIndexes: [Int] = []
        for entry in entries {
            let one = try prepare(entry, in: directory, patience)
            if one.pad != nil { padIndexes.append(prepared.count) }
            prepared.append(one)
        }
        if padIndexes.isEmpty { return prepared }
        let addresses = padIndexes.compactMap { prepared[$0].pad?.address }
        pads.begin(addresses)
        defer { pads.release(addresses) }
        for index in padIndexes {
            guard var pad = prepared[index].pad else { continue }
            let content: [UInt8]
            let patience = patience()
            do throws(FileError) {
                content = try opened(try pads.record(pad.address, patience), &pad)
            } catch {
                if error == .interrupted || patience.isOver { throw error }
                // A pad that cannot be had is a file that cannot be read; its directory still
                // lists.
                continue
            }
            prepared[index].pad = pad
            prepared[index].inline = content.isEmpty ? nil : volume.sealer.seal(content)
            prepared[index].countedSize = prepared[index].row.size
            prepared[index].row.size = UInt64(content.count)
            prepared[index].row.allocated = UInt64(content.count)
        }
        return prepared
    }

    private func prepare(
        _ entry: Entry, in directory: InodeRow?, _ patience: () -> Patience
    ) throws(FileError) -> Prepared {
        var row = InodeRow(
            ino: entry.ino, kind: entry.kind ?? .regular, attributes: entry.attributes, size: 0,
            linkCount: entry.linkCount, device: 0, parent: directory?.ino ?? 0, cookie: 0,
            change: 0, form: .none, isHardLinked: directory == nil, isLoaded: true, allocated: 0)
        var prepared = Prepared(entry: entry, row: row)
        switch entry.body {
        case .directory(let pages, let entryCount, let linkCount):
            row.size = entryCount
            row.linkCount = linkCount
            row.isLoaded = pages == nil
            row.form = directory?.form ?? .none
            prepared.pages = pages
        case .symlink(let target):
            row.size = UInt64(target.count)
            row.form = .inline
            prepared.inline = volume.sealer.seal(target)
        case .special(_, let device):
            row.device = device
        case .regular(let size, let content):
            row.size = size
            try fill(&prepared, &row, size, content, patience)
        case .pad(let reference):
            row.size = reference.size
            row.form = .pad
            prepared.pad = PadRow(
                ino: entry.ino, identity: reference.identity, address: reference.address,
                encoding: reference.encoding, counter: reference.counter, publishedDigest: nil,
                pendingRecord: nil, isLocalOnly: false)
        case .link:
            break
        }
        prepared.row = row
        return prepared
    }

    private func fill(
        _ prepared: inout Prepared, _ row: inout InodeRow, _ size: UInt64, _ content: Content,
        _ patience: () -> Patience
    ) throws(FileError) {
        var segments: [Segment] = []
        switch content {
        case .inline(let bytes):
            row.form = .inline
            row.allocated = UInt64(bytes.count)
            if !bytes.isEmpty { prepared.inline = volume.sealer.seal(bytes) }
            return
        case .segments(let list):
            segments = list
        case .indirect(let reference, _):
            let chunk = try fetcher.raw(reference.address, patience())
            guard let page = try? PageCodec.open(chunk, reference: reference),
                case .segments(let list) = page
            else {
                volume.errors.add(.page, "a file's segment list does not verify")
                throw .inputOutput
            }
            segments = list
        }
        row.form = .blocks
        prepared.content = StoredContent(
            segments: segments, size: size, modified: row.attributes.modified, baseLimit: size,
            isDirty: false, generation: 1)
        row.allocated = prepared.content?.allocatedBytes ?? 0
    }

    /// Makes an entry's rows, unless it has them.
    ///
    /// - Returns: false for a link to an inode that is not there.
    func insert(
        _ prepared: Prepared, into directory: UInt64, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) -> Bool {
        let entry = prepared.entry
        // A load that was cut off has done part of this already.
        if try writer.dentry(parent: directory, name: entry.name) != nil { return true }
        if case .link = entry.body {
            guard let linked = try writer.inode(entry.ino) else { return false }
            _ = try writer.insertDentry(
                parent: directory, name: entry.name, ino: entry.ino, kind: linked.kind)
            return true
        }
        var row = prepared.row
        row.cookie = try writer.insertDentry(
            parent: directory, name: entry.name, ino: entry.ino, kind: row.kind)
        try writer.insertInode(row)
        if let counted = prepared.countedSize, counted != row.size {
            volume.quota.correct(counted, to: row.size)
            volume.totals.replace(counted, with: row.size)
            // With the row, whichever commit has it.
            try volume.totals.save(writer)
        }
        if let inline = prepared.inline { try writer.setInline(row.ino, inline) }
        if let content = prepared.content { try writer.setContent(row.ino, content) }
        if row.kind == .directory { try writer.setPage(row.ino, prepared.pages) }
        if let pad = prepared.pad { try writer.setPad(pad) }
        for attribute in entry.xattrs {
            try writer.setXattr(row.ino, attribute.name, attribute.value)
        }
        return true
    }
}
