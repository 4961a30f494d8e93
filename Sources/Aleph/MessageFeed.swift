// SPDX-License-Identifier: Apache-2.0
//
// New messages as they come, by asking again and again: the library this is built on has no
// websockets in the release it comes from.
//
// Invariants:
// - No message is given twice while it is among the `seenLimit` newest.
// - One that is in `seen` and was to be given is in `held` until it is: a poll that is cut off
//   loses nothing.

package import AlephProtocol

/// Tells of messages that fit a filter and were not there before.
///
/// Not for several threads at once.
package struct MessageFeed {
    /// The least time between two questions.
    package static let interval = Duration.seconds(5)
    /// How many seconds before the newest message are asked about again: messages reach nodes out
    /// of order, and their times are their senders'.
    package static let overlap = 600.0
    /// The most pages one question takes; what is beyond comes with the next.
    package static let pageLimit = 20
    /// The most messages that are remembered as seen.
    package static let seenLimit = 20_000

    private let client: AlephClient
    private var filter: MessageFilter
    private var seen: Set<ItemHash> = []
    private var order: [ItemHash] = []
    /// What came before a poll failed.
    private var held: [VerifiedMessage] = []
    /// The list that is being read, and when that began.
    private var pass: (pages: MessagePages, start: Double)?
    /// Whether a whole list was read: before that, everything was there already.
    private var isPrimed = false

    /// Tells of what comes after the first call of `poll`.
    ///
    /// - Parameter filter: its times and order are the feed's own.
    package init(_ client: AlephClient, _ filter: MessageFilter) {
        self.client = client
        self.filter = filter
        self.filter.isOldestFirst = true
        self.filter.until = nil
        self.filter.since = client.time.now() - MessageFeed.overlap
    }

    /// Tells of all that was sent since a moment, or shortly before it: for who has looked at a
    /// list then, and would rather hear of a message twice than not at all.
    ///
    /// - Parameter since: in seconds since 1970.
    package init(_ client: AlephClient, _ filter: MessageFilter, since: Double) {
        self.init(client, filter)
        self.filter.since = since - MessageFeed.overlap
        isPrimed = true
    }

    /// What came since the last call, the oldest first; none if nothing did, and none the first
    /// time. After a failure the next call gives what came before it, too.
    package mutating func poll() throws(AlephError) -> [VerifiedMessage] {
        var current = pass ?? (MessagePages(client, filter), client.time.now())
        for _ in 0..<MessageFeed.pageLimit {
            guard let page = try current.pages.next() else {
                pass = nil
                isPrimed = true
                // By our clock and not by theirs: a time of the future would hide what comes.
                filter.since = current.start - MessageFeed.overlap
                forgetOldest()
                return taken()
            }
            for message in page.messages where seen.insert(message.itemHash).inserted {
                order.append(message.itemHash)
                if isPrimed { held.append(message) }
            }
            pass = current
        }
        return taken()
    }

    private mutating func taken() -> [VerifiedMessage] {
        defer { held = [] }
        return held
    }

    private mutating func forgetOldest() {
        let excess = order.count - MessageFeed.seenLimit
        guard excess > 0 else { return }
        for hash in order.prefix(excess) { seen.remove(hash) }
        order.removeFirst(excess)
    }
}
