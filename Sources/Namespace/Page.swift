// SPDX-License-Identifier: Apache-2.0
//
// The four things a page can hold, and what points at pages.

package import Cryptography

/// A child of an index page: one page, and the run of names below it.
package struct PageLink: Hashable, Sendable {
    /// The first name of the leftmost leaf below.
    package var first: [UInt8]
    /// The child, a leaf or another index page.
    package var reference: PageReference
    /// Entries in all leaves below; at least 1.
    package var entryCount: UInt64

    package init(first: [UInt8], reference: PageReference, entryCount: UInt64) {
        self.first = first
        self.reference = reference
        self.entryCount = entryCount
    }
}

/// The plaintext of one sealed chunk of the volume's tree.
package enum Page: Hashable, Sendable {
    /// A sorted run of one directory's entries, or of the hard-link table's.
    case leaf([Entry])
    /// Sorted children: the levels of a directory's tree above its leaves.
    case index([PageLink])
    /// The segments of one large or sparse file; `Content.indirect` names it.
    case segments([Segment])
    /// A run of published revisions, oldest first, and the spans of older ones, newest first.
    case revisions([RevisionRecord], older: [RevisionSpan])
}

/// The volume's secret from which, with a page's own plaintext, the page's key is made.
///
/// Without it, who guesses the plaintext of a page could tell whether a volume has it.
package struct PageSecret: Sendable {
    /// 32 bytes.
    package let bytes: SecretBytes

    /// Bytes of a page secret.
    package static let size = 32

    /// - Parameter bytes: exactly `size` bytes; anything else traps.
    package init(_ bytes: SecretBytes) {
        precondition(bytes.count == Self.size, "a page secret has 32 bytes")
        self.bytes = bytes
    }
}

/// A page ready for the chunk store.
package struct SealedPage: Hashable, Sendable {
    /// What its parent keeps of it.
    package let reference: PageReference
    /// The chunk; its BLAKE3 is `reference.address`.
    package let bytes: [UInt8]

    package init(reference: PageReference, bytes: [UInt8]) {
        self.reference = reference
        self.bytes = bytes
    }
}
