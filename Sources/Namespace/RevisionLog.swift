// SPDX-License-Identifier: Apache-2.0
//
// The list of all published revisions, newest page last written. Pages are immutable, so the log
// is a chain: each page names what is older. To find one revision among a hundred thousand
// without reading every page, the older pages are kept as spans of 1, 3, 7, 15 … pages (a
// skew-binary list): adding a page costs nothing more, and a search takes logarithmic steps.
//
// Invariants:
// 1. A page lists spans newest first; the page that names a span is the newest in it, and its own
//    first spans are the rest of that span.
// 2. Revisions only grow along the chain, so every way back ends.
// 3. A page is rewritten until it has `maximumRevisionsPerPage` records or outgrew the target
//    size; then it is never touched again.

package import Primitives

/// The newest page of a revision log, to which records are appended.
package struct RevisionLog: Hashable, Sendable {
    /// Records of the newest page, oldest first.
    package private(set) var records: [RevisionRecord]
    /// What is older than the newest page, newest first.
    package private(set) var older: [RevisionSpan]
    /// Where the newest page is, once it has been sealed.
    package private(set) var newest: PageReference?

    /// The log of a volume that never published.
    package init() {
        records = []
        older = []
        newest = nil
    }

    /// The log whose newest page was sealed before.
    ///
    /// - Parameters:
    ///   - page: as `PageCodec.open` gave it.
    ///   - reference: the root's `revisionLog`.
    /// - Throws: `malformed` if the page is of another kind.
    package init(page: Page, reference: PageReference) throws(NamespaceError) {
        guard case .revisions(let records, let older) = page else {
            throw .malformed("a page of another kind")
        }
        self.records = records
        self.older = older
        newest = reference
    }

    /// Adds the newest revision.
    ///
    /// - Returns: the page to store before the root that names it (`Root.revisionLog`).
    /// - Throws: `invalid` if the revision is not newer than all in the log, or the record breaks
    ///   a rule of the format. The log is then unchanged.
    package mutating func append(
        _ record: RevisionRecord, secret: PageSecret
    ) throws(NamespaceError) -> SealedPage {
        var next = self
        if let newest, isFull(for: record) {
            next.older = Self.spans(adding: newest, first: records[0].revision, to: older)
            next.records = [record]
        } else {
            next.records.append(record)
        }
        if let last = records.last, last.revision >= record.revision {
            throw .invalid("the revision log is not sorted")
        }
        let page = try PageCodec.seal(
            .revisions(next.records, older: next.older), secret: secret)
        next.newest = page.reference
        self = next
        return page
    }

    /// Top directories with large attributes could make a few records larger than a page.
    private func isFull(for record: RevisionRecord) -> Bool {
        guard records.count < NamespaceLimits.maximumRevisionsPerPage else { return true }
        let size = records.reduce(record.directorySize) { $0 + $1.directorySize }
        return !records.isEmpty && size > PageCodec.targetSize
    }

    /// Puts a full page before the spans it names: over the first two if they are equally long,
    /// as a span of its own otherwise.
    static func spans(
        adding page: PageReference, first: UInt64, to older: [RevisionSpan]
    ) -> [RevisionSpan] {
        guard older.count >= 2, older[0].pageCount == older[1].pageCount,
            older[0].pageCount <= UInt64.max / 4
        else {
            return [RevisionSpan(newest: page, firstRevision: first, pageCount: 1)] + older
        }
        let joined = RevisionSpan(
            newest: page, firstRevision: older[1].firstRevision,
            pageCount: 1 + 2 * older[0].pageCount)
        return [joined] + older.dropFirst(2)
    }
}

extension RevisionLog {
    /// The record of one revision; nil if the log has none of that number.
    ///
    /// - Parameters:
    ///   - revision: its number.
    ///   - newest: the root's `revisionLog`.
    ///   - fetch: gives the chunk at an address. It is verified here.
    package static func record<Failure: Error>(
        of revision: UInt64, below newest: PageReference?,
        _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> RevisionRecord? {
        var walker = RevisionWalker(newest: newest)
        while let records = try walker.next(fetch) {
            if let first = records.first, first.revision <= revision {
                return records.first { $0.revision == revision }
            }
            walker.skip(to: revision)
        }
        return nil
    }
}

/// A place in a revision log, from which page after page is read, newest first.
///
/// A throwing `next` leaves the place where it was.
package struct RevisionWalker: Sendable {
    /// The spans of all pages not visited yet, newest first.
    private var ahead: [RevisionSpan]
    /// Every revision not visited yet is smaller; nil before the first page.
    private var end: UInt64?

    /// A walk from the newest page back.
    package init(newest: PageReference?) {
        ahead = newest.map { [RevisionSpan(newest: $0, firstRevision: 0, pageCount: 1)] } ?? []
        end = nil
    }

    /// The records of the next older page, oldest first; nil after the oldest page.
    ///
    /// - Parameter fetch: gives the chunk at an address. It is verified here.
    package mutating func next<Failure: Error>(
        _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> [RevisionRecord]? {
        guard let span = ahead.first else { return nil }
        let address = span.newest.address
        let chunk: [UInt8]
        do {
            chunk = try fetch(address)
        } catch {
            throw .fetch(error)
        }
        do throws(NamespaceError) {
            let page = try PageCodec.open(chunk, reference: span.newest)
            let log = try RevisionLog(page: page, reference: span.newest)
            guard let last = log.records.last, end.map({ last.revision < $0 }) ?? true,
                last.revision >= span.firstRevision
            else { throw .brokenTree("the revision log goes in circles") }
            end = log.records[0].revision
            ahead = log.older
            return log.records
        } catch {
            throw .page(address, error)
        }
    }

    /// Steps over the spans that are wholly newer than `revision`.
    mutating func skip(to revision: UInt64) {
        while let span = ahead.first, span.firstRevision > revision { ahead.removeFirst() }
    }
}

extension RevisionRecord {
    /// Bytes of what can be large in a record.
    fileprivate var directorySize: Int { files.encodedSize + scratchpads.encodedSize }
}
