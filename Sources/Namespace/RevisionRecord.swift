// SPDX-License-Identifier: Apache-2.0
//
// What `history/` needs to know of one published revision.

/// One published state, as the revision log keeps it for ever.
package struct RevisionRecord: Hashable, Sendable {
    /// The root pad's counter at that time.
    package var revision: UInt64
    /// When it was published, by the publishing machine's clock.
    package var published: Timestamp
    /// The machine that published.
    package var device: String
    /// The directory `files/` as it was.
    package var files: Entry
    /// The directory `scratchpads/` as it was. Pads keep no old content: only names and sizes.
    package var scratchpads: Entry
    /// The hard-link table as it was.
    package var hardLinks: PageReference?

    package init(
        revision: UInt64, published: Timestamp, device: String, files: Entry, scratchpads: Entry,
        hardLinks: PageReference?
    ) {
        self.revision = revision
        self.published = published
        self.device = device
        self.files = files
        self.scratchpads = scratchpads
        self.hardLinks = hardLinks
    }
}

/// A run of full pages of the revision log, named by its newest page.
///
/// A page lists the spans of everything older than itself, newest first, so the first span's
/// page is always the page before it, and the others are short cuts (see `RevisionLog`).
package struct RevisionSpan: Hashable, Sendable {
    /// The newest page of the run.
    package var newest: PageReference
    /// The smallest revision in the run.
    package var firstRevision: UInt64
    /// Pages in the run: one less than a power of two.
    package var pageCount: UInt64

    package init(newest: PageReference, firstRevision: UInt64, pageCount: UInt64) {
        self.newest = newest
        self.firstRevision = firstRevision
        self.pageCount = pageCount
    }
}
