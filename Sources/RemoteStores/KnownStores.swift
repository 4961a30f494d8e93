// SPDX-License-Identifier: Apache-2.0
//
// Which folder stores a volume rests on, by the identity in their marker. Kept in a file of the
// volume's state folder, so that a start without the store, or with another one in its place, tells
// the two apart later. docs/format.md §14.
//
// Invariant: a path's identity, once noted, is never replaced by another.

internal import Glibc
internal import Primitives
internal import Stores

/// What is known of folder stores from earlier.
package final class KnownStores: Sendable {
    /// The most bytes of the file.
    private static let fileSize = 64 << 10

    private let path: String
    private let identities: Lock<[String: String]>

    /// What the file at `path` has; nothing if it is not there or does not read.
    package init(path: String) {
        self.path = path
        var found: [String: String] = [:]
        do throws(SystemError) {
            // SAFETY: the text is lent for the call.
            let file = OpenFile(
                descriptor: try retrying { unsafe open(path, O_RDONLY | O_CLOEXEC) })
            let text = String(decoding: try file.read(size: Self.fileSize), as: UTF8.self)
            for line in text.split(separator: "\n") {
                guard let blank = line.firstIndex(of: " ") else { continue }
                found[String(line[line.index(after: blank)...])] = String(line[..<blank])
            }
        } catch {
            // Without it the store that is there is taken, and noted.
        }
        identities = Lock(found)
    }

    /// What is said of a store that is not the one that was there before.
    static let stranger = StoreError.notAStore(
        "another store is at this path than the one this volume rests on")

    /// Sees that the store at `place` is the one that was there before, and notes a new one.
    ///
    /// - Parameter identity: what its marker says; nil for a store without one.
    /// - Throws: `notAStore` if it is another.
    func check(_ identity: String?, at place: String) throws(StoreError) {
        guard let identity, !place.contains("\n") else { return }
        try identities.withLock { (identities) throws(StoreError) in
            if let noted = identities[place] {
                if noted != identity { throw KnownStores.stranger }
                return
            }
            identities[place] = identity
            let text = identities.sorted { $0.key < $1.key }
                .map { "\($0.value) \($0.key)\n" }.joined()
            // Only a guard is lost: the next start notes it again.
            try? write(Array(text.utf8))
        }
    }

    private func write(_ text: [UInt8]) throws(SystemError) {
        let new = path + ".new"
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
        // SAFETY: the text is lent for the call.
        let file = OpenFile(descriptor: try retrying { unsafe open(new, flags, 0o600) })
        try file.write(text.span)
        try file.syncContent()
        try file.close()
        // SAFETY: both texts are lent for the call.
        guard unsafe rename(new, path) == 0 else { throw .last }
    }
}
