// SPDX-License-Identifier: Apache-2.0
//
// Builds and stores the pages of one publication: for every changed directory the leaves its
// changed names fall into, the index above them, and so on up to the two roots.

import Metadata
import Namespace
import Primitives
import Stores
import Synchronization
import Threading

/// The page work of one publication, over one snapshot of the database.
struct PageWriter {
    /// Pages handed to the store together.
    static let batch = 32
    /// Plaintext bytes gathered before they are cut into leaves: a bound on memory.
    static let gatherLimit = 8 * PageCodec.targetSize
    /// Rows read from the database at a time.
    static let rowBatch = 512

    private let volume: Volume
    private let snapshot: MetadataSnapshot
    private let pool: WorkerPool
    private var builder: EntryBuilder
    private var pending: [SealedPage] = []
    private(set) var pageCount = 0
    private var depths = TreeDepths()

    /// Why a publication did not come about.
    enum Failure: Error {
        case store(StoreError)
        case entry(EntryBuilder.Failure)
        /// Not all names of the directory are rows, or of the hard-link table: pages made of them
        /// would leave the others out.
        case partial(UInt64)
        /// Directories lie deeper than `TreeDepths.limit`.
        case tooDeep
    }

    init(volume: Volume, snapshot: MetadataSnapshot, pool: WorkerPool) {
        self.volume = volume
        self.snapshot = snapshot
        self.pool = pool
        builder = EntryBuilder(volume: volume, snapshot: snapshot)
    }

    /// Directories whose pages were made anew.
    var rebuilt: [UInt64: EntryBuilder.DirectoryPages] { builder.rebuilt }

    /// Names of directories that were left out, because nothing is stored yet of the files they
    /// are links to.
    var unlinked: [TouchedName] { builder.unlinked }

    /// Rebuilds every directory that has a changed name, deepest first; the hard-link table last.
    mutating func rebuild(_ changed: [UInt64: Set<[UInt8]>]) throws(Failure) {
        var byDepth: [Int: [UInt64: Set<[UInt8]>]] = [:]
        for (directory, names) in changed where directory != Volume.hardLinkDirectory {
            guard let depth = try depth(of: directory) else { continue }
            byDepth[depth, default: [:]][directory] = names
        }
        var depth = byDepth.keys.max() ?? -1
        while depth >= 0 {
            let level = byDepth.removeValue(forKey: depth) ?? [:]
            for (directory, names) in level.sorted(by: { $0.key < $1.key }) {
                builder.rebuilt[directory] = try rebuild(directory, names)
                guard depth > 0,
                    let row = try read({ (s) throws(MetadataError) in try s.inode(directory) }),
                    let name = try read({ (s) throws(MetadataError) in
                        try s.name(parent: row.parent, cookie: row.cookie)
                    })
                else { continue }
                byDepth[depth - 1, default: [:]][row.parent, default: []].insert(name)
            }
            depth -= 1
        }
        if let names = changed[Volume.hardLinkDirectory] {
            let table = Volume.hardLinkDirectory
            builder.rebuilt[table] = try rebuild(table, names)
        }
        try storePending()
    }

    /// The entry of one of the two top directories.
    mutating func topEntry(_ ino: UInt64, name: String) throws(Failure) -> Entry? {
        do {
            return try builder.entry(name: Array(name.utf8), ino: ino, in: Engine.rootInode)
        } catch {
            throw .entry(error)
        }
    }

    /// Stores one more page, with those still waiting.
    mutating func store(_ page: SealedPage) throws(Failure) {
        pending.append(page)
        try storePending()
    }

    /// Steps up to a top directory; nil when the directory is no longer in the tree.
    private mutating func depth(of directory: UInt64) throws(Failure) -> Int? {
        let snapshot = snapshot
        do {
            return try depths.depth(
                of: directory, belowTopsUnder: Volume.firstOrdinaryInode
            ) { (current) throws(MetadataError) in
                guard let row = try snapshot.inode(current), row.linkCount > 0,
                    row.parent != current
                else { return nil }
                return row.parent
            }
        } catch let error as MetadataError {
            throw .entry(.metadata(error))
        } catch {
            throw .tooDeep
        }
    }

    // MARK: One directory

    private mutating func rebuild(
        _ directory: UInt64, _ names: Set<[UInt8]>
    ) throws(Failure) -> EntryBuilder.DirectoryPages {
        guard try read({ (s) throws(MetadataError) in try s.isWhole(directory) }) else {
            throw .partial(directory)
        }
        let old = try read { (s) throws(MetadataError) in try s.leaves(directory) }
        var isAffected = [Bool](repeating: false, count: max(old.count, 1))
        for name in names { isAffected[PageWriter.leaf(of: name, in: old)] = true }
        var links: [PageLink] = []
        var index = 0
        while index < isAffected.count {
            if !isAffected[index] {
                let leaf = old[index]
                links.append(
                    PageLink(
                        first: leaf.first, reference: leaf.reference, entryCount: leaf.entryCount))
                index += 1
                continue
            }
            let start = index == 0 ? [] : old[index].first
            var next = index + 1
            while next < isAffected.count, isAffected[next] { next += 1 }
            let fresh = try leaves(of: directory, from: start, old, &next)
            links += fresh
            index = next
        }
        let built: (root: PageReference?, pages: [SealedPage])
        do {
            built = try PageBuilder.index(
                over: links, secret: volume.configuration.keys.pageSecret)
        } catch {
            throw .entry(.namespace(error))
        }
        for page in built.pages { try add(page) }
        return EntryBuilder.DirectoryPages(
            root: built.root,
            leaves: links.map {
                LeafRow(first: $0.first, reference: $0.reference, entryCount: $0.entryCount)
            })
    }

    /// Index of the leaf that has, or would have, the name.
    static func leaf(of name: [UInt8], in leaves: [LeafRow]) -> Int {
        var low = 0
        var high = leaves.count
        while low < high {
            let middle = (low + high) / 2
            if leaves[middle].first.lexicographicallyPrecedes(name) || leaves[middle].first == name
            {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return max(low - 1, 0)
    }

    /// Leaves for the names from `start` up to the old leaf `next`. A small remainder takes in the
    /// following leaf, so that removals do not leave crumbs.
    private mutating func leaves(
        of directory: UInt64, from start: [UInt8], _ old: [LeafRow], _ next: inout Int
    ) throws(Failure) -> [PageLink] {
        var links: [PageLink] = []
        var run: [Entry] = []
        var bytes = 0
        var cursor = start
        while true {
            let end = next < old.count ? old[next].first : nil
            let from = cursor
            let items = try read { (s) throws(MetadataError) in
                try s.entries(
                    parent: directory, from: from, before: end, limit: PageWriter.rowBatch)
            }
            for item in items {
                guard let entry = try entry(item, in: directory) else { continue }
                run.append(entry)
                bytes += PageBuilder.encodedSize(of: entry)
            }
            if let last = items.last { cursor = last.name + [0] }
            if items.count < PageWriter.rowBatch {
                if bytes < PageBuilder.minimumSize, !run.isEmpty, next < old.count {
                    cursor = old[next].first
                    next += 1
                    continue
                }
                for leaf in PageBuilder.leaves(of: run) { links.append(try seal(leaf)) }
                return links
            }
            if bytes > PageWriter.gatherLimit {
                var cut = PageBuilder.leaves(of: run)
                run = cut.removeLast()
                bytes = run.reduce(0) { $0 + PageBuilder.encodedSize(of: $1) }
                for leaf in cut { links.append(try seal(leaf)) }
            }
        }
    }

    private mutating func entry(
        _ item: DirectoryItem, in directory: UInt64
    ) throws(Failure) -> Entry? {
        do {
            let entry = try builder.entry(
                name: item.name, ino: item.ino, in: directory)
            if !builder.sidePages.isEmpty {
                let pages = builder.sidePages
                builder.sidePages = []
                for page in pages { try add(page) }
            }
            return entry
        } catch EntryBuilder.Failure.store(let error) {
            throw .store(error)
        } catch let error as EntryBuilder.Failure {
            throw .entry(error)
        } catch let error as Failure {
            throw error
        } catch {
            preconditionFailure("no other error is thrown here")
        }
    }

    private mutating func seal(_ entries: [Entry]) throws(Failure) -> PageLink {
        do {
            let (link, page) = try PageBuilder.seal(
                leaf: entries, secret: volume.configuration.keys.pageSecret)
            pending.append(page)
            if pending.count >= PageWriter.batch { try storePending() }
            return link
        } catch let error as NamespaceError {
            throw .entry(.namespace(error))
        } catch let error as Failure {
            throw error
        } catch {
            preconditionFailure("no other error is thrown here")
        }
    }

    private mutating func add(_ page: SealedPage) throws(Failure) {
        pending.append(page)
        if pending.count >= PageWriter.batch { try storePending() }
    }

    private mutating func storePending() throws(Failure) {
        let pages = pending
        pending = []
        pageCount += pages.count
        let volume = volume
        do throws(StoreError) {
            try pool.forEach(count: pages.count) { (index) throws(StoreError) in
                let page = pages[index]
                try volume.configuration.chunks.put(page.reference.address, page.bytes)
                volume.counters.storeAnswered()
                volume.counters.chunksStored.add(1, ordering: .relaxed)
                volume.counters.bytesStored.add(UInt64(page.bytes.count), ordering: .relaxed)
            }
        } catch {
            throw .store(error)
        }
    }

    private func read<R>(
        _ body: (borrowing MetadataSnapshot) throws(MetadataError) -> R
    ) throws(Failure) -> R {
        do { return try body(snapshot) } catch { throw .entry(.metadata(error)) }
    }
}
