// SPDX-License-Identifier: Apache-2.0
//
// Long lists of messages, a page at a time: however many there are, one page is in memory, and a
// number for each message before it.
//
// Invariants:
// - `rest` has the end of a page that was asked for and not given, and `cursor` leads behind it.
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
    /// Bytes of contents after which a page ends early: what travels beside its message has up to
    /// 16 MiB, and a page 200 messages. One content more than this can be in memory.
    package static let byteLimit = 16 << 20

    private let client: AlephClient
    private let filter: MessageFilter
    private var cursor: String? = ""
    private var pageSize: Int
    private var count = 0
    private var rest: [JSONValue] = []
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
    /// - Parameter isLate: whether no more time is given; looked at before each request.
    /// - Throws: also `malformedAnswer` after `limit` pages, and `unreachable` where it is late.
    package mutating func next(
        unless isLate: () -> Bool = { false }
    ) throws(AlephError) -> MessagePage? {
        if !rest.isEmpty {
            let items = rest
            let (page, taken) = try check(items, isLate)
            rest.removeFirst(taken)
            return page
        }
        guard let cursor else { return nil }
        guard count < MessagePages.limit else {
            throw .malformedAnswer("a list that has no end")
        }
        count += 1
        while true {
            do {
                let answer = try ask(cursor, isLate)
                let before = seen.count
                seen.formUnion(answer.names)
                // What leads back to what was given would never end.
                let isNews = seen.count > before
                self.cursor = isNews ? answer.next : nil
                rest = isNews ? answer.rest : []
                return isNews ? answer.page : nil
            } catch .tooLarge where pageSize > 1 {
                pageSize = max(pageSize / 4, 1)
            }
        }
    }

    /// A page as a node gave it.
    private struct Answer {
        let page: MessagePage
        /// What the page has no room for.
        let rest: [JSONValue]
        /// One for each item, as `seen` has them.
        let names: [Int]
        let next: String?
    }

    private func ask(
        _ cursor: String, _ isLate: () -> Bool
    ) throws(AlephError) -> Answer {
        try leniently { node, isStrict throws(AlephError) in
            try read(cursor, at: node, isStrict: isStrict, isLate)
        }
    }

    private static func requireTime(_ isLate: () -> Bool) throws(AlephError) {
        guard !isLate() else { throw .unreachable(reason: "its list did not end in time") }
    }

    /// Asks nodes until one lists nothing that is not as it was signed. Where all nodes do, the
    /// rest of the list is not worth less for it.
    private func leniently<Result: Sendable>(
        _ body: (AlephNode, _ isStrict: Bool) throws(AlephError) -> Result
    ) throws(AlephError) -> Result {
        do {
            return try client.ask { node throws(AlephError) in try body(node, true) }
        } catch .untrue {
            return try client.ask { node throws(AlephError) in try body(node, false) }
        }
    }

    private func read(
        _ cursor: String, at node: AlephNode, isStrict: Bool, _ isLate: () -> Bool
    ) throws(AlephError) -> Answer {
        try Self.requireTime(isLate)
        let list = try node.messages(filter, cursor: cursor, pageSize: pageSize)
        let (page, taken) = try check(list.items, at: node, isStrict: isStrict, isLate)
        return Answer(
            page: page, rest: Array(list.items.dropFirst(taken)),
            names: list.items.map { ($0["item_hash"]?.string ?? "").hashValue }, next: list.next)
    }

    /// Checks items that a node listed; contents beside them come from any node.
    private func check(
        _ items: [JSONValue], _ isLate: () -> Bool
    ) throws(AlephError) -> (page: MessagePage, taken: Int) {
        try leniently { node, isStrict throws(AlephError) in
            try check(items, at: node, isStrict: isStrict, isLate)
        }
    }

    /// Checks items until all are, or their contents are as many bytes as a page has.
    ///
    /// - Returns: how many were looked at, at least one if there are any.
    private func check(
        _ items: [JSONValue], at node: AlephNode, isStrict: Bool, _ isLate: () -> Bool
    ) throws(AlephError) -> (page: MessagePage, taken: Int) {
        var messages: [VerifiedMessage] = []
        var (passedOver, taken, size) = (0, 0, 0)
        for item in items {
            if size >= MessagePages.byteLimit { break }
            // Contents beside their messages are a request each.
            try Self.requireTime(isLate)
            taken += 1
            do throws(AlephError) {
                let envelope: MessageEnvelope
                do throws(AlephProtocolError) {
                    envelope = try MessageEnvelope(item)
                } catch {
                    throw AlephError.untrue(error)
                }
                let message = try AlephClient.verified(envelope, at: node)
                size += message.contentSize
                messages.append(message)
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
        return (MessagePage(messages: messages, passedOver: passedOver), taken)
    }
}
