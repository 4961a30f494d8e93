// SPDX-License-Identifier: Apache-2.0
//
// Which files to fetch before a reader opens them: those that come next in a directory that is read
// through. Pure: reads go in, files of the listing come out.
//
// Of each of a few directories the files that were begun are followed in the order of the listing,
// which is the order in which programs that read a tree open them. Who begins a third file in
// that order has a window, the files fetched ahead; it doubles whenever half of it was read, and
// never passes a limit. A file out of order closes the window.
//
// Invariants:
// 1. No file is advised behind the one that is read, nor more than `most` files before it.
// 2. A reader who goes through a directory once is advised each file at most once.
// 3. Who goes back in the listing, or far ahead, is advised nothing until two more files were begun
//    in order.

import Primitives

/// Follows the files that are begun, over all directories of a volume.
struct SiblingAhead: Sendable {
    /// The widest window, in files.
    static let most = 32
    /// The first window of who has begun files in their order.
    static let first = 4
    /// Files in order after which more are expected.
    static let proof = 2
    /// Entries of a listing that are looked at together: who goes on within them is in order, as
    /// some are directories, or small, or not asked for.
    static let reach = 64
    /// Directories that are followed at once: programs that work side by side.
    static let directoryLimit = 8

    /// One entry of a listing.
    struct Sibling: Equatable, Sendable {
        let cookie: UInt64
        let ino: UInt64
    }

    /// What is known of one directory.
    private struct Stream: Sendable {
        let directory: UInt64
        /// The file that was begun last.
        var last: UInt64
        /// Files that were begun in order.
        var inOrder = 0
        /// Entries behind `last`, as far as they were looked up.
        var coming: [Sibling] = []
        /// No entry is behind `coming`.
        var isWhole = false
        /// Every file up to this one was advised.
        var reached: UInt64
        var window = 0
    }

    /// The one used last comes last.
    private var streams: [Stream] = []

    /// Notes that a file is read from its beginning.
    ///
    /// - Parameters:
    ///   - cookie: the file's place in the listing.
    ///   - directory: whose listing it is.
    ///   - list: gives so many entries of it behind a place, in their order; fewer at its end.
    /// - Returns: the entries to fetch now, as far as they are files.
    mutating func note<Failure: Error>(
        _ cookie: UInt64, in directory: UInt64,
        list: (_ cookie: UInt64, _ count: Int) throws(Failure) -> [Sibling]
    ) throws(Failure) -> [Sibling] {
        guard let index = streams.lastIndex(where: { $0.directory == directory }) else {
            if streams.count == SiblingAhead.directoryLimit { streams.removeFirst() }
            streams.append(Stream(directory: directory, last: cookie, reached: cookie))
            return []
        }
        var stream = streams.remove(at: index)
        defer { streams.append(stream) }
        // Begun again, or by a second reader: nothing new.
        if cookie == stream.last { return [] }
        try lookUp(&stream, list)
        guard let place = stream.coming.firstIndex(where: { $0.cookie == cookie }) else {
            stream = Stream(directory: directory, last: cookie, reached: cookie)
            return []
        }
        stream.last = cookie
        stream.inOrder += 1
        stream.coming.removeFirst(place + 1)
        guard stream.inOrder >= SiblingAhead.proof else { return [] }
        try lookUp(&stream, list)
        return advise(&stream)
    }

    /// Looks up what comes behind the last file, where less is known than a window may need.
    private func lookUp<Failure: Error>(
        _ stream: inout Stream, _ list: (UInt64, Int) throws(Failure) -> [Sibling]
    ) throws(Failure) {
        guard stream.coming.count < SiblingAhead.most, !stream.isWhole else { return }
        let from = stream.coming.last?.cookie ?? stream.last
        let more = try list(from, SiblingAhead.reach)
        stream.coming += more
        stream.isWhole = more.count < SiblingAhead.reach
    }

    private func advise(_ stream: inout Stream) -> [Sibling] {
        let ahead = stream.coming.prefix { $0.cookie <= stream.reached }.count
        if ahead <= stream.window / 2 {
            stream.window = min(max(stream.window * 2, SiblingAhead.first), SiblingAhead.most)
        } else {
            return []
        }
        let advised = stream.coming.prefix(stream.window).dropFirst(ahead)
        stream.reached = advised.last?.cookie ?? stream.reached
        return Array(advised)
    }
}
