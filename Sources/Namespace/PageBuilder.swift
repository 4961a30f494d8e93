// SPDX-License-Identifier: Apache-2.0
//
// Cuts sorted entries into leaves and puts the index levels over them. Pure: the caller keeps
// the leaves' first names, so that a change re-encodes the one leaf it falls into.
//
// Why a change stays small: a leaf is cut again only when it outgrew its page, and an index level
// is cut where the names themselves say, so that a new leaf moves no cut but the next one or two.

/// How a directory becomes pages.
package enum PageBuilder {
    /// A leaf smaller than this (bytes) is worth joining with a neighbour: pass both runs to
    /// `leaves(of:)` as one. A quarter of a page, so that what was cut is not joined at once.
    package static let minimumSize = PageCodec.targetSize / 4

    /// What pieces aim at when a run is cut: three quarters, to leave room before the next cut.
    private static let pieceSize = PageCodec.targetSize / 4 * 3
    /// Bytes of links that an index page has at least before a name may end it.
    private static let minimumIndexSize = PageCodec.targetSize / 4
    /// One name in so many ends an index page. Links are around 90 bytes, so pages are around
    /// 64 KiB + 256 × 90 B: half full.
    private static let indexCutRarity: UInt64 = 256

    /// The bytes that `entry` takes in a leaf.
    package static func encodedSize(of entry: Entry) -> Int {
        entry.encodedSize
    }

    /// A sorted run as leaves of at most `PageCodec.targetSize` bytes each.
    ///
    /// A run that fits is one leaf. A longer one is cut into pieces of equal size, at most three
    /// quarters full. An entry that is larger than a page by itself has a leaf to itself. The
    /// same run is always cut the same way.
    ///
    /// - Parameter entries: sorted; none give no leaf.
    package static func leaves(of entries: [Entry]) -> [[Entry]] {
        guard !entries.isEmpty else { return [] }
        let sizes = entries.map(encodedSize(of:))
        let total = sizes.reduce(0, +)
        guard total + Page.maximumHeadSize > PageCodec.targetSize else { return [entries] }
        let aim = total / ((total + pieceSize - 1) / pieceSize) + 1
        var leaves: [[Entry]] = []
        var start = 0
        var size = 0
        for (index, entrySize) in sizes.enumerated() {
            let isOver = size + entrySize + Page.maximumHeadSize > PageCodec.targetSize
            if index > start, size >= aim || isOver {
                leaves.append(Array(entries[start..<index]))
                start = index
                size = 0
            }
            size += entrySize
        }
        leaves.append(Array(entries[start...]))
        return leaves
    }

    /// Seals one leaf, and gives its parent's link to it.
    ///
    /// - Parameter entries: one of the runs that `leaves(of:)` gave; empty traps.
    /// - Throws: what `PageCodec.seal` says of the entries.
    package static func seal(
        leaf entries: [Entry], secret: PageSecret
    ) throws(NamespaceError) -> (link: PageLink, page: SealedPage) {
        precondition(!entries.isEmpty, "a leaf has an entry")
        let page = try PageCodec.seal(.leaf(entries), secret: secret)
        let link = PageLink(
            first: entries[0].name, reference: page.reference, entryCount: UInt64(entries.count))
        return (link, page)
    }

    /// The index pages over the leaves of one directory, level by level up to a single page.
    ///
    /// Deterministic: the same leaves have the same pages over them, whatever was there before.
    ///
    /// - Parameter leaves: in order. None give no root; one is the root itself.
    /// - Returns: the directory's root, and the index pages to store, children before parents.
    /// - Throws: `invalid` if the links are not sorted.
    package static func index(
        over leaves: [PageLink], secret: PageSecret
    ) throws(NamespaceError) -> (root: PageReference?, pages: [SealedPage]) {
        var level = leaves
        var pages: [SealedPage] = []
        while level.count > 1 {
            var parents: [PageLink] = []
            for run in runs(of: level) {
                let page = try PageCodec.seal(.index(run), secret: secret)
                pages.append(page)
                let count = run.reduce(UInt64(0)) { $0 &+ $1.entryCount }
                parents.append(
                    PageLink(first: run[0].first, reference: page.reference, entryCount: count))
            }
            level = parents
        }
        return (level.first?.reference, pages)
    }

    /// The content of a file of many segments: in its entry, or if they are too many in a page.
    ///
    /// - Returns: the content, and the page to store before the entry is, if there is one.
    /// - Throws: `invalid` if the segments break a rule; `tooLarge` if they are more than
    ///   `NamespaceLimits.maximumSegmentCount`, or too many for one page.
    package static func content(
        of segments: [Segment], secret: PageSecret
    ) throws(NamespaceError) -> (content: Content, page: SealedPage?) {
        guard segments.count > NamespaceLimits.maximumEntrySegmentCount else {
            return (.segments(segments), nil)
        }
        guard segments.count <= NamespaceLimits.maximumSegmentCount else {
            throw .tooLarge(limit: NamespaceLimits.maximumSegmentCount)
        }
        let page = try PageCodec.seal(.segments(segments), secret: secret)
        return (.indirect(page.reference, count: segments.count), page)
    }

    /// One level of links as index pages of at least two links each, but for the last.
    private static func runs(of links: [PageLink]) -> [[PageLink]] {
        let sizes = links.map(\.encodedSize)
        let room = PageCodec.targetSize - Page.maximumHeadSize
        guard sizes.reduce(0, +) > room else { return [links] }
        var runs: [[PageLink]] = []
        var start = 0
        var size = 0
        for (index, link) in links.enumerated() {
            let isCut = size >= minimumIndexSize && endsPage(before: link.first)
            if index > start, isCut || size + sizes[index] > room {
                runs.append(Array(links[start..<index]))
                start = index
                size = 0
            }
            size += sizes[index]
        }
        runs.append(Array(links[start...]))
        return runs
    }

    /// Whether an index page ends before this name: a property of the name alone (FNV-1a, 64
    /// bits), so that the cuts on both sides of a change stay where they are.
    private static func endsPage(before name: [UInt8]) -> Bool {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return (hash >> 32) % indexCutRarity == 0
    }
}
