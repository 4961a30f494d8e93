// SPDX-License-Identifier: Apache-2.0
//
// Long lists of messages, a page at a time: however many there are, one page is in memory, and a
// number for each message before it.
//
// Invariants:
// - A page is given once, and no message before a page that was given is asked for again.
// - A list ends, whatever nodes answer: with the first page that brings nothing new, or as a
//   failure after `limit` pages.

package import AlephProtocol
internal import JSON

/// One page of checked messages.
package struct MessagePage: Sendable {
    /// The messages that are what their senders signed.
    package let messages: [VerifiedMessage]
    /// How many the nodes listed that cannot be shown: of chains whose signatures this version
    /// cannot check, or not as they were signed.
    package let passedOver: Int
}

/// The messages that fit a filter, in the order the filter asks for.
package struct MessagePages: Sendable {
    /// The most pages of one list: a node that makes up more has no end.
    package static let limit = 50_000

    private let client: AlephClient
    private let filter: MessageFilter
    private var cursor: String? = ""
    private var pageSize: Int
    private var count = 0
    /// Numbers made of the names of what was listed: that two are equal by chance shortens no list
    /// unless it happens to all of a page.
    private var seen: Set<Int> = []

    /// Asks for nothing yet.
    ///
    /// - Parameter pageSize: messages at once, at most `ListPage.maximumSize`. Smaller pages are
    ///   asked for where a page of this many is larger than an answer may be.
    package init(
        _ client: AlephClient, _ filter: MessageFilter, pageSize: Int = ListPage.maximumSize
    ) {
        precondition((1...ListPage.maximumSize).contains(pageSize), "no such page")
        self.client = client
        self.filter = filter
        self.pageSize = pageSize
    }

    /// The next page; nil at the end. The end is where a page is empty or has no successor: what
    /// nodes say of totals is old, and wrong behind the end.
    ///
    /// - Throws: also `malformedAnswer` after `limit` pages.
    package mutating func next() throws(AlephError) -> MessagePage? {
        guard let cursor else { return nil }
        guard count < MessagePages.limit else {
            throw .malformedAnswer("a list that has no end")
        }
        count += 1
        while true {
            do {
                let answer = try ask(cursor)
                let before = seen.count
                seen.formUnion(answer.names)
                // What leads back to what was given would never end.
                let isNews = seen.count > before
                self.cursor = isNews ? answer.next : nil
                return isNews ? answer.page : nil
            } catch .tooLarge where pageSize > 1 {
                pageSize = max(pageSize / 4, 1)
            }
        }
    }

    /// A page as a node gave it.
    private struct Answer {
        let page: MessagePage
        /// One for each item, as `seen` has them.
        let names: [Int]
        let next: String?
    }

    private func ask(_ cursor: String) throws(AlephError) -> Answer {
        do {
            return try client.ask { node throws(AlephError) in
                try read(cursor, at: node, isStrict: true)
            }
        } catch .untrue {
            // All nodes list something that is not as it was signed. The rest of the list is
            // not worth less for it.
            return try client.ask { node throws(AlephError) in
                try read(cursor, at: node, isStrict: false)
            }
        }
    }

    private func read(
        _ cursor: String, at node: AlephNode, isStrict: Bool
    ) throws(AlephError) -> Answer {
        let page = try node.messages(filter, cursor: cursor, pageSize: pageSize)
        var messages: [VerifiedMessage] = []
        var passedOver = 0
        for item in page.items {
            do throws(AlephError) {
                let envelope: MessageEnvelope
                do throws(AlephProtocolError) {
                    envelope = try MessageEnvelope(item)
                } catch {
                    throw AlephError.untrue(error)
                }
                messages.append(try AlephClient.verified(envelope, at: node))
            } catch .untrue(let error) {
                if case .unsupportedChain = error {
                    passedOver += 1
                } else if isStrict {
                    throw .untrue(error)
                } else {
                    passedOver += 1
                }
            } catch .notFound {
                // A content beside its message that is gone.
                passedOver += 1
            }
        }
        return Answer(
            page: MessagePage(messages: messages, passedOver: passedOver),
            names: page.items.map { ($0["item_hash"]?.string ?? "").hashValue }, next: page.next)
    }
}
