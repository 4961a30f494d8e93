// SPDX-License-Identifier: Apache-2.0
//
// Through the pages of one directory, or of the hard-link table, in order. Pure: the caller
// fetches chunks, and may stop after any page and go on later.
//
// Invariants: every page is what its parent's link says (first key, entry count, key space) and
// stays below the next link's first key; so keys only grow, no page is visited twice, and what a
// walk gives is sorted. No more than `NamespaceLimits.maximumTreeDepth` index pages are held.

package import Primitives

/// Why a walk stopped: the chunk did not come, or was not what it should be.
package enum PageWalkError<Failure: Error>: Error {
    /// The caller's own reason for not having the chunk.
    case fetch(Failure)
    /// The page under this address can not be used.
    case page(Digest, NamespaceError)
}

extension PageWalkError: Equatable where Failure: Equatable {}

/// A place in a tree of pages, from which leaf after leaf is read.
///
/// A throwing `next` leaves the place where it was: the same call may be tried again.
package struct PageWalker: Sendable {
    /// A page on the way, and what its parent said of it.
    package struct Visit: Hashable, Sendable {
        /// The first key in and below it.
        package let first: [UInt8]
        /// Where it is.
        package let reference: PageReference
        /// Entries in and below it.
        package let entryCount: UInt64
        /// A leaf or an index page.
        package let page: Page
    }

    /// A page yet to be opened, with everything known of it from above.
    private struct Pending {
        var reference: PageReference
        /// Nil for the root of the tree, of which no link tells.
        var first: [UInt8]?
        /// Every key in and below the page is smaller.
        var end: [UInt8]?
        var entryCount: UInt64?
        var depth: Int
    }

    private let keys: KeySpace
    private let start: [UInt8]
    /// The next page is the last.
    private var pending: [Pending]

    /// A walk from the first leaf on, or from the leaf in which `start` is, or would be.
    ///
    /// - Parameters:
    ///   - root: the directory's pages; nil for an empty one.
    ///   - keys: whether it is a directory or the hard-link table.
    ///   - entryCount: how many entries there must be, where the directory's entry tells.
    ///   - start: pages in which neither this key nor a later one can be are not fetched.
    package init(
        root: PageReference?, keys: KeySpace = .names, entryCount: UInt64? = nil,
        from start: [UInt8] = []
    ) {
        self.keys = keys
        self.start = start
        pending = []
        if let root {
            pending.append(
                Pending(reference: root, first: nil, end: nil, entryCount: entryCount, depth: 0))
        }
    }

    /// The next leaf's link and entries; nil after the last.
    ///
    /// - Parameter fetch: gives the chunk at an address. It is verified here.
    package mutating func nextLeaf<Failure: Error>(
        _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> (link: PageLink, entries: [Entry])? {
        while let visit = try nextPage(fetch) {
            guard case .leaf(let entries) = visit.page else { continue }
            let link = PageLink(
                first: visit.first, reference: visit.reference, entryCount: visit.entryCount)
            return (link, entries)
        }
        return nil
    }

    /// The next page, index pages before what is below them; nil after the last.
    ///
    /// - Parameter fetch: gives the chunk at an address. It is verified here.
    package mutating func nextPage<Failure: Error>(
        _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> Visit? {
        guard let next = pending.last else { return nil }
        let visit = try Self.open(next, keys: keys, fetch)
        pending.removeLast()
        if case .index(let links) = visit.page { push(links, below: next) }
        return visit
    }

    /// Leaves out the page that `nextPage` would open, with all that is below it.
    ///
    /// For a page that cannot be had: what is beside it can be.
    ///
    /// - Returns: where the page is, the first key in it where its parent told, and the entries in
    ///   and below it where it is known; nil when the walk was at its end.
    @discardableResult
    package mutating func skip() -> (
        reference: PageReference, first: [UInt8]?, entryCount: UInt64?
    )? {
        pending.popLast().map { ($0.reference, $0.first, $0.entryCount) }
    }

    /// Where the pages are that `nextPage` opens next, as far as they are known: those below an
    /// index page are once it is open.
    ///
    /// - Parameters:
    ///   - count: the most that are given.
    ///   - skipped: so many of the first are left out.
    package func upcoming(_ count: Int, after skipped: Int = 0) -> [Digest] {
        pending.dropLast(skipped).suffix(count).reversed().map(\.reference.address)
    }

    /// The entry called `name`; nil if there is none. Fetches the pages on the way, no others.
    ///
    /// - Parameters:
    ///   - name: the key.
    ///   - root: the directory's pages; nil for an empty one.
    ///   - keys: whether it is a directory or the hard-link table.
    ///   - fetch: gives the chunk at an address. It is verified here.
    package static func entry<Failure: Error>(
        named name: [UInt8], below root: PageReference?, keys: KeySpace = .names,
        _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> Entry? {
        var walker = PageWalker(root: root, keys: keys, from: name)
        guard let leaf = try walker.nextLeaf(fetch) else { return nil }
        let entries = leaf.entries
        let index = entries.partitionPoint { bytesPrecede($0.name, name) }
        guard index < entries.count, entries[index].name == name else { return nil }
        return entries[index]
    }

    private mutating func push(_ links: [PageLink], below parent: Pending) {
        // The last link that begins at or before the start is the first that may have it.
        let following = links.partitionPoint { !bytesPrecede(start, $0.first) }
        for index in stride(from: links.count - 1, through: max(0, following - 1), by: -1) {
            let link = links[index]
            pending.append(
                Pending(
                    reference: link.reference, first: link.first,
                    end: index + 1 < links.count ? links[index + 1].first : parent.end,
                    entryCount: link.entryCount, depth: parent.depth + 1))
        }
    }

    private static func open<Failure: Error>(
        _ pending: Pending, keys: KeySpace, _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> Visit {
        let address = pending.reference.address
        let chunk: [UInt8]
        do {
            chunk = try fetch(address)
        } catch {
            throw .fetch(error)
        }
        do {
            let page = try PageCodec.open(chunk, reference: pending.reference)
            return try check(page, against: pending, keys: keys)
        } catch {
            throw .page(address, error)
        }
    }

    private static func check(
        _ page: Page, against pending: Pending, keys: KeySpace
    ) throws(NamespaceError) -> Visit {
        let first: [UInt8]
        let last: [UInt8]
        var count: UInt64 = 0
        switch page {
        case .leaf(let entries):
            first = entries[0].name
            last = entries[entries.count - 1].name
            count = UInt64(entries.count)
        case .index(let links):
            guard pending.depth + 1 < NamespaceLimits.maximumTreeDepth else {
                throw .brokenTree("more levels than the limit")
            }
            first = links[0].first
            last = links[links.count - 1].first
            for link in links {
                let (sum, overflows) = count.addingReportingOverflow(link.entryCount)
                guard !overflows else { throw .brokenTree("counts do not add up") }
                count = sum
            }
        case .segments, .revisions:
            throw .brokenTree("a page of another kind")
        }
        guard KeySpace.of(first) == keys else { throw .brokenTree("keys of another kind") }
        guard pending.first == nil || pending.first == first else {
            throw .brokenTree("a page does not begin where its link says")
        }
        if let end = pending.end, !bytesPrecede(last, end) {
            throw .brokenTree("a page reaches into the next one")
        }
        guard pending.entryCount == nil || pending.entryCount == count else {
            throw .brokenTree("counts do not add up")
        }
        return Visit(first: first, reference: pending.reference, entryCount: count, page: page)
    }
}

extension Array {
    /// The index of the first element that `precedes` is false for, where it is true for all
    /// before and false for all after.
    func partitionPoint(_ precedes: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if precedes(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
